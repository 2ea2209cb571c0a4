/* SPDX-License-Identifier: MIT */
/*
 * Each option is a row of `table`: its name, what --help says, where it may stand, and a function
 * that checks and stores its value.
 */
#include "command_line.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ixlat/measure/flight.h"
#include "ixlat.h"
#include "tools/ixlat/measure/probe.h"
#include "tools/ixtap/output.h"

enum {
	FRAME_BYTES_MIN = 60,
	FRAME_BYTES_MAX = 65535,
	UDP_BYTES_MAX = 65507,
	TCP_BYTES_MAX = 65535,
	SIZE_DEFAULT = 64,
	WARMUP_DEFAULT = 10,
	WARMUP_MAX = 1000000,
	TIMEOUT_DEFAULT_MS = 1000,
	TIMEOUT_MAX_MS = 60000,
	DURATION_DEFAULT_S = 10,
	DURATION_MAX_S = 86400,
	RATE_MAX_HZ = 10000000,
};
static_assert(sizeof(struct probe) + ETHER_HDR_LEN <= FRAME_BYTES_MIN,
	      "the smallest frame holds a probe");
/* With those for warming up fewer than UINT32_MAX, which stands for a run by time. */
#define PROBES_MAX (UINT32_MAX - WARMUP_MAX - 1)

#define REFUSE(...) (fail(__VA_ARGS__), -EINVAL)

/* ---- Values ---- */

static int parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long long value;
	char *end;

	/* strtoull would take a sign or spaces. */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -EINVAL;
	*out = (uint32_t)value;
	return 0;
}

static int parse_real(const char *text, double least, double most, double *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < least || value > most)
		return -EINVAL;
	*out = value;
	return 0;
}

static int set_port(struct ixlat_options *options, const char *value)
{
	uint32_t port;

	if (parse_number(value, 1, 65535, &port))
		return REFUSE("'%s' is no port: use a number from 1 to 65535", value);
	options->port = (uint16_t)port;
	return 0;
}

static int set_listen(struct ixlat_options *options, const char *value)
{
	options->listen = value;
	return *value ? 0 : REFUSE("--listen needs an address");
}

static int set_interface(struct ixlat_options *options, const char *value)
{
	if (!*value || strlen(value) >= IF_NAMESIZE)
		return REFUSE("'%s' is no interface's name: see 'ip link'", value);
	options->interface = value;
	return 0;
}

static int set_rate(struct ixlat_options *options, const char *value)
{
	if (parse_real(value, 0, RATE_MAX_HZ, &options->rate_hz) ||
	    (options->rate_hz > 0 && options->rate_hz < 0.01))
		return REFUSE("'%s' is no rate: use 0.01 to %u probes per second, or 0 to send the "
			      "next when the answer is there",
			      value, RATE_MAX_HZ);
	return 0;
}

static int set_count(struct ixlat_options *options, const char *value)
{
	if (parse_number(value, 1, PROBES_MAX, &options->count))
		return REFUSE("'%s' is no number of probes: use 1 to %u", value, PROBES_MAX);
	return 0;
}

static int set_duration(struct ixlat_options *options, const char *value)
{
	if (parse_real(value, 0.001, DURATION_MAX_S, &options->duration_s))
		return REFUSE("'%s' is no duration: use seconds from 0.001 to %u", value,
			      DURATION_MAX_S);
	return 0;
}

static int set_warmup(struct ixlat_options *options, const char *value)
{
	if (parse_number(value, 0, WARMUP_MAX, &options->warmup))
		return REFUSE("'%s' is no number of probes to warm up with: use 0 to %u", value,
			      WARMUP_MAX);
	return 0;
}

/* How much is too much depends on the mode: see finish_size. */
static int set_size(struct ixlat_options *options, const char *value)
{
	if (parse_number(value, 1, UINT32_MAX, &options->size_bytes))
		return REFUSE("'%s' is no size: use a number of bytes", value);
	return 0;
}

static int set_timeout(struct ixlat_options *options, const char *value)
{
	if (parse_number(value, 1, TIMEOUT_MAX_MS, &options->timeout_ms))
		return REFUSE("'%s' is no timeout: use milliseconds from 1 to %u", value,
			      TIMEOUT_MAX_MS);
	return 0;
}

static int set_one_way(struct ixlat_options *options, const char *value)
{
	(void)value;
	options->one_way = true;
	return 0;
}

static int set_busy(struct ixlat_options *options, const char *value)
{
	(void)value;
	options->busy = true;
	return 0;
}

static int set_kernel_stamps(struct ixlat_options *options, const char *value)
{
	(void)value;
	options->kernel_stamps = true;
	return 0;
}

static int set_json(struct ixlat_options *options, const char *value)
{
	options->json = value;
	return *value ? 0 : REFUSE("--json needs a file's name, or - for standard output");
}

static int set_hgrm(struct ixlat_options *options, const char *value)
{
	options->hgrm = value;
	return *value ? 0 : REFUSE("--hgrm needs a file's name");
}

static int set_plot(struct ixlat_options *options, const char *value)
{
	size_t length = strlen(value);

	if (length < 5 ||
	    (strcmp(value + length - 4, ".svg") && strcmp(value + length - 4, ".png")))
		return REFUSE("--plot: '%s' must end in .svg or .png, which says what is drawn",
			      value);
	options->plot = value;
	return 0;
}

static int set_label(struct ixlat_options *options, const char *value)
{
	options->label = value;
	return *value ? 0 : REFUSE("--label needs a text");
}

/* ---- The table ---- */

/* Where an option may stand: a bit for each command line's shape. */
enum {
	UDP = 1 << MODE_UDP,
	TCP = 1 << MODE_TCP,
	RAW = 1 << MODE_RAW,
	RUN = UDP | TCP | RAW,
	REFLECT_SHIFT = 3,
	REFLECT_UDP = UDP << REFLECT_SHIFT,
	REFLECT_TCP = TCP << REFLECT_SHIFT,
	REFLECT_RAW = RAW << REFLECT_SHIFT,
	REFLECT = REFLECT_UDP | REFLECT_TCP | REFLECT_RAW,
	COMPARE = 1 << 6,
};

static const struct row {
	const char *name;
	int (*set)(struct ixlat_options *options, const char *value);
	int where;
	const char *arg, *doc;
} table[] = {
	{"port", set_port, UDP | TCP | REFLECT_UDP | REFLECT_TCP, "N", "The port; default 8259"},
	{"listen", set_listen, REFLECT_UDP | REFLECT_TCP, "ADDR",
	 "reflect: answer on this address only"},
	{"interface", set_interface, RAW | REFLECT_RAW, "IF", "raw: the interface"},
	{"rate", set_rate, RUN, "HZ",
	 "Probes per second, sent at their time whatever became of those before; 0 (the default): "
	 "the next goes when the answer is there"},
	{"count", set_count, RUN, "N", "End after N probes"},
	{"duration", set_duration, RUN, "S", "End after S seconds; default 10"},
	{"warmup", set_warmup, RUN, "N", "Probes before those that count; default 10"},
	{"size", set_size, RUN, "BYTES",
	 "Of the UDP or TCP payload, or of the Ethernet frame without FCS; default 64"},
	{"timeout", set_timeout, RUN, "MS", "When a probe counts as lost; default 1000"},
	{"one-way", set_one_way, RUN, NULL,
	 "Also the times there and back, when both ends run on one machine"},
	{"busy", set_busy, RUN | REFLECT_UDP | REFLECT_RAW, NULL,
	 "Ask for packets all the time instead of sleeping until one comes"},
	{"kernel-stamps", set_kernel_stamps, UDP | RAW, NULL,
	 "Take an answer's time from the kernel, before it wakes this program"},
	{"json", set_json, RUN | COMPARE, "FILE", "Write JSON; - is standard output"},
	{"hgrm", set_hgrm, RUN, "FILE", "Write the percentile distribution (HdrHistogram's .hgrm)"},
	{"plot", set_plot, RUN | COMPARE, "FILE", "Draw percentiles: FILE.svg or FILE.png"},
	{"label", set_label, RUN, "TEXT", "The run's name in compare and plots"},
};
enum { ROWS = sizeof(table) / sizeof(table[0]) };
enum { KEY_BASE = 0x100 }; /* above every character: no short options */
static_assert(ROWS <= 32, "state.given has a bit for each");

static const char *const mode_names[] = {"udp", "tcp", "raw"};
enum { MODES = sizeof(mode_names) / sizeof(mode_names[0]) };

struct state {
	struct ixlat_options *options;
	bool have_command, have_mode;
	uint32_t given;
};

const char *mode_name(enum mode mode)
{
	return mode_names[mode];
}

static bool was_given(const struct state *state, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(table[i].name, name))
			return state->given & 1u << i;
	return false;
}

/* ---- Words ---- */

static int set_mode(struct state *state, const char *word)
{
	for (size_t i = 0; i < MODES; i++)
		if (!strcmp(word, mode_names[i])) {
			state->options->mode = (enum mode)i;
			state->have_mode = true;
			return 0;
		}
	if (state->have_command)
		return REFUSE("'%s' can't be reflected: say udp, tcp or raw", word);
	return REFUSE("unknown command '%s': it is one of udp, tcp, raw, reflect, compare", word);
}

static int set_command(struct state *state, const char *word)
{
	int err = 0;

	if (!strcmp(word, "reflect"))
		state->options->command = COMMAND_REFLECT;
	else if (!strcmp(word, "compare"))
		state->options->command = COMMAND_COMPARE;
	else
		err = set_mode(state, word);
	state->have_command = true;
	return err;
}

static int set_mac(struct ixlat_options *options, const char *word)
{
	unsigned int b[6];
	int end = -1;

	/* Two digits each, so that sscanf can't take signs, spaces or fewer. */
	if (strlen(word) != 17 || strspn(word, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    end != 17)
		return REFUSE("'%s' is no MAC address: write it like 02:00:00:00:00:01", word);
	if (b[0] & 1)
		return REFUSE("%s is a multicast address: give the one of the far interface", word);
	for (size_t i = 0; i < 6; i++)
		options->mac[i] = (uint8_t)b[i];
	options->host = word;
	return 0;
}

static int set_word(struct state *state, const char *word)
{
	struct ixlat_options *options = state->options;

	if (!state->have_command)
		return set_command(state, word);
	if (options->command == COMMAND_COMPARE) {
		if (options->file_count == COMPARE_MAX)
			return REFUSE("more than %u files: compare fewer at a time", COMPARE_MAX);
		options->files[options->file_count++] = word;
		return 0;
	}
	if (!state->have_mode)
		return set_mode(state, word);
	if (options->command == COMMAND_REFLECT || options->host)
		return REFUSE("'%s' is one word too many", word);
	if (!*word)
		return REFUSE("the host's name is empty");
	if (options->mode == MODE_RAW)
		return set_mac(options, word);
	options->host = word;
	return 0;
}

/* ---- The whole ---- */

static int check_places(const struct state *state)
{
	const struct ixlat_options *options = state->options;
	int here = 1 << options->mode;

	if (options->command == COMMAND_COMPARE)
		here = COMPARE;
	else if (options->command == COMMAND_REFLECT)
		here <<= REFLECT_SHIFT;
	for (size_t i = 0; i < ROWS; i++) {
		if (!(state->given & 1u << i) || table[i].where & here)
			continue;
		if (here == COMPARE)
			return REFUSE("--%s does not go with compare", table[i].name);
		return REFUSE("--%s does not go with %s%s", table[i].name,
			      options->command == COMMAND_REFLECT ? "reflect " : "",
			      mode_name(options->mode));
	}
	return 0;
}

static int finish_size(struct ixlat_options *options)
{
	static const struct {
		uint32_t least, most;
		const char *what;
	} limits[] = {
		[MODE_UDP] = {sizeof(struct probe), UDP_BYTES_MAX, "a UDP payload"},
		[MODE_TCP] = {sizeof(struct probe), TCP_BYTES_MAX, "a TCP message"},
		[MODE_RAW] = {FRAME_BYTES_MIN, FRAME_BYTES_MAX, "an Ethernet frame"},
	};

	if (!options->size_bytes)
		options->size_bytes = SIZE_DEFAULT;
	if (options->size_bytes < limits[options->mode].least ||
	    options->size_bytes > limits[options->mode].most)
		return REFUSE("--size %u: %s can have %u to %u bytes", options->size_bytes,
			      limits[options->mode].what, limits[options->mode].least,
			      limits[options->mode].most);
	return 0;
}

static int finish_rate(struct ixlat_options *options)
{
	double seconds = options->duration_s, rate = options->rate_hz;

	if (options->count)
		seconds = rate > 0 ? options->count / rate : 0;
	if (seconds > DURATION_MAX_S)
		return REFUSE("%u probes at %g per second take longer than a day: send fewer",
			      options->count, rate);
	if (rate * seconds > PROBES_MAX)
		return REFUSE("%g probes per second for %g s are more than %u: take less time",
			      rate, seconds, PROBES_MAX);
	if (2 * rate * options->timeout_ms / 1000 > FLIGHT_SLOTS_MAX)
		return REFUSE("at %g per second, within %u ms, too many probes would be on their "
			      "way: lower --rate or --timeout",
			      rate, options->timeout_ms);
	return 0;
}

static int finish_run(const struct state *state)
{
	struct ixlat_options *options = state->options;
	int err;

	if (!options->host)
		return options->mode == MODE_RAW
			       ? REFUSE("say to which MAC address: that of the far interface")
			       : REFUSE("say to which host");
	if (was_given(state, "count") && was_given(state, "duration"))
		return REFUSE("give --count or --duration, not both");
	if (!options->count && options->duration_s <= 0)
		options->duration_s = DURATION_DEFAULT_S;
	err = finish_size(options);
	return err ? err : finish_rate(options);
}

/* Asked before the run, not when there is a result to write. */
static int check_texts(const struct ixlat_options *options)
{
	const char *texts[3 + COMPARE_MAX] = {options->label, options->host, options->interface};

	memcpy(texts + 3, options->files, sizeof(options->files));
	for (size_t i = 0; options->json && i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *text = texts[i] ? json_string(texts[i]) : json_null();

		json_decref(text);
		if (!text)
			return REFUSE("--json: a word of the command line is not UTF-8, which is "
				      "all that JSON can hold");
	}
	return 0;
}

static int finish(const struct state *state)
{
	const struct ixlat_options *options = state->options;
	int err = check_texts(options);

	if (err)
		return err;
	if (!state->have_command)
		return REFUSE("say what to do: udp, tcp, raw, reflect or compare");
	if (options->command == COMMAND_COMPARE) {
		if (options->file_count < 2)
			return REFUSE("compare needs two files at least, written with --json");
		return check_places(state);
	}
	if (!state->have_mode)
		return REFUSE("say what to reflect: udp, tcp or raw");
	err = check_places(state);
	if (err)
		return err;
	if (options->mode == MODE_RAW && !options->interface)
		return REFUSE("raw needs --interface");
	return options->command == COMMAND_RUN ? finish_run(state) : 0;
}

static error_t parse_one(int key, char *arg, struct argp_state *argp_state)
{
	struct state *state = argp_state->input;
	size_t i = (size_t)(key - KEY_BASE);

	switch (key) {
	case ARGP_KEY_INIT:
		argp_state->err_stream = NULL; /* only our line; getopt's own remains */
		return 0;
	case ARGP_KEY_ARG:
		return -set_word(state, arg);
	case ARGP_KEY_END:
		return -finish(state);
	default:
		break;
	}
	if (key < KEY_BASE || i >= ROWS)
		return ARGP_ERR_UNKNOWN;
	state->given |= 1u << i;
	return -table[i].set(state->options, arg);
}

int ixlat_options_parse(struct ixlat_options *options, int argc, char *argv[],
			unsigned int argp_flags)
{
	struct argp_option rows[ROWS + 1] = {0};
	const struct argp argp = {
		.options = rows,
		.parser = parse_one,
		.args_doc = "udp|tcp HOST\nraw MAC --interface IF\nreflect udp|tcp|raw\n"
			    "compare A.json B.json...",
		.doc = "Measures how long a packet takes there and back."
		       "\vThe far end runs 'ixlat reflect'. Exit status: 0, 1 (failed), 2 (usage). "
		       "See ixlat(8).",
	};
	struct state state = {.options = options};
	error_t err;

	*options = (struct ixlat_options){
		.port = PROBE_PORT,
		.warmup = WARMUP_DEFAULT,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
	};
	for (size_t i = 0; i < ROWS; i++)
		rows[i] = (struct argp_option){
			.name = table[i].name,
			.key = KEY_BASE + (int)i,
			.arg = table[i].arg,
			.doc = table[i].doc,
		};
	err = argp_parse(&argp, argc, argv, argp_flags, NULL, &state);
	if (err && !(argp_flags & ARGP_NO_EXIT))
		exit(STATUS_USAGE);
	return -err;
}

/* SPDX-License-Identifier: MIT */
/*
 * Each option is a row of `table`: its name, what --help says, where it may stand, and a function
 * that checks and stores its value.
 */
#include "command_line.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "ixlat.h"
#include "bridge/service/names.h"
#include "bridge/service/option_table.h"

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
static_assert(PROBE_BYTES_MIN + ETHER_HDR_LEN <= FRAME_BYTES_MIN,
	      "the smallest frame holds a probe");
/* With those for warming up fewer than UINT32_MAX, which stands for a run by time. */
#define PROBES_MAX (UINT32_MAX - WARMUP_MAX - 1)

#define REFUSE(why, ...) ixgbe_why_fill(why, -EINVAL, __VA_ARGS__)

/* What is known of the command line so far. */
struct state {
	struct ixlat_options *options;
	bool have_command, have_mode;
	uint32_t given; /* a bit for each row */
};

static struct ixlat_options *options_of(void *ctx)
{
	return ((struct state *)ctx)->options;
}

/* ---- Values ---- */

static int set_port(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	uint32_t port;

	if (option_number(value, 1, 65535, &port))
		return REFUSE(why, "'%s' is no port: use a number from 1 to 65535", value);
	options->port = (uint16_t)port;
	return 0;
}

static int set_listen(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	options->listen = value;
	return *value ? 0 : REFUSE(why, "an address is needed");
}

static int set_interface(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (!*value || strlen(value) >= IF_NAMESIZE)
		return REFUSE(why, "'%s' is no interface's name: see 'ip link'", value);
	options->interface = value;
	return 0;
}

static int set_rate(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_real(value, 0, RATE_MAX_HZ, &options->rate_hz) ||
	    (options->rate_hz > 0 && options->rate_hz < 0.01))
		return REFUSE(why,
			      "'%s' is no rate: use 0.01 to %u probes per second, or 0 to send the "
			      "next when the answer is there",
			      value, RATE_MAX_HZ);
	return 0;
}

static int set_count(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_number(value, 1, PROBES_MAX, &options->count))
		return REFUSE(why, "'%s' is no number of probes: use 1 to %u", value, PROBES_MAX);
	return 0;
}

static int set_duration(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_real(value, 0.001, DURATION_MAX_S, &options->duration_s))
		return REFUSE(why, "'%s' is no duration: use seconds from 0.001 to %u", value,
			      DURATION_MAX_S);
	return 0;
}

static int set_warmup(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_number(value, 0, WARMUP_MAX, &options->warmup))
		return REFUSE(why, "'%s' is no number of probes to warm up with: use 0 to %u",
			      value, WARMUP_MAX);
	return 0;
}

/* How much is too much depends on the mode: see finish_size. */
static int set_size(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_number(value, 1, UINT32_MAX, &options->size_bytes))
		return REFUSE(why, "'%s' is no size: use a number of bytes", value);
	return 0;
}

static int set_timeout(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	if (option_number(value, 1, TIMEOUT_MAX_MS, &options->timeout_ms))
		return REFUSE(why, "'%s' is no timeout: use milliseconds from 1 to %u", value,
			      TIMEOUT_MAX_MS);
	return 0;
}

static int set_one_way(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value;
	(void)why;
	options_of(ctx)->one_way = true;
	return 0;
}

static int set_busy(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value;
	(void)why;
	options_of(ctx)->busy = true;
	return 0;
}

static int set_kernel_stamps(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value;
	(void)why;
	options_of(ctx)->kernel_stamps = true;
	return 0;
}

static int set_json(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	options->json = value;
	return *value ? 0 : REFUSE(why, "a file's name is needed, or - for standard output");
}

static int set_hgrm(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	options->hgrm = value;
	return *value ? 0 : REFUSE(why, "a file's name is needed");
}

static int set_plot(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	size_t length = strlen(value);

	if (length < 5 ||
	    (strcmp(value + length - 4, ".svg") && strcmp(value + length - 4, ".png")))
		return REFUSE(why, "'%s' must end in .svg or .png, which says what is drawn",
			      value);
	options->plot = value;
	return 0;
}

static int set_label(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixlat_options *options = options_of(ctx);
	options->label = value;
	return *value ? 0 : REFUSE(why, "a text is needed");
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

static const struct option_row rows[] = {
	{"port", set_port, 0, "N", "The port; default 8259", UDP | TCP | REFLECT_UDP | REFLECT_TCP},
	{"listen", set_listen, 0, "ADDR", "reflect: answer on this address only",
	 REFLECT_UDP | REFLECT_TCP},
	{"interface", set_interface, 0, "IF", "raw: the interface", RAW | REFLECT_RAW},
	{"rate", set_rate, 0, "HZ",
	 "Probes per second, sent at their time whatever became of those before; 0 (the default): "
	 "the next goes when the answer is there",
	 RUN},
	{"count", set_count, 0, "N", "End after N probes", RUN},
	{"duration", set_duration, 0, "S", "End after S seconds; default 10", RUN},
	{"warmup", set_warmup, 0, "N", "Probes before those that count; default 10", RUN},
	{"size", set_size, 0, "BYTES",
	 "Of the UDP or TCP payload, or of the Ethernet frame without FCS; default 64", RUN},
	{"timeout", set_timeout, 0, "MS", "When a probe counts as lost; default 1000", RUN},
	{"one-way", set_one_way, 0, NULL,
	 "Also the times there and back, when both ends run on one machine", RUN},
	{"busy", set_busy, 0, NULL,
	 "Ask for packets all the time instead of sleeping until one comes",
	 RUN | REFLECT_UDP | REFLECT_RAW},
	{"kernel-stamps", set_kernel_stamps, 0, NULL,
	 "Take an answer's time from the kernel, before it wakes this program", UDP | RAW},
	{"json", set_json, 0, "FILE", "Write JSON; - is standard output", RUN | COMPARE},
	{"hgrm", set_hgrm, 0, "FILE", "Write the percentile distribution (HdrHistogram's .hgrm)",
	 RUN},
	{"plot", set_plot, 0, "FILE", "Draw percentiles: FILE.svg or FILE.png", RUN | COMPARE},
	{"label", set_label, 0, "TEXT", "The run's name in compare and plots", RUN},
	{0},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) - 1 };
static_assert(ROWS <= OPTION_ROWS_MAX, "state.given has a bit for each");

static const char *const mode_names[] = {"udp", "tcp", "raw"};
enum { MODES = sizeof(mode_names) / sizeof(mode_names[0]) };

const char *mode_name(enum mode mode)
{
	return mode_names[mode];
}

static bool was_given(const struct state *state, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].name, name))
			return state->given & 1u << i;
	return false;
}

/* ---- Words ---- */

static int set_mode(struct state *state, const char *word, struct ixgbe_why *why)
{
	for (size_t i = 0; i < MODES; i++)
		if (!strcmp(word, mode_names[i])) {
			state->options->mode = (enum mode)i;
			state->have_mode = true;
			return 0;
		}
	if (state->have_command)
		return REFUSE(why, "'%s' can't be reflected: say udp, tcp or raw", word);
	return REFUSE(why, "unknown command '%s': it is one of udp, tcp, raw, reflect, compare",
		      word);
}

static int set_command(struct state *state, const char *word, struct ixgbe_why *why)
{
	int err = 0;

	if (!strcmp(word, "reflect"))
		state->options->command = COMMAND_REFLECT;
	else if (!strcmp(word, "compare"))
		state->options->command = COMMAND_COMPARE;
	else
		err = set_mode(state, word, why);
	state->have_command = true;
	return err;
}

static int set_mac(struct ixlat_options *options, const char *word, struct ixgbe_why *why)
{
	int err = names_mac_parse(word, options->mac);

	if (err == -EADDRNOTAVAIL)
		return REFUSE(why, "no station has the address %s: give that of the far interface",
			      word);
	if (err)
		return REFUSE(why, "'%s' is no MAC address: write it like 02:00:00:00:00:01", word);
	options->host = word;
	return 0;
}

static int set_word(void *ctx, unsigned int index, const char *word, struct ixgbe_why *why)
{
	struct state *state = ctx;
	struct ixlat_options *options = state->options;

	(void)index;
	if (!state->have_command)
		return set_command(state, word, why);
	if (options->command == COMMAND_COMPARE) {
		if (options->file_count == COMPARE_MAX)
			return REFUSE(why, "more than %u files: compare fewer at a time",
				      COMPARE_MAX);
		options->files[options->file_count++] = word;
		return 0;
	}
	if (!state->have_mode)
		return set_mode(state, word, why);
	if (options->command == COMMAND_REFLECT || options->host)
		return REFUSE(why, "'%s' is one word too many", word);
	if (!*word)
		return REFUSE(why, "the host's name is empty");
	if (options->mode == MODE_RAW)
		return set_mac(options, word, why);
	options->host = word;
	return 0;
}

/* ---- The whole ---- */

static int check_places(const struct state *state, struct ixgbe_why *why)
{
	const struct ixlat_options *options = state->options;
	int here = 1 << options->mode;

	if (options->command == COMMAND_COMPARE)
		here = COMPARE;
	else if (options->command == COMMAND_REFLECT)
		here <<= REFLECT_SHIFT;
	for (size_t i = 0; i < ROWS; i++) {
		if (!(state->given & 1u << i) || rows[i].mark & here)
			continue;
		if (here == COMPARE)
			return REFUSE(why, "--%s does not go with compare", rows[i].name);
		return REFUSE(why, "--%s does not go with %s%s", rows[i].name,
			      options->command == COMMAND_REFLECT ? "reflect " : "",
			      mode_name(options->mode));
	}
	return 0;
}

static int finish_size(struct ixlat_options *options, struct ixgbe_why *why)
{
	static const struct {
		uint32_t least, most;
		const char *what;
	} limits[] = {
		[MODE_UDP] = {PROBE_BYTES_MIN, UDP_BYTES_MAX, "a UDP payload"},
		[MODE_TCP] = {PROBE_BYTES_MIN, TCP_BYTES_MAX, "a TCP message"},
		[MODE_RAW] = {FRAME_BYTES_MIN, FRAME_BYTES_MAX, "an Ethernet frame"},
	};

	if (!options->size_bytes)
		options->size_bytes = SIZE_DEFAULT;
	if (options->size_bytes < limits[options->mode].least ||
	    options->size_bytes > limits[options->mode].most)
		return REFUSE(why, "--size %u: %s can have %u to %u bytes", options->size_bytes,
			      limits[options->mode].what, limits[options->mode].least,
			      limits[options->mode].most);
	return 0;
}

static int finish_rate(struct ixlat_options *options, struct ixgbe_why *why)
{
	double seconds = options->duration_s, rate = options->rate_hz;

	if (options->count)
		seconds = rate > 0 ? options->count / rate : 0;
	if (seconds > DURATION_MAX_S)
		return REFUSE(why, "%u probes at %g per second take longer than a day: send fewer",
			      options->count, rate);
	if (rate * seconds > PROBES_MAX)
		return REFUSE(why, "%g probes per second for %g s are more than %u: take less time",
			      rate, seconds, PROBES_MAX);
	if (2 * rate * options->timeout_ms / 1000 > IN_FLIGHT_MAX)
		return REFUSE(why,
			      "at %g per second, within %u ms, too many probes would be on their "
			      "way: lower --rate or --timeout",
			      rate, options->timeout_ms);
	return 0;
}

static int finish_run(const struct state *state, struct ixgbe_why *why)
{
	struct ixlat_options *options = state->options;
	int err;

	if (!options->host)
		return options->mode == MODE_RAW
			       ? REFUSE(why, "say to which MAC address: that of the far interface")
			       : REFUSE(why, "say to which host");
	if (was_given(state, "count") && was_given(state, "duration"))
		return REFUSE(why, "give --count or --duration, not both");
	if (!options->count && options->duration_s <= 0)
		options->duration_s = DURATION_DEFAULT_S;
	err = finish_size(options, why);
	return err ? err : finish_rate(options, why);
}

/* Asked before the run, not when there is a result to write. */
static int check_texts(const struct ixlat_options *options, struct ixgbe_why *why)
{
	const char *texts[3 + COMPARE_MAX] = {options->label, options->host, options->interface};

	memcpy(texts + 3, options->files, sizeof(options->files));
	for (size_t i = 0; options->json && i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *text = texts[i] ? json_string(texts[i]) : json_null();

		json_decref(text);
		if (!text)
			return REFUSE(why,
				      "--json: a word of the command line is not UTF-8, which is "
				      "all that JSON can hold");
	}
	return 0;
}

static int finish(const struct state *state, struct ixgbe_why *why)
{
	const struct ixlat_options *options = state->options;
	int err = check_texts(options, why);

	if (err)
		return err;
	if (!state->have_command)
		return REFUSE(why, "say what to do: udp, tcp, raw, reflect or compare");
	if (options->command == COMMAND_COMPARE) {
		if (options->file_count < 2)
			return REFUSE(why, "compare needs two files at least, written with --json");
		return check_places(state, why);
	}
	if (!state->have_mode)
		return REFUSE(why, "say what to reflect: udp, tcp or raw");
	err = check_places(state, why);
	if (err)
		return err;
	if (options->mode == MODE_RAW && !options->interface)
		return REFUSE(why, "raw needs --interface");
	return options->command == COMMAND_RUN ? finish_run(state, why) : 0;
}

int ixlat_options_parse(struct ixlat_options *options, int argc, char *argv[],
			struct ixgbe_why *why)
{
	static const struct option_table table = {
		.row = rows,
		.words = "udp|tcp HOST\nraw MAC --interface IF\nreflect udp|tcp|raw\n"
			 "compare A.json B.json...",
		.word = set_word,
		.doc = "Measures how long a packet takes there and back."
		       "\vThe far end runs 'ixlat reflect'. Exit status: 0, 1 (failed), 2 (usage). "
		       "See ixlat(8).",
	};
	struct state state = {.options = options};
	int err;

	*options = (struct ixlat_options){
		.port = PROBE_PORT,
		.warmup = WARMUP_DEFAULT,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
	};
	err = option_table_parse(&table, &state, argc, argv, &state.given, why);
	return err ? err : finish(&state, why);
}

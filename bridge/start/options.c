/* SPDX-License-Identifier: MIT */
/*
 * Each option is a row of `table`: its name, what --help says, and a function that
 * checks and stores a value. argp and the configuration file both end in options_set.
 */
#include "options.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "bridge/service/log.h"

static int fail(struct ixgbe_why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct ixgbe_why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- Values ---- */

struct word {
	const char *name;
	int value;
};

static const struct word poll_words[] = {
	{"busy", WORKER_POLL_BUSY},
	{"adaptive", WORKER_POLL_ADAPTIVE},
	{"interrupt", WORKER_POLL_INTERRUPT},
	{NULL, 0},
};
static const struct word level_words[] = {
	{"error", IXGBE_LOG_ERROR},
	{"warning", IXGBE_LOG_WARNING},
	{"info", IXGBE_LOG_INFO},
	{"debug", IXGBE_LOG_DEBUG},
	{NULL, 0},
};
static const struct word flag_words[] = {
	{"yes", true},    {"true", true}, {"on", true}, {"1", true}, {"no", false},
	{"false", false}, {"off", false}, {"0", false}, {NULL, 0},
};

static int parse_word(const struct word *words, const char *text, int *out)
{
	for (; words->name; words++)
		if (!strcmp(words->name, text)) {
			*out = words->value;
			return 0;
		}
	return -EINVAL;
}

static int parse_number(const char *text, unsigned int least, unsigned int most, uint16_t *out)
{
	char *end;
	unsigned long value;

	/* strtoul would take a sign or spaces. */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -EINVAL;
	*out = (uint16_t)value;
	return 0;
}

/* Why the kernel would not take `text` as an interface's name, or NULL. A '%' would make
 * a pattern of it. */
static const char *interface_name_fault(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) >= IFNAMSIZ)
		return "has more than 15 characters";
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return "is reserved";
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f || strchr("/:%", *text))
			return "has a character that no interface name may have";
	return NULL;
}

static int parse_bdf(const char *text)
{
	unsigned int domain, bus, device, function;
	int end = -1;

	if (strlen(text) != strlen("0000:03:00.0") ||
	    strspn(text, "0123456789abcdefABCDEF:.") != strlen(text) ||
	    sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4 ||
	    end < 0 || text[end] || device > 0x1f || function > 7)
		return -EINVAL;
	return 0;
}

static int check_path(const char *what, const char *path, struct ixgbe_why *why)
{
	if (!*path)
		return fail(why, "%s is empty: give a path", what);
	if (strlen(path) >= OPTIONS_PATH_BYTES)
		return fail(why, "%s is longer than the %zu bytes a socket's path may have", what,
			    OPTIONS_PATH_BYTES - 1);
	return 0;
}

/* ---- Options ---- */

static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) ? NULL : text + len;
}

static int check_wire(const char *wire, struct ixgbe_why *why)
{
	const char *rest = after(wire, "tap:");
	const char *fault;

	if (rest) {
		fault = interface_name_fault(rest);
		return fault ? fail(why, "the wire's TAP name '%s' %s", rest, fault) : 0;
	}
	rest = after(wire, "cable:");
	if (!rest)
		rest = after(wire, "seqpacket:");
	if (!rest)
		return fail(why, "'%s' is no wire: use tap:NAME, cable:PATH or seqpacket:PATH",
			    wire);
	return check_path("the wire's path", rest, why);
}

static int set_nic(struct options *options, const char *value, struct ixgbe_why *why)
{
	const char *rest;
	int err = 0;

	if (!strcmp(value, "soft")) {
		options->nic_kind = OPTIONS_NIC_SOFT;
	} else if ((rest = after(value, "soft:"))) {
		options->nic_kind = OPTIONS_NIC_SOFT;
		err = check_wire(rest, why);
	} else if ((rest = after(value, "vfio:"))) {
		options->nic_kind = OPTIONS_NIC_VFIO;
		if (parse_bdf(rest))
			err = fail(why, "'%s' is no PCI address: write it like 0000:03:00.0", rest);
	} else if ((rest = after(value, "vfio-user:"))) {
		options->nic_kind = OPTIONS_NIC_VFIO_USER;
		err = check_path("the vfio-user socket's path", rest, why);
	} else {
		err = fail(
			why,
			"'%.100s' is no NIC: use soft[:WIRE], vfio:DDDD:BB:DD.F or vfio-user:PATH",
			value);
	}
	if (!err)
		snprintf(options->nic, sizeof(options->nic), "%s", value);
	return err;
}

static int set_tap(struct options *options, const char *value, struct ixgbe_why *why)
{
	const char *fault = interface_name_fault(value);

	if (fault)
		return fail(why, "the TAP name '%.100s' %s", value, fault);
	snprintf(options->tap, sizeof(options->tap), "%s", value);
	return 0;
}

static int set_netns(struct options *options, const char *value, struct ixgbe_why *why)
{
	if (!*value || strlen(value) > NAME_MAX || strchr(value, '/') || !strcmp(value, ".") ||
	    !strcmp(value, ".."))
		return fail(why, "'%.100s' is no name of a network namespace: see 'ip netns list'",
			    value);
	snprintf(options->netns, sizeof(options->netns), "%s", value);
	return 0;
}

static int parse_mac(const char *text, uint8_t mac[IXGBE_MAC_BYTES])
{
	unsigned int b[IXGBE_MAC_BYTES];
	int end = -1;

	/* Two digits each, so that sscanf can't take signs, spaces or fewer. */
	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    end != 17)
		return -EINVAL;
	for (size_t i = 0; i < IXGBE_MAC_BYTES; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

static int set_mac(struct options *options, const char *value, struct ixgbe_why *why)
{
	static const uint8_t zero[IXGBE_MAC_BYTES];
	uint8_t mac[IXGBE_MAC_BYTES];

	if (parse_mac(value, mac))
		return fail(why, "'%.100s' is no MAC address: write it like 02:00:00:00:00:01",
			    value);
	if (mac[0] & 1)
		return fail(why,
			    "the MAC address %s is multicast: use one whose first byte is even",
			    value);
	if (!memcmp(mac, zero, sizeof(mac)))
		return fail(why, "the MAC address is all zeros: use another");
	memcpy(options->mac, mac, sizeof(mac));
	options->mac_given = true;
	return 0;
}

static int set_mtu(struct options *options, const char *value, struct ixgbe_why *why)
{
	if (parse_number(value, OPTIONS_MTU_MIN, OPTIONS_MTU_MAX, &options->mtu))
		return fail(why, "'%.100s' is no MTU of an 82599: use a number from %u to %u",
			    value, OPTIONS_MTU_MIN, OPTIONS_MTU_MAX);
	return 0;
}

/* Unicast, and not the unspecified one. */
static bool address_usable(const struct netlink_prefix *prefix)
{
	static const uint8_t none[sizeof(prefix->address)];

	if (!memcmp(prefix->address, none, prefix->family == AF_INET6 ? 16 : 4))
		return false;
	return prefix->family == AF_INET6 ? prefix->address[0] != 0xff : prefix->address[0] < 224;
}

static int set_address(struct options *options, const char *value, struct ixgbe_why *why)
{
	if (options->addresses == OPTIONS_ADDRESSES_MAX)
		return fail(why, "more than %u addresses: add the others with 'ip address add'",
			    OPTIONS_ADDRESSES_MAX);
	if (netlink_prefix_parse(value, &options->address[options->addresses]))
		return fail(why,
			    "'%.100s' is no address: write it like 192.0.2.1/24 or 2001:db8::1/64",
			    value);
	if (!address_usable(&options->address[options->addresses]))
		return fail(why, "'%.100s' is no address of one interface: give a unicast address",
			    value);
	options->addresses++;
	return 0;
}

static int set_flag(bool *flag, const char *value, struct ixgbe_why *why)
{
	int on = true;

	if (value && parse_word(flag_words, value, &on))
		return fail(why, "'%.100s' is neither yes nor no", value);
	*flag = on;
	return 0;
}

static int set_up(struct options *options, const char *value, struct ixgbe_why *why)
{
	return set_flag(&options->up, value, why);
}

static int set_persist(struct options *options, const char *value, struct ixgbe_why *why)
{
	return set_flag(&options->persist, value, why);
}

static int set_queues(struct options *options, const char *value, struct ixgbe_why *why)
{
	if (parse_number(value, 1, IXGBE_QUEUES_MAX, &options->queues))
		return fail(why, "'%.100s' is no number of queues: use 1 to %u", value,
			    IXGBE_QUEUES_MAX);
	return 0;
}

static int set_poll(struct options *options, const char *value, struct ixgbe_why *why)
{
	int poll;

	if (parse_word(poll_words, value, &poll))
		return fail(why, "'%.100s' is no way to poll: use busy, adaptive or interrupt",
			    value);
	options->poll = (enum worker_poll)poll;
	return 0;
}

static int set_coalesce(struct options *options, const char *value, struct ixgbe_why *why)
{
	return set_flag(&options->coalesce, value, why);
}

static int set_config(struct options *options, const char *value, struct ixgbe_why *why)
{
	if (!*value || strlen(value) >= sizeof(options->config))
		return fail(why, "the configuration file's path is empty or too long");
	snprintf(options->config, sizeof(options->config), "%s", value);
	return 0;
}

static int set_control(struct options *options, const char *value, struct ixgbe_why *why)
{
	int err = check_path("the control socket's path", value, why);

	if (!err)
		snprintf(options->control, sizeof(options->control), "%s", value);
	return err;
}

static int set_log_level(struct options *options, const char *value, struct ixgbe_why *why)
{
	int level;

	if (parse_word(level_words, value, &level))
		return fail(why, "'%.100s' is no log level: use error, warning, info or debug",
			    value);
	options->log_level = (enum ixgbe_log_level)level;
	return 0;
}

enum { FLAG = 1, REPEATS = 2, NOT_IN_FILE = 4 };

static const struct row {
	const char *name;
	int (*set)(struct options *options, const char *value, struct ixgbe_why *why);
	int kind;
	const char *arg, *doc;
} table[] = {
	{"nic", set_nic, 0, "NIC",
	 "The NIC: soft[:WIRE] (a software NIC of our own; the default), vfio:DDDD:BB:DD.F "
	 "(hardware) or vfio-user:PATH (a server). WIRE is tap:NAME (by default the TAP's name "
	 "with -wire), cable:PATH or seqpacket:PATH"},
	{"tap", set_tap, 0, "NAME", "The TAP interface to make, or to take when it persists"},
	{"netns", set_netns, 0, "NAME", "The network namespace of the TAP"},
	{"mac", set_mac, 0, "MAC", "The address of NIC and TAP, in place of the NIC's own"},
	{"mtu", set_mtu, 0, "N", "The MTU, 68 to 9710"},
	{"address", set_address, REPEATS, "CIDR", "An address for the TAP; may be repeated"},
	{"up", set_up, FLAG, NULL, "Set the TAP up"},
	{"queues", set_queues, 0, "N", "Queue pairs, one thread each: 1 (the default) to 16"},
	{"poll", set_poll, 0, "HOW", "busy, adaptive (the default) or interrupt"},
	{"coalesce", set_coalesce, 0, "on|off",
	 "Merge received TCP frames before the kernel takes them: on (the default) or off"},
	{"persist", set_persist, FLAG, NULL, "Leave the TAP, its addresses and routes at the end"},
	{"config", set_config, NOT_IN_FILE, "FILE", "Read options from FILE: name = value lines"},
	{"control", set_control, 0, "PATH", "The control socket; default /run/ixtap/TAP.sock"},
	{"log-level", set_log_level, 0, "L", "error, warning, info (the default) or debug"},
};
enum { ROWS = sizeof(table) / sizeof(table[0]) };
static_assert(ROWS <= 32, "options.from_* have a bit for each");

void options_init(struct options *options)
{
	*options = (struct options){
		.nic = "soft",
		.queues = 1,
		.poll = WORKER_POLL_ADAPTIVE,
		.coalesce = true,
		.log_level = IXGBE_LOG_INFO,
	};
}

static int set_row(struct options *options, enum options_source source, size_t i, const char *value,
		   struct ixgbe_why *why)
{
	uint32_t bit = 1u << i;

	if (source == OPTIONS_COMMAND_LINE) {
		options->from_command_line |= bit;
		return table[i].set(options, value, why);
	}
	if (table[i].kind & NOT_IN_FILE)
		return fail(why, "'%s' can't stand in a file", table[i].name);
	if (options->from_file & bit && !(table[i].kind & REPEATS)) {
		fail(why, "'%s' is given twice", table[i].name);
		return -EEXIST;
	}
	options->from_file |= bit;
	if (options->from_command_line & bit) {
		/* Checked all the same: a fault in a file should not hide. */
		struct options unused = {0};

		return table[i].set(&unused, value, why);
	}
	return table[i].set(options, value, why);
}

int options_set(struct options *options, enum options_source source, const char *name,
		const char *value, struct ixgbe_why *why)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(table[i].name, name))
			return set_row(options, source, i, value, why);
	fail(why, "there is no option '%.100s'", name);
	return -ENOENT;
}

int options_finish(struct options *options, struct ixgbe_why *why)
{
	if (!*options->tap)
		return fail(why, "--tap is missing: name the interface, e.g. --tap tap0");
	if (!*options->control)
		snprintf(options->control, sizeof(options->control), "/run/ixtap/%s.sock",
			 options->tap);
	/* Shortened, so that the whole is a name of at most 15 characters. */
	if (!strcmp(options->nic, "soft"))
		snprintf(options->nic, sizeof(options->nic), "soft:tap:%.10s-wire", options->tap);
	if (options->nic_kind == OPTIONS_NIC_SOFT &&
	    strlen(options->control) + strlen(".nic") >= OPTIONS_PATH_BYTES)
		return fail(why, "the control socket's path leaves no room for '.nic' at its end: "
				 "use a shorter one");
	return 0;
}

static const char *word_name(const struct word *words, int value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return "?";
}

const char *options_poll_name(enum worker_poll poll)
{
	return word_name(poll_words, (int)poll);
}

const char *options_level_name(enum ixgbe_log_level level)
{
	return word_name(level_words, (int)level);
}

/* ---- The command line ---- */

enum { USAGE_STATUS = 2 };
enum { KEY_BASE = 0x100 }; /* above every character: no short options */

static int finish(struct options *options, struct ixgbe_why *why)
{
	int err = *options->config ? config_load(options, options->config, why) : 0;

	return err ? err : options_finish(options, why);
}

/* One line, and no more: argp's own errors go on about --help. */
static error_t usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
static error_t usage_error(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_printable(text);
	fprintf(stderr, "ixtapd: %s\n", text);
	return EINVAL;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	struct ixgbe_why why;
	int err;

	if (key == ARGP_KEY_INIT) {
		state->err_stream = NULL; /* see usage_error; getopt's own line remains */
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		return usage_error("'%s' is not an option: see --help", arg);
	if (key == ARGP_KEY_END)
		return finish(options, &why) ? usage_error("%s", why.text) : 0;
	if (key < KEY_BASE || key >= KEY_BASE + ROWS)
		return ARGP_ERR_UNKNOWN;
	err = set_row(options, OPTIONS_COMMAND_LINE, (size_t)(key - KEY_BASE), arg, &why);
	return err ? usage_error("--%s: %s", table[key - KEY_BASE].name, why.text) : 0;
}

int options_parse(struct options *options, int argc, char *argv[], unsigned int argp_flags)
{
	struct argp_option rows[ROWS + 1] = {0};
	const struct argp argp = {
		.options = rows,
		.parser = parse_one,
		.doc = "Drives an Intel 82599 from user space and shows it as the network "
		       "interface NAME."
		       "\vStays in the foreground and prints 'ready' when usable. See ixtapd(8).",
	};
	error_t err;

	for (size_t i = 0; i < ROWS; i++)
		rows[i] = (struct argp_option){
			.name = table[i].name,
			.key = KEY_BASE + (int)i,
			.arg = table[i].arg,
			.doc = table[i].doc,
		};
	argp_program_version = "ixtapd " IXTAP_VERSION;
	options_init(options);
	err = argp_parse(&argp, argc, argv, argp_flags, NULL, options);
	if (err && !(argp_flags & ARGP_NO_EXIT))
		exit(USAGE_STATUS);
	return -err;
}

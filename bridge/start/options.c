/* SPDX-License-Identifier: MIT */
/* Each option is a row of `rows`, for the command line and for the configuration file. */
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/service/log.h"
#include "bridge/service/names.h"
#include "bridge/service/option_table.h"

#define REFUSE(why, ...) ixgbe_why_fill(why, -EINVAL, __VA_ARGS__)

/* ---- Values ---- */

static const struct option_word poll_words[] = {
	{"busy", WORKER_POLL_BUSY},
	{"adaptive", WORKER_POLL_ADAPTIVE},
	{"interrupt", WORKER_POLL_INTERRUPT},
	{NULL, 0},
};
static const struct option_word isolation_words[] = {
	{"require", ISOLATION_REQUIRE},
	{"best", ISOLATION_BEST},
	{"off", ISOLATION_OFF},
	{0},
};

static const struct option_word rx_checksum_words[] = {
	{"off", OPTIONS_RX_CHECKSUM_OFF},
	{"on", OPTIONS_RX_CHECKSUM_ON},
	{"all", OPTIONS_RX_CHECKSUM_ALL},
	{NULL, 0},
};
static const struct option_word flag_words[] = {
	{"yes", true},    {"true", true}, {"on", true}, {"1", true}, {"no", false},
	{"false", false}, {"off", false}, {"0", false}, {NULL, 0},
};

static int parse_u16(const char *text, unsigned int least, unsigned int most, uint16_t *out)
{
	uint32_t value;

	if (option_number(text, least, most, &value))
		return -EINVAL;
	*out = (uint16_t)value;
	return 0;
}

static int check_path(const char *what, const char *path, struct ixgbe_why *why)
{
	if (!*path)
		return REFUSE(why, "%s is empty: give a path", what);
	if (strlen(path) >= OPTIONS_PATH_BYTES)
		return REFUSE(why, "%s is longer than the %zu bytes a socket's path may have", what,
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
		fault = names_interface_fault(rest);
		return fault ? REFUSE(why, "the wire's TAP name '%s' %s", rest, fault) : 0;
	}
	rest = after(wire, "cable:");
	if (!rest)
		rest = after(wire, "seqpacket:");
	if (!rest)
		return REFUSE(why, "'%s' is no wire: use tap:NAME, cable:PATH or seqpacket:PATH",
			      wire);
	return check_path("the wire's path", rest, why);
}

static int set_nic(void *ctx, const char *value, struct ixgbe_why *why)
{
	char address[IXGBE_PCI_ADDRESS_BYTES], nic[sizeof("vfio:") + sizeof(address)];
	struct options *options = ctx;
	const char *rest;
	int err = 0;

	if (!strcmp(value, "soft")) {
		options->nic_kind = OPTIONS_NIC_SOFT;
	} else if ((rest = after(value, "soft:"))) {
		options->nic_kind = OPTIONS_NIC_SOFT;
		err = check_wire(rest, why);
	} else if ((rest = after(value, "vfio:"))) {
		options->nic_kind = OPTIONS_NIC_VFIO;
		err = ixgbe_pci_address(rest, address, why);
		snprintf(nic, sizeof(nic), "vfio:%s", err ? "" : address);
		value = err ? value : nic;
	} else if ((rest = after(value, "vfio-user:"))) {
		options->nic_kind = OPTIONS_NIC_VFIO_USER;
		err = check_path("the vfio-user socket's path", rest, why);
	} else {
		err = REFUSE(why,
			     "'%s' is no NIC: use soft[:WIRE], vfio:DDDD:BB:DD.F or vfio-user:PATH",
			     value);
	}
	if (!err)
		snprintf(options->nic, sizeof(options->nic), "%s", value);
	return err;
}

static int set_tap(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	const char *fault = names_interface_fault(value);

	if (fault)
		return REFUSE(why, "the TAP name '%s' %s", value, fault);
	snprintf(options->tap, sizeof(options->tap), "%s", value);
	return 0;
}

static int set_netns(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	const char *fault = names_netns_fault(value);

	if (fault)
		return REFUSE(why, "the network namespace's name '%s' %s", value, fault);
	snprintf(options->netns, sizeof(options->netns), "%s", value);
	return 0;
}

static int set_mac(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	int err = names_mac_parse(value, options->mac);

	if (err == -EADDRNOTAVAIL)
		return REFUSE(why, "the MAC address %s is multicast or zero: no station has such",
			      value);
	if (err)
		return REFUSE(why, "'%s' is no MAC address: write it like 02:00:00:00:00:01",
			      value);
	options->mac_given = true;
	return 0;
}

static int set_mtu(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	if (parse_u16(value, IXGBE_MTU_MIN, IXGBE_MTU_MAX, &options->mtu))
		return REFUSE(why, "'%s' is no MTU of an 82599: use a number from %u to %u", value,
			      IXGBE_MTU_MIN, IXGBE_MTU_MAX);
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

static int set_address(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	if (options->addresses == OPTIONS_ADDRESSES_MAX)
		return REFUSE(why, "more than %u addresses: add the others with 'ip address add'",
			      OPTIONS_ADDRESSES_MAX);
	if (netlink_prefix_parse(value, &options->address[options->addresses]))
		return REFUSE(why,
			      "'%s' is no address: write it like 192.0.2.1/24 or 2001:db8::1/64",
			      value);
	if (!address_usable(&options->address[options->addresses]))
		return REFUSE(why, "'%s' is no address of one interface: give a unicast address",
			      value);
	options->addresses++;
	return 0;
}

static int set_flag(bool *flag, const char *value, struct ixgbe_why *why)
{
	int on = true;

	if (value && option_word(flag_words, value, &on))
		return REFUSE(why, "'%s' is neither yes nor no (nor true, on, 1, false, off, 0)",
			      value);
	*flag = on;
	return 0;
}

static int set_up(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	return set_flag(&options->up, value, why);
}

static int set_persist(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	return set_flag(&options->persist, value, why);
}

static int set_queues(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	if (parse_u16(value, 1, IXGBE_QUEUES_MAX, &options->queues))
		return REFUSE(why, "'%s' is no number of queues: use 1 to %u", value,
			      IXGBE_QUEUES_MAX);
	return 0;
}

static int set_rings(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;

	if (parse_u16(value, OPTIONS_RINGS_MIN, OPTIONS_RINGS_MAX, &options->rings) ||
	    options->rings % OPTIONS_RINGS_STEP)
		return REFUSE(why, "'%s' is no size of a ring: use a multiple of %u from %u to %u",
			      value, OPTIONS_RINGS_STEP, OPTIONS_RINGS_MIN, OPTIONS_RINGS_MAX);
	return 0;
}

static int set_isolation(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	int isolation;

	if (option_word(isolation_words, value, &isolation))
		return REFUSE(why, "'%s' is no isolation: use require, best or off", value);
	options->isolation = (enum isolation)isolation;
	return 0;
}

/* A name, or a number. */
static int set_driver_user(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	const struct passwd *user = getpwnam(value);
	uint32_t number;

	if (user)
		options->driver_user = user->pw_uid;
	else if (!option_number(value, 1, UINT32_MAX - 1, &number))
		options->driver_user = (uid_t)number;
	else
		return REFUSE(why, "there is no user '%s': use a name, or a number above 0", value);
	if (options->driver_user == 0)
		return REFUSE(why, "the driver cannot be root: use another user");
	return 0;
}

static int set_poll(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	int poll;

	if (option_word(poll_words, value, &poll))
		return REFUSE(why, "'%s' is no way to poll: use busy, adaptive or interrupt",
			      value);
	options->poll = (enum worker_poll)poll;
	return 0;
}

static int set_coalesce(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	return set_flag(&options->coalesce, value, why);
}

int options_rx_checksum_parse(const char *word, enum options_rx_checksum *out,
			      struct ixgbe_why *why)
{
	int value;

	if (option_word(rx_checksum_words, word, &value))
		return REFUSE(why, "'%s' is no use of received checksums: use on, off or all",
			      word);
	*out = (enum options_rx_checksum)value;
	return 0;
}

static int set_rx_checksum(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	return options_rx_checksum_parse(value, &options->rx_checksum, why);
}

static int set_config(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	if (!*value || strlen(value) >= sizeof(options->config))
		return REFUSE(why, "the configuration file's path is empty or too long");
	snprintf(options->config, sizeof(options->config), "%s", value);
	return 0;
}

static int set_control(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;
	int err = check_path("the control socket's path", value, why);

	if (!err)
		snprintf(options->control, sizeof(options->control), "%s", value);
	return err;
}

static int set_log_level(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct options *options = ctx;

	if (log_level_parse(value, &options->log_level))
		return REFUSE(why, "'%s' is no log level: use error, warning, info or debug",
			      value);
	return 0;
}

static const struct option_row rows[] = {
	{"nic", set_nic, 0, "NIC",
	 "The NIC: soft[:WIRE] (a software NIC of our own; the default), vfio:DDDD:BB:DD.F "
	 "(hardware) or vfio-user:PATH (a server). WIRE is tap:NAME (by default the TAP's name "
	 "with -wire), cable:PATH or seqpacket:PATH"},
	{"tap", set_tap, 0, "NAME", "The TAP interface to make, or to take when it persists"},
	{"netns", set_netns, 0, "NAME", "The network namespace of the TAP"},
	{"mac", set_mac, 0, "MAC", "The address of NIC and TAP, in place of the NIC's own"},
	{"mtu", set_mtu, 0, "N", "The MTU, 68 to 9710"},
	{"address", set_address, 0, "CIDR", "An address for the TAP; may be repeated"},
	{"up", set_up, 0, NULL, "Set the TAP up"},
	{"queues", set_queues, 0, "N", "Queue pairs, one thread each: 1 (the default) to 16"},
	{"rings", set_rings, 0, "N",
	 "Descriptors of each ring: 64 to 8192, a multiple of 8; default 4096"},
	{"poll", set_poll, 0, "HOW", "busy, adaptive (the default) or interrupt"},
	{"coalesce", set_coalesce, 0, "on|off",
	 "Merge received TCP frames before the kernel takes them: on (the default) or off"},
	{"rx-checksum", set_rx_checksum, 0, "on|off|all",
	 "Use what the NIC says of received checksums: for merged frames (on, the default), for no "
	 "frame, so that all are as on the wire (off), or for all"},
	{"persist", set_persist, 0, NULL, "Leave the TAP with its addresses and routes"},
	{"isolation", set_isolation, 0, "HOW",
	 "What the driver process is kept from: require (all, or no start), best (what can be had; "
	 "the default) or off"},
	{"driver-user", set_driver_user, 0, "USER",
	 "The user of the driver process; default one that nobody is"},
	{"config", set_config, 0, "FILE",
	 "Read options from FILE and from FILE.d/*.conf: name = value lines"},
	{"control", set_control, 0, "PATH", "The control socket; default /run/ixtap/TAP.sock"},
	{"log-level", set_log_level, 0, "L", "error, warning, info (the default) or debug"},
	{0},
};
static_assert(sizeof(rows) / sizeof(rows[0]) <= OPTION_ROWS_MAX + 1, "a bit for each");

/* ---- The command line ---- */

void options_init(struct options *options)
{
	*options = (struct options){
		.nic = "soft",
		.queues = 1,
		.rings = OPTIONS_RINGS,
		.isolation = ISOLATION_BEST,
		.driver_user = ISOLATION_USER_FREE,
		.poll = WORKER_POLL_ADAPTIVE,
		.coalesce = true,
		.rx_checksum = OPTIONS_RX_CHECKSUM_ON,
		.log_level = IXGBE_LOG_INFO,
	};
}

int options_parse(struct options *options, int argc, char *argv[], struct ixgbe_why *why)
{
	static const struct option_table table = {
		.row = rows,
		.doc = "Drives an Intel 82599 from user space and shows it as the network "
		       "interface NAME."
		       "\vStays in the foreground and prints 'ready' when usable. See ixtapd(8).",
	};

	return option_table_parse(&table, options, argc, argv, &options->decided, why);
}

/* ---- A file ---- */

void options_set_begin(struct options *options)
{
	options->decided |= options->from_file;
	options->from_file = 0;
}

static int set_from_file(struct options *options, size_t i, const char *value,
			 struct ixgbe_why *why)
{
	const struct option_row *row = &rows[i];
	const uint32_t bit = 1u << i;
	struct options unused = {0};

	if (row->set == set_config)
		return REFUSE(why, "'%s' can't stand in a file", row->name);
	if (options->from_file & bit && row->set != set_address)
		return ixgbe_why_fill(why, -EEXIST, "'%s' is given twice", row->name);
	options->from_file |= bit;
	/* A value that comes too late to count is checked, too: no fault in a file hides. */
	return row->set(options->decided & bit ? &unused : options, value, why);
}

int options_set(struct options *options, const char *name, const char *value, struct ixgbe_why *why)
{
	for (size_t i = 0; rows[i].name; i++)
		if (!strcmp(rows[i].name, name))
			return set_from_file(options, i, value, why);
	return ixgbe_why_fill(why, -ENOENT, "there is no option '%s'", name);
}

/* ---- The whole ---- */

/* FNV-1a, folded to 25 bits. */
static uint32_t name_hash(const char *name)
{
	uint32_t hash = 0x811c9dc5u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x01000193u;
	return (hash ^ hash >> 25) & 0x1ffffffu;
}

/*
 * The name of a wire's TAP is that of our TAP with "-wire" behind. A name of more than ten bytes
 * leaves no room for that. Its first five bytes stay, without half a character, and five digits of
 * a hash tell such names apart.
 */
static void wire_name(const char *tap, char out[IFNAMSIZ])
{
	static const char digit[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32_t hash = name_hash(tap);
	char difference[6] = "";
	int keep = 10;

	if (strlen(tap) > 10) {
		for (keep = 5; keep > 0 && ((uint8_t)tap[keep] & 0xc0) == 0x80; keep--)
			;
		for (size_t i = 0; i < 5; i++, hash >>= 5)
			difference[i] = digit[hash & 31];
	}
	snprintf(out, IFNAMSIZ, "%.*s%s-wire", keep, tap, difference);
}

/* Refuses a wire that is our TAP or a control socket, and a path without room for '.nic'. */
static int check_soft(const struct options *options, struct ixgbe_why *why)
{
	const char *tap = after(options->nic, "soft:tap:");
	const char *path = after(options->nic, "soft:cable:");
	const size_t len = strlen(options->control);

	if (len + strlen(".nic") >= OPTIONS_PATH_BYTES)
		return REFUSE(why, "the control socket's path leaves no room for '.nic' at its "
				   "end: use a shorter one");
	if (tap && !strcmp(tap, options->tap) && !*options->netns)
		return REFUSE(why,
			      "--tap and the wire of --nic are both named '%s': choose "
			      "another name for one of them",
			      tap);
	if (!path)
		path = after(options->nic, "soft:seqpacket:");
	if (path && !strncmp(path, options->control, len) &&
	    (!path[len] || !strcmp(path + len, ".nic")))
		return REFUSE(why,
			      "the wire's path '%s' is that of a control socket: choose "
			      "another path",
			      path);
	return 0;
}

int options_finish(struct options *options, struct ixgbe_why *why)
{
	char wire[IFNAMSIZ];

	if (!*options->tap)
		return REFUSE(why, "--tap is missing: name the interface, e.g. --tap tap0");
	if (!*options->control)
		snprintf(options->control, sizeof(options->control), "/run/ixtap/%s.sock",
			 options->tap);
	if (options->nic_kind != OPTIONS_NIC_SOFT)
		return 0;
	if (!strcmp(options->nic, "soft")) {
		wire_name(options->tap, wire);
		snprintf(options->nic, sizeof(options->nic), "soft:tap:%s", wire);
	}
	return check_soft(options, why);
}

const char *options_rx_checksum_name(enum options_rx_checksum rx_checksum)
{
	return option_word_name(rx_checksum_words, (int)rx_checksum);
}

const char *options_poll_name(enum worker_poll poll)
{
	return option_word_name(poll_words, (int)poll);
}

const char *options_isolation_name(enum isolation isolation)
{
	return option_word_name(isolation_words, (int)isolation);
}

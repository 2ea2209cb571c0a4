/* SPDX-License-Identifier: MIT */
/*
 * ixnic: options, start and stop. The NIC itself is nic.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"
#include "tools/ixnic/serve/operator.h"
#include "bridge/service/listen.h"
#include "bridge/service/log.h"
#include "bridge/service/names.h"
#include "bridge/service/option_table.h"
#include "bridge/service/process.h"
#include "factory_mac.h"
#include "nic.h"
#include "tools/ixnic/serve/server.h"
#include "tools/ixnic/wire/wire.h"

struct ixnic_options {
	const char *socket;
	const char *wire;
	const char *netns;
	const char *control;
	const char *pcap;
	uint8_t mac[6];
	bool mac_given;
	bool strict;
	bool link_down;
	struct server_options server;
	const char *dirty;
	uint64_t seed;
	uint32_t slow;
};

/* ---- Options ---- */

#define REFUSE(why, ...) ixgbe_why_fill(why, -EINVAL, __VA_ARGS__)

static int set_path(const char **path, const char *value, struct ixgbe_why *why)
{
	*path = value;
	return *value ? 0 : REFUSE(why, "an empty path; name a file");
}

static int set_socket_path(const char **path, const char *value, struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int err = set_path(path, value, why);

	return err ? err : listen_address("path", value, &address, why);
}

static int set_socket(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;
	uint32_t number;

	if (strncmp(value, "fd:", 3))
		return set_socket_path(&options->socket, value, why);
	options->socket = value;
	return option_number(value + 3, 0, INT32_MAX, &number)
		       ? REFUSE(why, "'%s': fd:N wants a number", value)
		       : 0;
}

static int set_control(void *ctx, const char *value, struct ixgbe_why *why)
{
	return set_socket_path(&((struct ixnic_options *)ctx)->control, value, why);
}

static int set_pcap(void *ctx, const char *value, struct ixgbe_why *why)
{
	return set_path(&((struct ixnic_options *)ctx)->pcap, value, why);
}

static int set_wire(void *ctx, const char *value, struct ixgbe_why *why)
{
	((struct ixnic_options *)ctx)->wire = value;
	return wire_check(value, why);
}

static int set_netns(void *ctx, const char *value, struct ixgbe_why *why)
{
	const char *fault = names_netns_fault(value);

	((struct ixnic_options *)ctx)->netns = value;
	return fault ? REFUSE(why, "the name '%s' %s", value, fault) : 0;
}

static int set_mac(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;

	if (names_mac_parse(value, options->mac))
		return REFUSE(why, "'%s' is no unicast address; write it as in 02:00:00:12:34:56",
			      value);
	options->mac_given = true;
	return 0;
}

static int set_strict(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value, (void)why;
	((struct ixnic_options *)ctx)->strict = true;
	return 0;
}

static int set_link(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;

	options->link_down = strcmp(value, "down") == 0;
	if (!options->link_down && strcmp(value, "up"))
		return REFUSE(why, "'%s' is neither up nor down", value);
	return 0;
}

static int set_io_fds(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;

	options->server.no_io_fds = strcmp(value, "off") == 0;
	if (!options->server.no_io_fds && strcmp(value, "on"))
		return REFUSE(why, "'%s' is neither on nor off", value);
	return 0;
}

static int set_dirty(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;
	char *end;

	errno = 0;
	options->seed = strtoull(value, &end, 10);
	options->dirty = value;
	return *end || end == value || *value == '-' || errno
		       ? REFUSE(why, "'%s' is no number to draw from; try 1", value)
		       : 0;
}

static int set_slow(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct ixnic_options *options = ctx;
	char *end;
	unsigned long slow = strtoul(value, &end, 10);

	options->slow = (uint32_t)slow;
	return *end || *value < '0' || *value > '9' || slow < 1 || slow > 1000
		       ? REFUSE(why, "'%s': choose 1 to 1000", value)
		       : 0;
}

static int set_log_level(void *ctx, const char *value, struct ixgbe_why *why)
{
	enum ixgbe_log_level level;

	(void)ctx;
	if (log_level_parse(value, &level))
		return REFUSE(why, "'%s': choose error, warning, info or debug", value);
	log_level_set(level);
	return 0;
}

static const struct option_row rows[] = {
	{"socket", set_socket, 0, "PATH|fd:N", "Serve vfio-user clients there"},
	{"wire", set_wire, 0, "WIRE",
	 "The far end of the cable: tap:NAME, cable:PATH or seqpacket:PATH"},
	{"netns", set_netns, 0, "NAME", "Network namespace of the TAP of the wire"},
	{"mac", set_mac, 0, "MAC", "Factory address (default: derived from paths and machine)"},
	{"link", set_link, 0, "up|down", "Whether the cable is plugged in (default: up)"},
	{"strict", set_strict, 0, NULL, "A broken rule ends the DMA until the next reset"},
	{"control", set_control, 0, "PATH", "Control socket: status, link, registers, counters"},
	{"pcap", set_pcap, 0, "FILE", "Record the wire's frames"},
	{"dirty", set_dirty, 0, "SEED", "Start as another driver left it, at random from SEED"},
	{"slow", set_slow, 0, "N", "With --dirty: short waits are N times as long"},
	{"io-fds", set_io_fds, 0, "on|off",
	 "Whether a client may have a channel for BAR 0 (default: on)"},
	{"log-level", set_log_level, 0, "LEVEL", "error, warning, info or debug (default: info)"},
	{0},
};

/* A socket fd:N is nobody's in particular: ixtapd names it so at both ends of a cable. The control
 * socket tells those apart. */
static void mac_derive(const struct ixnic_options *options, uint8_t mac[6])
{
	bool nameless = !strncmp(options->socket, "fd:", 3);
	const char *const words[] = {options->socket, options->wire,
				     nameless ? options->control : NULL};

	factory_mac_derive(words, sizeof(words) / sizeof(words[0]), options->netns, mac);
}

/* Sockets of one program at one path: the second would find the first one in use. */
static int check_paths(const struct ixnic_options *options, struct ixgbe_why *why)
{
	const char *colon = strchr(options->wire, ':');
	const char *wire = colon && strncmp(options->wire, "tap:", 4) ? colon + 1 : NULL;
	const char *control = options->control;

	if (control && !strcmp(control, options->socket))
		return REFUSE(why, "--socket and --control are both '%s'; choose two paths",
			      control);
	if (wire && !strcmp(wire, options->socket))
		return REFUSE(why, "--socket and --wire are both '%s'; choose two paths", wire);
	if (wire && control && !strcmp(wire, control))
		return REFUSE(why, "--control and --wire are both '%s'; choose two paths", wire);
	return 0;
}

static int read_options(struct ixnic_options *options, int argc, char *argv[],
			struct ixgbe_why *why)
{
	static const struct option_table table = {
		.row = rows,
		.doc = "A software Intel 82599, served over vfio-user.",
	};
	uint32_t given;
	int err = option_table_parse(&table, options, argc, argv, &given, why);

	if (err)
		return err;
	if (!options->socket || !options->wire)
		return REFUSE(why, "--socket and --wire are needed");
	if (options->netns && strncmp(options->wire, "tap:", 4))
		return REFUSE(why, "--netns is for a wire tap:NAME, --wire %s has no interface",
			      options->wire);
	if (options->slow && !options->dirty)
		return REFUSE(why, "--slow goes with --dirty only");
	if (!options->mac_given)
		mac_derive(options, options->mac);
	return check_paths(options, why);
}

/* ---- Running ---- */

static void signal_event(void *ctx, uint32_t events)
{
	(void)events;
	loop_stop(ctx);
}

/* The end is an event. The descriptor, or -errno. */
static int signals_watch(struct loop *loop)
{
	int fd = process_signals();
	int err = fd < 0 ? fd : loop_add(loop, fd, EPOLLIN, signal_event, loop);

	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int serve(struct loop *loop)
{
	int err;

	process_ready();
	err = loop_run(loop);
	process_stopping();
	return err;
}

static bool work(void *ctx)
{
	return data_work(ctx);
}

/* The NIC is made: gives it its surroundings and serves it. */
static int surround(const struct ixnic_options *options, struct nic *nic, struct ixgbe_why *why)
{
	struct server *server = NULL;
	struct operator_socket *op = NULL;
	int err;

	phy_cable_set(nic, !options->link_down);
	err = wire_new(nic, options->wire, options->netns, why);
	if (err)
		return err;
	err = server_new(nic, options->socket, &options->server, &server, why);
	if (err)
		goto free_wire;
	err = options->control ? operator_new(nic, server, options->control, &op, why) : 0;
	if (err)
		goto free_server;
	/* Last: the start of a NIC that fails makes no file, and empties none. */
	err = options->pcap ? capture_new(nic, options->pcap, why) : 0;
	if (err)
		goto free_operator;
	loop_work_set(nic->loop, work, nic);
	err = serve(nic->loop);
	if (err)
		ixgbe_why_fill(why, err, "waiting for events: %s", strerror(-err));
	capture_free(nic);
free_operator:
	operator_free(op);
free_server:
	server_free(server);
free_wire:
	wire_free(nic);
	return err;
}

static int run(const struct ixnic_options *options, struct ixgbe_why *why)
{
	struct loop *loop;
	struct nic *nic;
	int signals, err;

	err = loop_new(&loop);
	if (err)
		return ixgbe_why_fill(why, err, "event loop: %s", strerror(-err));
	signals = signals_watch(loop);
	if (signals < 0) {
		err = ixgbe_why_fill(why, signals, "signals: %s", strerror(-signals));
		goto free_loop;
	}
	err = nic_new(options->mac, &nic);
	if (err) {
		ixgbe_why_fill(why, err, "NIC: %s", strerror(-err));
		goto close_signals;
	}
	nic->loop = loop;
	nic->strict = options->strict;
	if (options->dirty)
		err = nic_dirty(nic, options->seed, options->slow ? options->slow : 1);
	err = err ? ixgbe_why_fill(why, err, "out of memory") : surround(options, nic, why);
	nic_free(nic);
close_signals:
	close(signals);
free_loop:
	loop_free(loop);
	return err;
}

int main(int argc, char **argv)
{
	struct ixnic_options options = {0};
	struct ixgbe_why why;

	/* One that is executed by its descriptor has that for its name. */
	prctl(PR_SET_NAME, "ixnic");
	if (read_options(&options, argc, argv, &why))
		option_usage_exit(&why);
	if (run(&options, &why)) {
		log_error("%s", why.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * ixnic: options, start and stop. The NIC itself is nic.h.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"
#include "tools/ixnic/serve/operator.h"
#include "tools/ixnic/serve/server.h"
#include "tools/ixnic/wire/wire.h"

#define EXIT_USAGE 2

struct options {
	const char *socket;
	const char *wire;
	const char *netns;
	const char *control;
	const char *pcap;
	uint8_t mac[6];
	bool mac_given;
	bool link_down;
};

/* Visible, or libc does not see it. */
__attribute__((visibility("default"))) const char *argp_program_version = "ixnic " IXTAP_VERSION;

enum { KEY_SOCKET = 256, KEY_WIRE, KEY_NETNS, KEY_MAC, KEY_LINK, KEY_CONTROL, KEY_PCAP, KEY_LOG };

static const struct argp_option option_table[] = {
	{"socket", KEY_SOCKET, "PATH|fd:N", 0, "Serve vfio-user clients there", 0},
	{"wire", KEY_WIRE, "WIRE", 0,
	 "The far end of the cable: tap:NAME, cable:PATH or seqpacket:PATH", 0},
	{"netns", KEY_NETNS, "NAME", 0, "Network namespace of the TAP of the wire", 0},
	{"mac", KEY_MAC, "MAC", 0, "Factory address (default: derived from socket and wire)", 0},
	{"link", KEY_LINK, "up|down", 0, "Whether the cable is plugged in (default: up)", 0},
	{"control", KEY_CONTROL, "PATH", 0, "Control socket: status, link, registers, counters", 0},
	{"pcap", KEY_PCAP, "FILE", 0, "Record the wire's frames", 0},
	{"log-level", KEY_LOG, "LEVEL", 0, "error, warning, info or debug (default: info)", 0},
	{0},
};

static bool mac_parse(const char *text, uint8_t mac[6])
{
	char rest;

	return strlen(text) == 17 &&
	       sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &rest) == 6 &&
	       !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* The same socket and wire always have the same address: FNV-1a, locally administered. */
static void mac_derive(const struct options *options, uint8_t mac[6])
{
	const char *const names[] = {options->socket, options->wire};
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < 2; i++) {
		for (const char *c = names[i]; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
	}
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i + 8));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

static bool log_level_parse(const char *text)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			nic_log_level_set((enum nic_log_level)i);
			return true;
		}
	}
	return false;
}

/* One line, and no more: argp's own errors go on about --help. */
static void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void usage_error(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	nic_log_printable(text);
	fprintf(stderr, "ixnic: %s\n", text);
	exit(EXIT_USAGE);
}

static error_t option_parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL; /* see usage_error; getopt's own line remains */
		break;
	case KEY_SOCKET:
		options->socket = arg;
		break;
	case KEY_WIRE:
		options->wire = arg;
		break;
	case KEY_NETNS:
		options->netns = arg;
		break;
	case KEY_MAC:
		options->mac_given = mac_parse(arg, options->mac);
		if (!options->mac_given)
			usage_error("--mac %s: not a unicast address; write it as in "
				    "02:00:00:12:34:56",
				    arg);
		break;
	case KEY_LINK:
		options->link_down = strcmp(arg, "down") == 0;
		if (!options->link_down && strcmp(arg, "up"))
			usage_error("--link %s: neither up nor down", arg);
		break;
	case KEY_CONTROL:
		options->control = arg;
		break;
	case KEY_PCAP:
		options->pcap = arg;
		break;
	case KEY_LOG:
		if (!log_level_parse(arg))
			usage_error("--log-level %s: choose error, warning, info or debug", arg);
		break;
	case ARGP_KEY_ARG:
		usage_error("%s: not an option; options begin with --", arg);
		break;
	case ARGP_KEY_END:
		if (!options->socket || !options->wire)
			usage_error("--socket and --wire are needed");
		if (!*options->socket || (options->control && !*options->control))
			usage_error("--socket and --control: an empty path; name a file");
		if (options->netns && strncmp(options->wire, "tap:", 4))
			usage_error("--netns is for a wire tap:NAME, --wire %s has no interface",
				    options->wire);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void signal_event(void *ctx, uint32_t events)
{
	(void)events;
	loop_stop(ctx);
}

/* SIGTERM, SIGINT and, but under nohup, SIGHUP become an event. The descriptor or -errno. */
static int signals_watch(struct loop *loop)
{
	struct sigaction hangup;
	sigset_t set;
	int fd, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN)
		sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a capture that may not grow is an error, no end */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = loop_add(loop, fd, EPOLLIN, signal_event, loop);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int serve(struct loop *loop)
{
	int err;

	puts("ready");
	fflush(stdout);
	sd_notify(0, "READY=1");
	err = loop_run(loop);
	sd_notify(0, "STOPPING=1");
	return err;
}

static bool work(void *ctx)
{
	return datapath_work(ctx);
}

/* The NIC is made: gives it its surroundings and serves it. */
static int surround(const struct options *options, struct nic *nic, struct ixgbe_why *why)
{
	struct server *server = NULL;
	struct control *control = NULL;
	int err;

	err = options->pcap ? capture_new(nic, options->pcap, why) : 0;
	if (err)
		return err;
	link_cable_set(nic, !options->link_down);
	err = wire_new(nic, options->wire, options->netns, why);
	if (err)
		goto free_capture;
	err = server_new(nic, options->socket, &server, why);
	if (err)
		goto free_wire;
	err = options->control ? control_new(nic, server, options->control, &control, why) : 0;
	if (err)
		goto free_server;
	loop_work_set(nic->loop, work, nic);
	err = serve(nic->loop);
	if (err)
		ixgbe_why_fill(why, err, "waiting for events: %s", strerror(-err));
	control_free(control);
free_server:
	server_free(server);
free_wire:
	wire_free(nic);
free_capture:
	capture_free(nic);
	return err;
}

static int run(const struct options *options, struct ixgbe_why *why)
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
	err = surround(options, nic, why);
	nic_free(nic);
close_signals:
	close(signals);
free_loop:
	loop_free(loop);
	return err;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = option_parse,
		.doc = "A software Intel 82599, served over vfio-user.",
	};
	struct options options = {0};
	struct ixgbe_why why = {"unknown"};

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return EXIT_USAGE;
	if (!options.mac_given)
		mac_derive(&options, options.mac);
	if (run(&options, &why)) {
		nic_log(NIC_LOG_ERROR, "%s", why.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

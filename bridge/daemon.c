/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * The main thread waits in epoll for seven things (`watches`): signals, a timer, netlink, the
 * control socket, the NIC's link interrupt, and the end and the output of a software NIC of ours.
 * It handles one event at a time, so that what one handler closes no other event of the same round
 * still means. The workers move the frames and need nothing from it.
 *
 * State. Handlers record facts; state.h turns facts into a state, with a table of what is true
 * in each. What each event does:
 *
 *     event                          does                                  state becomes
 *     -----------------------------  ------------------------------------  ------------------
 *     start is over                  prints ready, tells systemd           down or waiting
 *     ip link set up                 laser on                              waiting
 *     ip link set down               laser off, workers stay asleep        down
 *     NIC's link up, down            carrier on, off                       running, waiting
 *     ip link set mtu, address; promiscuous, multicast: to the NIC         the same
 *     interface renamed or moved     follows it                            the same
 *     interface deleted              logs, exits 1                         stopping
 *     NIC refused memory not ours    says so, counts                       the same
 *     NIC fails, its server ends     carrier off, closes the NIC           recovering
 *     time for an attempt            opens the NIC, applies all            down or waiting
 *     attempts used up               logs, exits 1                         stopping
 *     SIGTERM, SIGINT, SIGHUP        closes all in order, exits 0          stopping
 *
 * Following the administrator is by comparison, not by event: whenever something may have
 * changed, what the interface has is compared with what the NIC has (mirror.h).
 *
 * Recovery. While a NIC is away the TAP stays, with its addresses and connections, without
 * carrier. The NIC is opened again after growing delays (state_retry_delay_ms), about half a minute
 * in all; then a supervisor should know, and ixtapd exits 1. All backends are treated alike: a
 * software NIC is started again, a server may be back at its socket, a device gets its reset.
 *
 * A NIC that reaches for memory which is not its own, and is refused by the IOMMU, is no failure:
 * the memory is safe, and frames may well flow on. A reset would not make such hardware honest, and
 * the connections would be gone for nothing; so the administrator hears of it and decides.
 *
 * A deleted interface is not made again: a TAP can be deleted, unlike a kernel driver's interface,
 * and who does so wants it gone. Exit status 1 leaves it to the supervisor whether to start anew.
 *
 * Time. The timer ticks each 250 ms. Each tick reads the multicast table, which is cheap:
 * memberships of packet sockets and bridges raise no event. It also reads one of the NIC's
 * counters, so that each has its turn within 5 s, and sees whether the NIC is still there. All of
 * them are read when somebody asks: forty reads in one go keep the processor for milliseconds where
 * each is a message to a software NIC, and a program waits that long for its turn.
 */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"

#define TICK_MS          250
#define TICKS_PER_SECOND 4

enum watch {
	WATCH_SIGNALS,
	WATCH_TIMER,
	WATCH_NETLINK,
	WATCH_CONTROL,
	WATCH_NIC,
	WATCH_SOFT_END,
	WATCH_SOFT_OUTPUT,
};

static int watch(const struct daemon *daemon, int fd, enum watch what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

	return epoll_ctl(daemon->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Explicitly, before closing: a server holds the same eventfd, so closing ours would not do. */
static void unwatch(const struct daemon *daemon, int fd)
{
	if (fd >= 0)
		epoll_ctl(daemon->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- Telling ---- */

static void publish(struct daemon *daemon, json_t *event)
{
	if (event)
		control_publish(daemon->control, event);
}

static void state_update(struct daemon *daemon)
{
	enum state previous = daemon->state;

	daemon->state = state_of(&daemon->facts);
	if (daemon->state == previous)
		return;
	log_debug("%s: %s", daemon->iface.tap.name, state_text(daemon->state));
	sd_notifyf(0, "STATUS=%s: %s", daemon->iface.tap.name, state_text(daemon->state));
	publish(daemon,
		json_pack("{s:s,s:s,s:s,s:s}", "event", "state", "state", state_name(daemon->state),
			  "previous", state_name(previous), "reason", daemon->reason.text));
}

static void stop(struct daemon *daemon, int exit_status)
{
	daemon->exit_status = exit_status;
	daemon->facts.stopping = true;
	state_update(daemon);
}

static void publish_mac(struct daemon *daemon)
{
	const uint8_t *mac = daemon->applied.mac;
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	log_info("%s: MAC address %s", daemon->iface.tap.name, text);
	publish(daemon, json_pack("{s:s,s:s}", "event", "mac", "mac", text));
}

static void publish_flag(struct daemon *daemon, const char *event, const char *member, bool on)
{
	log_debug("%s: %s %s", daemon->iface.tap.name, event, on ? "on" : "off");
	publish(daemon, json_pack("{s:s,s:b}", "event", event, member, on));
}

static void publish_parts(struct daemon *daemon, uint32_t parts)
{
	const struct mirror *applied = &daemon->applied;

	if (parts & MIRROR_MAC)
		publish_mac(daemon);
	if (parts & MIRROR_MTU) {
		log_info("%s: MTU %u", daemon->iface.tap.name, applied->mtu);
		publish(daemon, json_pack("{s:s,s:i}", "event", "mtu", "mtu", applied->mtu));
	}
	if (parts & MIRROR_PROMISCUOUS)
		publish_flag(daemon, "promiscuous", "on", applied->promiscuous);
	if (parts & MIRROR_ALLMULTICAST)
		publish_flag(daemon, "allmulticast", "on", applied->allmulticast);
	if (parts & MIRROR_GROUPS)
		publish(daemon,
			json_pack("{s:s,s:i}", "event", "multicast", "groups", applied->groups));
	if (parts & MIRROR_ADMIN)
		publish_flag(daemon, "admin", "up", applied->admin_up);
}

/* ---- The NIC ---- */

static void link_update(struct daemon *daemon, const struct ixgbe_link *link)
{
	const struct ixgbe_link was = daemon->link;

	daemon->link = *link;
	daemon->facts.link_up = link->up;
	engine_link_set(&daemon->engine, link->up);
	if (was.up == link->up && was.speed_mbps == link->speed_mbps)
		return;
	interface_link_set(&daemon->iface, link);
	if (link->up)
		log_info("%s: link up, %u Mbit/s", daemon->iface.tap.name, link->speed_mbps);
	else
		log_info("%s: link down", daemon->iface.tap.name);
	publish(daemon, json_pack("{s:s,s:b,s:i}", "event", "link", "up", link->up, "speed_mbps",
				  (int)link->speed_mbps));
	state_update(daemon);
}

/* Waits for the next attempt, or ends. `reason` says why the NIC is not there. */
static void retry_later(struct daemon *daemon)
{
	int delay_ms = state_retry_delay_ms(daemon->attempt);

	if (delay_ms < 0) {
		log_error("%s: giving up on the NIC %s after %u attempts: %s",
			  daemon->iface.tap.name, daemon->options->nic, daemon->attempt,
			  daemon->reason.text);
		stop(daemon, 1);
		return;
	}
	daemon->attempt++;
	daemon->retry_at_ms = clock_ms() + delay_ms;
}

/* The death of a software NIC often shows first as a server that does not answer. */
static bool soft_nic_ended(const struct soft_nic *soft)
{
	struct pollfd end = {.fd = soft->pidfd, .events = POLLIN};

	return soft->pid > 0 && poll(&end, 1, 100) == 1;
}

static void nic_close(struct daemon *daemon)
{
	if (daemon->engine.nic)
		unwatch(daemon, ixgbe_irq_other_fd(daemon->engine.nic));
	unwatch(daemon, daemon->engine.soft.pidfd);
	unwatch(daemon, daemon->engine.soft.output);
	engine_close(&daemon->engine);
}

static void nic_failed(struct daemon *daemon, const char *what)
{
	char fate[64];

	if (soft_nic_ended(&daemon->engine.soft)) {
		soft_nic_fate(&daemon->engine.soft, fate);
		snprintf(daemon->reason.text, sizeof(daemon->reason.text), "the software NIC %s",
			 fate);
	} else {
		snprintf(daemon->reason.text, sizeof(daemon->reason.text), "%s", what);
	}
	log_error("%s: %s: carrier off, trying to bring the NIC back", daemon->iface.tap.name,
		  daemon->reason.text);
	daemon->facts.nic_open = false;
	link_update(daemon, &(struct ixgbe_link){0});
	state_update(daemon);
	nic_close(daemon);
	if (clock_ms() - daemon->opened_at_ms > STATE_STABLE_MS)
		daemon->attempt = 0;
	retry_later(daemon);
}

static void nic_failed_errno(struct daemon *daemon, const char *what, int err)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what,
		 err == -ENODEV ? "the device is gone" : strerror(-err));
	nic_failed(daemon, text);
}

/* The link as it is now; true unless the NIC failed. */
static bool nic_link_read(struct daemon *daemon)
{
	struct ixgbe_link link;
	int err = ixgbe_link_get(daemon->engine.nic, &link);

	if (err) {
		nic_failed_errno(daemon, "cannot read the NIC's link", err);
		return false;
	}
	link_update(daemon, &link);
	return true;
}

static void bus_refused(struct daemon *daemon)
{
	if (notice_add(&daemon->dma_refused, clock_ms()))
		log_warning(
			"%s: the NIC reached for memory outside its own and was refused: nothing "
			"was lost, but its firmware or hardware is not to be trusted; see the "
			"kernel's log for the addresses (dmesg, 'fault addr') and replace it",
			daemon->iface.tap.name);
	publish(daemon, json_pack("{s:s,s:I}", "event", "dma_refused", "count",
				  (json_int_t)daemon->dma_refused.count));
}

static void bus_timeout(struct daemon *daemon)
{
	if (notice_add(&daemon->dma_timeout, clock_ms()))
		log_warning("%s: a read of memory by the NIC had no answer: frames may be lost; "
			    "see the kernel's log, and whether the NIC sits well in its slot",
			    daemon->iface.tap.name);
	publish(daemon, json_pack("{s:s,s:I}", "event", "dma_timeout", "count",
				  (json_int_t)daemon->dma_timeout.count));
}

/* What the bus did to accesses of the NIC; true unless the NIC failed. */
static bool nic_bus_check(struct daemon *daemon)
{
	int events = ixgbe_bus_errors(daemon->engine.nic);

	if (events < 0) {
		nic_failed_errno(daemon, "cannot read the NIC's PCI status", events);
		return false;
	}
	if (events & IXGBE_BUS_REFUSED)
		bus_refused(daemon);
	if (events & IXGBE_BUS_TIMEOUT)
		bus_timeout(daemon);
	return true;
}

static int nic_watch(struct daemon *daemon)
{
	int err = watch(daemon, ixgbe_irq_other_fd(daemon->engine.nic), WATCH_NIC);

	if (!err && daemon->engine.soft.pid > 0) {
		err = watch(daemon, daemon->engine.soft.pidfd, WATCH_SOFT_END);
		if (!err)
			err = watch(daemon, daemon->engine.soft.output, WATCH_SOFT_OUTPUT);
	}
	return err;
}

/* With the NIC open and the interface configured: everything the administrator set, then frames. */
static int nic_start(struct daemon *daemon, struct ixgbe_why *why)
{
	struct mirror wanted = {0};
	int err;

	interface_wanted(&daemon->iface, &wanted);
	if (!wanted.mtu)
		wanted.mtu = daemon->applied.mtu;
	err = mirror_apply(daemon->engine.nic, &wanted, &daemon->applied, MIRROR_ALL);
	if (err) {
		snprintf(why->text, sizeof(why->text),
			 "cannot set the NIC up: %s; is it a working 82599?", strerror(-err));
		return err;
	}
	daemon->facts.admin_up = daemon->applied.admin_up;
	err = engine_start(&daemon->engine, daemon->iface.tap.fd, why);
	if (err)
		return err;
	err = nic_watch(daemon);
	if (err) {
		snprintf(why->text, sizeof(why->text), "cannot watch the NIC: %s", strerror(-err));
		return err;
	}
	daemon->opened_at_ms = clock_ms();
	daemon->facts.nic_open = true;
	return 0;
}

static void nic_retry(struct daemon *daemon)
{
	struct ixgbe_why why = {""};
	int err =
		engine_open(&daemon->engine, daemon->iface.start_netns, daemon->applied.mtu, &why);

	if (!err)
		err = nic_start(daemon, &why);
	if (err) {
		nic_close(daemon);
		daemon->reason = why;
		log_warning("%s: attempt %u to bring the NIC back failed: %s",
			    daemon->iface.tap.name, daemon->attempt, why.text);
		retry_later(daemon);
		return;
	}
	daemon->recoveries++;
	daemon->reason.text[0] = '\0';
	log_info("%s: the NIC is back", daemon->iface.tap.name);
	state_update(daemon);
	nic_link_read(daemon);
}

/* ---- The interface ---- */

static void follow_interface(struct daemon *daemon)
{
	struct mirror wanted = {0};
	uint32_t parts;
	int err;

	if (!daemon->facts.nic_open)
		return;
	interface_wanted(&daemon->iface, &wanted);
	if (!wanted.mtu)
		wanted.mtu = daemon->applied.mtu;
	parts = mirror_difference(&wanted, &daemon->applied);
	if (!parts)
		return;
	err = mirror_apply(daemon->engine.nic, &wanted, &daemon->applied, 0);
	parts &= ~mirror_difference(&wanted, &daemon->applied);
	daemon->facts.admin_up = daemon->applied.admin_up;
	publish_parts(daemon, parts);
	state_update(daemon);
	/* What is wanted was checked; so it is the NIC that can't. */
	if (err)
		nic_failed_errno(daemon, "cannot set the NIC", err);
	else if (parts & MIRROR_ADMIN)
		nic_link_read(daemon);
}

static void find_interface(struct daemon *daemon)
{
	bool was_reachable = daemon->iface.reachable;
	const char *name = daemon->iface.tap.name;

	switch (interface_find(&daemon->iface)) {
	case INTERFACE_HERE:
		netlink_monitor_resync(daemon->iface.monitor);
		break;
	case INTERFACE_MOVED:
		log_info("%s: moved to another network namespace: following it", name);
		interface_link_set(&daemon->iface, &daemon->link);
		watch(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
		publish(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 1));
		break;
	case INTERFACE_OUT_OF_REACH:
		if (!was_reachable)
			break;
		daemon->iface.reachable = false;
		log_warning("%s: moved to a network namespace that ixtapd may not enter: "
			    "frames flow, but what 'ip link' sets there does not reach the NIC",
			    name);
		publish(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 0));
		break;
	case INTERFACE_DELETED:
		log_error("%s: the interface was deleted: nothing left to do; "
			  "start ixtapd again to have it back",
			  name);
		stop(daemon, 1);
		break;
	}
}

static void on_interface_event(void *ctx, const struct netlink_event *event)
{
	struct daemon *daemon = ctx;
	char text[NETLINK_PREFIX_TEXT];

	if (event->type != NETLINK_EVENT_ADDRESS && event->type != NETLINK_EVENT_ADDRESS_GONE)
		return; /* follow_interface compares */
	netlink_prefix_format(&event->address, text);
	publish(daemon, json_pack("{s:s,s:s,s:b}", "event", "address", "address", text, "added",
				  event->type == NETLINK_EVENT_ADDRESS));
}

static void on_netlink(struct daemon *daemon)
{
	char name[IFNAMSIZ];
	int err;

	memcpy(name, daemon->iface.tap.name, sizeof(name));
	err = interface_dispatch(&daemon->iface);
	if (err) {
		log_warning("%s: netlink: %s: reading everything again", name, strerror(-err));
		netlink_monitor_resync(daemon->iface.monitor);
	}
	if (daemon->iface.gone_heard)
		find_interface(daemon);
	if (daemon->facts.stopping)
		return;
	if (strcmp(name, daemon->iface.tap.name)) {
		log_info("%s: renamed to %s", name, daemon->iface.tap.name);
		publish(daemon,
			json_pack("{s:s,s:s}", "event", "name", "name", daemon->iface.tap.name));
	}
	if (daemon->facts.nic_open)
		interface_mtu_check(&daemon->iface, daemon->applied.mtu);
	follow_interface(daemon);
}

/* ---- Other events ---- */

static void on_signals(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_info("%s: SIG%s: stopping", daemon->iface.tap.name, sigabbrev_np((int)info.ssi_signo));
	stop(daemon, 0);
}

static void on_timer(struct daemon *daemon)
{
	bool second = ++daemon->ticks % TICKS_PER_SECOND == 0;
	uint64_t expirations;
	int err;

	if (read(daemon->timer, &expirations, sizeof(expirations)) < 0)
		return;
	if (daemon->watchdog)
		sd_notify(0, "WATCHDOG=1");
	if (!daemon->iface.reachable && second)
		find_interface(daemon);
	if (!daemon->facts.nic_open) {
		if (!daemon->facts.stopping && clock_ms() >= daemon->retry_at_ms)
			nic_retry(daemon);
		return;
	}
	follow_interface(daemon);
	if (!daemon->facts.nic_open)
		return;
	err = engine_stats_step(&daemon->engine);
	if (err)
		nic_failed_errno(daemon, "cannot read the NIC's counters", err);
	else if (second && nic_bus_check(daemon))
		nic_link_read(daemon);
}

static void on_control(struct daemon *daemon)
{
	control_dispatch(daemon->control);
}

static void on_nic(struct daemon *daemon)
{
	uint64_t fired;
	int events;

	/* First, so that a cause that comes meanwhile fires again. */
	if (read(ixgbe_irq_other_fd(daemon->engine.nic), &fired, sizeof(fired)) < 0)
		return;
	events = ixgbe_irq_other_handle(daemon->engine.nic);
	if (events < 0)
		nic_failed_errno(daemon, "cannot read the NIC's interrupt causes", events);
	else if (events & IXGBE_EVENT_FAULT)
		nic_failed(daemon, "the NIC reports a fault (ECC or a lost reset)");
	else if (events & IXGBE_EVENT_BUS && !nic_bus_check(daemon))
		return;
	else if (events & IXGBE_EVENT_LINK)
		nic_link_read(daemon);
}

static void on_soft_end(struct daemon *daemon)
{
	nic_failed(daemon, "the software NIC ended");
}

static void on_soft_output(struct daemon *daemon)
{
	/* Closed: what that means, its end tells. */
	if (soft_nic_output(&daemon->engine.soft))
		unwatch(daemon, daemon->engine.soft.output);
}

static void (*const watches[])(struct daemon *daemon) = {
	[WATCH_SIGNALS] = on_signals,
	[WATCH_TIMER] = on_timer,
	[WATCH_NETLINK] = on_netlink,
	[WATCH_CONTROL] = on_control,
	[WATCH_NIC] = on_nic,
	[WATCH_SOFT_END] = on_soft_end,
	[WATCH_SOFT_OUTPUT] = on_soft_output,
};

/* ---- Life ---- */

static void loop(struct daemon *daemon)
{
	struct epoll_event event;

	while (!daemon->facts.stopping)
		if (epoll_wait(daemon->epoll, &event, 1, -1) == 1)
			watches[event.data.u32](daemon);
}

/* Signals first: the workers inherit the mask, so only the main thread hears them. */
static int open_sources(struct daemon *daemon)
{
	const struct itimerspec tick = {
		.it_interval.tv_nsec = TICK_MS * 1000000L,
		.it_value.tv_nsec = TICK_MS * 1000000L,
	};
	struct sigaction hangup;
	sigset_t signals;
	int err;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* memory is files: a limit on their size is an error, no end */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* Ignored: by nohup, so that the terminal's end is not ours. */
	if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	daemon->epoll = epoll_create1(EPOLL_CLOEXEC);
	daemon->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->epoll < 0 || daemon->signals < 0 || daemon->timer < 0 ||
	    timerfd_settime(daemon->timer, 0, &tick, NULL))
		return -errno;
	err = watch(daemon, daemon->signals, WATCH_SIGNALS);
	return err ? err : watch(daemon, daemon->timer, WATCH_TIMER);
}

static int open_all(struct daemon *daemon, struct ixgbe_why *why)
{
	const struct options *options = daemon->options;
	uint8_t mac[IXGBE_MAC_BYTES];
	uint16_t mtu;
	int err = control_open(options->control, answers_commands, daemon, &daemon->control, why);

	if (!err)
		err = interface_open(&daemon->iface, options, why);
	if (err)
		return err;
	mtu = interface_mtu_first(&daemon->iface, options);
	err = engine_open(&daemon->engine, daemon->iface.start_netns, mtu, why);
	if (err)
		return err;
	daemon->applied.mtu = mtu;
	if (options->mac_given)
		memcpy(mac, options->mac, sizeof(mac));
	else
		ixgbe_mac_get(daemon->engine.nic, mac);
	err = interface_configure(&daemon->iface, options, mac, mtu, why);
	if (!err)
		err = nic_start(daemon, why);
	return err;
}

static int open_daemon(struct daemon *daemon, struct ixgbe_why *why)
{
	int err = open_sources(daemon);

	if (!err) {
		err = open_all(daemon, why);
		if (err)
			return err;
		err = interface_watch(&daemon->iface, on_interface_event, daemon);
	}
	if (!err)
		err = watch(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
	if (!err)
		err = watch(daemon, control_fd(daemon->control), WATCH_CONTROL);
	if (err)
		snprintf(why->text, sizeof(why->text), "cannot set up the event loop: %s",
			 strerror(-err));
	return err;
}

static void tell_ready(struct daemon *daemon)
{
	uint64_t watchdog_us;

	daemon->watchdog = sd_watchdog_enabled(0, &watchdog_us) > 0;
	daemon->facts.started = true;
	state_update(daemon);
	nic_link_read(daemon);
	puts("ready");
	fflush(stdout);
	sd_notify(0, "READY=1");
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_daemon(struct daemon *daemon)
{
	engine_free(&daemon->engine);
	interface_close(&daemon->iface);
	control_close(daemon->control);
	close_fd(daemon->timer);
	close_fd(daemon->signals);
	close_fd(daemon->epoll);
}

int daemon_run(const struct options *options)
{
	/* Static for its size, some 7 KiB of addresses and counts. */
	static struct daemon daemon;
	struct ixgbe_why why = {"cannot start"};

	daemon = (struct daemon){.options = options, .epoll = -1, .signals = -1, .timer = -1};
	daemon.started_at_ms = clock_ms();
	interface_init(&daemon.iface);
	engine_init(&daemon.engine, options);
	if (open_daemon(&daemon, &why)) {
		log_error("%s", why.text);
		/* An interface that was there stays, one of ours does not. */
		daemon.iface.tap.persist = daemon.iface.tap.was_persistent;
		close_daemon(&daemon);
		return 1;
	}
	tell_ready(&daemon);
	loop(&daemon);
	sd_notify(0, "STOPPING=1");
	close_daemon(&daemon);
	return daemon.exit_status;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * The main thread waits in epoll (`watches`) for signals, a timer, netlink, the control socket; for
 * the spawner, the driver's words and its end; for what the NIC's server asks; for the end of a
 * reset of the NIC; and for the end and the output of a software NIC of ours. It takes one event
 * from epoll at a time: a handler may close what a second event is about. Drivers move the frames
 * and need nothing from this thread.
 *
 * State. Handlers record facts; state.h turns facts into a state, with a table of what is true
 * in each. The events:
 *
 *     event                          what follows                          state becomes
 *     -----------------------------  ------------------------------------  ------------------
 *     the start is over              prints ready, tells systemd           down or waiting
 *     ip link set up                 laser on                              waiting
 *     ip link set down               laser off; the driver runs on         down
 *     NIC's link up, down            carrier on, off                       running, waiting
 *     NIC's module changed           logs                                  the same
 *     ip link set mtu, address; promiscuous, multicast, unicast: to the NIC  the same
 *     carrier, ethtool's settings are set by others: put back              the same
 *     ethtool -K gro                 merges or not                         the same
 *     interface renamed or moved     follows it                            the same
 *     interface deleted              logs, exits 1                         stopping
 *     its namespace ended            exits 1; if it persists, closes the   stopping,
 *                                    NIC and makes it anew at home         recovering
 *     NIC was refused memory         logs, counts                          the same
 *     driver dies                    the next one goes on where it was     the same
 *     driver is stopped (SIGSTOP)    logs; it is left alone                the same
 *     driver hangs                   kills it                              the same
 *     transmit queue hangs           the driver restarts it, and ends      the same
 *     driver lies, or breaks the     carrier off, kills it, resets the     recovering
 *     filter of system calls         NIC
 *     drivers die one after another  the same                              recovering
 *     the maker ends                 logs, exits 75                        stopping
 *     driver does not do as told     the same                              recovering
 *     NIC does not work              the same                              recovering
 *     reset is over                  orders a driver, which applies all    the same
 *     driver runs                                                          down or waiting
 *     NIC is gone, its server ends;  carrier off, closes the NIC           recovering
 *     the reset fails
 *     kernel wants the NIC back,     the same                              recovering
 *     its bus reports an error
 *     time for an attempt            opens the NIC, applies all; exits 75  down or waiting,
 *                                    if it may open none any more          stopping
 *     attempts used up               logs, exits 1                         stopping
 *     SIGUSR2, ixtap upgrade         another program takes our place       the same
 *     SIGTERM, SIGINT, SIGHUP        closes all in order, exits 0          stopping
 *     SIGKILL                        the next ixtapd goes on, if the service manager holds all
 *                                    that is open (store.c): behind each event it is told
 *
 * Time. The timer ticks each 250 ms, and each second where nothing has happened for QUIET_MS and
 * nothing is under way: an idle ixtapd is to let the processor sleep. What changes without an event
 * is read at each tick, and whenever netlink tells of any interface (a macvlan of ours is one);
 * that is cheap:
 *
 *     the link: carrier, and all that netlink may have lost
 *     multicast groups of packet sockets and bridges: the table dev_mcast
 *     unicast addresses of macvlans, VLANs and others: promiscuity, which they raise; then a list
 *     link settings and gro: ethtool
 *
 * For an interface that is away the thread goes there first, opens netlink and the table anew, and
 * closes them.
 *
 * Once a second: what the bus says of the NIC, and lost interrupts. Each tick: whether the driver
 * does what it is told.
 */
#include "answers.h"
#include "daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bridge/engine/programs.h"
#include "bridge/service/clock.h"
#include "bridge/service/listen.h"
#include "bridge/service/log.h"
#include "bridge/service/process.h"
#include "bridge/interface/interface_before.h"
#include "heir.h"
#include "interface_gone.h"
#include "interface_settings.h"
#include "nic_life.h"
#include "publish.h"
#include "rx_features.h"
#include "upgrade.h"
#include "watch.h"

#define QUIET_MS 5000
/* Of a signal that asks for an upgrade: one a tick at most. */
#define UPGRADE_TRIES 5u

/* ---- Events ---- */

static void on_interface_event(void *ctx, const struct netlink_event *event)
{
	struct daemon *daemon = ctx;
	char text[NETLINK_PREFIX_TEXT];

	if (event->type != NETLINK_EVENT_ADDRESS && event->type != NETLINK_EVENT_ADDRESS_GONE)
		return; /* interface_settings_follow sees the rest */
	netlink_prefix_format(&event->address, text);
	publish_event(daemon, json_pack("{s:s,s:s,s:b}", "event", "address", "address", text,
					"added", event->type == NETLINK_EVENT_ADDRESS));
}

static void follow(struct daemon *daemon)
{
	if (daemon->iface.astray)
		interface_gone_find(daemon);
	if (!daemon->facts.stopping)
		interface_settings_follow(daemon);
}

static void on_netlink(struct daemon *daemon)
{
	int err = interface_dispatch(&daemon->iface);

	if (err) {
		log_warning("%s: netlink: %s: reading everything again", daemon->iface.tap.name,
			    strerror(-err));
		netlink_monitor_resync(daemon->iface.monitor);
	}
	follow(daemon);
}

/* Who sends a signal hears of no "try again": what comes between is waited for. */
static void upgrade_wanted(struct daemon *daemon)
{
	json_t *error;

	if (!daemon->upgrade_tries || daemon->warm || daemon->anew ||
	    engine_driver_died(&daemon->engine))
		return;
	daemon->upgrade_tries--;
	error = upgrade_run(daemon, NULL, 0);
	if (!json_is_true(json_object_get(error, "again")))
		daemon->upgrade_tries = 0;
	json_decref(error);
}

static void on_signals(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_info("%s: SIG%s: stopping", daemon->iface.tap.name, sigabbrev_np((int)info.ssi_signo));
	publish_stop(daemon, 0);
}

static void on_upgrade(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->upgrades, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	daemon->upgrade_tries = UPGRADE_TRIES;
	upgrade_wanted(daemon);
}

/* Nobody has the rights to make another one. */
static void on_maker_end(struct daemon *daemon)
{
	watch_remove(daemon, daemon->maker.pidfd);
	publish_stop_anew(daemon, "the process that makes drivers has ended, or does not answer");
}

static void on_timer(struct daemon *daemon)
{
	bool second = (daemon->ticks + daemon->pace) / DAEMON_TICKS_PER_SECOND !=
		      daemon->ticks / DAEMON_TICKS_PER_SECOND;
	uint64_t expirations;

	daemon->ticks += daemon->pace;

	if (read(daemon->timer, &expirations, sizeof(expirations)) < 0)
		return;
	if (daemon->watchdog)
		process_alive();
	if (second)
		control_end_silent(daemon->control, clock_ms());
	log_sum_up();
	if (!daemon->iface.reachable && second)
		daemon->iface.astray = true;
	interface_held_check(&daemon->iface);
	follow(daemon);
	if (!daemon->facts.stopping && daemon->maker.lost)
		on_maker_end(daemon);
	if (daemon->facts.stopping)
		return;
	upgrade_wanted(daemon);
	if (!daemon->facts.nic_open) {
		nic_life_away(daemon);
		return;
	}
	nic_life_supervise(daemon);
	if (second && daemon->facts.nic_open)
		nic_life_bus_check(daemon);
}

static void on_control(struct daemon *daemon)
{
	control_dispatch(daemon->control);
	/* A request may have waited for the driver, and so heard its news. */
	if (daemon->facts.nic_open)
		nic_life_listen(daemon);
}

/* From within operations that take long. */
static void meanwhile(void *ctx)
{
	struct daemon *daemon = ctx;

	if (daemon->watchdog)
		process_alive();
	if (daemon->control)
		control_meanwhile(daemon->control, answers_busy(daemon));
}

static void on_soft_end(struct daemon *daemon)
{
	nic_life_failed(daemon, "the software NIC ended");
}

static void on_soft_output(struct daemon *daemon)
{
	/* A closed output is the NIC's end, which has a handler of its own. */
	if (soft_nic_output(&daemon->engine.soft))
		watch_remove(daemon, daemon->engine.soft.output);
}

static void (*const watches[])(struct daemon *daemon) = {
	[WATCH_SIGNALS] = on_signals,
	[WATCH_UPGRADE] = on_upgrade,
	[WATCH_TIMER] = on_timer,
	[WATCH_NETLINK] = on_netlink,
	[WATCH_CONTROL] = on_control,
	[WATCH_SPAWNER] = nic_life_driver_come,
	[WATCH_DRIVER] = nic_life_listen,
	[WATCH_DRIVER_END] = nic_life_driver_died,
	[WATCH_DEVICE] = nic_life_serve,
	[WATCH_RESET] = nic_life_reset_over,
	[WATCH_RELEASE] = nic_life_wanted_back,
	[WATCH_ERROR] = nic_life_bus_error,
	[WATCH_SOFT_END] = on_soft_end,
	[WATCH_SOFT_OUTPUT] = on_soft_output,
	[WATCH_MAKER] = on_maker_end,
};

/* ---- Life ---- */

/* Whether one look a second is enough. */
static bool is_quiet(const struct daemon *daemon)
{
	return daemon->facts.nic_open && !daemon->anew && !daemon->warm && !daemon->upgrade_tries &&
	       daemon->iface.reachable && !daemon->iface.astray &&
	       clock_ms() - daemon->busy_at_ms > QUIET_MS;
}

/* A timer that cannot be set goes on as it is. */
static void pace_set(struct daemon *daemon, bool timer)
{
	if (!timer)
		daemon->busy_at_ms = clock_ms();
	(void)watch_pace(daemon, is_quiet(daemon) ? DAEMON_TICKS_PER_SECOND : 1);
}

static void loop(struct daemon *daemon)
{
	struct epoll_event event;

	while (!daemon->facts.stopping) {
		if (epoll_wait(daemon->epoll, &event, 1, -1) != 1)
			continue;
		patience_begin(&daemon->patience, PATIENCE_FOLLOW_MS);
		interface_enter(&daemon->iface);
		watches[event.data.u32](daemon);
		interface_leave(&daemon->iface);
		heir_provide(daemon);
		pace_set(daemon, event.data.u32 == WATCH_TIMER);
		patience_end(&daemon->patience);
	}
}

/* A server takes one client, and VFIO gives a group to one process: a killed ixtapd may have them
 * still. */
static int open_nic(struct daemon *daemon, uint16_t mtu, struct ixgbe_why *why)
{
	int err, left_ms = LISTEN_BUSY_MS;

	while ((err = engine_open(&daemon->engine, mtu, daemon->iface.tap.fd, why)) == -EBUSY &&
	       left_ms > 0) {
		usleep(LISTEN_NEXT_MS * 1000);
		left_ms -= LISTEN_NEXT_MS;
	}
	return err;
}

/* Before this process has met anybody. */
static int open_maker(struct daemon *daemon, struct ixgbe_why *why)
{
	static char path[2][PATH_MAX];
	struct maker_config config;
	int err;

	if (daemon->options->isolation == ISOLATION_OFF || maker_there(&daemon->maker))
		return 0;
	err = engine_maker_config(&daemon->engine, path, &config, why);
	return err ? err : maker_start(&daemon->maker, &config, why);
}

static int open_all(struct daemon *daemon, struct ixgbe_why *why)
{
	const struct options *options = daemon->options;
	uint8_t mac[IXGBE_MAC_BYTES];
	uint16_t mtu;
	int err = open_maker(daemon, why);

	if (!err)
		err = control_open(options->control, answers_commands, daemon, &daemon->control,
				   why);
	if (!err)
		err = interface_open(&daemon->iface, options, why);
	if (err)
		return err;
	mtu = interface_mtu_first(&daemon->iface, options);
	err = open_nic(daemon, mtu, why);
	if (err)
		return err;
	daemon->applied.mtu = mtu;
	memcpy(mac, daemon->engine.seen.applied.mac, sizeof(mac));
	interface_enter(&daemon->iface);
	interface_before_mac(&daemon->iface, options, mac);
	err = interface_configure(&daemon->iface, options, mac, mtu, why);
	if (!err)
		rx_features_start(daemon, options->rx_checksum);
	interface_leave(&daemon->iface);
	return err ? err : nic_life_start(daemon, why);
}

static int interface_inherit(struct daemon *daemon, struct ixgbe_why *why)
{
	return interface_take_over(&daemon->iface, json_object_get(daemon->handover, "interface"),
				   daemon->options, on_interface_event, daemon, why);
}

/* The NIC that the program before this one has left is not taken over, and is opened anew. */
static int nic_missed(struct daemon *daemon, struct ixgbe_why *why)
{
	struct ixgbe_why no_board;
	int err = engine_board_open(&daemon->engine, &no_board);

	if (err)
		*why = no_board;
	else
		nic_life_failed(daemon, why->text);
	return err;
}

/* The program before this one has left all that is open. */
static int take_over_all(struct daemon *daemon, struct ixgbe_why *why)
{
	const json_t *from = daemon->handover;
	int err = upgrade_maker_take_over(daemon, why);

	/* A version that knew of no maker. */
	if (!err && !json_object_get(from, "maker"))
		err = open_maker(daemon, why);
	if (!err)
		err = control_take_over(daemon->options->control, json_object_get(from, "control"),
					answers_commands, daemon, &daemon->control, why);
	if (!err)
		err = interface_inherit(daemon, why);
	if (err)
		return err;
	err = upgrade_nic_take_over(daemon, why);
	if (err && daemon->order.mode == UPGRADE_GO)
		upgrade_undo(daemon, why);
	if (!err)
		return 0;
	engine_spawner_stop(&daemon->engine, &daemon->former);
	return nic_missed(daemon, why); /* there is no way back: the NIC may be gone */
}

static int open_first(struct daemon *daemon, struct ixgbe_why *why)
{
	int err = open_all(daemon, why);

	if (err)
		return err;
	err = interface_watch(&daemon->iface, on_interface_event, daemon);
	return err ? ixgbe_why_fill(why, err, "cannot watch the interface: %s", strerror(-err)) : 0;
}

/* A NIC that was not taken over. This process gives up the right to open one. */
static void nic_inherit_anew(struct daemon *daemon)
{
	struct ixgbe_why why = {""};

	if (open_nic(daemon, daemon->applied.mtu, &why) || nic_life_start(daemon, &why))
		nic_life_failed(daemon, why.text);
	else
		nic_life_is_back(daemon, "");
}

/* What a killed keeper has left is no reason for a start that fails. */
static int inherit_all(struct daemon *daemon, struct ixgbe_why *why)
{
	int err = open_maker(daemon, why);

	if (err)
		return err;
	err = interface_inherit(daemon, why);
	if (err) {
		log_warning("%s: %s: starting anew", daemon->options->tap, why->text);
		heir_drop(daemon);
		return open_first(daemon, why);
	}
	err = control_open(daemon->options->control, answers_commands, daemon, &daemon->control,
			   why);
	if (err)
		return err;
	err = upgrade_nic_take_over(daemon, why);
	if (err) {
		heir_nic_drop(daemon);
		err = nic_missed(daemon, why);
	}
	if (!err && !daemon->facts.nic_open && daemon->options->isolation == ISOLATION_REQUIRE)
		nic_inherit_anew(daemon);
	return err;
}

static int open_all_anyhow(struct daemon *daemon, struct ixgbe_why *why)
{
	if (daemon->order.mode == UPGRADE_INHERIT)
		return inherit_all(daemon, why);
	return daemon->handover ? take_over_all(daemon, why) : open_first(daemon, why);
}

static int open_daemon(struct daemon *daemon, struct ixgbe_why *why)
{
	int err = watch_open(daemon);

	patience_init(&daemon->patience, daemon->signals);
	patience_meanwhile(&daemon->patience, meanwhile, daemon);
	patience_begin(&daemon->patience, PATIENCE_START_MS);
	if (!err) {
		err = open_all_anyhow(daemon, why);
		if (err)
			return err;
	}
	if (!err)
		err = watch_add(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
	if (!err)
		err = watch_add(daemon, control_fd(daemon->control), WATCH_CONTROL);
	if (!err && maker_there(&daemon->maker))
		err = watch_add(daemon, daemon->maker.pidfd, WATCH_MAKER);
	if (err)
		return ixgbe_why_fill(why, err, "cannot set up the event loop: %s", strerror(-err));
	return rights_give_up(&daemon->rights, daemon->options, &daemon->maker, why);
}

static void tell_ready(struct daemon *daemon)
{
	uint64_t watchdog_us;

	daemon->watchdog = sd_watchdog_enabled(0, &watchdog_us) > 0;
	daemon->facts.started = true;
	memcpy(daemon->name, daemon->iface.tap.name, sizeof(daemon->name));
	publish_state(daemon);
	interface_enter(&daemon->iface);
	nic_life_listen(daemon);
	interface_leave(&daemon->iface);
	if (daemon->order.mode == UPGRADE_INHERIT)
		heir_tell(daemon);
	else if (daemon->handover)
		upgrade_tell(daemon);
	if (daemon->order.mode == UPGRADE_NONE || daemon->order.mode == UPGRADE_INHERIT)
		process_ready();
	/* Not only at the first tick: the next upgrade may come before. */
	interface_enter(&daemon->iface);
	if (!daemon->facts.nic_open && !daemon->facts.stopping)
		nic_life_away(daemon);
	interface_leave(&daemon->iface);
	heir_provide(daemon);
}

static void close_daemon(struct daemon *daemon)
{
	dev_t dev;
	ino_t ino;
	int err;

	patience_begin(&daemon->patience, PATIENCE_STOP_MS);
	nic_life_release(daemon);
	engine_spawner_stop(&daemon->engine, &daemon->former); /* of a start that was not over */
	engine_free(&daemon->engine);
	interface_close(&daemon->iface);
	/* The folder is another user's. */
	if (maker_there(&daemon->maker) && control_file(daemon->control, &dev, &ino)) {
		err = maker_unlink(&daemon->maker, dev, ino);
		if (err)
			log_warning("%s: the file of the control socket, %s, stays: %s",
				    daemon->options->tap, daemon->options->control,
				    daemon->maker.lost
					    ? "the process that makes others and removes it does "
					      "not answer"
					    : strerror(-err));
	}
	control_close(daemon->control);
	maker_close(&daemon->maker);
	watch_close(daemon);
}

/* Returns the status to exit with. A start that a signal ends is no failure. */
static int not_started(struct daemon *daemon, struct ixgbe_why *why)
{
	bool signalled = patience_signalled(&daemon->patience);

	if (signalled) {
		log_info("%s: told to stop during the start: %s", daemon->options->tap, why->text);
	} else {
		patience_explain(&daemon->patience, why);
		log_error("%s", why->text);
	}
	/* An interface that was there before stays, a new one goes. */
	daemon->iface.tap.persist = daemon->iface.tap.was_persistent;
	close_daemon(daemon);
	return !signalled;
}

int daemon_run(const struct options *options, char *const *argv, struct upgrade_order order,
	       json_t *handover)
{
	/* Static, since it is large for a stack. */
	static struct daemon daemon;
	struct ixgbe_why why = {"cannot start"};

	daemon = (struct daemon){.options = options,
				 .argv = argv,
				 .order = order,
				 .handover = handover,
				 .epoll = -1,
				 .signals = -1,
				 .upgrades = -1,
				 .timer = -1,
				 .release = -1,
				 .error = -1};
	programs_self(daemon.program);
	daemon.started_at_ms = clock_ms();
	interface_init(&daemon.iface);
	engine_init(&daemon.engine, options, &daemon.patience, &daemon.maker);
	daemon.engine.outlives = heir_wanted();
	if (open_daemon(&daemon, &why)) {
		if (order.mode == UPGRADE_GO)
			upgrade_undo(&daemon, &why);
		return not_started(&daemon, &why);
	}
	tell_ready(&daemon);
	patience_end(&daemon.patience);
	loop(&daemon);
	process_stopping();
	close_daemon(&daemon);
	return daemon.exit_status;
}

/* SPDX-License-Identifier: MIT */
/*
 * The NIC starts, its link comes and goes, it fails, it begins anew or is opened again.
 *
 * Drivers follow each other. One that was killed is followed at once, by one that goes on with its
 * rings. So is one that ended in order. One that says why it ends has found the NIC at fault, and
 * one that lies, or crashes or hangs again and again, is none: then the NIC begins anew.
 *
 * A driver hangs when its main thread does not turn while the NIC answers this process at once.
 * With a NIC that is slow to answer the driver may be waiting, too. One that somebody has stopped
 * is left alone.
 *
 * A device that is to be unbound or removed is let go at once, as one that is gone: the kernel
 * waits for that. The service manager lets go first, which may hold it, too.
 *
 * While a NIC is away the TAP stays, with its addresses and connections, without carrier. There are
 * two ways back:
 *
 *     begin anew   the NIC answers. It stays open, and is reset: at once, and after failures that
 *                  follow each other within STATE_STABLE_MS with growing delays
 *     open again   the NIC is gone, or the other way did not lead back. It is closed, and opened
 *                  after growing delays: a software NIC is started again, a server may be back at
 *                  its socket, a device gets its reset
 *
 * The delays (state_retry_delay_ms) are about half a minute in all. Then ixtapd exits 1: the
 * supervisor should know. One that has given up the right to open a NIC exits instead of the second
 * way, with a status of its own (rights.c).
 *
 * A driver that was not to be followed may have written the EEPROM. So the next one looks at the
 * EEPROM's checksum, and its MAC address is compared with the one that was there before.
 *
 * A NIC that reaches for memory outside its own, and is refused by the IOMMU, has not failed: the
 * memory is safe, and frames may well flow on. A reset would not mend such hardware, and would
 * cost the connections. The administrator is told, and decides.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "nic_anew.h"
#include "nic_bus.h"
#include "nic_life.h"
#include "publish.h"
#include "store.h"
#include "watch.h"

/* How long the end of a software NIC that fails is waited for. */
#define SOFT_NIC_END_MS 100

/* After so many drivers in a row that died by themselves within DRIVER_STABLE_MS of their start,
 * the NIC is reset. */
#define DRIVER_DEATHS    3u
#define DRIVER_STABLE_MS 1000
/* A main thread that turns does so each 250 ms. */
#define DRIVER_SILENT_MS 2000
#define BUS_QUICK_MS     100

static void link_set(struct daemon *daemon, const struct ixgbe_link *link)
{
	const struct ixgbe_link was = daemon->link;
	char text[32];

	daemon->link = *link;
	daemon->facts.link_up = link->up;
	if (was.up == link->up && was.speed_mbps == link->speed_mbps)
		return;
	interface_link_set(&daemon->iface, link, daemon->sfp);
	/* One format for up and down: log_limited sums up a link that flaps by its last change. */
	snprintf(text, sizeof(text), "up, %u Mbit/s", link->speed_mbps);
	log_info("%s: link %s", daemon->iface.tap.name, link->up ? text : "down");
	publish_event(daemon, json_pack("{s:s,s:b,s:i}", "event", "link", "up", link->up,
					"speed_mbps", (int)link->speed_mbps));
	publish_state(daemon);
}

/* Plans the next attempt, or gives up. `reason` says why the NIC is not there. */
static void retry_later(struct daemon *daemon)
{
	int delay_ms = state_retry_delay_ms(daemon->attempt);

	if (delay_ms < 0) {
		log_error("%s: giving up on the NIC %s: %u attempts in a row to have it "
			  "work for a minute have failed: %s",
			  daemon->iface.tap.name, daemon->options->nic, daemon->attempt,
			  daemon->reason.text);
		publish_stop(daemon, 1);
		return;
	}
	daemon->attempt++;
	daemon->retry_at_ms = clock_ms() + delay_ms;
}

void nic_life_release(struct daemon *daemon)
{
	if (daemon->engine.spawner.lingers)
		(void)spawner_linger(&daemon->engine.spawner, false);
	store_empty();
}

static void nic_close(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;

	nic_life_release(daemon);
	nic_anew_over(daemon);
	watch_remove(daemon, engine->driver.pidfd);
	watch_remove(daemon, engine->socket);
	if (engine->spawner.pid > 0)
		watch_remove(daemon, engine->spawner.sock);
	if (engine->device && !engine->reset) {
		watch_remove(daemon, ixgbe_device_connection(engine->device));
		watch_remove(daemon, ixgbe_device_relay(engine->device));
	}
	nic_bus_unwatch(daemon);
	watch_remove(daemon, daemon->engine.soft.pidfd);
	watch_remove(daemon, daemon->engine.soft.output);
	patience_begin(&daemon->patience, PATIENCE_STOP_MS);
	engine_close(&daemon->engine);
}

static void nic_away(struct daemon *daemon)
{
	daemon->facts.nic_open = false;
	link_set(daemon, &(struct ixgbe_link){0});
	publish_state(daemon);
}

void nic_life_close(struct daemon *daemon)
{
	nic_away(daemon);
	nic_close(daemon);
	daemon->retry_at_ms = clock_ms();
}

/* After a while that the NIC has worked failures are counted from the first on. */
static void attempts_forget(struct daemon *daemon)
{
	if (clock_ms() - daemon->opened_at_ms > STATE_STABLE_MS)
		daemon->attempt = 0;
}

void nic_life_failed(struct daemon *daemon, const char *what)
{
	char fate[SPAWN_FATE_BYTES];

	/* A dead software NIC often shows first as a server that does not answer. */
	if (soft_nic_ended(&daemon->engine.soft, SOFT_NIC_END_MS)) {
		soft_nic_fate(&daemon->engine.soft, fate);
		ixgbe_why_fill(&daemon->reason, 0, "the software NIC %s", fate);
	} else {
		ixgbe_why_fill(&daemon->reason, 0, "%s", what);
		patience_explain(&daemon->patience, &daemon->reason);
	}
	if (patience_signalled(&daemon->patience))
		log_info("%s: told to stop: %s", daemon->iface.tap.name, daemon->reason.text);
	else
		log_error("%s: %s: carrier off, trying to bring the NIC back",
			  daemon->iface.tap.name, daemon->reason.text);
	nic_life_close(daemon);
	attempts_forget(daemon);
	retry_later(daemon);
}

static void nic_failed_errno(struct daemon *daemon, const char *what, int err)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what,
		 err == -ENODEV ? "the device is gone" : strerror(-err));
	nic_life_failed(daemon, text);
}

/* The NIC is there, but is not to go on as it is. It begins anew, as often as others have tried. */
static void nic_anew(struct daemon *daemon, const char *what, bool distrust)
{
	struct ixgbe_why why = {""};
	int delay_ms;

	attempts_forget(daemon);
	delay_ms = daemon->attempt ? state_retry_delay_ms(daemon->attempt) : 0;
	if (!daemon->facts.nic_open || delay_ms < 0 || patience_signalled(&daemon->patience) ||
	    soft_nic_ended(&daemon->engine.soft, 0)) {
		nic_life_failed(daemon, what);
		return;
	}
	ixgbe_why_fill(&daemon->reason, 0, "%s", what);
	patience_explain(&daemon->patience, &daemon->reason);
	log_error("%s: %s: carrier off, the NIC begins anew", daemon->iface.tap.name,
		  daemon->reason.text);
	nic_away(daemon);
	nic_life_release(daemon);
	daemon->attempt++;
	daemon->opened_at_ms = clock_ms();
	if (nic_anew_begin(daemon, distrust, delay_ms, &why))
		nic_life_failed(daemon, why.text);
}

void nic_life_reset_over(struct daemon *daemon)
{
	struct ixgbe_why why = {""};

	if (nic_anew_reset_over(daemon, &why))
		nic_life_failed(daemon, why.text);
}

/* The workers find out, and go on. */
static void irqs_lost_tell(struct daemon *daemon)
{
	struct bridge_counters counters;
	uint64_t lost = 0;

	for (uint16_t q = 0; q < daemon->options->queues; q++) {
		engine_counters(&daemon->engine, q, &counters);
		lost += counters.irqs_lost;
	}
	if (lost != daemon->irqs_lost)
		publish_event(daemon, json_pack("{s:s,s:I}", "event", "irq_lost", "count",
						(json_int_t)lost));
	daemon->irqs_lost = lost;
}

void nic_life_bus_check(struct daemon *daemon)
{
	const int64_t begun = clock_ms();
	int events = ixgbe_device_bus_errors(daemon->engine.device);

	daemon->bus_quick = clock_ms() - begun < BUS_QUICK_MS;
	irqs_lost_tell(daemon);

	if (events < 0) {
		nic_failed_errno(daemon, "cannot read the NIC's PCI status", events);
		return;
	}
	if (events & IXGBE_BUS_REFUSED)
		nic_bus_refused(daemon);
	if (events & IXGBE_BUS_MASTER_OFF)
		nic_anew(daemon, "somebody took the NIC's right to master the bus (setpci?)",
			 false);
}

void nic_life_serve(struct daemon *daemon)
{
	int relay = ixgbe_device_relay(daemon->engine.device);
	int err = ixgbe_device_serve(daemon->engine.device);

	if (err)
		watch_remove(daemon, relay);
	if (err == -EPROTO)
		nic_anew(daemon, "the driver asks for registers by no rule", true);
	else if (err)
		nic_failed_errno(daemon, "the NIC does not answer", err);
}

/* The kernel's unbind waits until nobody has the device. */
void nic_life_wanted_back(struct daemon *daemon)
{
	nic_life_failed(daemon, "the NIC is wanted back: it is unbound from vfio-pci, or removed");
}

void nic_life_bus_error(struct daemon *daemon)
{
	nic_life_failed(daemon, "the PCI bus reports an error of the NIC; see the kernel's log");
}

/* ---- The driver ---- */

static void tell_hang(struct daemon *daemon)
{
	const struct board_state *seen = &daemon->engine.seen;

	if (seen->hangs == daemon->hangs)
		return;
	daemon->tx_timeouts += seen->hangs - daemon->hangs;
	daemon->hangs = seen->hangs;
	publish_event(daemon,
		      json_pack("{s:s,s:i,s:s,s:I}", "event", "tx_timeout", "queue",
				(int)seen->hung, "cure", seen->hang_cured ? "queue" : "reset",
				"lost", (json_int_t)seen->hang_lost));
	if (seen->hang_cured)
		log_warning("%s: transmit queue %u hung and was restarted: %llu frames were lost",
			    daemon->iface.tap.name, seen->hung,
			    (unsigned long long)seen->hang_lost);
}

static void tell_storm(struct daemon *daemon)
{
	const uint32_t storm = daemon->engine.seen.storm;

	if (!storm == !daemon->storm)
		return;
	daemon->storm = storm;
	publish_event(daemon, json_pack("{s:s,s:I}", "event", "irq_storm", "per_second",
					(json_int_t)storm));
	if (storm)
		log_warning("%s: the NIC sends %u interrupts a second that nothing caused: frames "
			    "flow on, and a processor is kept busy; if that lasts, the NIC is at "
			    "fault, and to be replaced",
			    daemon->iface.tap.name, storm);
	else
		log_info("%s: the NIC sends no interrupts any more that nothing caused",
			 daemon->iface.tap.name);
}

static void tell_full(struct daemon *daemon)
{
	const struct board_state *seen = &daemon->engine.seen;

	if (seen->stats_full == daemon->stats_full)
		return;
	daemon->counters_full += seen->stats_full - daemon->stats_full;
	daemon->stats_full = seen->stats_full;
	log_warning("%s: a counter of the NIC was at its maximum: what came after that is not in "
		    "the statistics",
		    daemon->iface.tap.name);
	publish_event(daemon, json_pack("{s:s,s:I}", "event", "counter_full", "count",
					(json_int_t)daemon->counters_full));
}

/* Publishes what differs from what was told last. */
static void news_tell(struct daemon *daemon)
{
	const struct board_state *seen = &daemon->engine.seen;
	const struct ixgbe_link link = {seen->link_up, seen->link_mbps};
	uint32_t parts = mirror_difference(&seen->applied, &daemon->applied);

	daemon->applied = seen->applied;
	daemon->facts.admin_up = seen->applied.admin_up;
	publish_parts(daemon, parts);
	if (seen->modules != daemon->modules || seen->sfp != daemon->sfp) {
		daemon->modules = seen->modules;
		daemon->sfp = (enum ixgbe_sfp)seen->sfp;
		interface_link_set(&daemon->iface, &daemon->link, daemon->sfp);
		publish_module(daemon, daemon->sfp);
	}
	if (seen->sfp_sum != daemon->sfp_sum) {
		daemon->sfp_sum = seen->sfp_sum;
		if (seen->sfp_sum == IXGBE_SFP_SUM_WRONG)
			publish_sfp_sum_wrong(daemon);
	}
	if (seen->timeouts != daemon->timeouts) {
		daemon->timeouts = seen->timeouts;
		nic_bus_timeout(daemon);
	}
	tell_hang(daemon);
	tell_storm(daemon);
	tell_full(daemon);
	link_set(daemon, &link);
	publish_state(daemon);
}

static void driver_runs(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	const struct board_state *seen = &engine->seen;
	char fate[SPAWN_FATE_BYTES];

	engine_driver_fate(engine, fate);
	daemon->warm = false;
	if (seen->resumed) {
		engine->starts.warm++;
	} else { /* what the one before had left did not add up */
		engine->starts.cold++;
		publish_mac_permanent(daemon);
	}
	if (daemon->left) {
		daemon->left = false;
		return;
	}
	if (notice_add(&daemon->driver_died, clock_ms()))
		log_warning("%s: the driver %s: the next one went on after %lld us%s",
			    daemon->iface.tap.name, fate,
			    (long long)((uint64_t)seen->running_ns - (uint64_t)engine->dead_ns) /
				    1000,
			    seen->resumed ? "" : ", and had to reset the NIC");
	publish_event(daemon,
		      json_pack("{s:s,s:i,s:b,s:s}", "event", "driver", "pid",
				(int)engine->driver.pid, "resumed", seen->resumed, "before", fate));
}

static void driver_failed(struct daemon *daemon)
{
	const struct board_state *seen = &daemon->engine.seen;

	tell_hang(daemon);
	if (seen->error == -ENODEV) /* there is nothing to reset */
		nic_life_failed(daemon, seen->why.text);
	else
		nic_anew(daemon, seen->why.text, false);
}

static void driver_lies(struct daemon *daemon, int err)
{
	char text[96];

	snprintf(text, sizeof(text), "the driver speaks nonsense: %s", strerror(-err));
	nic_anew(daemon, text, true);
}

/* The driver, if there is one, dies too. */
static void spawner_gone(struct daemon *daemon)
{
	struct ixgbe_why why = {""};

	nic_anew_spawner_end(daemon);
	if (daemon->anew == ANEW_RESET || daemon->anew == ANEW_TIME)
		return; /* there is no driver, and the next one has a spawner made */
	if (daemon->anew != ANEW_DEATH)
		nic_anew(daemon, "the spawner has ended, and the driver with it", false);
	else if (daemon->engine.driver.pidfd < 0 && nic_anew_death(daemon, &why))
		nic_life_failed(daemon, why.text);
}

/* The end of the driver that has come, by whatever way we heard of that. */
static void driver_watch(struct daemon *daemon)
{
	const struct spawned *driver = &daemon->engine.driver;

	if (driver->pidfd < 0 || driver->number == daemon->watched)
		return;
	daemon->watched = driver->number;
	if (watch_add(daemon, driver->pidfd, WATCH_DRIVER_END))
		nic_life_failed(daemon, "cannot watch the driver");
}

void nic_life_driver_come(struct daemon *daemon)
{
	int err = engine_driver_come(&daemon->engine);

	if (err >= 0)
		driver_watch(daemon);
	if (err == 1 && daemon->anew == ANEW_DEATH)
		engine_driver_kill(&daemon->engine);
	else if (err == 1)
		nic_life_listen(daemon); /* it may have spoken before */
	else if (err == -EPIPE)
		spawner_gone(daemon);
	else if (err < 0)
		nic_failed_errno(daemon, "cannot make a driver", err);
}

/* What the kernel gave to reads of the dead driver, and that driver has not counted. Its io_uring
 * takes nothing more once the process is dead (tests/groundwork). */
static void reads_account(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	uint64_t reads, counted = 0;

	if (!interface_kernel_reads(&daemon->iface, &reads))
		return;
	for (uint16_t q = 0; q < daemon->options->queues; q++)
		counted += engine->report->queue[q].counters.tx_received;
	if (reads > counted && reads - counted > engine->lost.tap_reads)
		engine->lost.tap_reads = reads - counted;
}

static void driver_next(struct daemon *daemon)
{
	struct ixgbe_why why = {"cannot watch the driver"};
	int err;

	watch_remove(daemon, ixgbe_device_relay(daemon->engine.device));
	err = engine_renew(&daemon->engine, &why);
	if (!err)
		err = nic_anew_order_watch(daemon);
	if (err && engine_spawner_died(&daemon->engine)) {
		spawner_gone(daemon);
		return;
	}
	if (err) {
		nic_life_failed(daemon, why.text);
		return;
	}
	daemon->warm = true;
	daemon->ordered_at_ms = daemon->followed_at_ms = daemon->beat_at_ms = clock_ms();
}

static bool broke_filter(const struct spawn_end *end)
{
	return end->code != CLD_EXITED && end->status == SIGSYS;
}

/* Whether the next driver may go on where this one was. One that was killed, by whomever, did
 * nothing wrong. One that broke the filter of system calls is not to be trusted with what it left.
 * Those that crash, or die before they run, may do so again and again. */
static bool may_go_on(struct daemon *daemon, bool ran, bool *distrust)
{
	struct spawn_end end;
	const bool known = engine_driver_end(&daemon->engine, &end);
	const bool killed = known && end.code != CLD_EXITED && end.status == SIGKILL;

	*distrust = known && broke_filter(&end);
	if (*distrust)
		return false;
	if (!daemon->hung &&
	    ((ran && killed) || clock_ms() - daemon->ordered_at_ms > DRIVER_STABLE_MS))
		daemon->deaths = 0;
	else
		daemon->deaths++;
	return daemon->deaths < DRIVER_DEATHS;
}

void nic_life_driver_died(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	struct ixgbe_why why = {""};
	char text[96], fate[SPAWN_FATE_BYTES];
	bool ran, distrust = false;

	watch_remove(daemon, engine->driver.pidfd);
	watch_remove(daemon, engine->socket);
	engine_driver_bury(engine);
	ran = engine->seen.phase == BOARD_RUNNING;
	daemon->left = engine->seen.phase == BOARD_LEFT;
	if (daemon->left)
		news_tell(daemon);
	reads_account(daemon);
	if (daemon->anew == ANEW_DEATH) {
		if (nic_anew_death(daemon, &why))
			nic_life_failed(daemon, why.text);
	} else if (engine->seen.phase == BOARD_FAILED) {
		driver_failed(daemon);
	} else if (!daemon->anew && may_go_on(daemon, ran, &distrust)) {
		driver_next(daemon);
	} else {
		engine_driver_fate(engine, fate);
		snprintf(text, sizeof(text), "the driver %s",
			 daemon->hung ? "hangs again and again" : fate);
		daemon->deaths = 0;
		nic_anew(daemon, text, distrust);
	}
	daemon->hung = false;
}

/* Whether the driver's main thread turns. One that somebody has stopped is left alone. */
static bool driver_turns(struct daemon *daemon, int64_t now)
{
	const struct engine *engine = &daemon->engine;
	uint32_t beats = atomic_load_explicit(&engine->report->beats, memory_order_relaxed);

	if (beats != daemon->beats) {
		daemon->beats = beats;
		daemon->beat_at_ms = now;
		return true;
	}
	if (now - daemon->beat_at_ms <= DRIVER_SILENT_MS || !engine_suspended(engine))
		return now - daemon->beat_at_ms <= PATIENCE_FOLLOW_MS;
	if (notice_add(&daemon->driver_stopped, now))
		log_warning("%s: the driver, process %d, is stopped (SIGSTOP, or a debugger): no "
			    "frames flow until it goes on",
			    daemon->iface.tap.name, (int)engine->driver.pid);
	daemon->followed_at_ms = now;
	daemon->beat_at_ms = now; /* it has its time once it goes on */
	return true;
}

static void driver_kill(struct daemon *daemon, int64_t now)
{
	daemon->hung = true;
	daemon->beat_at_ms = now;
	log_warning("%s: the driver hangs, and the NIC answers: it is killed",
		    daemon->iface.tap.name);
	engine_driver_kill(&daemon->engine);
}

void nic_life_supervise(struct daemon *daemon)
{
	const int64_t now = clock_ms();
	const bool running = engine_running(&daemon->engine);
	bool turns;

	daemon->engine.messages = 0;
	if (running && engine_followed(&daemon->engine))
		daemon->followed_at_ms = now;
	turns = !running || driver_turns(daemon, now);
	if (running && daemon->bus_quick && now - daemon->beat_at_ms > DRIVER_SILENT_MS)
		driver_kill(daemon, now);
	else if (!turns || now - daemon->followed_at_ms > PATIENCE_FOLLOW_MS)
		nic_anew(
			daemon,
			engine_suspended(&daemon->engine)
				? "the process that makes drivers is stopped (SIGSTOP, or a debugger)"
				: "the driver does not do what it is told: the NIC answers too slowly, "
				  "or the driver hangs",
			false);
}

/* ---- Start ---- */

static int nic_watch(struct daemon *daemon)
{
	const struct engine *engine = &daemon->engine;
	const struct {
		int fd;
		enum watch what;
	} all[] = {
		{engine->spawner.sock, WATCH_SPAWNER},
		{engine->driver.pidfd, WATCH_DRIVER_END},
		{engine->socket, WATCH_DRIVER},
		{ixgbe_device_connection(engine->device), WATCH_DEVICE},
		{ixgbe_device_relay(engine->device), WATCH_DEVICE},
		{engine->soft.pidfd, WATCH_SOFT_END},
		{engine->soft.output, WATCH_SOFT_OUTPUT},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !err; i++)
		if (all[i].fd >= 0)
			err = watch_add(daemon, all[i].fd, all[i].what);
	return err;
}

static void wanted_read(struct daemon *daemon, struct mirror *wanted)
{
	interface_enter(&daemon->iface);
	interface_wanted(&daemon->iface, daemon->applied.mtu, wanted);
	interface_leave(&daemon->iface);
}

/* A driver runs. */
static int nic_begin(struct daemon *daemon, struct ixgbe_why *why)
{
	const struct board_state *seen = &daemon->engine.seen;
	int err;

	daemon->applied = seen->applied;
	daemon->facts.admin_up = daemon->applied.admin_up;
	daemon->sfp = (enum ixgbe_sfp)seen->sfp;
	daemon->modules = seen->modules;
	daemon->timeouts = seen->timeouts;
	daemon->hangs = seen->hangs;
	daemon->stats_full = seen->stats_full;
	daemon->sfp_sum = seen->sfp_sum;
	publish_mac_permanent(daemon);
	if (!daemon->anew)
		nic_bus_watch(daemon);
	err = daemon->anew ? 0 : nic_watch(daemon); /* of a NIC that stayed open all is watched */
	if (err)
		return ixgbe_why_fill(why, err, "cannot watch the NIC: %s", strerror(-err));
	daemon->watched = daemon->engine.driver.number;
	daemon->opened_at_ms = daemon->ordered_at_ms = clock_ms();
	daemon->followed_at_ms = daemon->beat_at_ms = daemon->opened_at_ms;
	daemon->deaths = 0;
	daemon->warm = false;
	daemon->anew = ANEW_NOT;
	daemon->facts.nic_open = true;
	interface_enter(&daemon->iface);
	interface_link_set(&daemon->iface, &daemon->link, daemon->sfp);
	interface_leave(&daemon->iface);
	return 0;
}

int nic_life_start(struct daemon *daemon, struct ixgbe_why *why)
{
	struct mirror wanted = {0};
	int err;

	wanted_read(daemon, &wanted);
	err = engine_start(&daemon->engine, &wanted, why);
	return err ? err : nic_begin(daemon, why);
}

/* The driver of the program before did not leave. Where a successor of this program's would not go
 * on, none does here. */
static int former_died(struct daemon *daemon, struct ixgbe_why *why)
{
	struct spawn_end end;

	log_warning("%s: the driver died, or hung, before it left: what it held is lost",
		    daemon->iface.tap.name);
	if (daemon->engine.seen.phase == BOARD_FAILED)
		return ixgbe_why_fill(why, -EKEYREJECTED, "%s", daemon->engine.seen.why.text);
	if (engine_former_end(&daemon->engine, &daemon->former, &end) && broke_filter(&end))
		return ixgbe_why_fill(why, -EKEYREJECTED, "the driver was killed by signal %d",
				      end.status);
	return 0;
}

int nic_life_succeed(struct daemon *daemon, struct ixgbe_why *why)
{
	const struct board_state *seen = &daemon->engine.seen;
	struct mirror wanted = {0};
	int err;

	daemon->applied = seen->applied;
	daemon->link = (struct ixgbe_link){seen->link_up, seen->link_mbps};
	daemon->facts.link_up = seen->link_up;
	wanted_read(daemon, &wanted);
	err = engine_former_leave(&daemon->engine, daemon->iface.tap.fd, &wanted, why);
	if (err)
		return err;
	if (seen->phase != BOARD_LEFT)
		err = former_died(daemon, why);
	if (err)
		return err;
	interface_enter(&daemon->iface);
	reads_account(daemon);
	interface_leave(&daemon->iface);
	/* What a dead keeper has ordered may be born still. */
	if (daemon->order.mode == UPGRADE_INHERIT)
		engine_spawner_stop(&daemon->engine, &daemon->former);
	err = engine_succeed(&daemon->engine, why);
	return err ? err : nic_begin(daemon, why);
}

void nic_life_is_back(struct daemon *daemon, const char *how)
{
	daemon->recoveries++;
	daemon->reason.text[0] = '\0';
	log_info("%s: the NIC is back%s", daemon->iface.tap.name, how);
	publish_state(daemon);
}

static void anew_runs(struct daemon *daemon)
{
	const int64_t ms = clock_ms() - daemon->opened_at_ms;
	struct ixgbe_why why = {""};
	char how[64];

	(void)nic_begin(daemon, &why); /* nothing that may fail */
	interface_enter(&daemon->iface);
	daemon->engine.starts.cold++;
	snprintf(how, sizeof(how), ", begun anew within %lld ms", (long long)ms);
	nic_life_is_back(daemon, how);
}

/* ---- What a driver says ---- */

void nic_life_listen(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	int err = engine_listen(engine);

	driver_watch(daemon);
	if (!daemon->facts.nic_open && daemon->anew != ANEW_DRIVER)
		return;

	if (err == -EPIPE)
		watch_remove(daemon, engine->socket); /* its end follows */
	else if (err == -EMSGSIZE)
		nic_anew(daemon, "the driver talks without end", true);
	else if (err)
		driver_lies(daemon, err);
	else if (engine->seen.phase == BOARD_FAILED)
		driver_failed(daemon);
	else if (engine_running(engine)) {
		if (daemon->anew)
			anew_runs(daemon);
		if (daemon->warm)
			driver_runs(daemon);
		if (engine_followed(engine))
			daemon->followed_at_ms = clock_ms();
		news_tell(daemon);
	}
}

/* ---- The NIC is away ---- */

static void retry(struct daemon *daemon)
{
	struct ixgbe_why why = {""};
	int err;

	if (!rights_open_nic(&daemon->rights, daemon->options->nic_kind)) {
		publish_stop_anew(daemon, "the NIC has to be opened anew, which ixtapd gives up "
					  "under --isolation require");
		return;
	}
	patience_begin(&daemon->patience, PATIENCE_START_MS);
	interface_leave(&daemon->iface); /* a software NIC stays where it is started */
	err = engine_open(&daemon->engine, daemon->applied.mtu, daemon->iface.tap.fd, &why);
	if (!err)
		err = nic_life_start(daemon, &why);
	interface_enter(&daemon->iface);
	if (err) {
		patience_explain(&daemon->patience, &why);
		nic_close(daemon);
		daemon->reason = why;
		log_warning("%s: attempt %u to bring the NIC back failed: %s",
			    daemon->iface.tap.name, daemon->attempt, why.text);
		retry_later(daemon);
		return;
	}
	nic_life_is_back(daemon, "");
	nic_life_listen(daemon);
}

void nic_life_away(struct daemon *daemon)
{
	struct ixgbe_why why = {""};

	if (!daemon->anew && clock_ms() >= daemon->retry_at_ms)
		retry(daemon);
	else if (nic_anew_look(daemon, &why))
		nic_life_failed(daemon, why.text);
}

/* SPDX-License-Identifier: MIT */
/*
 * What the keeper behind this one finds if this one is killed: all that is open, and a handover
 * (store.c). It is made anew behind each event that has changed what stands in it, and once a
 * second for counts that run. While one driver follows another nothing is stored: the handover
 * names the dead one, and whoever inherits it kills the spawner before a driver of its own begins,
 * and with the spawner whatever driver that has made.
 *
 * A spawner lingers from the moment on when all is stored. So at each instruction there is at most
 * one spawner that outlives its keeper, and the store names that one.
 *
 * A NIC that begins anew is not left to anybody: its driver is not to be followed, and the NIC
 * itself may be in a reset, or have other memory behind that. The interface alone is stored
 * meanwhile, and the spawner dies with the keeper.
 *
 * What does not fit is dropped. Without the NIC's part the TAP stays, and the NIC is opened anew.
 */
#include "heir.h"

#include <errno.h>
#include <string.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "handover.h"
#include "store.h"

#define AGAIN_MS 1000 /* between two handovers without news */
#define DEAF_MS  10000

/* What the handover is made from, as far as it changes by events. */
#define SIGHTS 19

static int64_t last[SIGHTS];
static int64_t again_at_ms, deaf_until_ms;
static bool wanted;

bool heir_wanted(void)
{
	return wanted;
}

static void sight_take(const struct daemon *daemon, int64_t out[SIGHTS])
{
	const struct engine *engine = &daemon->engine;
	const struct ixgbe_device *device = daemon->anew ? NULL : engine->device;
	const int64_t now[SIGHTS] = {
		engine->spawner.pid,
		engine->driver.pid,
		engine->soft.pid,
		engine->socket,
		device ? ixgbe_device_channel(device) : -1,
		device ? ixgbe_device_relay(device) : -1,
		daemon->iface.tap.fd[0],
		daemon->facts.nic_open,
		daemon->iface.moved,
		daemon->state,
		daemon->rx_checksum,
		daemon->attempt,
		daemon->recoveries,
		(int64_t)daemon->dma_refused.count,
		(int64_t)daemon->dma_timeout.count,
		(int64_t)engine->lost.tap_reads,
		(int64_t)engine->starts.warm,
		(int64_t)engine->starts.cold,
		(int64_t)engine->starts.upgrade,
	};

	memcpy(out, now, sizeof(now));
}

/* ---- For the next one ---- */

/* A device that is new, or known to the next program alone. */
static void journal_begin(struct engine *engine)
{
	struct ixgbe_journal *journal = store_journal();
	struct ixgbe_why why;

	if (!journal)
		return;
	*journal = (struct ixgbe_journal){.serves = journal->serves};
	(void)ixgbe_device_journal(engine->device, journal, &why);
}

static int provide(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	const bool nic = engine->device && !daemon->anew;
	struct ixgbe_why why;
	json_t *handover;
	int err;

	if (nic && !engine->spawner.lingers)
		journal_begin(engine);
	handover = handover_new(daemon, &why);
	if (!handover)
		return -EAGAIN;
	err = store_put(handover);
	json_decref(handover);
	if (!err && nic && !engine->spawner.lingers)
		err = spawner_linger(&engine->spawner, true);
	return err;
}

void heir_provide(struct daemon *daemon)
{
	const int64_t now_ms = clock_ms();
	int64_t now[SIGHTS];
	bool same;
	int err;

	if (!wanted) {
		store_empty(); /* nobody would keep it up to date */
		return;
	}
	/* A driver may run before the spawner's word of it is heard. */
	if (daemon->facts.stopping || daemon->warm || daemon->engine.ordered ||
	    daemon->iface.astray)
		return;
	sight_take(daemon, now);
	same = store_has() && !memcmp(now, last, sizeof(now));
	if (now_ms < deaf_until_ms || (same && now_ms < again_at_ms))
		return;
	err = provide(daemon);
	again_at_ms = now_ms + AGAIN_MS;
	if (err)
		deaf_until_ms = now_ms + (err == -EAGAIN ? AGAIN_MS : DEAF_MS);
	memcpy(last, now, sizeof(last));
	if (err == -ENOSPC)
		wanted = false;
	else if (err && err != -EAGAIN)
		log_warning("%s: the service manager takes no descriptors (%s): if ixtapd is "
			    "killed now the NIC starts anew",
			    daemon->iface.tap.name, strerror(-err));
}

/* ---- From the former one ---- */

/* What of the NIC cannot be taken over is dropped; then there is none, and it is opened anew. A
 * software NIC has the rights that it was made with. */
static void nic_check(const struct options *options, json_t *handover)
{
	json_t *engine = json_object_get(handover, "engine");
	struct ixgbe_why why;
	int err = engine_hand_over_check(engine, &why);

	if (!err && options->nic_kind == OPTIONS_NIC_SOFT)
		err = handover_process_check(options, handover, &why);
	if (!err)
		return;
	log_warning("what the former ixtapd left of the NIC does not fit, and the NIC starts "
		    "anew: %s",
		    why.text);
	store_drop(json_object_get(engine, "running"));
	store_drop(json_object_get(engine, "soft"));
	json_object_set_new(engine, "running", json_null());
	json_object_set_new(engine, "soft", json_null());
}

json_t *heir_take(const struct options *options)
{
	struct ixgbe_why why;
	json_t *handover;

	wanted = store_open();
	handover = store_take(&why);
	if (handover && handover_options_check(options, handover, &why)) {
		store_drop_all();
		json_decref(handover);
		handover = NULL;
	}
	if (handover)
		nic_check(options, handover);
	else if (why.text[0])
		log_warning("what a former ixtapd left in the service manager's store does not "
			    "fit: %s: starting anew",
			    why.text);
	return handover;
}

void heir_continue(const json_t *handover)
{
	wanted = store_open();
	store_take_over(json_object_get(handover, "store"));
}

int heir_nic_take(struct daemon *daemon, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;
	struct ixgbe_journal *journal;

	if (!engine->device || !store_has())
		return 0;
	if (daemon->order.mode != UPGRADE_INHERIT) {
		journal_begin(engine);
		return 0;
	}
	/* A driver's report is torn only if that died, too. */
	if (!engine->seen.applied.mtu)
		return ixgbe_why_fill(why, -EBADMSG, "its driver has left no whole report");
	/* The number of the last orders that the dead one gave is not known. */
	engine->wishes.generation = engine->seen.generation;
	journal = store_journal();
	return journal ? ixgbe_device_journal(engine->device, journal, why)
		       : ixgbe_why_fill(why, -ENOMEM, "out of memory");
}

void heir_nic_drop(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	const json_t *from = json_object_get(daemon->handover, "engine");

	if (engine->device) {
		engine_driver_kill(engine);
		engine_spawner_stop(engine, &daemon->former);
		return;
	}
	store_drop(json_object_get(from, "running"));
	store_drop(json_object_get(from, "soft"));
	soft_nic_init(&engine->soft, engine->maker);
	engine->driver = (struct spawned){.pid = -1, .pidfd = -1};
	engine->socket = -1;
	daemon->former = (struct spawner){.pid = 0};
}

void heir_drop(struct daemon *daemon)
{
	struct interface *iface = &daemon->iface;

	store_drop_all();
	for (size_t q = 0; q < IXGBE_QUEUES_MAX; q++)
		iface->tap.fd[q] = -1; /* closed with the rest */
	interface_close(iface);
	json_decref(daemon->handover);
	daemon->handover = NULL;
	daemon->order.mode = UPGRADE_NONE;
}

void heir_tell(struct daemon *daemon)
{
	log_warning("%s: the former ixtapd was killed: %s", daemon->iface.tap.name,
		    !daemon->facts.nic_open       ? "the NIC starts anew"
		    : daemon->engine.seen.resumed ? "this one goes on, and the NIC ran on"
						  : "this one goes on, and had to reset the NIC");
	handover_settings_tell(daemon->options, daemon->handover);
	json_decref(daemon->handover);
	daemon->handover = NULL;
}

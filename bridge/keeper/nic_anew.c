/* SPDX-License-Identifier: MIT */
#include "nic_anew.h"

#include <errno.h>
#include <string.h>

#include "bridge/service/clock.h"
#include "watch.h"

/* How long a killed driver may take to die. The kernel may have to end what it has begun. */
#define DEATH_MS 10000
/* More than the kernel waits for a function that does not come back, which is 60 s. */
#define RESET_MS 70000

static void await(struct daemon *daemon, enum anew what, int limit_ms)
{
	daemon->anew = what;
	daemon->anew_end_ms = clock_ms() + limit_ms;
}

static int cannot_watch(int err, struct ixgbe_why *why)
{
	return err ? ixgbe_why_fill(why, err, "cannot watch the NIC: %s", strerror(-err)) : 0;
}

int nic_anew_order_watch(const struct daemon *daemon)
{
	int relay = ixgbe_device_relay(daemon->engine.device);
	int err = watch_add(daemon, daemon->engine.socket, WATCH_DRIVER);

	return err || relay < 0 ? err : watch_add(daemon, relay, WATCH_DEVICE);
}

void nic_anew_spawner_end(struct daemon *daemon)
{
	struct spawner *spawner = &daemon->engine.spawner;

	if (spawner->pid > 0)
		watch_remove(daemon, spawner->sock);
	engine_spawner_stop(&daemon->engine, spawner);
	daemon->engine.ordered = false;
}

int nic_anew_death(struct daemon *daemon, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;
	int err;

	if (daemon->distrusted)
		nic_anew_spawner_end(daemon);
	await(daemon, ANEW_RESET, RESET_MS);
	/* A thread stays in the namespace that it was made in, and would keep that. */
	interface_leave(&daemon->iface);
	err = engine_reset(engine, daemon->distrusted, why);
	interface_enter(&daemon->iface);
	return err ? err
		   : cannot_watch(watch_add(daemon, engine_reset_fd(engine), WATCH_RESET), why);
}

/* Nothing that the driver says counts any more. One that is still to come is waited for. */
int nic_anew_begin(struct daemon *daemon, bool distrust, int delay_ms, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;

	daemon->distrusted = distrust;
	daemon->retry_at_ms = clock_ms() + delay_ms;
	watch_remove(daemon, engine->socket);
	watch_remove(daemon, ixgbe_device_connection(engine->device));
	watch_remove(daemon, ixgbe_device_relay(engine->device));
	if (engine->driver.pidfd < 0 && !engine->ordered)
		return nic_anew_death(daemon, why);
	await(daemon, ANEW_DEATH, DEATH_MS);
	engine_driver_kill(engine);
	return 0;
}

static int driver_begin(struct daemon *daemon, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;
	const bool spawner = engine->spawner.pid <= 0;
	struct mirror wanted = {0};
	int err;

	await(daemon, ANEW_DRIVER, PATIENCE_START_MS);
	daemon->watched = 0; /* another spawner counts from the beginning */
	interface_wanted(&daemon->iface, daemon->applied.mtu, &wanted);
	interface_leave(&daemon->iface);
	err = engine_anew(engine, daemon->iface.tap.fd, &wanted, why);
	interface_enter(&daemon->iface);
	if (err)
		return err;
	if (spawner)
		err = watch_add(daemon, engine->spawner.sock, WATCH_SPAWNER);
	return cannot_watch(err ? err : nic_anew_order_watch(daemon), why);
}

int nic_anew_reset_over(struct daemon *daemon, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;
	int err, connection;

	watch_remove(daemon, engine_reset_fd(engine));
	err = engine_reset_end(engine, why);
	if (err)
		return err;
	connection = ixgbe_device_connection(engine->device);
	if (connection >= 0)
		err = watch_add(daemon, connection, WATCH_DEVICE);
	if (err)
		return cannot_watch(err, why);
	daemon->anew = ANEW_TIME;
	return nic_anew_look(daemon, why);
}

int nic_anew_look(struct daemon *daemon, struct ixgbe_why *why)
{
	static const char *const overdue[] = {
		[ANEW_DEATH] = "the driver was killed, and the kernel does not end it",
		[ANEW_RESET] = "the reset of the NIC does not come back",
		[ANEW_DRIVER] = "the driver does not come up: it hangs, or the NIC is too slow",
	};
	const int64_t now = clock_ms();

	if (daemon->anew == ANEW_TIME)
		return now >= daemon->retry_at_ms ? driver_begin(daemon, why) : 0;
	return daemon->anew && now >= daemon->anew_end_ms
		       ? ixgbe_why_fill(why, -ETIMEDOUT, "%s", overdue[daemon->anew])
		       : 0;
}

void nic_anew_over(struct daemon *daemon)
{
	watch_remove(daemon, engine_reset_fd(&daemon->engine));
	daemon->anew = ANEW_NOT;
}

/* SPDX-License-Identifier: MIT */
/*
 * Cold start. After a driver that is not to be followed, or a NIC that does not work, the NIC
 * begins anew. It stays open meanwhile: container, group and device, or the connection to a server;
 * DMA memory, mapped at the same addresses; the vectors' eventfds; a software NIC of ours, and so
 * its wire. A keeper that has given up its rights could not open the NIC again.
 *
 *     the driver is dead (its pidfd says so)    the caller's
 *     bus master off, reset of the function,    function_reset.c, in a thread
 *       command register, interrupts,
 *       state memory zeroed
 *     the report is cleared, bus master on      engine_anew
 *     a driver is ordered, which finds no
 *       record, and so initialises the NIC
 *
 * While bus mastering or the decoding of memory is off no driver lives.
 *
 * Distrust. A driver that lied, or broke the filter of system calls, may have done what a driver
 * cannot do, as far as we know: also a hole into DMA memory, which parts device and processors for
 * good. So that memory is replaced behind the reset, at the same addresses. The spawner has the old
 * one mapped. It is ended, and another one is made. The NIC is open all the time here, too. Only
 * where the kernel does not let this program undo the maps (Linux 6.1, after an upgrade) the caller
 * has to close it.
 */
#include "engine_parts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int engine_reset(struct engine *engine, bool distrust, struct ixgbe_why *why)
{
	int err;

	assert(engine->driver.pid < 0 && !engine->reset);
	assert(!distrust || engine->spawner.pid <= 0);
	err = function_reset_start(engine->device, distrust, &engine->reset);
	return err ? ixgbe_why_fill(why, err, "cannot make a thread for the NIC's reset: %s",
				    strerror(-err))
		   : 0;
}

int engine_reset_fd(const struct engine *engine)
{
	return engine->reset ? function_reset_fd(engine->reset) : -1;
}

int engine_reset_end(struct engine *engine, struct ixgbe_why *why)
{
	int err = function_reset_end(engine->reset, why);

	engine->reset = NULL;
	return err;
}

int engine_anew(struct engine *engine, const int tap_fd[], const struct mirror *wanted,
		struct ixgbe_why *why)
{
	int err = 0;

	engine_report_clear(engine);
	engine->wishes.go = 1;
	engine->wishes.end = BOARD_GO_ON;
	engine_wish(engine, wanted);
	if (engine->spawner.pid <= 0)
		err = engine_spawner_open(engine, wanted->mtu, tap_fd, why);
	if (err)
		return err;
	err = ixgbe_device_bus_master_set(engine->device, true);
	if (err)
		return ixgbe_why_fill(why, err, "cannot let the NIC use the bus: %s",
				      strerror(-err));
	return engine_renew(engine, why);
}

/* SPDX-License-Identifier: MIT */
/*
 * Locks on hardware that firmware and the other port's driver use too: EEPROM, PHY
 * (the module's I2C bus) and the MAC's link registers (section 10.5.4).
 *
 * There are three locks, each inside the one before. SWSM.SMBI is between drivers,
 * SWSM.SWESMBI between software and firmware. Both together guard SW_FW_SYNC, whose
 * bits say who has which resource. Only the bits in SW_FW_SYNC are held for long.
 *
 * An owner that died holds its lock for ever. 10.5.4: a lock that is held for longer
 * than any live owner would hold it is taken over.
 */
#include "parts.h"
#include "wait.h"

#include <errno.h>

#define SMBI_LIMIT_US     100000u  /* held for a few register accesses */
#define RESOURCE_LIMIT_US 1000000u /* the longest that a resource may be held, 10.5.4 */
#define RETRY_US          1000u

static void guard_release(struct ixgbe *nic)
{
	reg_clear(nic, IXGBE_SWSM, IXGBE_SWSM_SWESMBI | IXGBE_SWSM_SMBI);
}

static int guard_take(struct ixgbe *nic)
{
	int err;

	/* A read that returns SMBI clear also sets it: the reader owns the lock. */
	err = reg_wait(nic, IXGBE_SWSM, IXGBE_SWSM_SMBI, 0, SMBI_LIMIT_US);
	if (err == -ETIMEDOUT) {
		port_log(nic, IXGBE_LOG_WARNING,
			 "SWSM.SMBI was left held by a driver that died; taking it over");
		guard_release(nic);
		err = reg_wait(nic, IXGBE_SWSM, IXGBE_SWSM_SMBI, 0, SMBI_LIMIT_US);
	}
	if (err)
		return err;

	/* A write does not set SWESMBI while firmware has the lock. */
	for (uint64_t end = wait_now_us() + SMBI_LIMIT_US;;) {
		reg_set(nic, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
		if (reg_read(nic, IXGBE_SWSM) & IXGBE_SWSM_SWESMBI)
			return 0;
		if (wait_now_us() >= end)
			break;
		wait_us(RETRY_US / 10);
	}
	guard_release(nic);
	return -ETIMEDOUT;
}

int semaphore_take(struct ixgbe *nic, uint32_t resource)
{
	/* Firmware's bit of a resource is five above software's. */
	uint32_t busy = resource | resource << 5;
	uint64_t end = wait_now_us() + RESOURCE_LIMIT_US;

	for (;;) {
		bool late = wait_now_us() >= end;
		uint32_t sync;
		int err = guard_take(nic);

		if (err)
			return err;
		sync = reg_read(nic, IXGBE_SW_FW_SYNC);
		if (sync == UINT32_MAX)
			return -ENODEV;
		if (late && (sync & busy)) {
			port_log(nic, IXGBE_LOG_WARNING,
				 "SW_FW_SYNC 0x%x was left held; taking it over", sync & busy);
			sync &= ~busy;
		}
		if (!(sync & busy)) {
			reg_write(nic, IXGBE_SW_FW_SYNC, sync | resource);
			guard_release(nic);
			return 0;
		}
		guard_release(nic);
		wait_us(RETRY_US);
	}
}

void semaphore_release(struct ixgbe *nic, uint32_t resource)
{
	/* Without the guard the bit is cleared all the same: a bit that stays set would keep
	 * firmware and the other port waiting. */
	int err = guard_take(nic);

	reg_clear(nic, IXGBE_SW_FW_SYNC, resource);
	if (!err)
		guard_release(nic);
}

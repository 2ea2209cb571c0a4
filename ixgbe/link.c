/* SPDX-License-Identifier: MIT */
/*
 * The link: 10 Gb/s over the SFI lane to the module (section 4.6.4, 3.7).
 *
 * To bring it up, AUTOC and AUTOC2 are set to 10 Gb/s serial with a restart, and the laser goes on.
 * UNWRITTEN(pipeline): a restart resets the whole pipeline behind AUTOC only when the mode changes.
 * The top bit of LMS is toggled, the state machine is waited for, and the mode is written again.
 * Firmware sets up the link with these registers while no driver is there. They are changed only
 * under the MAC_CSR semaphore, and not at all while firmware vetoes it.
 */
#include "parts.h"
#include "wait.h"

#include <errno.h>

#define AN_STATE_LIMIT_US 80000u
#define LASER_DARK_US     100u /* until the light is off, SFF-8431 */
#define LINK_POLL_US      2000u
#define MODULE_INIT_US    300000u /* from the cage to the first answer, SFF-8431 */
#define MODULE_POLL_US    20000u
#define LMS_TOP_BIT       0x8000u

/* Manageability keeps the link for itself (section 8.2.3.22.25). */
static bool vetoed(const struct ixgbe *nic)
{
	return reg_read(nic, IXGBE_MMNGC) & IXGBE_MMNGC_MNG_VETO;
}

/* BOARD(laser): SDP3 is the module's transmit disable; the pin's direction is from the EEPROM. */
static void laser_set(struct ixgbe *nic, bool on)
{
	if (on) {
		reg_clear(nic, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
		return;
	}
	reg_set(nic, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	reg_read(nic, IXGBE_ESDP);
	wait_us(LASER_DARK_US);
}

/* BOARD(rate): SDP5 is RS0, which tells optics of two rates which one to use: high is 10 Gb/s. With
 * other modules the pin stays as the EEPROM has it. */
static void rate_select(struct ixgbe *nic)
{
	if (nic->kept->sfp_two_rates)
		reg_set(nic, IXGBE_ESDP, IXGBE_ESDP_SDP5_IODIR | IXGBE_ESDP_SDP5_DATA);
}

/* 10 Gb/s serial, from the beginning of the pipeline. The caller has the semaphore. */
static void mode_restart(struct ixgbe *nic)
{
	uint32_t autoc = reg_read(nic, IXGBE_AUTOC);
	uint32_t autoc2 = reg_read(nic, IXGBE_AUTOC2);
	uint64_t end = wait_now_us() + AN_STATE_LIMIT_US;

	autoc2 = IXGBE_FIELD_SET(IXGBE_AUTOC2_10G_SERIAL_PMA_PMD, autoc2,
				 IXGBE_AUTOC2_10G_SERIAL_PMA_PMD_SFI);
	reg_write(nic, IXGBE_AUTOC2, autoc2 & ~IXGBE_AUTOC2_LINK_DISABLE);

	autoc = IXGBE_FIELD_SET(IXGBE_AUTOC_LMS, autoc, IXGBE_AUTOC_LMS_10G_SERIAL);
	autoc |= IXGBE_AUTOC_RESTART_AN;
	reg_write(nic, IXGBE_AUTOC, autoc ^ LMS_TOP_BIT);
	/* The state machine has seen the change when it leaves state 0. If it stays there, the
	 * second write restarts it all the same. */
	while (!(reg_read(nic, IXGBE_ANLP1) & IXGBE_ANLP1_AN_STATE) && wait_now_us() < end)
		wait_us(LINK_POLL_US);
	reg_write(nic, IXGBE_AUTOC, autoc);
}

/* A copper cable has no laser: the transmitter itself goes off. */
static void transmitter_off(struct ixgbe *nic)
{
	reg_set(nic, IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
}

int link_apply(struct ixgbe *nic)
{
	int err;

	if (port_gone(nic))
		return -ENODEV; /* its ones would read as a veto */
	if (vetoed(nic)) {
		port_log(nic, IXGBE_LOG_WARNING,
			 "management firmware holds the link; it stays as it is");
		return 0;
	}
	/* The laser goes off in both cases: a partner that sees the light go and come starts anew.
	 */
	laser_set(nic, false);
	if (!nic->kept->admin_up && nic->kept->sfp != IXGBE_SFP_DA)
		return 0;
	err = semaphore_take(nic, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	if (err)
		return err;
	if (nic->kept->admin_up) {
		rate_select(nic);
		mode_restart(nic);
	} else {
		transmitter_off(nic);
	}
	semaphore_release(nic, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	if (nic->kept->admin_up)
		laser_set(nic, true);
	return port_gone(nic) ? -ENODEV : 0;
}

bool link_module_moved(const struct ixgbe *nic)
{
	return (reg_read(nic, IXGBE_ESDP) & IXGBE_ESDP_SDP2_DATA) != nic->kept->sfp_pin;
}

int link_module_changed(struct ixgbe *nic)
{
	uint64_t end = wait_now_us() + MODULE_INIT_US;
	int err = sfp_identify(nic);

	while (!err && nic->kept->sfp == IXGBE_SFP_NONE && wait_now_us() < end) {
		wait_us(MODULE_POLL_US);
		err = sfp_identify(nic);
	}
	if (!err)
		err = sfp_setup(nic);
	return err ? err : link_apply(nic);
}

int ixgbe_link_set_admin(struct ixgbe *nic, bool up)
{
	int err;

	if (nic->kept->admin_up == up)
		return 0;
	intent_begin(nic, INTENT_OTHER);
	nic->kept->admin_up = up;
	err = link_apply(nic);
	if (err)
		nic->kept->admin_up = !up; /* so that it can be tried again */
	intent_end(nic, INTENT_OTHER);
	return err;
}

int ixgbe_link_get(struct ixgbe *nic, struct ixgbe_link *out)
{
	static const uint32_t speed_mbps[] = {
		[IXGBE_LINKS_SPEED_100M] = 100,
		[IXGBE_LINKS_SPEED_1G] = 1000,
		[IXGBE_LINKS_SPEED_10G] = 10000,
	};
	uint32_t links = reg_read(nic, IXGBE_LINKS);

	if (links == UINT32_MAX)
		return -ENODEV;
	/* The partner's light may reach us while ours is off. */
	out->up = nic->kept->admin_up && (links & IXGBE_LINKS_UP);
	out->speed_mbps = out->up ? speed_mbps[IXGBE_FIELD_GET(IXGBE_LINKS_SPEED, links)] : 0;
	return 0;
}

int ixgbe_link_wait(struct ixgbe *nic, bool up, uint32_t timeout_ms)
{
	uint64_t end = wait_now_us() + 1000ull * timeout_ms;

	for (;;) {
		bool last = wait_now_us() >= end;
		struct ixgbe_link link;
		int err = ixgbe_link_get(nic, &link);

		if (err || link.up == up)
			return err;
		if (last)
			return -ETIMEDOUT;
		wait_us(LINK_POLL_US);
	}
}

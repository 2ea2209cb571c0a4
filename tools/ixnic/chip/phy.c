/* SPDX-License-Identifier: MIT */
/*
 * The link (sections 3.7, 4.6.4 and 8.2.3.22): 10 Gb/s serial over the SFP+ module.
 *
 *   laser on (ESDP.SDP3, the module's TX_DISABLE, AUTOC2)
 *   and cable plugged ----------------------------+--> connector.carrier: light for the far end
 *   and light from the far end -------------------+
 *   and AUTOC.LMS is 10 Gb/s serial --------------+--> LINKS.UP, 20 ms later; EICR.LSC
 *   or AUTOC.FLU: up without any of these --------+
 *
 * The link goes down at once and comes up after a while, as receivers do. AUTOC.Restart_AN takes
 * it down and begins anew. The modes of AUTOC.LMS that negotiate over a backplane find no
 * partner on an optic; ANLP1 shows their state machine running: drivers look there for the end of a
 * pipeline reset.
 */
#include <errno.h>
#include <stdlib.h>

#include "bridge/service/log.h"
#include "chip.h"
#include "faults.h"
#include "interrupt.h"
#include "tools/ixnic/loop.h"

#define TRAINING_NS 20000000u

/* ANLP1.AN_STATE while a backplane mode looks for a partner: transmit disabled. */
#define AN_STATE_SEARCHING 1u

struct phy {
	bool emitted; /* as the connector was told last */
	bool up;
	bool training;
	bool odd; /* the number of reads of LINKS is odd */
};

int phy_new(struct nic *nic)
{
	nic->phy = calloc(1, sizeof(*nic->phy));
	return nic->phy ? 0 : -ENOMEM;
}

void phy_free(struct nic *nic)
{
	free(nic->phy);
	nic->phy = NULL;
}

bool phy_link_is_up(const struct nic *nic)
{
	return nic->phy->up;
}

bool phy_laser(const struct nic *nic)
{
	return !module_tx_disable(nic) && module_laser(nic) &&
	       !(reg(nic, IXGBE_AUTOC2) & IXGBE_AUTOC2_LINK_DISABLE) && !fault_on(nic, FAULT_GONE);
}

static uint32_t link_mode(const struct nic *nic)
{
	return IXGBE_FIELD_GET(IXGBE_AUTOC_LMS, reg(nic, IXGBE_AUTOC));
}

static bool link_wanted(const struct nic *nic)
{
	if (reg(nic, IXGBE_AUTOC) & IXGBE_AUTOC_FLU)
		return true;
	return phy_light(nic) && phy_laser(nic) && link_mode(nic) == IXGBE_AUTOC_LMS_10G_SERIAL &&
	       dirty_link(nic);
}

/* LINKS.MODE and the units that are on, for each value of AUTOC.LMS. */
static const uint32_t mode_bits[8] = {
	[IXGBE_AUTOC_LMS_1G_NO_AN] = IXGBE_LINKS_1G_PCS_EN,
	[IXGBE_AUTOC_LMS_10G_PARALLEL] =
		IXGBE_LINKS_10G_XGXS_EN |
		IXGBE_FIELD_PREP(IXGBE_LINKS_MODE, IXGBE_LINKS_MODE_10G_PARALLEL),
	[IXGBE_AUTOC_LMS_1G_AN] = IXGBE_LINKS_1G_PCS_EN | IXGBE_LINKS_1G_AN_EN,
	[IXGBE_AUTOC_LMS_10G_SERIAL] =
		IXGBE_LINKS_10G_SERIAL_EN |
		IXGBE_FIELD_PREP(IXGBE_LINKS_MODE, IXGBE_LINKS_MODE_10G_SERIAL),
	[IXGBE_AUTOC_LMS_KX4_KX_KR] = IXGBE_LINKS_MODE,
	[IXGBE_AUTOC_LMS_SGMII] = IXGBE_LINKS_SGMII_EN,
	[IXGBE_AUTOC_LMS_KX4_KX_KR_1G_AN] = IXGBE_LINKS_MODE,
	[IXGBE_AUTOC_LMS_KX4_KX_KR_SGMII] = IXGBE_LINKS_MODE,
};

/* The registers that show the link. */
static void status_show(struct nic *nic)
{
	const struct phy *phy = nic->phy;
	uint32_t mode = link_mode(nic);
	uint32_t links = 0;

	if (phy->up)
		links = mode_bits[mode] | IXGBE_LINKS_UP | IXGBE_LINKS_KR_SIGNAL |
			IXGBE_LINKS_KR_BLOCK_LOCK |
			IXGBE_FIELD_PREP(IXGBE_LINKS_SPEED, IXGBE_LINKS_SPEED_10G);
	reg_store(nic, IXGBE_LINKS, links);
	reg_store(nic, IXGBE_STATUS,
		  (reg(nic, IXGBE_STATUS) & ~IXGBE_STATUS_LINK_UP) |
			  (phy->up ? IXGBE_STATUS_LINK_UP : 0));
	reg_store(nic, IXGBE_ANLP1,
		  mode_bits[mode] == IXGBE_LINKS_MODE
			  ? IXGBE_FIELD_PREP(IXGBE_ANLP1_AN_STATE, AN_STATE_SEARCHING)
			  : 0);
}

static void change(struct nic *nic, bool up)
{
	struct phy *phy = nic->phy;

	if (phy->up == up)
		return;
	phy->up = up;
	status_show(nic);
	log_info("link %s", up ? "up, 10 Gb/s" : "down");
	interrupt_raise(nic, IXGBE_EICR_LSC);
}

static void trained(void *ctx, uint32_t events)
{
	struct nic *nic = ctx;

	(void)events;
	nic->phy->training = false;
	if (link_wanted(nic))
		change(nic, true);
}

/* Follows every input. `restart`: even a link that would stay up goes down first. */
static void update(struct nic *nic, bool restart)
{
	struct phy *phy = nic->phy;
	bool emitted = phy_laser(nic) && nic->cable;

	if (emitted != phy->emitted && nic->connector) {
		phy->emitted = emitted;
		nic->connector->carrier(nic, emitted);
	}
	if (restart || !link_wanted(nic)) {
		change(nic, false);
		phy->training = false;
	}
	if (!phy->up && !phy->training && link_wanted(nic)) {
		phy->training = true;
		if (nic->loop)
			loop_timer_set(nic->loop, LOOP_TIMER_LINK, loop_now_ns() + TRAINING_NS,
				       trained, nic);
		else
			trained(nic, 0);
	}
	status_show(nic);
}

void phy_module_set(struct nic *nic, enum module_kind kind)
{
	const bool was = module_present(nic);

	module_plug(nic, kind);
	update(nic, false);
	/* One that is put over another goes out first: the pin moves there and back. */
	if ((was || module_present(nic)) && reg(nic, IXGBE_GPIE) & IXGBE_GPIE_SDP2_EN)
		interrupt_raise(nic, IXGBE_EICR_GPI_SDP2);
}

void phy_flap(struct nic *nic, bool up)
{
	nic->phy->training = false;
	change(nic, up && link_wanted(nic));
}

void phy_cable_set(struct nic *nic, bool plugged)
{
	nic->cable = plugged;
	update(nic, false);
}

void phy_light_set(struct nic *nic, bool light)
{
	nic->light = light;
	update(nic, false);
}

void phy_connect(struct nic *nic, const struct connector *connector)
{
	nic->connector = connector;
	nic->phy->emitted = false;
	update(nic, false);
}

/* The EEPROM makes SDP3 an output. A software reset leaves the line alone, if the defaults mean the
 * same; the others retrain. */
void phy_reset(struct nic *nic, enum nic_reset kind)
{
	reg_store(nic, IXGBE_ESDP, reg(nic, IXGBE_ESDP) | IXGBE_ESDP_SDP3_IODIR);
	update(nic, kind != NIC_RESET_CTRL_RST);
}

/* ---- The registers ---- */

static void autoc_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	update(nic, written & IXGBE_AUTOC_RESTART_AN);
}

/* Of a register that may switch the laser; I2CCTL carries the module's own TX_DISABLE. */
static void laser_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	(void)written;
	update(nic, false);
}

/* Bit 7, which once was the link's status, is reserved (specification change 12 in
 * ixgbe/ERRATA.md): it changes with each read. */
static uint32_t links_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	nic->phy->odd = !nic->phy->odd;
	return nic->phy->odd ? value | IXGBE_LINKS_RESERVED7 : value;
}

/* Pins that are inputs show the board. SDP2 is high while a module sits in the cage. */
static uint32_t esdp_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	if (value & IXGBE_FIELD_PREP(IXGBE_ESDP_SDP_IODIR, 1u << 2))
		return value;
	return module_present(nic) ? value | IXGBE_ESDP_SDP2_DATA : value & ~IXGBE_ESDP_SDP2_DATA;
}

/* No PHY answers on the MDIO wires, which are pulled up. */
static void msca_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t op = IXGBE_FIELD_GET(IXGBE_MSCA_OPCODE, written);

	(void)index;
	(void)old;
	if (written & IXGBE_MSCA_MDICMD &&
	    (op == IXGBE_MSCA_OPCODE_READ || op == IXGBE_MSCA_OPCODE_READ_INCREMENT))
		reg_store(nic, IXGBE_MSRWD, reg(nic, IXGBE_MSRWD) | IXGBE_MSRWD_READ_DATA);
}

const struct reg_hook phy_hooks[] = {
	{.offset = IXGBE_AUTOC, .write = autoc_write},
	{.offset = IXGBE_AUTOC2, .write = laser_write},
	{.offset = IXGBE_ESDP, .read = esdp_read, .write = laser_write},
	{.offset = IXGBE_LINKS, .read = links_read},
	{.offset = IXGBE_MSCA, .write = msca_write},
	{.offset = IXGBE_I2CCTL, .write = laser_write},
	{.offset = IXGBE_CORECTL, .write = laser_write},
	{0},
};

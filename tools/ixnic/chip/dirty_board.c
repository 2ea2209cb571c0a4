/* SPDX-License-Identifier: MIT */
/*
 * What is on the board of a NIC that is not new, and has a will or a time of its own:
 *
 *     SWSM.SMBI     held by the other port's driver, for a while; or by one that died, for ever
 *     SW_FW_SYNC    the other port's driver has its own module for ever, and EEPROM or MAC_CSR for
 *                   a while: as long as firmware has what it has
 *     firmware      holds each resource at the start, and gives it back when the guard is left
 *                   alone for a while. It wants its turn after the module's settings were written
 *     the module    wants time between two moves of its wires, and for its light to go off; it
 *                   holds the clock now and then
 *     the link      comes only with the module's settings (CORECTL), the high rate (SDP5), SFI, and
 *                   a pipeline that followed AUTOC: to another mode and back, each seen in AN_STATE
 */
#include "dirty.h"
#include "violations.h"

#define SMBI_US     400u
#define FIRMWARE_US 5000u /* it holds its resources so long */
#define GUARD_US    500u  /* it looks at the guard so often */
#define HURRIES_MAX 10u
#define TURN_US     3000u /* it has its turn so often */
#define AN_US       2000u
#define AN_QUICK_IN 3u   /* one of so many is quick */
#define STRETCH_US  300u /* SFF-8431 allows 500 */
#define STRETCH_IN  8u
#define WIRES_US    4u          /* SFF-8431, of 100 kHz: the shortest of all */
#define DARK_US     100u        /* SFF-8431 */
#define SW_BITS     0x0000001fu /* of SW_FW_SYNC; firmware's are five above */
/* Resources of both ports. */
#define SHARED (IXGBE_SW_FW_SYNC_SW_EEP | IXGBE_SW_FW_SYNC_SW_MAC_CSR)

#define WIRES (IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT)

/* What the EEPROM's image has for the module. */
static const uint32_t settings[] = {0x0144, 0x0245};
#define SETTINGS_WORDS (sizeof(settings) / sizeof(settings[0]))

void dirty_board_start(struct nic *nic)
{
	static const uint32_t held[] = {
		IXGBE_SW_FW_SYNC_FW_EEP,
		IXGBE_SW_FW_SYNC_FW_PHY0,
		IXGBE_SW_FW_SYNC_FW_MAC_CSR | IXGBE_SW_FW_SYNC_FW_EEP,
		IXGBE_SW_FW_SYNC_FW_EEP | IXGBE_SW_FW_SYNC_FW_PHY0 | IXGBE_SW_FW_SYNC_FW_MAC_CSR,
	};
	static const uint32_t others[] = {
		IXGBE_SW_FW_SYNC_SW_PHY1 | IXGBE_SW_FW_SYNC_SW_EEP,
		IXGBE_SW_FW_SYNC_SW_PHY1 | IXGBE_SW_FW_SYNC_SW_MAC_CSR,
		IXGBE_SW_FW_SYNC_SW_PHY1 | SHARED,
		IXGBE_SW_FW_SYNC_SW_PHY1 | IXGBE_SW_FW_SYNC_SW_FLASH | SHARED,
	};
	struct dirty *dirty = nic->dirty;

	dirty->smbi_dead = dirty_draw(dirty) % 4 == 0;
	/* One resource of firmware's, or several. */
	reg_store(nic, IXGBE_SW_FW_SYNC, held[dirty_draw(dirty) % 4]);
	dirty->others = others[dirty_draw(dirty) % 4];
	reg_store(nic, IXGBE_SW_FW_SYNC, reg(nic, IXGBE_SW_FW_SYNC) | dirty->others);
}

/* What an EEPROM may load: a link mode of its own, and the link off. */
void dirty_board_reset(struct nic *nic)
{
	static const uint32_t modes[] = {IXGBE_AUTOC_LMS_1G_NO_AN, IXGBE_AUTOC_LMS_10G_PARALLEL,
					 IXGBE_AUTOC_LMS_1G_AN, IXGBE_AUTOC_LMS_KX4_KX_KR};
	struct dirty *dirty = nic->dirty;
	uint32_t autoc2 = reg(nic, IXGBE_AUTOC2);

	reg_store(nic, IXGBE_AUTOC,
		  IXGBE_FIELD_SET(IXGBE_AUTOC_LMS, reg(nic, IXGBE_AUTOC),
				  modes[dirty_draw(dirty) % 4]));
	autoc2 = IXGBE_FIELD_SET(IXGBE_AUTOC2_10G_SERIAL_PMA_PMD, autoc2, dirty_draw(dirty) % 2);
	reg_store(nic, IXGBE_AUTOC2, autoc2 | (dirty_draw(dirty) & IXGBE_AUTOC2_LINK_DISABLE));
	dirty->restarting = dirty->pipeline = false;
}

void dirty_module(struct nic *nic, bool two_rates)
{
	if (!nic->dirty)
		return;
	nic->dirty->two_rates = two_rates;
	nic->dirty->module_words = 0;
}

bool dirty_link(const struct nic *nic)
{
	const struct dirty *dirty = nic->dirty;

	return !dirty ||
	       (dirty->pipeline && dirty->module_words >= SETTINGS_WORDS &&
		(dirty->rate || !dirty->two_rates) &&
		IXGBE_FIELD_GET(IXGBE_AUTOC2_10G_SERIAL_PMA_PMD, reg(nic, IXGBE_AUTOC2)) ==
			IXGBE_AUTOC2_10G_SERIAL_PMA_PMD_SFI);
}

/* ---- Semaphores ---- */

/* A read took SMBI. Firmware and the other port's driver give back what they have, if the guard was
 * left alone before. `held`: software still has the other half of it. */
static void firmware_turn(struct nic *nic, bool held)
{
	const uint32_t sync = reg(nic, IXGBE_SW_FW_SYNC);
	struct dirty *dirty = nic->dirty;

	if (!(sync & (~SW_BITS | (dirty->others & SHARED))) || dirty_under_way(dirty->firmware_ns))
		return;
	if (!held && !dirty_under_way(dirty->guard_free_ns)) {
		reg_store(nic, IXGBE_SW_FW_SYNC, sync & SW_BITS & ~(dirty->others & SHARED));
		dirty->others &= ~SHARED;
	} else if (++dirty->hurries == HURRIES_MAX) {
		violation(nic, VIOLATION_SEMAPHORE,
			  "SWSM.SMBI taken %u times without a pause for firmware", HURRIES_MAX);
	}
}

static uint32_t swsm_read(struct nic *nic, uint32_t value)
{
	struct dirty *dirty = nic->dirty;

	if (!dirty->smbi_ns)
		dirty->smbi_ns = dirty_after(dirty, SMBI_US, SMBI_US);
	if (dirty->smbi_dead || dirty_under_way(dirty->smbi_ns)) {
		reg_store(nic, IXGBE_SWSM, reg(nic, IXGBE_SWSM) & ~IXGBE_SWSM_SMBI);
		return value | IXGBE_SWSM_SMBI;
	}
	if (!dirty->firmware_ns)
		dirty->firmware_ns = dirty_after(dirty, FIRMWARE_US / 2, FIRMWARE_US);
	if (!(value & IXGBE_SWSM_SMBI))
		firmware_turn(nic, value & IXGBE_SWSM_SWESMBI);
	return value;
}

static void swsm_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;

	if (written & ~old & IXGBE_SWSM_SWESMBI && !(old & IXGBE_SWSM_SMBI))
		violation(nic, VIOLATION_SEMAPHORE, "SWSM.SWESMBI set without SMBI");
	if (written & IXGBE_SWSM_SMBI)
		return;
	/* From one who died it goes to the other port's driver, which waited, too. */
	if (dirty->smbi_dead)
		dirty->smbi_ns = dirty_after(dirty, SMBI_US, SMBI_US);
	dirty->smbi_dead = false;
	dirty->guard_free_ns = dirty_after(dirty, GUARD_US, GUARD_US);
}

static void sync_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const uint32_t csr = IXGBE_SW_FW_SYNC_SW_MAC_CSR;

	if ((written & ~old & SW_BITS) << 5 & old)
		violation(nic, VIOLATION_SEMAPHORE, "SW_FW_SYNC 0x%08x: firmware has it: 0x%08x",
			  written, old);
	dirty->others &= old; /* a reset of the function may have ended that */
	if (old & ~written & dirty->others)
		violation(nic, VIOLATION_SEMAPHORE,
			  "SW_FW_SYNC 0x%08x: the other port's driver has 0x%08x", written,
			  dirty->others);
	dirty->others &= written;
	if (written & ~old & csr && dirty_under_way(dirty->csr_ns))
		violation(nic, VIOLATION_SEMAPHORE,
			  "MAC_CSR taken again before firmware had its turn");
	if (old & ~written & csr && dirty->settings) {
		dirty->csr_ns = dirty_after(dirty, TURN_US, TURN_US);
		dirty->settings = false;
	}
}

/* ---- Module and link ---- */

/* Data may change as soon as the clock has fallen; every other move waits. */
static void wires_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const bool clock = written & IXGBE_I2CCTL_CLK_OUT, before = old & IXGBE_I2CCTL_CLK_OUT;

	if (!((written ^ old) & WIRES))
		return;
	if ((clock || before) && dirty_under_way(dirty->wires_ns))
		violation(nic, VIOLATION_MODULE_TIMING, "I2CCTL 0x%x to 0x%x too early", old,
			  written);
	if (clock && before)
		dirty->stretch_ns = 0; /* a start or a stop: no bit, which alone is held */
	if (before && dirty_under_way(dirty->stretch_ns))
		violation(nic, VIOLATION_MODULE_TIMING,
			  "I2CCTL 0x%x to 0x%x while the module holds the clock", old, written);
	if (clock && !before && dirty_draw(dirty) % STRETCH_IN == 0)
		dirty->stretch_ns = dirty_after(dirty, STRETCH_US / 2, STRETCH_US);
	dirty->wires_ns = dirty_slowly(dirty, WIRES_US);
}

static void esdp_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const uint32_t off = IXGBE_ESDP_SDP3_DATA;

	if (written & ~old & off)
		dirty->dark_ns = dirty_slowly(dirty, DARK_US);
	/* The wait for the dark is none for firmware. */
	if (written & off && dirty_under_way(dirty->csr_ns))
		dirty->csr_ns += dirty_slowly(dirty, DARK_US) - loop_now_ns();
	if (old & ~written & off && dirty_under_way(dirty->dark_ns))
		violation(nic, VIOLATION_MODULE_TIMING, "light on before it was off");
}

static void autoc_write(struct nic *nic, uint32_t old, uint32_t written)
{
	const uint32_t rs0 = IXGBE_ESDP_SDP5_DATA | IXGBE_ESDP_SDP5_IODIR;
	struct dirty *dirty = nic->dirty;

	if (!(written & IXGBE_AUTOC_RESTART_AN))
		return;
	dirty->rate = (reg(nic, IXGBE_ESDP) & rs0) == rs0;
	if (!((written ^ old) & IXGBE_AUTOC_LMS))
		return;
	dirty->pipeline = dirty->restarting && !dirty_under_way(dirty->an_ns);
	dirty->restarting = !dirty->restarting;
	dirty->an_ns = dirty_draw(dirty) % AN_QUICK_IN ? dirty_after(dirty, AN_US / 2, AN_US) : 0;
}

static void corectl_write(struct dirty *dirty, uint32_t written)
{
	const uint32_t at = dirty->module_words;

	dirty->settings = true;
	if (at < SETTINGS_WORDS)
		dirty->module_words = written == settings[at] ? at + 1 : 0;
}

uint32_t dirty_board_read(struct nic *nic, uint32_t offset, uint32_t value)
{
	const struct dirty *dirty = nic->dirty;

	switch (offset) {
	case IXGBE_SWSM:
		return swsm_read(nic, value);
	case IXGBE_ANLP1:
		return dirty_under_way(dirty->an_ns) ? value & ~IXGBE_ANLP1_AN_STATE : value;
	case IXGBE_I2CCTL:
		return dirty_under_way(dirty->stretch_ns) ? value & ~IXGBE_I2CCTL_CLK_IN : value;
	default:
		return value;
	}
}

void dirty_board_write(struct nic *nic, uint32_t offset, uint32_t old, uint32_t written)
{
	switch (offset) {
	case IXGBE_SWSM:
		swsm_write(nic, old, written);
		break;
	case IXGBE_SW_FW_SYNC:
		sync_write(nic, old, written);
		break;
	case IXGBE_I2CCTL:
		wires_write(nic, old, written);
		break;
	case IXGBE_ESDP:
		esdp_write(nic, old, written);
		break;
	case IXGBE_AUTOC:
		autoc_write(nic, old, written);
		break;
	case IXGBE_CORECTL:
		corectl_write(nic->dirty, written);
		break;
	default:
		break;
	}
}

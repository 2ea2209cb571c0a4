/* SPDX-License-Identifier: MIT */
/*
 * The control side over a scripted device: the order of the start-up and of its
 * end, what is written where, and what becomes of settings, causes and counters.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "ixgbe/wait.h"
#include "port_rig.h"

/* ---- Order ---- */

static void reset_comes_in_order(void **state)
{
	struct rig *rig = *state;
	size_t at;

	/* What a crashed driver leaves behind. */
	rig->fake->reg[ixgbe_rxq_reg(IXGBE_RXDCTL, 70) / 4] = IXGBE_RXDCTL_ENABLE;
	rig->fake->reg[ixgbe_txq_reg(IXGBE_TXDCTL, 3) / 4] = IXGBE_TXDCTL_ENABLE;
	rig->fake->reg[IXGBE_RXCTRL / 4] = IXGBE_RXCTRL_RXEN;
	open_with(rig, &options);

	at = wrote(rig, 0, IXGBE_EIMC, UINT32_MAX, IXGBE_EICR_ALL);
	at = wrote(rig, at, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, 0);
	at = wrote(rig, at, ixgbe_rxq_reg(IXGBE_RXDCTL, 70), IXGBE_RXDCTL_ENABLE, 0);
	at = wrote(rig, at, ixgbe_txq_reg(IXGBE_TXDCTL, 3), IXGBE_TXDCTL_ENABLE, 0);
	at = wrote(rig, at, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE,
		   IXGBE_CTRL_PCIE_MASTER_DISABLE);
	at = (size_t)fake_find_read(rig->fake, at, IXGBE_STATUS);
	at = wrote(rig, at, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	at = wrote(rig, at + 1, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	at = wrote(rig, at, IXGBE_EIMC, UINT32_MAX, IXGBE_EICR_ALL);
	assert_true(fake_find_read(rig->fake, at, IXGBE_EEC) > 0);
	assert_true(fake_find_read(rig->fake, at, IXGBE_RDRXCTL) > 0);
	assert_true(fake_find_read(rig->fake, at, IXGBE_EERD) > 0);
}

/* When the reset was written, and how soon after one the next access came. */
static uint64_t reset_us, soonest_us;

static void accessed(void)
{
	const uint64_t after = wait_now_us() - reset_us;

	if (reset_us && after < soonest_us)
		soonest_us = after;
	reset_us = 0;
}

static void reset_read(struct fake *fake, uint32_t offset, uint32_t *value)
{
	(void)fake, (void)offset, (void)value;
	accessed();
}

static void reset_write(struct fake *fake, uint32_t offset, uint32_t value)
{
	(void)fake;
	accessed();
	if (offset == IXGBE_CTRL && value & IXGBE_CTRL_RST)
		reset_us = wait_now_us();
}

/* 8.2.3.1.1: not even CTRL is looked at for a millisecond. ixnic cannot tell: it is another
 * process, to which a write may come late. */
static void a_reset_has_its_millisecond(void **state)
{
	struct rig *rig = *state;

	soonest_us = UINT64_MAX;
	rig->fake->on_read = reset_read;
	rig->fake->on_write = reset_write;
	open_with(rig, &options);
	rig->fake->on_read = NULL;
	rig->fake->on_write = NULL;
	assert_true(soonest_us >= 1000 && soonest_us < UINT64_MAX);
}

static void start_comes_in_order(void **state)
{
	struct rig *rig = *state;
	size_t from, handshake, te;

	open_with(rig, &options);
	from = rig->fake->log_count;
	start(rig);

	te = wrote(rig, from, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE, IXGBE_DMATXCTL_TE);
	for (uint32_t q = 0; q < options.queues; q++) {
		uint32_t rxdctl = ixgbe_rxq_reg(IXGBE_RXDCTL, q);
		size_t enable;

		wrote(rig, te, ixgbe_txq_reg(IXGBE_TXDCTL, q), IXGBE_TXDCTL_ENABLE,
		      IXGBE_TXDCTL_ENABLE);
		enable = wrote(rig, from, rxdctl, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
		enable = (size_t)fake_find_read(rig->fake, enable, rxdctl);
		enable = wrote(rig, enable, ixgbe_rxq_reg(IXGBE_RDT, q), 0, 0);
		assert_true(enable < wrote(rig, from, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS,
					   IXGBE_SECRXCTRL_RX_DIS));
	}
	handshake =
		wrote(rig, from, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS, IXGBE_SECRXCTRL_RX_DIS);
	handshake = (size_t)fake_find_read(rig->fake, handshake, IXGBE_SECRXSTAT);
	handshake = wrote(rig, handshake, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, IXGBE_RXCTRL_RXEN);
	handshake = wrote(rig, handshake, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS, 0);
	/* 4.6.3.1: interrupts are enabled last. */
	assert_true(wrote(rig, from, IXGBE_EIMS, IXGBE_EICR_LSC, IXGBE_EICR_LSC) > handshake);
	/* Nobody has opened the receiver before. */
	assert_true(fake_find_write(rig->fake, 0, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN,
				    IXGBE_RXCTRL_RXEN) > (long)from);
}

static void stop_ends_queues_before_the_reset(void **state)
{
	struct rig *rig = *state;
	size_t from, at;

	open_with(rig, &options);
	start(rig);
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_stop(rig->nic), 0);

	at = wrote(rig, from, IXGBE_EIMC, UINT32_MAX, IXGBE_EICR_ALL);
	at = wrote(rig, at, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, 0);
	for (uint32_t q = 0; q < options.queues; q++) {
		size_t end = wrote(rig, at, ixgbe_rxq_reg(IXGBE_RXDCTL, q), IXGBE_RXDCTL_ENABLE, 0);

		assert_true(end < wrote(rig, at, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST));
		end = wrote(rig, at, ixgbe_txq_reg(IXGBE_TXDCTL, q), IXGBE_TXDCTL_ENABLE, 0);
		assert_true(end < wrote(rig, at, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE, 0));
	}
	for (uint16_t q = 0; q < options.queues; q++)
		assert_int_equal(ixgbe_pool_available(rig->pool[q]), POOL_COUNT);
	assert_int_equal(ixgbe_stop(rig->nic), 0); /* again: nothing to do */
}

/* The transmitter takes its time: the head comes to the tail with the sixth look at it. */
static uint32_t looks;

static void head_is_late(struct fake *fake, uint32_t offset, uint32_t *value)
{
	(void)fake;
	if (offset == ixgbe_txq_reg(IXGBE_TDH, 0) && ++looks < 6)
		*value = 1;
}

/* 4.6.8.1.2: what was posted is sent, before the queue goes off and drops it. */
static void a_stop_waits_for_the_transmitter(void **state)
{
	const uint32_t txdctl = ixgbe_txq_reg(IXGBE_TXDCTL, 0);
	struct rig *rig = *state;
	size_t at;

	open_with(rig, &options);
	start(rig);
	looks = 0;
	at = rig->fake->log_count;
	rig->fake->on_read = head_is_late;
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	rig->fake->on_read = NULL;
	for (uint32_t i = 0; i < 6; i++) {
		long look = fake_find_read(rig->fake, at, ixgbe_txq_reg(IXGBE_TDH, 0));

		assert_true(look > 0);
		at = (size_t)look + 1;
	}
	wrote(rig, at, txdctl, IXGBE_TXDCTL_ENABLE | IXGBE_TXDCTL_SWFLSH, IXGBE_TXDCTL_SWFLSH);
}

/* Firmware is told last, when nothing of the driver's is left (8.2.3.1.3). */
static void a_close_comes_in_order(void **state)
{
	struct rig *rig = *state;
	size_t from, at;

	open_with(rig, &options);
	from = rig->fake->log_count;
	ixgbe_close(rig->nic);
	rig->nic = NULL;
	at = wrote(rig, from, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	at = wrote(rig, at + 1, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	assert_true(wrote(rig, from, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD, 0) > at);
}

static void reserved_bits_are_never_written(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	start(rig);
	ixgbe_stop(rig->nic);
	assert_true(never_wrote(rig, IXGBE_EIMC, IXGBE_EICR_OTHER, IXGBE_EICR_OTHER));
	assert_true(never_wrote(rig, IXGBE_EIMS, IXGBE_EICR_OTHER, IXGBE_EICR_OTHER));
	/* Nor is anything written where there is no register, or no writable one. */
	for (size_t i = 0; i < rig->fake->log_count; i++) {
		const struct fake_access *a = &rig->fake->log[i];
		const struct ixgbe_register *r = ixgbe_register_find(a->offset, NULL);

		assert_non_null(r);
		if (a->write && (r->access == IXGBE_REG_RO || r->access == IXGBE_REG_RC))
			fail_msg("%s was written", r->name);
	}
}

/* ---- Configuration ---- */

static void configuration_is_as_the_datasheet_says(void **state)
{
	static const struct {
		uint32_t offset, mask, value;
	} expected[] = {
		{IXGBE_RXPBSIZE, UINT32_MAX, 512u << 10},
		{IXGBE_AT(RXPBSIZE, 7), UINT32_MAX, 0},
		{IXGBE_TXPBSIZE, UINT32_MAX, 160u << 10},
		{IXGBE_AT(TXPBSIZE, 1), UINT32_MAX, 0},
		{IXGBE_TXPBTHRESH, UINT32_MAX, 160 - 10},
		{IXGBE_AT(TXPBTHRESH, 1), UINT32_MAX, 0},
		{IXGBE_FCRTH, UINT32_MAX, 512 * 1024 - 0x6000},
		{IXGBE_AT(FCRTH, 1), UINT32_MAX, 0},
		{IXGBE_DTXMXSZRQ, UINT32_MAX, 0xfff},
		{IXGBE_RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP, IXGBE_RDRXCTL_CRCSTRIP},
		{IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCFRSTSIZE, 0},
		{IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCACKC, IXGBE_RDRXCTL_RSCACKC},
		{IXGBE_RDRXCTL, IXGBE_RDRXCTL_FCOE_WRFIX, IXGBE_RDRXCTL_FCOE_WRFIX},
		{IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP, IXGBE_HLREG0_RXCRCSTRP},
		{IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN, 0},
		{IXGBE_MAXFRS, UINT32_MAX, 1518u << 16},
		{IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS, 0},
		{IXGBE_RTTPCS, IXGBE_RTTPCS_ARBD, 0x224u << 22},
		{IXGBE_MTQC, UINT32_MAX, 0},
		{IXGBE_FCTRL, UINT32_MAX, IXGBE_FCTRL_BAM},
		{IXGBE_MRQC, IXGBE_MRQC_MRQE, IXGBE_MRQC_MRQE_RSS},
		{IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD, IXGBE_RXCSUM_PCSD},
		{IXGBE_RETA, UINT32_MAX, 0x01000100},
		{IXGBE_RSSRK, UINT32_MAX, 0xda565a6d},
		{IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_EIAME | IXGBE_GPIE_OCD,
		 IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_EIAME | IXGBE_GPIE_OCD},
		/* Both keep erratum 1 away. */
		{IXGBE_GPIE, IXGBE_GPIE_PBA_SUPPORT, IXGBE_GPIE_PBA_SUPPORT},
		{IXGBE_EIAM, 0xffff, 0xffff},
		{IXGBE_IVAR, UINT32_MAX, 0x00810080}, /* receive 0 and 1, no transmit */
		{IXGBE_IVAR_MISC, UINT32_MAX, 0x8200},
		{IXGBE_EIAC, UINT32_MAX, 0xffff},
		{IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD, IXGBE_CTRL_EXT_DRV_LOAD},
		{IXGBE_RAH, IXGBE_RAH_AV, IXGBE_RAH_AV},
		{IXGBE_AT(RAH, 127), IXGBE_RAH_AV, 0},
		{IXGBE_MPSAR, UINT32_MAX, 1},
		{IXGBE_AT(MPSAR, 255), UINT32_MAX, 0},
	};
	static const uint32_t cleared[][2] = {
		{IXGBE_PFUTA, IXGBE_PFUTA_COUNT}, {IXGBE_MTA, IXGBE_MTA_COUNT},
		{IXGBE_VFTA, IXGBE_VFTA_COUNT},   {IXGBE_PFVLVF, IXGBE_PFVLVF_COUNT},
		{IXGBE_FTQF, IXGBE_FTQF_COUNT},
	};
	struct rig *rig = *state;

	open_with(rig, &options);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if ((reg(rig, expected[i].offset) & expected[i].mask) != expected[i].value)
			fail_msg("0x%05x is 0x%08x, not 0x%08x in 0x%08x", expected[i].offset,
				 reg(rig, expected[i].offset), expected[i].value, expected[i].mask);
	for (size_t i = 0; i < sizeof(cleared) / sizeof(*cleared); i++)
		for (uint32_t n = 0; n < cleared[i][1]; n++)
			wrote(rig, 0, cleared[i][0] + 4 * n, UINT32_MAX, 0);
	/* One counter for each queue pair. */
	assert_int_equal(reg(rig, IXGBE_RQSMR), 0x03020100);
	assert_int_equal(reg(rig, IXGBE_AT(TQSM, 3)), 0x0f0e0d0c);
	/* MTQC only while the arbiter is off. */
	assert_true(wrote(rig, 0, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS, IXGBE_RTTDCS_ARBDIS) <
		    wrote(rig, 0, IXGBE_MTQC, UINT32_MAX, 0));
}

/* Its EEPROM asks for it, after each reset. */
static void resends(struct fake *fake, uint32_t offset, uint32_t value)
{
	if (offset == IXGBE_CTRL && value & IXGBE_CTRL_RST)
		fake->reg[IXGBE_GCR / 4] |=
			IXGBE_GCR_CMPL_TMOUT_RESEND_EN | IXGBE_GCR_CMPL_TMOUT_RESEND;
}

/* Specification clarification 2: two completions for one request may come of it. */
static void requests_are_not_sent_again(void **state)
{
	struct rig *rig = *state;

	rig->fake->on_write = resends;
	open_with(rig, &options);
	rig->fake->on_write = NULL;
	assert_int_equal(reg(rig, IXGBE_GCR), IXGBE_GCR_CAP_VER2);
}

static void settings_survive_stop_and_start(void **state)
{
	static const uint8_t mac[] = {0x02, 1, 2, 3, 4, 5};
	static const uint8_t group[][IXGBE_MAC_BYTES] = {{0x01, 0x00, 0x5e, 0, 0, 0xfb}};
	struct rig *rig = *state;

	open_with(rig, &options);
	assert_int_equal(ixgbe_mac_set(rig->nic, mac), 0);
	assert_int_equal(ixgbe_multicast_set(rig->nic, group, 1), 0);
	assert_int_equal(ixgbe_vlan_filter_set(rig->nic, true), 0);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 100, true), 0);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9000), 0);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	start(rig);
	assert_int_equal(ixgbe_stop(rig->nic), 0); /* resets */

	assert_int_equal(reg(rig, IXGBE_RAL), 0x03020102);
	assert_int_equal(reg(rig, IXGBE_RAH), IXGBE_RAH_AV | 0x0504);
	/* 0xfb0 is the hash of 01:00:5e:00:00:fb. */
	assert_int_equal(reg(rig, IXGBE_AT(MTA, 0xfb0 >> 5)), 1u << (0xfb0 & 31));
	assert_int_equal(reg(rig, IXGBE_AT(VFTA, 3)), 1u << 4);
	assert_true(reg(rig, IXGBE_VLNCTRL) & IXGBE_VLNCTRL_VFE);
	assert_int_equal(reg(rig, IXGBE_MAXFRS), 9018u << 16);
	assert_true(reg(rig, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, 1000), 0);
}

/* ---- Filters ---- */

static void fctrl_changes_only_while_the_receiver_is_off(void **state)
{
	struct rig *rig = *state;
	size_t from, halt, change, go;

	open_with(rig, &options);
	start(rig);
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), 0);
	halt = wrote(rig, from, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, 0);
	change = wrote(rig, halt, IXGBE_FCTRL, UINT32_MAX,
		       IXGBE_FCTRL_BAM | IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE);
	go = wrote(rig, change, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, IXGBE_RXCTRL_RXEN);
	wrote(rig, go, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS, 0);

	/* No change: the receiver is left alone. */
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_allmulticast_set(rig->nic, true), 0);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), 0);
	assert_true(fake_find_write(rig->fake, from, IXGBE_RXCTRL, 0, 0) < 0);
}

static void filters_refuse_bad_input(void **state)
{
	static const uint8_t zero[IXGBE_MAC_BYTES], group[] = {1, 0, 0x5e, 1, 2, 3};
	uint8_t many[128][IXGBE_MAC_BYTES] = {{0}};
	uint8_t mac[IXGBE_MAC_BYTES];
	struct rig *rig = *state;

	open_with(rig, &options);
	assert_int_equal(ixgbe_mac_set(rig->nic, zero), -EADDRNOTAVAIL);
	assert_int_equal(ixgbe_mac_set(rig->nic, group), -EADDRNOTAVAIL);
	ixgbe_mac_get(rig->nic, mac);
	assert_memory_equal(mac, fake_mac, sizeof(mac));
	for (uint32_t i = 0; i < 128; i++)
		many[i][0] = 2, many[i][5] = (uint8_t)i;
	assert_int_equal(ixgbe_unicast_set(rig->nic, many, 128), -ENOSPC);
	assert_false(reg(rig, IXGBE_AT(RAH, 1)) & IXGBE_RAH_AV);
	assert_int_equal(ixgbe_unicast_set(rig->nic, many, 127), 0);
	assert_true(reg(rig, IXGBE_AT(RAH, 127)) & IXGBE_RAH_AV);
	assert_int_equal(ixgbe_unicast_set(rig->nic, NULL, 0), 0);
	assert_false(reg(rig, IXGBE_AT(RAH, 127)) & IXGBE_RAH_AV);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 4096, true), -EINVAL);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 67), -EINVAL);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9711), -EINVAL);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9710), 0);
	assert_int_equal(reg(rig, IXGBE_MAXFRS), 9728u << 16);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 68), 0); /* still takes full frames */
	assert_int_equal(reg(rig, IXGBE_MAXFRS), 1518u << 16);
}

/* ---- Link ---- */

/* Frames to an address that stays must not be lost while another comes or goes. */
static void unicast_addresses_keep_their_entries(void **state)
{
	static const uint8_t list[][IXGBE_MAC_BYTES] = {
		{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}, {2, 0, 0, 0, 0, 4}};
	struct rig *rig = *state;
	size_t before;

	open_with(rig, &options);
	assert_int_equal(ixgbe_unicast_set(rig->nic, list, 3), 0);
	assert_int_equal(reg(rig, IXGBE_AT(RAH, 3)), 0x0300 | IXGBE_RAH_AV);
	before = rig->fake->log_count;
	assert_int_equal(ixgbe_unicast_set(rig->nic, list + 1, 3), 0);
	assert_int_equal(reg(rig, IXGBE_AT(RAH, 1)), 0x0400 | IXGBE_RAH_AV);
	for (uint32_t i = 2; i <= 3; i++) {
		assert_int_equal(reg(rig, IXGBE_AT(RAH, i)), i << 8 | IXGBE_RAH_AV);
		assert_true(fake_find_write(rig->fake, before, IXGBE_AT(RAH, i), 0, 0) < 0);
		assert_true(fake_find_write(rig->fake, before, IXGBE_AT(RAL, i), 0, 0) < 0);
	}
	assert_int_equal(ixgbe_unicast_set(rig->nic, list + 1, 1), 0);
	assert_false(reg(rig, IXGBE_AT(RAH, 1)) & IXGBE_RAH_AV);
	assert_false(reg(rig, IXGBE_AT(RAH, 3)) & IXGBE_RAH_AV);
	assert_true(reg(rig, IXGBE_AT(RAH, 2)) & IXGBE_RAH_AV);
}

static void link_follows_the_administrator(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_link link;

	open_with(rig, &options);
	assert_true(reg(rig, IXGBE_ESDP) & IXGBE_ESDP_SDP3_DATA); /* dark until asked for */
	assert_int_equal(ixgbe_link_get(rig->nic, &link), 0);
	assert_false(link.up);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, 1000), 0);
	assert_int_equal(ixgbe_link_get(rig->nic, &link), 0);
	assert_int_equal(link.speed_mbps, 10000);
	rig->fake->cable = false;
	assert_int_equal(ixgbe_link_wait(rig->nic, true, 20), -ETIMEDOUT);
	assert_int_equal(ixgbe_link_wait(rig->nic, false, 20), 0);
	rig->fake->cable = true;
	assert_int_equal(ixgbe_link_set_admin(rig->nic, false), 0);
	assert_true(reg(rig, IXGBE_ESDP) & IXGBE_ESDP_SDP3_DATA);
}

static void autoc_changes_under_the_semaphore(void **state)
{
	struct rig *rig = *state;
	size_t from, take, autoc;

	open_with(rig, &options);
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	take = wrote(rig, from, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_MAC_CSR,
		     IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	/* The pipeline: the mode with its top bit toggled, and back. */
	autoc = wrote(rig, take, IXGBE_AUTOC, IXGBE_AUTOC_LMS | IXGBE_AUTOC_RESTART_AN,
		      7u << 13 | IXGBE_AUTOC_RESTART_AN);
	autoc = wrote(rig, autoc, IXGBE_AUTOC, IXGBE_AUTOC_LMS | IXGBE_AUTOC_RESTART_AN,
		      3u << 13 | IXGBE_AUTOC_RESTART_AN);
	wrote(rig, autoc, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_MAC_CSR, 0);
	assert_int_equal(reg(rig, IXGBE_SWSM), 0);
}

static void a_dead_owner_loses_its_semaphore(void **state)
{
	struct rig *rig = *state;

	rig->fake->reg[IXGBE_SWSM / 4] = IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI;
	open_with(rig, &options);
	/* After the open, for the reset clears it here. */
	rig->fake->reg[IXGBE_SWSM / 4] = IXGBE_SWSM_SMBI;
	rig->fake->reg[IXGBE_SW_FW_SYNC / 4] = IXGBE_SW_FW_SYNC_SW_MAC_CSR;
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_int_equal(reg(rig, IXGBE_SW_FW_SYNC), 0);
}

static void firmware_may_hold_the_link(void **state)
{
	struct rig *rig = *state;
	size_t from;

	open_with(rig, &options);
	fake_force(rig->fake, IXGBE_MMNGC, IXGBE_MMNGC_MNG_VETO, IXGBE_MMNGC_MNG_VETO);
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_true(fake_find_write(rig->fake, from, IXGBE_AUTOC, 0, 0) < 0);
	assert_true(fake_find_write(rig->fake, from, IXGBE_ESDP, 0, 0) < 0);
}

/* ---- Interrupts ---- */

static void vectors_arm_and_map(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	start(rig);
	assert_int_equal(rig->fake->vectors, 3);
	assert_int_equal(ixgbe_irq_fd(rig->nic, 1), rig->fake->eventfd[1]);
	assert_int_equal(ixgbe_irq_other_fd(rig->nic), rig->fake->eventfd[2]);
	assert_int_equal(ixgbe_irq_fd(rig->nic, 2), -EINVAL);

	/* Intervals of 2 us (8.2.3.5.12): a link that flaps does not storm. */
	for (uint32_t v = 0; v < 3; v++)
		assert_int_equal(
			IXGBE_FIELD_GET(IXGBE_EITR_ITR_INTERVAL, reg(rig, ixgbe_eitr_reg(v))),
			v == 2 ? 50 : options.itr_us / 2);

	assert_false(reg(rig, IXGBE_EIMS) & 3);
	assert_int_equal(ixgbe_irq_arm(rig->nic, 1), 0);
	assert_int_equal(reg(rig, IXGBE_EIMS) & 3, 2);
	assert_int_equal(ixgbe_irq_arm(rig->nic, 2), -EINVAL);

	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 1, true), 0);
	assert_int_equal(reg(rig, IXGBE_IVAR), 0x81810080);
	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 0, true), 0);
	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 1, false), 0);
	assert_int_equal(reg(rig, IXGBE_IVAR), 0x00818080);
}

static uint64_t stat(const struct rig *rig, const char *name)
{
	for (size_t i = 0; i < ixgbe_stats_count(rig->nic); i++)
		if (strcmp(ixgbe_stats_name(rig->nic, i), name) == 0)
			return ixgbe_stats_value(rig->nic, i);
	fail_msg("no statistic %s", name);
	return 0;
}

/* The last write of a register with that name, by its place in the log; 0: none. */
static size_t last_write(const struct rig *rig, const char *name)
{
	size_t last = 0;

	for (size_t i = 0; i < rig->fake->log_count; i++) {
		const struct fake_access *access = &rig->fake->log[i];
		const struct ixgbe_register *r = ixgbe_register_find(access->offset, NULL);

		if (access->write && r && strcmp(r->name, name) == 0)
			last = i;
	}
	return last;
}

/* 4.6.7: a memory that was never written may have a wrong check sum, which is no error. */
static void errors_of_memories_are_reported_when_all_are_written(void **state)
{
	static const char *const memories[] = {"PFUTA", "PFVLVF", "PFVLVFB", "FTQF", "MTA",  "VFTA",
					       "RAL",   "RAH",    "MPSAR",   "RETA", "RSSRK"};
	struct rig *rig = *state;
	size_t reports;

	open_with(rig, &options);
	start(rig);
	reports = last_write(rig, "RXFECCERR0");
	assert_int_equal(rig->fake->log[reports].value, IXGBE_RXFECCERR0_ECCFLT_EN);
	for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
		assert_true(last_write(rig, memories[i]) > 0);
		if (last_write(rig, memories[i]) > reports)
			fail_msg("%s is written later", memories[i]);
	}
	assert_true(last_write(rig, "RXCTRL") > reports);
}

static void other_causes_become_events(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	start(rig);
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_LSC | 1;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_LINK);
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_ECC;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_FAULT);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), 0);
	assert_true(reg(rig, IXGBE_EIMS) & IXGBE_EICR_LSC);
	assert_int_equal(stat(rig, "lsc_int"), 1);
	rig->fake->gone = true;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), -ENODEV);
}

/* ---- Statistics ---- */

static void status_set(struct rig *rig, uint16_t bits)
{
	rig->fake->config[PCI_STATUS] |= (uint8_t)bits;
	rig->fake->config[PCI_STATUS + 1] |= (uint8_t)(bits >> 8);
}

static void bus_errors_are_told_once(void **state)
{
	static const uint16_t aborts[] = {PCI_STATUS_REC_MASTER_ABORT, PCI_STATUS_REC_TARGET_ABORT};
	struct rig *rig = *state;

	status_set(rig, PCI_STATUS_REC_MASTER_ABORT); /* an earlier driver's */
	open_with(rig, &options);
	status_set(rig, PCI_STATUS_CAP_LIST | PCI_STATUS_SIG_SYSTEM_ERROR);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	for (int i = 0; i < 4; i++) {
		status_set(rig, aborts[i % 2]);
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED);
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	}
	assert_true(rig->fake->config[PCI_STATUS + 1] & PCI_STATUS_SIG_SYSTEM_ERROR >> 8);
	rig->fake->dma_refused += 5;
	assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	rig->fake->reg[IXGBE_PICAUSE / 4] = IXGBE_PIENA_TO | IXGBE_PIENA_BE;
	rig->fake->dma_refused++;
	assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED | IXGBE_BUS_TIMEOUT);
	assert_int_equal(reg(rig, IXGBE_PICAUSE), IXGBE_PIENA_BE);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	rig->fake->gone = true;
	assert_int_equal(ixgbe_bus_errors(rig->nic), -ENODEV);
}

/* By setpci, say: a start gives it back. */
static void mastering_the_bus_is_missed(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	start(rig);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	rig->fake->config[PCI_COMMAND] &= (uint8_t)~PCI_COMMAND_MASTER;
	for (int i = 0; i < 2; i++)
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_MASTER_OFF);
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, NULL), 0);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
}

/* The kernel's VFIO lets nobody clear the bits: they are news once, until they have been away. */
static void bits_that_stick_are_no_news(void **state)
{
	struct rig *rig = *state;

	rig->fake->status_sticks = true;
	open_with(rig, &options);
	for (int i = 0; i < 2; i++) {
		status_set(rig, PCI_STATUS_REC_MASTER_ABORT);
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED);
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
		status_set(rig, PCI_STATUS_REC_TARGET_ABORT);
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED);
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
		rig->fake->config[PCI_STATUS + 1] = 0; /* a reset, or root */
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	}
}

static void statistics_add_up(void **state)
{
	struct rig *rig = *state;

	rig->fake->reg[IXGBE_GPRC / 4] = 99; /* before our time */
	open_with(rig, &options);
	start(rig);
	for (int i = 0; i < 2; i++) {
		rig->fake->reg[IXGBE_GPRC / 4] = 14; /* 7 of them missed */
		rig->fake->reg[IXGBE_GORCL / 4] = 0xffffffff;
		rig->fake->reg[IXGBE_GORCH / 4] = 0x3;
		rig->fake->reg[IXGBE_CRCERRS / 4] = 1;
		rig->fake->reg[IXGBE_RLEC / 4] = 2;
		rig->fake->reg[IXGBE_AT(RXMPC, 0) / 4] = 3;
		rig->fake->reg[IXGBE_AT(RXMPC, 7) / 4] = 4;
		assert_int_equal(ixgbe_stats_update(rig->nic), 0);
	}
	assert_int_equal(stat(rig, "rx_pkts_nic"), 14);
	assert_int_equal(stat(rig, "rx_bytes_nic"), 2 * 0x3ffffffffull);
	assert_int_equal(stat(rig, "rx_errors"), 6);
	assert_int_equal(stat(rig, "rx_crc_errors"), 2);
	assert_int_equal(stat(rig, "rx_missed_errors"), 14);
	/* Low before high: reading the high word clears both. */
	assert_true(fake_find_read(rig->fake, 0, IXGBE_GORCL) <
		    fake_find_read(rig->fake, 0, IXGBE_GORCH));

	/* One after the other, each has its turn before it is full. */
	rig->fake->reg[IXGBE_CRCERRS / 4] = 1;
	rig->fake->reg[IXGBE_AT(QPRDC, 15) / 4] = 1;
	rig->fake->reg[IXGBE_FDIRMISS / 4] = 1;
	assert_int_equal(ixgbe_stats_step(rig->nic), 0);
	assert_int_equal(stat(rig, "rx_crc_errors"), 3);
	assert_int_equal(stat(rig, "rx_no_dma_resources"), 0);
	for (int i = 1; i < 18; i++)
		assert_int_equal(ixgbe_stats_step(rig->nic), 0);
	assert_int_equal(stat(rig, "rx_no_dma_resources"), 1);
	assert_int_equal(stat(rig, "fdir_miss"), 1);
	assert_int_equal(stat(rig, "rx_crc_errors"), 3);

	/* What the device counted last is not lost at the end, ... */
	rig->fake->reg[IXGBE_GPRC / 4] = 5;
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(stat(rig, "rx_pkts_nic"), 19);
	/* ... and one that is gone counts nothing. */
	rig->fake->gone = true;
	assert_int_equal(ixgbe_stats_update(rig->nic), -ENODEV);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ixgbe_stats_step(rig->nic), -ENODEV);
	assert_int_equal(stat(rig, "rx_pkts_nic"), 19);
}

static void statistics_have_the_kernels_names(void **state)
{
	struct rig *rig = *state;
	size_t count;

	open_with(rig, &options);
	count = ixgbe_stats_count(rig->nic);
	assert_string_equal(ixgbe_stats_name(rig->nic, 0), "rx_packets");
	assert_string_equal(ixgbe_stats_name(rig->nic, count - 8), "tx_queue_0_packets");
	assert_string_equal(ixgbe_stats_name(rig->nic, count - 5), "tx_queue_1_bytes");
	assert_string_equal(ixgbe_stats_name(rig->nic, count - 4), "rx_queue_0_packets");
	assert_string_equal(ixgbe_stats_name(rig->nic, count - 1), "rx_queue_1_bytes");
	assert_null(ixgbe_stats_name(rig->nic, count));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ixgbe_stats_name(rig->nic, i),
						ixgbe_stats_name(rig->nic, k));
}

/* ---- Registers ---- */

static void count_row(void *ctx, const char *name, uint32_t offset, uint32_t value)
{
	(void)value;
	assert_string_not_equal(name, "EICR");
	assert_string_not_equal(name, "SWSM");
	if (strcmp(name, "RAL[3]") == 0)
		assert_int_equal(offset, IXGBE_AT(RAL, 3));
	++*(size_t *)ctx;
}

static void the_dump_changes_nothing(void **state)
{
	struct rig *rig = *state;
	uint32_t *before;
	size_t rows = 0;

	open_with(rig, &options);
	rig->fake->reg[IXGBE_GPRC / 4] = 5;
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_LSC;
	before = malloc(sizeof(rig->fake->reg));
	memcpy(before, rig->fake->reg, sizeof(rig->fake->reg));
	assert_int_equal(ixgbe_registers_dump(rig->nic, count_row, &rows), 0);
	assert_true(rows > 1000);
	assert_memory_equal(before, rig->fake->reg, sizeof(rig->fake->reg));
	free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_comes_in_order),
		TEST(a_reset_has_its_millisecond),
		TEST(start_comes_in_order),
		TEST(a_stop_waits_for_the_transmitter),
		TEST(a_close_comes_in_order),
		TEST(stop_ends_queues_before_the_reset),
		TEST(reserved_bits_are_never_written),
		TEST(configuration_is_as_the_datasheet_says),
		TEST(requests_are_not_sent_again),
		TEST(settings_survive_stop_and_start),
		TEST(fctrl_changes_only_while_the_receiver_is_off),
		TEST(filters_refuse_bad_input),
		TEST(unicast_addresses_keep_their_entries),
		TEST(link_follows_the_administrator),
		TEST(autoc_changes_under_the_semaphore),
		TEST(a_dead_owner_loses_its_semaphore),
		TEST(firmware_may_hold_the_link),
		TEST(vectors_arm_and_map),
		TEST(errors_of_memories_are_reported_when_all_are_written),
		TEST(other_causes_become_events),
		TEST(bus_errors_are_told_once),
		TEST(mastering_the_bus_is_missed),
		TEST(bits_that_stick_are_no_news),
		TEST(statistics_add_up),
		TEST(statistics_have_the_kernels_names),
		TEST(the_dump_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Which frames are received (section 7.1.1).
 *
 * The whole state is here, and the device has a copy: a change is written at once, and
 * filters_apply() writes everything after a reset. Only FCTRL needs the receiver to be off
 * (8.2.3.7.1); the receiver is halted around that write for some microseconds, and only if the
 * value changes.
 */
#include "ixgbe/tables/desc.h"
#include "mac.h"
#include "parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MTA_WORDS  ((uint32_t)IXGBE_MTA_COUNT)
#define VFTA_WORDS ((uint32_t)IXGBE_VFTA_COUNT)
#define VID_MAX    4094u
/* What a frame has besides the MTU. MAXFRS does not count a frame's first VLAN tag, but counts a
 * second one (8.2.3.22.13). If MAXFRS had room for the second, longer frames without tags would
 * come in. CTRL_EXT.EXTENDED_VLAN would add 8 bytes, and wants all frames tagged. So a full frame
 * with two tags needs a larger MTU, as with the in-kernel driver. */
#define ETH_OVERHEAD    (IXGBE_ETH_HEADER_BYTES + IXGBE_FCS_BYTES)
#define ETH_FRAME_BYTES 1518u /* what every station may send, whatever our MTU */

static_assert(IXGBE_MTU_MAX == IXGBE_FRAME_MAX_BYTES - ETH_OVERHEAD, "ixgbe.h has the difference");

static_assert(IXGBE_UNICAST_MAX == IXGBE_RAL_COUNT - 1, "RAR 0 has the port's own address");

struct ixgbe_filters {
	uint8_t promiscuous, allmulticast, vlan_filter;
	uint32_t fctrl;                                      /* as in the device */
	uint8_t unicast[IXGBE_UNICAST_MAX][IXGBE_MAC_BYTES]; /* from RAR 1 on; zero: free */
	uint32_t mta[IXGBE_MTA_COUNT];
	uint32_t vfta[IXGBE_VFTA_COUNT];
};

int filters_new(struct ixgbe *nic)
{
	nic->filters = state_alloc(nic->device->state, sizeof(*nic->filters));
	return nic->filters ? 0 : -ENOMEM;
}

void filters_forget(struct ixgbe *nic)
{
	*nic->filters = (struct ixgbe_filters){0};
}

int filters_redo(struct ixgbe *nic)
{
	int err = init_receiver_set(nic, false);

	if (err)
		return err;
	filters_apply(nic);
	return init_receiver_set(nic, true);
}

void filters_free(struct ixgbe *nic)
{
	state_free(nic->device->state, nic->filters);
}

/* ---- Writing to the device ---- */

/* Receive address n (8.2.3.7.8, 9), for VMDq pool 0; NULL: none. AV is clear while the address
 * changes, or half an address would be matched. */
static void rar_write(struct ixgbe *nic, uint32_t n, const uint8_t *mac)
{
	uint32_t low = 0, high = 0;

	reg_write(nic, IXGBE_AT(RAH, n), 0);
	if (mac) {
		low = mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 |
		      (uint32_t)mac[3] << 24;
		high = mac[4] | (uint32_t)mac[5] << 8 | IXGBE_RAH_AV;
	}
	reg_write(nic, IXGBE_AT(RAL, n), low);
	reg_write(nic, IXGBE_AT(MPSAR, 2 * n), mac ? 1 : 0);
	reg_write(nic, IXGBE_AT(MPSAR, 2 * n + 1), 0);
	if (mac)
		reg_write(nic, IXGBE_AT(RAH, n), high);
}

static uint32_t fctrl_wanted(const struct ixgbe_filters *f)
{
	return IXGBE_FCTRL_BAM | (f->promiscuous ? IXGBE_FCTRL_UPE : 0) |
	       (f->promiscuous || f->allmulticast ? IXGBE_FCTRL_MPE : 0);
}

static int fctrl_update(struct ixgbe *nic)
{
	uint32_t wanted = fctrl_wanted(nic->filters);
	bool halt = nic->started;
	int err = 0;

	if (nic->filters->fctrl == wanted)
		return 0;
	if (halt)
		err = init_receiver_set(nic, false);
	if (!err) {
		reg_write(nic, IXGBE_FCTRL, wanted);
		nic->filters->fctrl = wanted;
	}
	if (halt) {
		int on = init_receiver_set(nic, true);

		if (on) /* the receiver stayed closed: any next change opens it */
			nic->filters->fctrl = ~wanted;
		err = err ? err : on;
	}
	return err;
}

/* A promiscuous port sees every VLAN. CFIEN (8.2.3.7.2), which an EEPROM may set, would drop frames
 * by the bit of their tags that is DEI now. */
static void vlnctrl_write(struct ixgbe *nic)
{
	const struct ixgbe_filters *f = nic->filters;
	uint32_t vlnctrl = reg_read(nic, IXGBE_VLNCTRL) & ~IXGBE_VLNCTRL_CFIEN;

	if (f->vlan_filter && !f->promiscuous)
		vlnctrl |= IXGBE_VLNCTRL_VFE;
	else
		vlnctrl &= ~IXGBE_VLNCTRL_VFE;
	reg_write(nic, IXGBE_VLNCTRL, vlnctrl);
}

/* DEVIATION(mtu-while-running) */
static void mtu_write(struct ixgbe *nic)
{
	uint32_t frame = nic->kept->mtu + ETH_OVERHEAD;

	if (frame < ETH_FRAME_BYTES)
		frame = ETH_FRAME_BYTES;
	reg_write(nic, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, frame));
	if (frame > ETH_FRAME_BYTES)
		reg_set(nic, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	else
		reg_clear(nic, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
}

static void unicast_write(struct ixgbe *nic, uint32_t slot)
{
	const uint8_t *mac = nic->filters->unicast[slot];

	rar_write(nic, slot + 1, mac_check(mac) ? NULL : mac);
}

void filters_apply(struct ixgbe *nic)
{
	struct ixgbe_filters *f = nic->filters;

	rar_write(nic, 0, nic->kept->mac);
	for (uint32_t i = 0; i < IXGBE_UNICAST_MAX; i++)
		unicast_write(nic, i);
	for (uint32_t i = 0; i < MTA_WORDS; i++)
		reg_write(nic, IXGBE_AT(MTA, i), f->mta[i]);
	for (uint32_t i = 0; i < VFTA_WORDS; i++)
		reg_write(nic, IXGBE_AT(VFTA, i), f->vfta[i]);
	reg_write(nic, IXGBE_MCSTCTRL,
		  IXGBE_MCSTCTRL_MFE |
			  IXGBE_FIELD_PREP(IXGBE_MCSTCTRL_MO, IXGBE_MCSTCTRL_MO_47_36));
	f->fctrl = fctrl_wanted(f);
	reg_write(nic, IXGBE_FCTRL, f->fctrl);
	vlnctrl_write(nic);
	mtu_write(nic);
}

/* ---- The settings ---- */

void ixgbe_mac_get(const struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES])
{
	memcpy(mac, nic->kept->mac, IXGBE_MAC_BYTES);
}

void ixgbe_mac_permanent(const struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES])
{
	memcpy(mac, nic->kept->mac_permanent, IXGBE_MAC_BYTES);
}

int ixgbe_mac_set(struct ixgbe *nic, const uint8_t mac[IXGBE_MAC_BYTES])
{
	int err = mac_check(mac);

	if (err)
		return err;
	if (memcmp(nic->kept->mac, mac, IXGBE_MAC_BYTES) == 0)
		return 0;
	intent_begin(nic, INTENT_FILTERS);
	memcpy(nic->kept->mac, mac, IXGBE_MAC_BYTES);
	rar_write(nic, 0, nic->kept->mac);
	intent_end(nic, INTENT_FILTERS);
	return 0;
}

int ixgbe_promiscuous_set(struct ixgbe *nic, bool on)
{
	int err;

	intent_begin(nic, INTENT_FILTERS);
	nic->filters->promiscuous = on;
	vlnctrl_write(nic);
	err = fctrl_update(nic);
	intent_end(nic, INTENT_FILTERS);
	return err;
}

int ixgbe_allmulticast_set(struct ixgbe *nic, bool on)
{
	int err;

	intent_begin(nic, INTENT_FILTERS);
	nic->filters->allmulticast = on;
	err = fctrl_update(nic);
	intent_end(nic, INTENT_FILTERS);
	return err;
}

int ixgbe_multicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES], size_t count)
{
	uint32_t mta[IXGBE_MTA_COUNT] = {0};

	for (size_t i = 0; i < count; i++) {
		uint32_t hash; /* bits 47:36 of the address, as MCSTCTRL.MO says */

		if (!mac_is_multicast(mac[i]))
			return -EINVAL;
		hash = mac[i][4] >> 4 | (uint32_t)mac[i][5] << 4;
		mta[hash >> 5] |= 1u << (hash & 31);
	}
	for (uint32_t i = 0; i < MTA_WORDS; i++) {
		if (mta[i] == nic->filters->mta[i])
			continue;
		reg_write(nic, IXGBE_AT(MTA, i), mta[i]);
		state_store(&nic->filters->mta[i], mta[i]); /* after: a successor writes it again */
	}
	return 0;
}

/* The place of an address in a list; `count`: it is not there. */
static size_t find(const uint8_t (*list)[IXGBE_MAC_BYTES], size_t count, const uint8_t *mac)
{
	size_t i = 0;

	while (i < count && memcmp(list[i], mac, IXGBE_MAC_BYTES) != 0)
		i++;
	return i;
}

static void unicast_replace(struct ixgbe *nic, size_t slot, const uint8_t mac[IXGBE_MAC_BYTES])
{
	memcpy(nic->filters->unicast[slot], mac, IXGBE_MAC_BYTES);
	unicast_write(nic, (uint32_t)slot);
}

/* An address of both lists keeps its entry, which is never invalid meanwhile. */
int ixgbe_unicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES], size_t count)
{
	static const uint8_t none[IXGBE_MAC_BYTES];
	const uint8_t(*slots)[IXGBE_MAC_BYTES] = nic->filters->unicast;

	if (count > IXGBE_UNICAST_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < count; i++)
		if (mac_check(mac[i]))
			return -EADDRNOTAVAIL;
	intent_begin(nic, INTENT_FILTERS);
	for (size_t slot = 0; slot < IXGBE_UNICAST_MAX; slot++)
		if (!mac_check(slots[slot]) && find(mac, count, slots[slot]) == count)
			unicast_replace(nic, slot, none);
	for (size_t i = 0; i < count; i++)
		if (find(slots, IXGBE_UNICAST_MAX, mac[i]) == IXGBE_UNICAST_MAX)
			unicast_replace(nic, find(slots, IXGBE_UNICAST_MAX, none), mac[i]);
	intent_end(nic, INTENT_FILTERS);
	return 0;
}

int ixgbe_vlan_filter_set(struct ixgbe *nic, bool on)
{
	intent_begin(nic, INTENT_FILTERS);
	nic->filters->vlan_filter = on;
	vlnctrl_write(nic);
	intent_end(nic, INTENT_FILTERS);
	return 0;
}

int ixgbe_vlan_set(struct ixgbe *nic, uint16_t vid, bool pass)
{
	uint32_t *word, bit;

	if (vid > VID_MAX)
		return -EINVAL;
	word = &nic->filters->vfta[vid >> 5];
	bit = 1u << (vid & 31);
	intent_begin(nic, INTENT_FILTERS);
	*word = pass ? *word | bit : *word & ~bit;
	reg_write(nic, IXGBE_AT(VFTA, vid >> 5), *word);
	intent_end(nic, INTENT_FILTERS);
	return 0;
}

int ixgbe_mtu_set(struct ixgbe *nic, uint16_t mtu)
{
	if (mtu < IXGBE_MTU_MIN || mtu > IXGBE_MTU_MAX)
		return -EINVAL;
	intent_begin(nic, INTENT_FILTERS);
	__atomic_store_n(&nic->kept->mtu, mtu, __ATOMIC_RELAXED); /* the transmit queues read it */
	mtu_write(nic);
	intent_end(nic, INTENT_FILTERS);
	return 0;
}

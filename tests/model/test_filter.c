/* SPDX-License-Identifier: MIT */
/* Which frames get past the filters, and which counter has those that do not. */
#include <string.h>

#include "model_rings.h"

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t multicast[6] = {0x01, 0x00, 0x5e, 0x12, 0x34, 0x56};
static const uint8_t stranger[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

struct rig {
	struct model *m;
	struct ring rx;
	struct received got;
	long long dropped;
};

/* Sends a frame and says whether it arrived; if not, exactly `counter_name` must have grown. */
static bool passes(struct rig *rig, const struct built *f, const char *counter_name)
{
	static struct built marker;
	long long before = counter(rig->m, counter_name);

	model_wire_send(rig->m, f->data, f->len);
	/* what always passes comes after it */
	frame_raw(&marker, NULL, 333);
	model_wire_send(rig->m, marker.data, marker.len);
	rx_take(&rig->rx, &rig->got);
	if (rig->got.len == 333) {
		assert_int_equal(counter(rig->m, counter_name), before + 1);
		return false;
	}
	assert_int_equal(rig->got.len, f->len);
	assert_int_equal(counter(rig->m, counter_name), before);
	struct received rest;

	rx_take(&rig->rx, &rest);
	assert_int_equal(rest.len, 333);
	return true;
}

static bool address_passes(struct rig *rig, const uint8_t *to)
{
	struct built f;

	frame_raw(&f, to, 100);
	return passes(rig, &f, "rx_drop_address");
}

static bool inexact(const struct rig *rig)
{
	return rig->got.last.dword[2] & IXGBE_RXD_STAT_PIF;
}

static void rig_start(struct rig *rig, void **state, uint32_t fctrl)
{
	*rig = (struct rig){.m = *state};
	rings_begin(rig->m);
	model_write(rig->m, IXGBE_FCTRL, fctrl);
	rx_open(&rig->rx, rig->m, 0, 64, 2, 0);
	rings_go(rig->m);
}

static void matches_exact_addresses(void **state)
{
	struct rig rig;

	rig_start(&rig, state, 0);
	assert_true(address_passes(&rig, frame_mac));
	assert_false(inexact(&rig));
	assert_false(address_passes(&rig, stranger));
	assert_false(address_passes(&rig, multicast));
	assert_false(address_passes(&rig, broadcast));
	/* entry 127 */
	model_write(rig.m, IXGBE_AT(RAL, 127), 0xccbbaa02);
	model_write(rig.m, IXGBE_AT(RAH, 127), 0x0000eedd);
	assert_false(address_passes(&rig, stranger)); /* not valid */
	model_write(rig.m, IXGBE_AT(RAH, 127), IXGBE_RAH_AV | 0xeedd);
	assert_true(address_passes(&rig, stranger));
	assert_false(inexact(&rig));
	model_write(rig.m, IXGBE_AT(RAH, 127), 0);
	assert_false(address_passes(&rig, stranger));
	rings_end(rig.m, 0);
}

static void accepts_by_mode(void **state)
{
	static const struct {
		uint32_t fctrl;
		bool uni, multi, broad;
	} modes[] = {
		{IXGBE_FCTRL_BAM, false, false, true},
		{IXGBE_FCTRL_MPE, false, true, false},
		{IXGBE_FCTRL_UPE, true, false, false},
		{IXGBE_FCTRL_BAM | IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE, true, true, true},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct rig rig;

		rig_start(&rig, state, modes[i].fctrl);
		assert_true(address_passes(&rig, frame_mac));
		assert_int_equal(address_passes(&rig, stranger), modes[i].uni);
		assert_int_equal(address_passes(&rig, multicast), modes[i].multi);
		assert_int_equal(address_passes(&rig, broadcast), modes[i].broad);
		rings_end(rig.m, 0);
		model_restart(rig.m);
	}
}

/* The 12 bits of the address for each MCSTCTRL.MO, taken by hand from the multicast address above:
 * its last two bytes are 0x34 and 0x56, so bits 47..32 are 0x5634. */
static const uint32_t hash_bits[4] = {0x563, 0xac6, 0x58d, 0x634};

static void matches_by_hash(void **state)
{
	struct rig rig;

	rig_start(&rig, state, 0);
	for (uint32_t mode = 0; mode < 4; mode++) {
		uint32_t bits = hash_bits[mode];

		model_write(rig.m, IXGBE_AT(MTA, bits / 32), 1u << bits % 32);
		assert_false(address_passes(&rig, multicast)); /* MFE is clear */
		model_write(rig.m, IXGBE_MCSTCTRL, IXGBE_MCSTCTRL_MFE | mode);
		assert_true(address_passes(&rig, multicast));
		assert_true(inexact(&rig));
		model_write(rig.m, IXGBE_AT(MTA, bits / 32), ~(1u << bits % 32));
		assert_false(address_passes(&rig, multicast));
		model_write(rig.m, IXGBE_AT(MTA, bits / 32), 0);
		model_write(rig.m, IXGBE_MCSTCTRL, 0);
	}
	/* unicast has a table of its own: bits 47..36 of ...dd:ee are 0xeed */
	model_write(rig.m, IXGBE_AT(PFUTA, 0xeed / 32), 1u << 0xeed % 32);
	assert_true(address_passes(&rig, stranger));
	assert_true(inexact(&rig));
	model_write(rig.m, IXGBE_AT(PFUTA, 0xeed / 32), 0);
	assert_false(address_passes(&rig, stranger));
	rings_end(rig.m, 0);
}

static void filters_vlans(void **state)
{
	struct built tagged, canonical;
	struct rig rig;

	rig_start(&rig, state, 0);
	frame_build(&tagged, &(struct frame_spec){.tagged = true, .vlan = 0xe123, .payload = 100});
	frame_build(&canonical,
		    &(struct frame_spec){.tagged = true, .vlan = 0x1123, .payload = 100});
	assert_true(passes(&rig, &tagged, "rx_drop_vlan"));
	model_set(rig.m, IXGBE_VLNCTRL, IXGBE_VLNCTRL_VFE);
	assert_false(passes(&rig, &tagged, "rx_drop_vlan"));
	model_write(rig.m, IXGBE_AT(VFTA, 0x123 / 32), 1u << 0x123 % 32);
	assert_true(passes(&rig, &tagged, "rx_drop_vlan"));
	assert_true(passes(&rig, &canonical, "rx_drop_vlan"));
	model_set(rig.m, IXGBE_VLNCTRL, IXGBE_VLNCTRL_CFIEN);
	assert_false(passes(&rig, &canonical, "rx_drop_vlan"));
	assert_true(passes(&rig, &tagged, "rx_drop_vlan"));
	model_write(rig.m, IXGBE_AT(VFTA, 0x123 / 32), ~(1u << 0x123 % 32));
	assert_false(passes(&rig, &tagged, "rx_drop_vlan"));
	rings_end(rig.m, 0);
}

static void keeps_control_frames(void **state)
{
	static const uint8_t pause[6] = {0x01, 0x80, 0xc2, 0, 0, 1};
	struct built f;
	struct rig rig;

	rig_start(&rig, state, IXGBE_FCTRL_MPE);
	frame_raw(&f, pause, 60);
	set16(f.data + 12, 0x8808);
	set16(f.data + 14, 1);
	set16(f.data + 16, 0xffff);
	model_set(rig.m, IXGBE_MFLCN, IXGBE_MFLCN_DPF);
	assert_false(passes(&rig, &f, "rx_drop_pause"));
	assert_int_equal(model_read(rig.m, IXGBE_LXOFFRXCNT), 1);
	set16(f.data + 16, 0);
	model_clear(rig.m, IXGBE_MFLCN, IXGBE_MFLCN_DPF);
	assert_true(passes(&rig, &f, "rx_drop_pause"));
	assert_int_equal(model_read(rig.m, IXGBE_LXONRXCNT), 1);
	set16(f.data + 14, 0x1234);
	assert_false(passes(&rig, &f, "rx_drop_control"));
	model_set(rig.m, IXGBE_MFLCN, IXGBE_MFLCN_PMCF);
	assert_true(passes(&rig, &f, "rx_drop_control"));
	rings_end(rig.m, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(matches_exact_addresses), T(accepts_by_mode),      T(matches_by_hash),
		T(filters_vlans),           T(keeps_control_frames),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

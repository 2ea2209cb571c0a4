/* SPDX-License-Identifier: MIT */
#include "mirror.h"

#include <assert.h>
#include <string.h>

static bool same_mac(const struct mirror *a, const struct mirror *b)
{
	return !memcmp(a->mac, b->mac, sizeof(a->mac));
}

static bool same_groups(const struct mirror *a, const struct mirror *b)
{
	return a->groups_there == b->groups_there && a->groups == b->groups &&
	       !memcmp(a->group, b->group, a->groups * sizeof(a->group[0]));
}

static bool same_others(const struct mirror *a, const struct mirror *b)
{
	return a->others_there == b->others_there && a->others == b->others &&
	       !memcmp(a->other, b->other, a->others * sizeof(a->other[0]));
}

bool mirror_valid(const struct mirror *mirror)
{
	/* A bool with another value than 0 and 1 is none to the compiler. */
	const uint8_t *flags = (const uint8_t *)&mirror->admin_up;

	static_assert(offsetof(struct mirror, allmulticast) ==
			      offsetof(struct mirror, admin_up) + 2 * sizeof(bool),
		      "the flags are side by side");
	for (size_t i = 0; i < 3; i++)
		if (flags[i] > 1)
			return false;
	return mirror->groups <= MIRROR_GROUPS_MAX && mirror->others <= IXGBE_UNICAST_MAX;
}

uint32_t mirror_difference(const struct mirror *a, const struct mirror *b)
{
	uint32_t parts = 0;

	if (!same_mac(a, b))
		parts |= MIRROR_MAC;
	if (a->mtu != b->mtu)
		parts |= MIRROR_MTU;
	if (a->promiscuous != b->promiscuous)
		parts |= MIRROR_PROMISCUOUS;
	if (a->allmulticast != b->allmulticast)
		parts |= MIRROR_ALLMULTICAST;
	if (!same_groups(a, b))
		parts |= MIRROR_GROUPS;
	if (!same_others(a, b))
		parts |= MIRROR_OTHERS;
	if (a->admin_up != b->admin_up)
		parts |= MIRROR_ADMIN;
	return parts;
}

static int apply_mac(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_mac_set(nic, to->mac);

	if (!err)
		memcpy(applied->mac, to->mac, sizeof(to->mac));
	return err;
}

static int apply_mtu(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_mtu_set(nic, to->mtu);

	if (!err)
		applied->mtu = to->mtu;
	return err;
}

static int apply_promiscuous(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_promiscuous_set(nic, to->promiscuous);

	if (!err)
		applied->promiscuous = to->promiscuous;
	return err;
}

static int apply_allmulticast(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_allmulticast_set(nic, to->allmulticast);

	if (!err)
		applied->allmulticast = to->allmulticast;
	return err;
}

static int apply_groups(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_multicast_set(nic, to->group, to->groups);

	if (!err) {
		memcpy(applied->group, to->group, to->groups * sizeof(to->group[0]));
		applied->groups = to->groups;
		applied->groups_there = to->groups_there;
	}
	return err;
}

static int apply_others(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_unicast_set(nic, to->other, to->others);

	if (!err) {
		memcpy(applied->other, to->other, to->others * sizeof(to->other[0]));
		applied->others = to->others;
		applied->others_there = to->others_there;
	}
	return err;
}

static int apply_admin(struct ixgbe *nic, const struct mirror *to, struct mirror *applied)
{
	int err = ixgbe_link_set_admin(nic, to->admin_up);

	if (!err)
		applied->admin_up = to->admin_up;
	return err;
}

/* The laser is last: frames come with the link, and the filters must be right by then. Unicast
 * addresses are there before promiscuous mode goes. */
static const struct {
	enum mirror_part part;
	int (*apply)(struct ixgbe *nic, const struct mirror *to, struct mirror *applied);
} steps[] = {
	{MIRROR_MAC, apply_mac},
	{MIRROR_MTU, apply_mtu},
	{MIRROR_OTHERS, apply_others},
	{MIRROR_PROMISCUOUS, apply_promiscuous},
	{MIRROR_ALLMULTICAST, apply_allmulticast},
	{MIRROR_GROUPS, apply_groups},
	{MIRROR_ADMIN, apply_admin},
};

int mirror_apply(struct ixgbe *nic, const struct mirror *wanted, struct mirror *applied,
		 uint32_t force)
{
	uint32_t parts = mirror_difference(wanted, applied) | force;
	int first = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int err = parts & steps[i].part ? steps[i].apply(nic, wanted, applied) : 0;

		if (err && !first)
			first = err;
	}
	return first;
}

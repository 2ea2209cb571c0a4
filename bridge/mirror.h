/* SPDX-License-Identifier: MIT */
/*
 * What the administrator set on the interface and the NIC must follow.
 *
 * There is the wanted set (from the interface) and the applied one (in the NIC). Applying brings
 * the second up to the first and says what it changed, so it does not matter how many events the
 * kernel merged or repeated, and a NIC that was reset gets everything again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

/* More groups than that: all multicast. The hash table of the NIC has 4,096 bits, so
 * well before they are full it passes nearly everything anyway. */
#define MIRROR_GROUPS_MAX 512u

struct mirror {
	uint8_t mac[IXGBE_MAC_BYTES];
	uint16_t mtu;
	bool admin_up;
	bool promiscuous;
	bool allmulticast;
	uint16_t groups;
	uint8_t group[MIRROR_GROUPS_MAX][IXGBE_MAC_BYTES];
};

enum mirror_part {
	MIRROR_MAC = 1u << 0,
	MIRROR_MTU = 1u << 1,
	MIRROR_PROMISCUOUS = 1u << 2,
	MIRROR_ALLMULTICAST = 1u << 3,
	MIRROR_GROUPS = 1u << 4,
	MIRROR_ADMIN = 1u << 5,
	MIRROR_ALL = (1u << 6) - 1,
};

/* The parts (a set of enum mirror_part) in which the two differ. */
uint32_t mirror_difference(const struct mirror *a, const struct mirror *b);

/*
 * Brings the NIC from `applied` to `wanted`: the parts that differ and those in `force`.
 * Returns the first error; the other parts are tried all the same. What succeeded stands in
 * `applied`.
 */
int mirror_apply(struct ixgbe *nic, const struct mirror *wanted, struct mirror *applied,
		 uint32_t force);

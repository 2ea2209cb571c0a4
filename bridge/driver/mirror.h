/* SPDX-License-Identifier: MIT */
/*
 * The settings of an interface that the NIC must follow.
 *
 * The wanted set is the interface's, the applied one the NIC's. mirror_apply brings the second up
 * to the first: events that the kernel merged or repeated do no harm, and a NIC that was reset gets
 * all settings again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

/* More groups: all multicast, and none in the filter. The NIC's hash table has 4,096 bits, and
 * passes more and more of other groups as it fills. */
#define MIRROR_GROUPS_MAX 512u

struct mirror {
	uint8_t mac[IXGBE_MAC_BYTES];
	uint16_t mtu;
	bool admin_up;
	bool promiscuous;
	bool allmulticast;
	uint32_t groups_there; /* on the interface */
	uint16_t groups;
	uint8_t group[MIRROR_GROUPS_MAX][IXGBE_MAC_BYTES];
	uint32_t others_there; /* further unicast addresses of the interface */
	uint16_t others;
	uint8_t other[IXGBE_UNICAST_MAX][IXGBE_MAC_BYTES];
};

enum mirror_part {
	MIRROR_MAC = 1u << 0,
	MIRROR_MTU = 1u << 1,
	MIRROR_PROMISCUOUS = 1u << 2,
	MIRROR_ALLMULTICAST = 1u << 3,
	MIRROR_GROUPS = 1u << 4,
	MIRROR_ADMIN = 1u << 5,
	MIRROR_OTHERS = 1u << 6,
	MIRROR_ALL = (1u << 7) - 1,
};

/* Whether counts are within their arrays, and flags are flags: for one that another process wrote.
 */
bool mirror_valid(const struct mirror *mirror);

/* The parts (a set of enum mirror_part) in which the two differ. */
uint32_t mirror_difference(const struct mirror *a, const struct mirror *b);

/*
 * Brings the NIC from `applied` to `wanted`: the parts that differ and those in `force`.
 * Returns the first error; the other parts are tried all the same. `applied` has the parts that
 * succeeded.
 */
int mirror_apply(struct ixgbe *nic, const struct mirror *wanted, struct mirror *applied,
		 uint32_t force);

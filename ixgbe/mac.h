/* SPDX-License-Identifier: MIT */
/* MAC addresses. Internal to libixgbe. */
#pragma once

#include <errno.h>
#include <string.h>

#include "ixgbe.h"

static inline bool mac_is_multicast(const uint8_t mac[IXGBE_MAC_BYTES])
{
	return mac[0] & 1;
}

/* 0, or -EADDRNOTAVAIL for an address that no station can have. */
static inline int mac_check(const uint8_t mac[IXGBE_MAC_BYTES])
{
	static const uint8_t zero[IXGBE_MAC_BYTES];

	return mac_is_multicast(mac) || memcmp(mac, zero, sizeof(zero)) == 0 ? -EADDRNOTAVAIL : 0;
}

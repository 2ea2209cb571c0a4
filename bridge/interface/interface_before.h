/* SPDX-License-Identifier: MIT */
#pragma once

#include "interface.h"

/*
 * The MAC address to start with. `mac` is the NIC's on entry. That of the options replaces it, or
 * that of a persistent interface, unless the kernel made that one up.
 */
void interface_before_mac(const struct interface *iface, const struct options *options,
			  uint8_t mac[IXGBE_MAC_BYTES]);

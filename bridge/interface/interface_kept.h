/* SPDX-License-Identifier: MIT */
#pragma once

#include "interface.h"

/* With the interface's link just read: puts back what other programs changed. `link` and `sfp` are
 * the NIC's, and `mtu` replaces an MTU that no 82599 can have. */
void interface_kept_check(struct interface *iface, const struct ixgbe_link *link,
			  enum ixgbe_sfp sfp, uint16_t mtu);

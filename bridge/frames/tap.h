/* SPDX-License-Identifier: MIT */
/*
 * A TAP interface: a kernel network interface whose wire is a file descriptor.
 *
 * Opened with IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and IFF_MULTI_QUEUE, one non-blocking
 * descriptor per queue, a 12-byte virtio_net header before each frame, and the offloads towards
 * the kernel that it has. The settings are read back after they are set: a kernel
 * accepts a re-attach with others silently.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define TAP_VNET_HDR_BYTES 12u
#define TAP_FRAME_MAX      (65535u + 18u) /* what one read may return after the header */

struct tap {
	char name[IFNAMSIZ];
	int ifindex;
	uint16_t queues;
	int fd[IXGBE_QUEUES_MAX]; /* -1 from `queues` on */
	bool persist;
	bool was_persistent; /* before tap_open: what a start that fails leaves */
	uint32_t offloads;   /* TUN_F_* that the kernel took */
};

/*
 * Creates the TAP `name` (or attaches to a persistent one) in the calling thread's namespace.
 * -EBUSY: taken; -EINVAL: name, or a persistent one of another kind; -EPERM; -ENOENT: no
 * /dev/net/tun. `why` says what to do. The carrier is off afterwards.
 */
int tap_open(struct tap *tap, const char *name, uint16_t queues, bool persist,
	     struct ixgbe_why *why);
/* Removes the interface unless it is persistent. */
void tap_close(struct tap *tap);
int tap_carrier_set(struct tap *tap, bool on);
int tap_mac_set(struct tap *tap, const uint8_t mac[IXGBE_MAC_BYTES]);
/* What ethtool shows: speed in Mbit/s (0: unknown) and full duplex. Needs CAP_NET_ADMIN. */
int tap_speed_set(struct tap *tap, uint32_t speed_mbps);

/* SPDX-License-Identifier: MIT */
/*
 * A TAP: a network interface of the kernel whose wire is a file descriptor.
 *
 * It is opened with IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and IFF_MULTI_QUEUE: one non-blocking
 * descriptor per queue, a virtio_net header of 12 bytes before each frame.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define TAP_VNET_HDR_BYTES 12u
#define TAP_LINK_MASKS     (3u * 127u)    /* words, at most */
#define TAP_FRAME_MAX      (65535u + 18u) /* the longest frame that a read returns */

struct tap {
	char name[IFNAMSIZ];
	int ifindex;
	uint16_t queues;
	int fd[IXGBE_QUEUES_MAX]; /* -1 from `queues` on */
	bool persist;
	bool was_persistent;                /* before tap_open */
	uint32_t offloads;                  /* TUN_F_* that the kernel took */
	bool link_set;                      /* tap_link_set has succeeded */
	uint32_t link[12 + TAP_LINK_MASKS]; /* the kernel's answer after it */
};

/*
 * Creates the TAP `name` (or attaches to a persistent one) in the calling thread's namespace.
 * -EBUSY: taken; -EINVAL: a bad name, or an interface of another kind; -EPERM; -ENOENT: no
 * /dev/net/tun. `why` says what to do. The carrier is off afterwards.
 */
int tap_open(struct tap *tap, const char *name, uint16_t queues, bool persist,
	     struct ixgbe_why *why);
/* Removes the interface unless it is persistent. */
void tap_close(struct tap *tap);
int tap_carrier_set(struct tap *tap, bool on);
int tap_mac_set(struct tap *tap, const uint8_t mac[IXGBE_MAC_BYTES]);

/* What ethtool shows (tap_ethtool.c): speed in Mbit/s (0: unknown) and full duplex; port and modes
 * of the module. Needs CAP_NET_ADMIN. */
int tap_link_set(struct tap *tap, uint32_t speed_mbps, enum ixgbe_sfp sfp);
/* Whether somebody else has set what ethtool shows since tap_link_set. `what` lists the settings
 * that differ, and what they are: "duplex half, port 0". */
bool tap_link_changed(const struct tap *tap, char *what, size_t size);

/* For tap_open: which offloads ('ethtool -K') the administrator has turned off, a bit for each; and
 * to turn them off again. The second needs CAP_NET_ADMIN. */
int tap_features_get(const struct tap *tap, uint8_t *off);
int tap_features_off(const struct tap *tap, uint8_t off);
/* What 'ethtool -K NAME gro' is set to. Needs no right. */
int tap_gro_get(const struct tap *tap, bool *on);

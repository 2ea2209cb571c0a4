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

#include "bridge/service/tun.h"
#include "ixgbe/ixgbe.h"

#define TAP_VNET_HDR_BYTES 12u
#define TAP_LINK_MASKS     (3u * 127u)    /* words, at most */
#define TAP_FRAME_MAX      (65535u + 18u) /* the longest frame that a read returns */

/* Offloads, a bit for each, as last read. */
struct tap_features {
	bool known;
	uint8_t requested, active;
	uint8_t off; /* by the administrator */
};

struct tap {
	char name[IFNAMSIZ];
	int ifindex;
	uint16_t queues;
	int fd[IXGBE_QUEUES_MAX]; /* -1 from `queues` on */
	bool persist;
	bool was_persistent; /* before tap_open */
	struct tun_kept kept;
	uint32_t offloads; /* TUN_F_* that the kernel took */
	struct tap_features features;
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
/* From then on: tap_open does it, too. */
void tap_kept_begin(struct tap *tap);
/* Sets back what another program has set, and lists it (tun_keep): persistence, too. */
int tap_keep(struct tap *tap, char changes[TUN_CHANGES_TEXT]);

/* What ethtool shows (tap_ethtool.c): speed in Mbit/s (0: unknown) and full duplex; port and modes
 * of the module. Needs CAP_NET_ADMIN. */
int tap_link_set(struct tap *tap, uint32_t speed_mbps, enum ixgbe_sfp sfp);
/* Whether somebody else has set what ethtool shows since tap_link_set. `what` lists the settings
 * that differ, and what they are: "duplex half, port 0". */
bool tap_link_changed(const struct tap *tap, char *what, size_t size);

/*
 * Offloads (tap_features.c). For tap_open: has the kernel leave as much to us as it can, which
 * turns on all that; what the administrator has turned off ('ethtool -K') on an interface from
 * before is turned off again. 0 or -errno. That needs CAP_NET_ADMIN.
 */
int tap_offloads_take(struct tap *tap);
/* TUN_F_* that are in force, as last read. */
uint32_t tap_offloads(const struct tap *tap);
/* Takes the offloads again if another program has taken others, and returns whether that was so.
 * What the administrator has turned off stays off. */
bool tap_offloads_keep(struct tap *tap);
/* What 'ethtool -K NAME gro' is set to. Needs no right. */
int tap_gro_get(const struct tap *tap, bool *on);

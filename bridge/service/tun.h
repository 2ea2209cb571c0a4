/* SPDX-License-Identifier: MIT */
/*
 * How a program opens a TAP: ixtapd for the interface, ixnic for the far end of its cable. The
 * constants are those that older headers of the kernel lack.
 *
 * The kernel lets a program attach to a TAP that has other settings than the program asked for, and
 * keeps those settings. So tun_open() sets all of them and reads them back.
 *
 * A program that attaches to a multi-queue TAP that is in use can change them for all queues, at
 * any time and without an event. So tun_keep() compares them, and sets them back.
 */
#pragma once

#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUNGETDEVNETNS /* Linux 5.9 */
#define TUNGETDEVNETNS _IO('T', 227)
#endif

struct tun_request {
	const char *name;        /* checked by names_interface_fault */
	const char *who, *other; /* in messages: "TAP tap0", "choose another one" */
	bool multi_queue;
	int header_bytes; /* of the little-endian virtio_net header before each frame */
};

/*
 * A queue of the TAP: makes the interface, in the calling thread's namespace, or attaches to the
 * one that is there. A non-blocking descriptor, or with `why` filled -EBUSY (taken), -EINVAL (an
 * interface of another kind), -EPERM, and errors of open.
 */
int tun_open(const struct tun_request *request, struct ixgbe_why *why);
/* Whether that is another name of an interface, which nobody means to delete. Fills `why` then. */
bool tun_altname_refuse(const char *name, const char *other, struct ixgbe_why *why);

#define TUN_CHANGES_TEXT 160u

struct tun_kept {
	int header_bytes;
	/* The classic filter that another program attached last. */
	const void *filter;
	uint16_t filter_len;
};

/* A filter that was attached before does not count as another program's. */
void tun_kept_begin(int fd, int header_bytes, struct tun_kept *out);
/* Sets back what another program has set: the header, its byte order, the send buffer, and filters,
 * which only an owner of the TAP needs. `changes` lists what that was: "headers of 10 bytes, a
 * filter", or nothing. Two kinds of filters that cannot be read are removed, if there are any,
 * and not listed. 0 or -errno. Needs no right. */
int tun_keep(int fd, struct tun_kept *kept, char changes[TUN_CHANGES_TEXT]);
/* Has the kernel leave as much to the program as it can: TUN_F_*, or 0. */
uint32_t tun_offloads_set(int fd);
/* Whether the interface stays when nobody has it open. */
bool tun_persists(int fd);

/* SPDX-License-Identifier: MIT */
/*
 * What is at the other end of the connector: one const table of functions for each kind of wire.
 * A wire watches its descriptors edge-triggered, so that a busy turn costs no epoll calls: an
 * event only notes that there may be something, and wire_poll() reads until there is not.
 */
#pragma once

#include "tools/ixnic/nic.h"

struct wire_ops {
	const char *name;
	/* Hands up to `budget` frames to rx_frame(), as long as rx_ready() if `waits`. True: the
	 * budget ended before the frames did. */
	bool (*poll)(struct wire *wire, uint32_t budget);
	/* Sends a frame. 0; -EAGAIN: not now, and the loop will be woken when it can be tried
	 * again; 1: lost on the wire, and counted. A frame may be kept until flush(). */
	int (*send)(struct wire *wire, const struct frame *frame);
	/* Ends a batch: nothing of any frame may be used afterwards. May be NULL. */
	void (*flush)(struct wire *wire);
	/* Our light is on or off. */
	void (*carrier)(struct wire *wire, bool up);
	void (*free)(struct wire *wire);
};

/* The head of each kind's own struct. */
struct wire {
	const struct wire_ops *ops;
	struct nic *nic;
};

/* `name` is what stands behind the colon. */
int wire_tap_new(struct nic *nic, const char *name, const char *netns, struct wire **out,
		 struct nic_why *why);
int wire_cable_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		   struct nic_why *why);
int wire_seqpacket_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		       struct nic_why *why);

/* Connects to the SOCK_SEQPACKET socket at `path` (*connected is set then), or listens there
 * (listen_at) if nobody does. The descriptor or -errno, explained in `why`. -EWOULDBLOCK: somebody
 * else is at it; try again. */
int wire_meet(const char *path, bool *connected, struct nic_why *why);

/* For the data path; they take a NIC without a wire. */
bool wire_poll(struct nic *nic, uint32_t budget);
int wire_send(struct nic *nic, const struct frame *frame);
void wire_flush(struct nic *nic);

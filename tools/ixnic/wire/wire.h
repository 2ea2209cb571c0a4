/* SPDX-License-Identifier: MIT */
/*
 * wire: the far end of the cable, one const table of functions for each kind.
 *
 * nic->wire is the wire, nic->capture the file of --pcap. A wire watches its descriptors
 * edge-triggered, and a busy turn costs no epoll calls: an event only notes that there may be
 * something, and poll() reads until there is not.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     wire.c            a wire by its name, and the NIC's connector to it
 *       |
 *     wire_tap.c        a TAP: the kernel is the far end
 *     wire_cable.c      another ixnic
 *     wire_seqpacket.c  a socket for tests
 *       |
 *     wire_meet.c       two programs at one path: one listens, one connects
 *     wire_tap_merge.c  frames that continue each other become one packet
 *     wire_rate.c       a wire that is held to a rate
 *     capture.c         a file of the frames of both directions
 */
#pragma once

#include "bridge/service/listen.h"
#include "ixgbe/ixgbe.h"
#include "tools/ixnic/data/data.h"

/* Whether `spec` is tap:NAME, cable:PATH or seqpacket:PATH, with a name or path that can be one: 0,
 * or -errno, explained in `why`. */
int wire_check(const char *spec, struct ixgbe_why *why);
/* `spec` is one that wire_check() takes; `netns` (or NULL) is where the TAP is made. Sets
 * nic->wire, connects it, and adds it to nic->loop. 0 or -errno, explained in `why`. */
int wire_new(struct nic *nic, const char *spec, const char *netns, struct ixgbe_why *why);
void wire_free(struct nic *nic);

/* Whether the far end of the wire is there, for people to read: false if that is not known. */
bool wire_far_end(const struct nic *nic, char *text, size_t size);

/* Holds the wire to this many megabits a second in each direction; 0: to none. -1: no wire, or too
 * many. */
int wire_rate_set(struct nic *nic, uint32_t mbit_s);
uint32_t wire_rate_get(const struct nic *nic);

/* Records the wire's frames into a file at `path`. 0 or -errno, explained in `why`. */
int capture_new(struct nic *nic, const char *path, struct ixgbe_why *why);
void capture_free(struct nic *nic);

/* ---- Within this folder ---- */

struct wire_ops {
	/* As those of struct connector; `flush` and `far_end` may be NULL. A wire that can hold
	 * frames back calls wire_receive() only while receive_ready(). */
	bool (*poll)(struct wire *wire, uint32_t budget);
	int (*send)(struct wire *wire, const struct frame *frame);
	void (*flush)(struct wire *wire);
	void (*carrier)(struct wire *wire, bool up);
	void (*far_end)(const struct wire *wire, char *text, size_t size);
	void (*free)(struct wire *wire);
};

enum wire_way { WIRE_IN, WIRE_OUT, WIRE_WAYS };

/* wire_rate.c */
struct wire_rate {
	uint32_t mbit_s; /* 0: as fast as it goes */
	uint64_t busy_until_ns[WIRE_WAYS];
	uint64_t due_ns; /* of the timer */
};

/* The head of each kind's own struct. */
struct wire {
	const struct wire_ops *ops;
	struct nic *nic;
	struct wire_rate rate;
};

/* Whether a frame may begin now; if not, the loop wakes when one may. */
bool wire_rate_free(struct wire *wire, enum wire_way way);
/* A frame of `len` bytes went. */
void wire_rate_spend(struct wire *wire, enum wire_way way, uint32_t len);

/* Wires over sockets drop a packet that is longer, and count it. */
#define WIRE_PACKET_MAX 65536u

/* `name` is the part of the wire's name behind the colon. */
int wire_tap_new(struct nic *nic, const char *name, const char *netns, struct wire **out,
		 struct ixgbe_why *why);
int wire_cable_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		   struct ixgbe_why *why);
int wire_seqpacket_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		       struct ixgbe_why *why);

/* Connects *peer to the SOCK_SEQPACKET socket at `path`, or listens there (listen_at) if nobody
 * does. 0 or -errno, explained in `why`. -EWOULDBLOCK: somebody else is at it; try again, and after
 * LISTEN_LOCK_MS without the lock. Two that meet so may both listen: see listen_is_there. */
int wire_meet(const char *path, bool without_lock, int *peer, struct listen_socket *listener,
	      struct ixgbe_why *why);

void capture_frame(struct nic *nic, const struct frame *frame);
void capture_flush(struct nic *nic);

/* A frame comes out of the wire. */
static inline void wire_receive(struct wire *wire, const struct frame *frame)
{
	wire_rate_spend(wire, WIRE_IN, frame->head_len + frame->body_len);
	if (wire->nic->capture)
		capture_frame(wire->nic, frame);
	receive_frame(wire->nic, frame);
}

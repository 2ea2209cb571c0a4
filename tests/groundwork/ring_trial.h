/* SPDX-License-Identifier: MIT */
/*
 * A TAP and io_urings over it, for processes that are killed: see dead_ring.c.
 */
#pragma once

#include <liburing.h>
#include <linux/if_link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ETHER_TYPE  0x88b5 /* IEEE 802: for local experiments */
#define FRAME_BYTES 60
#define VNET_BYTES  12
#define SLOTS       16
#define SLOT_BYTES  2048
#define NUMBERS_MAX 4096u
#define RING_END_US 10000000

enum slot_reads {
	READS_ARMED, /* without RWF_NOWAIT: one waits for a frame, as the bridge's on 6.1 */
	READS_MANY,  /* likewise, all slots */
	READS_TURNS, /* RWF_NOWAIT, and a poll when there is no frame: as the bridge's on newer
			kernels */
	READS_ASYNC, /* in threads of the kernel (IOSQE_ASYNC) */
};

struct frame {
	uint8_t to[6], from[6];
	uint16_t type;
	uint16_t pad;
	uint32_t number;
};

struct slot {
	uint8_t vnet[VNET_BYTES];
	uint8_t frame[SLOT_BYTES - VNET_BYTES];
};

struct common {
	struct slot slot[SLOTS];
	atomic_bool noted[NUMBERS_MAX]; /* by the victim */
	atomic_int refused;             /* the kernel's error of a read */
};

struct trial {
	const char *name;
	unsigned int setup; /* of the ring */
	enum slot_reads reads;
	int depth;
	bool threaded;  /* the ring is another thread's than the process's first */
	bool ring_kept; /* we get the ring's descriptor */
	int tap, sender;
	int end[2]; /* the pipe */
	struct common *common;
};

/* Makes the interface, in a network namespace of its own: fills in the trial's descriptors and its
 * memory. False: there is none, says errno. */
bool trial_begin(struct trial *trial);
struct rtnl_link_stats interface_counts(void);
/* Sends a frame into the interface: the TAP's reader gets it. */
void frame_send(const struct trial *trial, uint32_t number);
/* The number of the frame in a slot; 0: there is none. */
uint32_t number_in(const struct slot *slot);
/* A ring over the TAP and the pipe's write end, as files 0 and 1. It alone has both afterwards. */
struct io_uring ring_new(const struct trial *trial);
/* The pipe whose end says that a ring is over. The actor that gets a ring calls ring_new. */
void end_new(int end[2]);

bool readable(int fd);
void wait_spinning(int64_t us);

/* In dead_ring_more.c: whether a dead ring takes counts of an eventfd, or writes frames. */
void dead_ring_event(int kills);
void dead_ring_writes(struct trial *trial, int kills);

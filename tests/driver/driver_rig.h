/* SPDX-License-Identifier: MIT */
/*
 * The fixture of the driver tests: a port over any backend that can run here, with the
 * test at the other end of its wire.
 *
 *     test ── libixgbe ── backend ── 82599 ── wire (SOCK_SEQPACKET) ── test
 *                                      └───── control socket ────────── test
 *
 *     vfio-user-fd   the software NIC, over a socketpair
 *     vfio-user      the same, listening on a path
 *     vfio           the kernel's VFIO, on the device $IXTAP_VFIO whose wire
 *                    reaches the socket $IXTAP_WIRE (and control $IXTAP_CONTROL)
 *
 * Nothing waits longer than RIG_DEADLINE_MS. Each test ends with a look at the rules of the
 * datasheet that the software NIC saw broken: there must be none.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ixgbe/ixgbe.h"

#define RIG_DEADLINE_MS 5000
#define RIG_QUIET_MS    50 /* how long to look for what must not come */
#define RIG_RING        256u
#define RIG_RX_BUFFERS  (2 * RIG_RING)
#define RIG_TX_BUFFERS  64u
#define RIG_TX_BYTES    (64u * 1024u + 256u)
#define RIG_BURST       32u
#define RIG_FRAME_MAX   9728u

struct rig {
	struct ixgbe *nic;
	uint16_t queues;
	struct ixgbe_pool *rx_pool[IXGBE_QUEUES_MAX], *tx_pool;
	/* Of the last burst of each queue, what no test has asked for yet. */
	struct rig_burst {
		struct ixgbe_seg seg[RIG_BURST];
		uint32_t at, count;
	} burst[IXGBE_QUEUES_MAX];
	const struct rig_backend *backend;
	char dir[32]; /* of the sockets */
	int pid;      /* of ixnic; -1: none */
	int sock;     /* ours of the socketpair; -1: none */
	int wire;     /* -1: not connected */
	uint8_t mac[IXGBE_MAC_BYTES];
	char last_means[160]; /* what the driver said when it used them; empty: it did not */
};

/* A received frame, put together. */
struct rig_frame {
	uint8_t data[RIG_FRAME_MAX];
	uint32_t len;
	uint32_t flags, rss_hash;
	uint16_t vlan, queue;
};

/* Chooses the backend named `name`. NULL, or why it cannot run here. */
const char *rig_select(const char *name);

/* For cmocka: *state is a struct rig *, with a device but no port. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Opens the port; 0 queues: 1. rig_start also starts it, brings the link up and waits for it. */
void rig_open(struct rig *rig, const struct ixgbe_options *options);
void rig_start(struct rig *rig, const struct ixgbe_options *options);
/* Closes the port; the device is there for the next rig_open. */
void rig_close(struct rig *rig);

/* In a keeper: a device with a receive pool and a transmit pool, that may do DMA. */
struct ixgbe_device *rig_device_open(struct rig *rig);
/* For a driver in another program: the wire and the control socket of the same rig. NULL: no
 * memory. */
struct rig *rig_elsewhere(const char *dir, int wire);
void rig_device_close(struct rig *rig, struct ixgbe_device *device);
/* In a driver: attaches, starts or goes on, and has the link come up. Fails no test. */
int rig_attach(struct rig *rig, struct ixgbe_device *device, struct ixgbe_why *why);

/* The software NIC dies at once. */
void rig_kill(struct rig *rig);

void rig_wire_send(struct rig *rig, const void *frame, size_t len);
/* The next frame from the NIC; fails the test if none comes. */
size_t rig_wire_recv(struct rig *rig, uint8_t *frame, size_t size);
bool rig_wire_quiet(struct rig *rig);

/* Receives one frame, from any queue; fails the test if none comes. */
void rig_recv(struct rig *rig, struct rig_frame *frame);
/* The same if there is one now. */
bool rig_try_recv(struct rig *rig, struct rig_frame *frame);
bool rig_recv_quiet(struct rig *rig);
/* Sends one frame of one segment, with what `offload` says of it (may be NULL). */
void rig_send(struct rig *rig, const void *frame, uint32_t len, const struct ixgbe_seg *offload);
void rig_send_on(struct rig *rig, uint16_t queue, const void *frame, uint32_t len,
		 const struct ixgbe_seg *offload);
/* Waits until all sent buffers are back in the pool. */
void rig_send_done(struct rig *rig);

/* A statistic by its name, after an update. */
uint64_t rig_stat(struct rig *rig, const char *name);
/* Whether the eventfd fires within `timeout_ms`; it is consumed. */
bool rig_irq(int fd, int timeout_ms);

/* How long a wait of the driver's takes: longer with a NIC that is not new. */
uint32_t rig_slow_us(uint32_t us);

/* Whether there is a control socket; asks it, and returns the number or truth of `key` (may be
 * NULL) in the reply. */
bool rig_has_control(const struct rig *rig);
long long rig_control(struct rig *rig, const char *request, const char *key);
/* A register as the NIC stores it; reading it so changes nothing. */
uint32_t rig_register(struct rig *rig, const char *name, uint32_t index);
/* A counter of the NIC's own. */
uint32_t rig_counter(struct rig *rig, const char *name);
/* The same of a statistics register. */
uint32_t rig_statistic(struct rig *rig, const char *name, uint32_t index);
uint64_t rig_now_ms(void);

/* SPDX-License-Identifier: MIT */
#pragma once

#include "frame.h"
#include "ring_rules.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/violations.h"
#include "tso.h"

/* The largest packet that PAYLEN can describe, with its headers, and room for a tag before it. */
#define TX_PACKET_BYTES (IXGBE_FIELD_GET(IXGBE_TXD_PAYLEN, IXGBE_TXD_PAYLEN) + IXGBE_TSO_HEADER_MAX)
#define TX_HEADROOM     64u /* a frame is padded there, too */
static_assert(TX_HEADROOM >= FRAME_MIN, "a short frame fits the headroom");

/* A context descriptor (section 7.2.3.2.3), taken apart. */
struct transmit_context {
	bool valid;
	bool ipv4;
	uint32_t l2_bytes, l3_bytes, l4_bytes, mss;
	uint32_t l4_type; /* IXGBE_TXC_L4T_* */
	uint16_t tag;
	bool used, used_tse; /* by a packet, and by one that was cut */
};

#define TX_DONE_MAX 64u /* descriptors whose write-back may be put off */

struct transmit_queue {
	struct ring_rules rules;
	bool rs_told, split_told; /* rules that it broke since it was enabled */
	uint32_t silent;          /* descriptors since the last with RS */
	struct transmit_context context[2];
	uint32_t done[TX_DONE_MAX]; /* descriptors, sent, to be written back */
	uint32_t done_count;
};

/* A packet's descriptors. */
struct transmit_batch {
	union ixgbe_desc first;
	struct {
		uint64_t iova;
		uint32_t len;
	} buffer[IXGBE_TX_DESC_FRAME_MAX];
	uint32_t buffers;
	uint32_t bytes;
	uint32_t end;                         /* ring index behind the last */
	bool bad;                             /* reported already */
	uint32_t rs[IXGBE_TX_DESC_FRAME_MAX]; /* those with RS */
	uint32_t rs_count;
	bool asks; /* RS is set, be it in a null descriptor */
};

/* The packet between the rings and the wire. There is one, as there is one wire; it keeps the
 * ring's head where it is until its last frame is out. */
struct transmit_packet {
	bool busy;
	bool cut;         /* by tso, else `frame` is all */
	bool frame_ready; /* made, but not yet taken by the wire */
	bool paced;       /* the wire is held to a rate, and was busy */
	bool wire_full;   /* the wire did not take it when it was tried last */
	bool no_crc;      /* it brings its own, or has none */
	uint32_t queue;
	uint32_t len;
	uint8_t *data; /* in tx_buffer */
	struct transmit_batch batch;
	struct frame frame;
	struct tso tso;
};

extern const struct reg_hook transmit_hooks[];

/* Sends up to `budget` frames. True: there is more that could go now. */
bool transmit_work(struct nic *nic, uint32_t budget);
void transmit_reset(struct nic *nic);
/* All queues are looked at: those that hung may go on. */
void transmit_again(struct nic *nic);

/* ---- transmit_prepare.c ---- */

/* Makes the packet of tx->batch ready to be sent; false: it is dropped, and counted. */
bool transmit_prepare(struct nic *nic, struct transmit_packet *tx);
/* Reports a rule that the batch breaks, unless it broke one before, and marks it. */
void transmit_refuse(struct nic *nic, struct transmit_batch *batch, enum nic_violation rule,
		     const char *what, uint32_t queue, uint32_t value);

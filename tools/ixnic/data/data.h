/* SPDX-License-Identifier: MIT */
/*
 * What the files of the data path share.
 *
 *   wire ── rx_frame() ── rx.c ─┬─ parse.c filter.c rss.c    what it is, whose it is
 *                               └─ packet buffer ─┬─────────── receive rings
 *                                                 └─ rsc.c ──┘
 *   transmit rings ── tx.c ── tso.c ── stats.c ── wire, or rx_frame() when looped back
 *
 * datapath_work() does a bounded turn of all of it: a few frames from the wire, a few from
 * the rings, then one flush of the wire and one interrupt for each queue that had something.
 */
#pragma once

#include "tools/ixnic/nic.h"
#include "packet_parse.h"
#include "rsc_merge.h"
#include "rss.h"
#include "tso.h"

/* Bounds of one turn. */
#define RX_FRAMES_TURN 256u
#define TX_FRAMES_TURN 256u

/* The packet buffer in front of the rings is this large, whatever RXPBSIZE says. */
#define RX_BUFFER_BYTES (512u * 1024u)

/* The largest packet that PAYLEN can describe, with its headers, and room for a tag before it. */
#define TX_PACKET_BYTES (IXGBE_FIELD_GET(IXGBE_TXD_PAYLEN, IXGBE_TXD_PAYLEN) + IXGBE_TSO_HEADER_MAX)
#define TX_HEADROOM     64u

/* Everything counted that is not a register. In each direction frames in = frames out + drops
 * (+ what waits in the packet buffer). */
#define NIC_COUNTERS(C)                                                                            \
	C(rx_frames)    /* from the wire */                                                        \
	C(rx_bytes)     /* of them, without CRC */                                                 \
	C(rx_delivered) /* written to a ring */                                                    \
	C(rx_coalesced) /* of them, in large receives of at least two */                           \
	C(rx_large)     /* those large receives */                                                 \
	C(rx_drop_link_down)                                                                       \
	C(rx_drop_disabled)     /* RXCTRL.RXEN clear, or SECRXCTRL.RX_DIS set */                   \
	C(rx_drop_runt)         /* shorter than 64 bytes with CRC */                               \
	C(rx_drop_oversize)     /* longer than MAXFRS, or than 1518 without JUMBOEN */             \
	C(rx_drop_length_field) /* 802.3 length that does not agree with the frame */              \
	C(rx_drop_control)      /* MAC control, without MFLCN.PMCF */                              \
	C(rx_drop_address)      /* no address filter matched */                                    \
	C(rx_drop_vlan)         /* not in VFTA */                                                  \
	C(rx_drop_missed)       /* packet buffer full: RXMPC */                                    \
	C(rx_drop_queue_disabled)                                                                  \
	C(rx_drop_flow_director) /* by a filter, its drop queue not enabled */                     \
	C(rx_drop_no_descriptor) /* with SRRCTL.DROP_EN: QPRDC */                                  \
	C(rx_drop_too_big)       /* more descriptors than the ring has */                          \
	C(rx_drop_dma)           /* ring or buffer not mapped */                                   \
	C(rx_drop_reset)         /* in the packet buffer at a reset */                             \
	C(tx_packets)            /* that rings asked for */                                        \
	C(tx_drop_invalid)       /* packets: descriptors against the rules */                      \
	C(tx_drop_dma)           /* packets: buffer not mapped */                                  \
	C(tx_frames)             /* cut from the other packets */                                  \
	C(tx_bytes)              /* of them, without CRC */                                        \
	C(tx_sent)               /* taken by the wire */                                           \
	C(tx_looped)             /* HLREG0.LPBK */                                                 \
	C(tx_drop_crc)           /* sent without CRC insertion, and the CRC in it was wrong */     \
	C(tx_drop_reset)         /* under way at a reset */                                        \
	C(wire_drop_no_peer)     /* nobody at the other end */                                     \
	C(wire_drop_down)        /* the TAP is administratively down */                            \
	C(wire_drop_error)       /* the kernel refused it */                                       \
	C(wire_drop_vnet)        /* from the TAP: header that contradicts the frame */             \
	C(wire_drop_truncated)   /* from a socket: longer than a frame can be */                   \
	C(wire_merged)           /* frames that went to the TAP as part of a bigger one */

enum nic_counter {
#define C(name) COUNTER_##name,
	NIC_COUNTERS(C)
#undef C
		NIC_COUNTER_COUNT
};

struct slice {
	const uint8_t *data;
	uint32_t len;
};

/* What receive-side coalescing knows of a frame: nothing on a queue without it. */
struct rsc_frame {
	bool tcp;       /* over IPv4: it closes the large receive of its flow, or joins it */
	bool candidate; /* may be in one; the rest of its L3 and L4 is then known */
	bool push;
	struct rsc_layout at; /* of the headers, as they reach the client */
	uint8_t flow[RSC_FLOW_BYTES];
};

/* A frame on its way to a ring, and what is known of it. */
struct rx_packet {
	struct slice part[4]; /* it, in order */
	uint32_t parts;
	uint32_t len;
	uint32_t queue;
	bool flow_drop;        /* `queue` is the flow director's drop queue */
	uint32_t split;        /* length of the header that may be split off; 0: none */
	union ixgbe_desc done; /* the last descriptor's write-back, but for length, DD and EOP */
	struct rsc_frame rsc;
};

/* Takes the next bytes of a packet, slice by slice. */
struct rx_reader {
	const struct rx_packet *packet;
	uint32_t part;
	uint32_t at;
};

/* A receive ring as its registers have it now. */
struct rx_ring {
	uint64_t base;
	uint32_t size; /* descriptors */
	uint32_t head;
	uint32_t free; /* descriptors from head to tail */
};

struct rx_queue {
	bool enable_seen; /* RXDCTL.ENABLE was read back set */
	bool interrupt;   /* something was written back in this turn */
};

#define RSC_CONTEXTS  32u /* large receives open at once (section 7.11) */
#define RSC_DESCS_MAX 16u /* RSCCTL.MAXDESC */
#define RSC_BEGIN_MAX 14u /* segments that begin in one buffer: RSCCNT is one more */

struct rsc_desc {
	uint16_t index; /* in the ring */
	uint16_t begin; /* segments */
	uint32_t bytes;
};

/* Where the next byte goes. */
struct rsc_tail {
	uint32_t descs;
	uint32_t room; /* in the last one's buffer */
	uint64_t iova;
};

/* A large receive that is open: its descriptors are taken, but not yet written back. */
struct rsc_context {
	uint32_t queue;
	uint8_t flow[RSC_FLOW_BYTES];
	uint32_t packets, bytes;
	uint32_t split; /* bytes in the header buffer */
	uint64_t header_iova;
	struct rsc_large large;
	union ixgbe_desc done; /* the last packet's */
	struct rsc_tail tail;
	struct rsc_desc desc[RSC_DESCS_MAX];
};

/* A context descriptor (section 7.2.3.2.3), taken apart. */
struct tx_context {
	bool valid;
	bool ipv4;
	uint32_t l2_bytes, l3_bytes, l4_bytes, mss;
	uint32_t l4_type; /* IXGBE_TXC_L4T_* */
	uint16_t tag;
};

#define TX_DONE_MAX 64u /* descriptors with RS whose write-back may be put off */

struct tx_queue {
	bool enable_seen;
	struct tx_context context[2];
	uint32_t done[TX_DONE_MAX]; /* descriptors with RS, sent, to be written back */
	uint32_t done_count;
};

/* A packet's descriptors. */
struct tx_batch {
	union ixgbe_desc first, last;
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
};

/* The packet between the rings and the wire. There is one, as there is one wire; it keeps the
 * ring's head where it is until its last frame is out. */
struct tx_packet {
	bool busy;
	bool cut;         /* by tso, else `frame` is all */
	bool frame_ready; /* made, but not yet taken by the wire */
	bool no_crc;      /* it brings its own, or has none */
	uint32_t queue;
	uint32_t len;
	uint8_t *data; /* in tx_buffer */
	struct tx_batch batch;
	struct frame frame;
	struct tso tso;
};

struct datapath {
	uint64_t counter[NIC_COUNTER_COUNT];

	/* rx.c */
	struct rx_queue rxq[NIC_QUEUES];
	uint64_t rx_interrupts[NIC_QUEUES / 64];  /* queues to raise at the end of the turn */
	uint32_t fifo_head, fifo_tail, fifo_used; /* bytes of fifo[] */
	uint8_t *fifo;

	/* rsc.c */
	uint32_t rsc_open;
	struct rsc_context
		*rsc[RSC_CONTEXTS]; /* the open ones, the oldest first; then the others */
	struct rsc_context rsc_context[RSC_CONTEXTS];

	/* filter.c: derived from registers, rebuilt when they were written */
	bool filter_stale;
	uint32_t addresses;
	uint64_t address[IXGBE_RAL_COUNT]; /* as in RAL and RAH */
	bool five_tuples, ethertypes;      /* any FTQF, any ETQF enabled */
	struct rss_table rss;

	/* fdir.c */
	bool fdir_on;
	struct fdir *fdir;

	/* tx.c */
	struct tx_queue txq[NIC_QUEUES];
	uint64_t tx_pending[NIC_QUEUES / 64]; /* queues whose tail moved */
	uint64_t tx_done[NIC_QUEUES / 64];    /* queues with descriptors to write back */
	uint64_t tx_interrupts[NIC_QUEUES / 64];
	uint32_t tx_next; /* queue to serve next */
	struct tx_packet tx;
	uint8_t *tx_buffer; /* TX_HEADROOM + TX_PACKET_BYTES */
};

static inline void count(struct nic *nic, enum nic_counter counter)
{
	nic->datapath->counter[counter]++;
}

static inline void count_add(struct nic *nic, enum nic_counter counter, uint64_t amount)
{
	nic->datapath->counter[counter] += amount;
}

static inline void bit_set(uint64_t *map, uint32_t bit)
{
	map[bit / 64] |= 1ull << bit % 64;
}

static inline uint32_t rxq_reg(const struct nic *nic, enum ixgbe_reg_offset row, uint32_t queue)
{
	return reg(nic, ixgbe_rxq_reg(row, queue));
}

static inline uint32_t txq_reg(const struct nic *nic, enum ixgbe_reg_offset row, uint32_t queue)
{
	return reg(nic, ixgbe_txq_reg(row, queue));
}

/* A snapshot of a descriptor that the client may be writing: each half is loaded once. */
static inline union ixgbe_desc desc_load(const union ixgbe_desc *desc)
{
	union ixgbe_desc copy;

	copy.qword[1] = __atomic_load_n(&desc->qword[1], __ATOMIC_ACQUIRE);
	copy.qword[0] = __atomic_load_n(&desc->qword[0], __ATOMIC_RELAXED);
	return copy;
}

/* Writes a descriptor back: the half with DD last, after everything that was written before. */
static inline void desc_store(union ixgbe_desc *desc, const union ixgbe_desc *value)
{
	__atomic_store_n(&desc->qword[0], value->qword[0], __ATOMIC_RELAXED);
	__atomic_store_n(&desc->qword[1], value->qword[1], __ATOMIC_RELEASE);
}

/* ---- descriptor.c ---- */

/* Descriptor `index` of the ring at `base`; NULL, and reported, if no memory of ours is there. */
union ixgbe_desc *desc_at(struct nic *nic, uint64_t base, uint32_t index);

/* ---- rx.c ---- */

/* Moves what waits in the packet buffer to the rings, as far as it goes. */
void rx_drain(struct nic *nic);
void rx_reset(struct nic *nic);

/* ---- receive_ring.c ---- */

struct rx_ring rx_ring_of(const struct nic *nic, uint32_t queue);
/* The descriptor at the ring's head, and one look at what the driver wrote there; NULL if there
 * is none. */
union ixgbe_desc *rx_slot(struct nic *nic, uint32_t queue, const struct rx_ring *ring,
			  union ixgbe_desc *given);

static inline void rx_ring_advance(struct rx_ring *ring)
{
	ring->head = ring->head + 1 == ring->size ? 0 : ring->head + 1;
	ring->free--;
}

void rx_read(struct rx_reader *from, uint8_t *to, uint32_t len);
/* To the client's buffer at `iova`, which may lie in several mappings. */
bool rx_read_to_client(struct nic *nic, struct rx_reader *from, uint64_t iova, uint32_t len);

/* ---- rsc.c ---- */

/* Fills out->rsc; out is laid out as it reaches the client. For queues with RSCCTL.RSCEN. */
void rsc_classify(const struct nic *nic, const struct frame *frame, const struct packet *packet,
		  struct rx_packet *out);
/* Whether the frame, which is TCP over IPv4, is now part of a large receive; else it is the
 * caller's, and the flow has none open. */
bool rsc_take(struct nic *nic, const struct rx_packet *packet);
void rsc_close(struct nic *nic, struct rsc_context *context);
void rsc_close_all(struct nic *nic);
/* Reports what is wrong with the settings of a queue that is about to be enabled. */
void rsc_check_queue(struct nic *nic, uint32_t queue);
void rsc_reset(struct nic *nic);

/* ---- tx.c ---- */

/* Sends up to `budget` frames. True: there is more that could go now. */
bool tx_work(struct nic *nic, uint32_t budget);
void tx_reset(struct nic *nic);

/* ---- tx_prepare.c ---- */

/* Makes the packet that tx->batch describes ready to be sent; false: it is dropped, and counted. */
bool tx_prepare(struct nic *nic, struct tx_packet *tx);
/* Reports a rule that the batch breaks, unless it broke one before, and marks it. */
void tx_refuse(struct nic *nic, struct tx_batch *batch, enum nic_violation rule, const char *what,
	       uint32_t queue, uint32_t value);

/* ---- filter.c ---- */

/* Whether the frame is for us. *inexact: only a hash or promiscuity says so (PIF). Counts the drop.
 */
bool filter_accept(struct nic *nic, const uint8_t *destination, const struct packet *packet,
		   bool *inexact);
/* Chooses the queue (7.1.2), and fills in what the descriptor says of it: packet and RSS type, flow
 * director status; what goes into the RSS hash's field in *hash. */
void filter_queue(struct nic *nic, const struct packet *packet, const struct frame *frame,
		  struct rx_packet *out, uint32_t *hash);

/* ---- stats.c; bytes are with CRC ---- */

enum stats_cast { CAST_UNI, CAST_MULTI, CAST_BROAD };
enum stats_cast stats_cast(const uint8_t *destination);
void stats_rx_wire(struct nic *nic, uint32_t bytes); /* anything that came, good or bad */
void stats_rx_good(struct nic *nic, const uint8_t *destination, uint32_t bytes);
void stats_rx_queue(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes);
void stats_rx_queue_drop(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes);
void stats_tx(struct nic *nic, const uint8_t *destination, uint32_t bytes);
void stats_tx_queue(struct nic *nic, uint32_t queue, uint32_t bytes);

/* SPDX-License-Identifier: MIT */
/*
 * A model with the flow director on, and what the datasheet's own words make of the hash
 * (section 7.1.2.7.15).
 */
#pragma once

#include "model_rings.h"

#define FDIR_QUEUES   4u
#define BUCKET_KEY    0x3dad14e2u /* those that drivers use */
#define SIGNATURE_KEY 0x174d3614u

/* Of FDIRCMD and FDIRCTRL. */
#define ADD       (IXGBE_FDIRCMD_CMD_ADD | IXGBE_FDIRCMD_LAST | IXGBE_FDIRCMD_QUEUE_EN)
#define TO(queue) IXGBE_FIELD_PREP(IXGBE_FDIRCMD_RX_QUEUE, queue)
#define PERFECT   IXGBE_FDIRCTRL_PERFECT_MATCH
#define LENGTH(n) IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_MAX_LENGTH, n)
/* Flexible bytes: the EtherType, or that of the tag. */
#define FLEX_ETHERTYPE IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_FLEX_OFFSET, 6)

/* The tuples, as on the wire. */
struct flow {
	uint16_t vlan;
	uint8_t source[16], destination[16]; /* IPv4: the last four */
	uint8_t ports[4];
	uint8_t flex[2];
	uint8_t pool, type;
};

/* A frame between two addresses. */
struct flow_spec {
	struct frame_spec spec;
	const char *source, *destination;
};
extern const struct flow_spec usual; /* TCP over IPv4 */

struct rig {
	struct model *m;
	struct ring rx[FDIR_QUEUES];
	struct received got;
	struct built f; /* the usual one, and its tuples */
	struct flow flow;
};

/* A driver's steps: the packet buffer shrunk, keys, FDIRCTRL with the flags, rings, receive on. */
void fdir_start(struct rig *rig, void **state, uint32_t pballoc, uint32_t flags);
/* FDIRCTRL written, and ready. */
void fdir_control(struct rig *rig, uint32_t fdirctrl);
/* The same when the tables have been started before: they are cleared first (7.1.2.7.9). */
void fdir_again(struct rig *rig, uint32_t fdirctrl);
/* RXPBSIZE as the filters' memory leaves it. */
void fdir_room(struct model *m, uint32_t pballoc);
/* FDIRHASH and FDIRCMD in one write, and the command is done. */
void fdir_command(struct rig *rig, uint32_t fdirhash, uint32_t fdircmd);

/* Sends the frame and takes it out of the queue where it must be; status and errors. */
uint32_t arrives(struct rig *rig, const struct built *f, uint32_t queue);
/* The same: whether it matched a filter. */
bool matches(struct rig *rig, const struct built *f, uint32_t queue);

void flow_build(struct built *f, const struct flow_spec *flow);
struct flow flow_of(const struct built *f); /* flexible bytes: FLEX_ETHERTYPE */
uint16_t flow_hash(uint32_t key, const struct flow *flow);
/* FDIRHASH of a flow: the bucket, and the signature or a software index. */
uint32_t signature_of(const struct flow *flow);
uint32_t index_of(const struct flow *flow, uint32_t index);
/* Adds a perfect match filter; `fdircmd` without the flow's type. */
void perfect(struct rig *rig, const struct flow *flow, uint32_t index, uint32_t fdircmd);

/* FDIRUSTAT and FDIRFSTAT, which reads clear, are just that. */
void fdir_counted(struct rig *rig, uint32_t added, uint32_t removed, uint32_t add_failed,
		  uint32_t remove_failed);

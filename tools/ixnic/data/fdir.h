/* SPDX-License-Identifier: MIT */
/* The flow director (sections 7.1.2.7 and 8.2.3.21); how it works stands in fdir.c. */
#pragma once

#include "frame.h"
#include "packet_parse.h"
#include "tools/ixnic/chip/chip.h"

/* Filters that each size of its memory (FDIRCTRL.PBALLOC) holds: 8, 16 and 32 K by signature, a
 * quarter of that by perfect match, and two fewer each (7.1.2.7.4). */
#define FDIR_SIGNATURE_FILTERS(pballoc) ((4096u << (pballoc)) - 2)
#define FDIR_PERFECT_FILTERS(pballoc)   ((1024u << (pballoc)) - 2)
#define FDIR_MEMORY_MIN                 (64u * 1024u) /* bytes; the next sizes are twice as large */

/* What FDIRCMD.CLEARHT was since the tables started. */
enum fdir_clear { FDIR_NOT_CLEARED, FDIR_CLEAR_SET, FDIR_CLEARED };

struct fdir; /* keys, filters and lists: allocated once, for the largest size */

extern const struct reg_hook fdir_hooks[];

int fdir_new(struct fdir **out);
void fdir_free(struct fdir *fdir);
/* State beside the registers: switched off, no filters. */
void fdir_reset(struct nic *nic);

/* Reports what is wrong with the settings that count when a frame comes. */
void fdir_check_first(struct nic *nic);

/* Bytes of the packet buffer that the filters take away from reception (7.1.2.7.4). */
uint32_t fdir_memory(const struct nic *nic);

/* The result of a lookup. */
struct fdir_verdict {
	uint32_t status; /* of the descriptor: FLM and FDIRErr */
	uint32_t id;     /* flow director filter ID, for the descriptor's RSS hash field */
	bool report;     /* FDIRCTRL wants it there */
	bool routed;     /* to `queue`, unless a filter that goes before has a queue for it */
	bool drop;       /* `queue` is the drop queue: a frame is dropped if that is not enabled */
	uint32_t queue;
};

/* Looks up a received frame of that pool, and counts it. Only while nic->data->fdir_on. */
void fdir_lookup(struct nic *nic, const struct parsed *packet, const struct frame *frame,
		 uint32_t pool, struct fdir_verdict *verdict);

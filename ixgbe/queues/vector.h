/* SPDX-License-Identifier: MIT */
/*
 * The inner loops of rx.c, tx.c and pool.h, several descriptors at a time. Internal to libixgbe.
 *
 * A loop here does what the plain one behind its call does, and stops before the first group that
 * has anything special in it: the plain loop goes on from there, and is the only one that judges.
 * So both have the same verdicts (tests/unit/test_vector.c), and a processor without AVX2 loses
 * nothing but time.
 *
 * Buffers of a pool are one array, and so are their records. So a buffer's address for the NIC
 * follows from that of its record, which is not read: see struct vector_pool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"
#include "ixgbe/tables/desc.h"

/* Descriptors of a group. */
#define VECTOR_RX_GROUP 8u
#define VECTOR_GROUP    4u

/* Whether this processor has what the loops need. The others are called only if so. */
bool vector_usable(void);

/* A pool's records from `record` on; the buffer of the record that is n bytes further on is
 * n * scale bytes behind `iova`. */
struct vector_pool {
	struct ixgbe_buf *record;
	uint64_t last; /* how far the last byte of the last record is off */
	uint64_t scale;
	ixgbe_iova iova;
	uint64_t size; /* of a buffer */
};

/* What a frame of one descriptor has to be, and where it lies in its buffer. */
struct vector_rx_terms {
	uint32_t headroom, buf_bytes;
	uint32_t status; /* bits that are flags of the segment, too */
};

/* `n` frames that were taken or written: of `bytes` bytes and with `flags` together. */
struct vector_sum {
	uint32_t n, flags;
	uint64_t bytes;
};

/* Takes frames of one good descriptor each, at most `max`: a multiple of VECTOR_RX_GROUP. Of the
 * flags only bad checksums are told. */
struct vector_sum vector_rx(const union ixgbe_desc *desc, struct ixgbe_buf *const *buf,
			    struct ixgbe_seg *seg, uint32_t max,
			    const struct vector_rx_terms *terms);

/* Puts the pool's buffers `from` into receive descriptors and their table `to`, `headroom` bytes
 * behind their beginnings. How many: `n` less than a group. */
uint32_t vector_refill(union ixgbe_desc *desc, struct ixgbe_buf **to, struct ixgbe_buf *const *from,
		       uint32_t n, const struct vector_pool *pool, uint32_t headroom);

struct vector_tx_terms {
	uint64_t command; /* the second half of a descriptor, without lengths */
	uint64_t noticed; /* flags, of which there is EOP alone */
	uint64_t least;   /* bytes */
};

/* Writes descriptors of frames that are one segment of the pool without offload, of terms->least to
 * `most` bytes, which is below 64 KiB, at most `max` frames, and their buffers into the table `to`.
 */
struct vector_sum vector_tx(union ixgbe_desc *desc, struct ixgbe_buf **to,
			    const struct ixgbe_seg *seg, uint32_t max,
			    const struct vector_pool *pool, const struct vector_tx_terms *terms,
			    uint64_t most);

/* Copies buffers of the pool to `top`. How many, of `n`. */
uint32_t vector_put(struct ixgbe_buf **top, struct ixgbe_buf *const *at, uint32_t n,
		    const struct vector_pool *pool);

/* SPDX-License-Identifier: MIT */
/*
 * The registers of the Intel 82599, as one table.
 *
 * IXGBE_REGISTERS(R), in regs_table.h, is the only place that knows where a register is and
 * how it behaves. The driver takes offsets from it, the software NIC its register file, the
 * register dump its names; they cannot disagree.
 *
 * The bits inside the registers are in fields.h, and descriptors in desc.h.
 *
 * Who calls whom: one file has code.
 *
 *     regs.c     the table as data, and the row of an offset
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guard.h"
#include "regs_table.h"

/* Bytes of BAR 0 with the usual flash: all registers are inside. */
#define IXGBE_BAR0_SIZE 0x80000u

/* Receive queues below this are in the low range of receive queue registers. */
#define IXGBE_RXQ_LOW_COUNT 64u
#define IXGBE_RXQ_COUNT     128u
#define IXGBE_TXQ_COUNT     128u

/* What a read returns and what a write does. */
enum ixgbe_reg_access {
	IXGBE_REG_RO,    /* read only: writes are ignored */
	IXGBE_REG_RW,    /* keeps the writable bits of what was written last */
	IXGBE_REG_WO,    /* a write acts; reads return zero */
	IXGBE_REG_RC,    /* counter: a read returns it and clears it; writes are ignored */
	IXGBE_REG_W1C,   /* a write clears the bits that are one in it */
	IXGBE_REG_RCW1C, /* a read clears all, a write clears the bits that are one in it: EICR */
	IXGBE_REG_W1S,   /* a write sets the bits that are one in it, a read shows them: EIMS */
};

/* Offsets: IXGBE_RDT. */
enum ixgbe_reg_offset {
#define IXGBE_R(name, offset, ...) IXGBE_##name = (offset),
	IXGBE_REGISTERS(IXGBE_R)
#undef IXGBE_R
};

/* Distances between elements and their numbers: IXGBE_RDT_STRIDE, IXGBE_RDT_COUNT. */
enum ixgbe_reg_shape {
#define IXGBE_R(name, offset, stride, count, ...)                                                  \
	IXGBE_##name##_STRIDE = (stride), IXGBE_##name##_COUNT = (count),
	IXGBE_REGISTERS(IXGBE_R)
#undef IXGBE_R
};

/* Position of a row in ixgbe_registers[]: IXGBE_ROW_RDT. */
enum ixgbe_reg_row {
#define IXGBE_R(name, ...) IXGBE_ROW_##name,
	IXGBE_REGISTERS(IXGBE_R)
#undef IXGBE_R
		IXGBE_REGISTER_ROWS
};

/* Offset of element n of a table: IXGBE_AT(TDT, 3). n is the caller's to check. */
#define IXGBE_AT(name, n) ((uint32_t)IXGBE_##name + (uint32_t)(n) * (uint32_t)IXGBE_##name##_STRIDE)

/*
 * Offset of a receive queue register (IXGBE_RDBAL .. IXGBE_RSCCTL, IXGBE_DCA_RXCTRL) for
 * queue q, 0..127. The high range repeats the low one. Sections 8.2.3.8 and 8.2.3.11.1.
 */
static inline uint32_t ixgbe_rxq_reg(enum ixgbe_reg_offset reg, uint32_t q)
{
	uint32_t at = (uint32_t)reg + (q % IXGBE_RXQ_LOW_COUNT) * (uint32_t)IXGBE_RDBAL_STRIDE;

	IXGBE_GUARD(q < IXGBE_RXQ_COUNT);
	return q < IXGBE_RXQ_LOW_COUNT ? at : at + (uint32_t)IXGBE_RDBAL_HI - (uint32_t)IXGBE_RDBAL;
}

/* Offset of a transmit queue register (IXGBE_TDBAL ...) for queue q, 0..127. 8.2.3.9. */
static inline uint32_t ixgbe_txq_reg(enum ixgbe_reg_offset reg, uint32_t q)
{
	IXGBE_GUARD(q < IXGBE_TXQ_COUNT);
	return (uint32_t)reg + q * (uint32_t)IXGBE_TDBAL_STRIDE;
}

/* Offset of the throttle register of MSI-X vector v, 0..128. 8.2.3.5.12. */
static inline uint32_t ixgbe_eitr_reg(uint32_t v)
{
	IXGBE_GUARD(v < (uint32_t)IXGBE_EITR_COUNT + (uint32_t)IXGBE_EITR_HI_COUNT);
	return v < (uint32_t)IXGBE_EITR_COUNT ? IXGBE_AT(EITR, v)
					      : IXGBE_AT(EITR_HI, v - (uint32_t)IXGBE_EITR_COUNT);
}

/* One row of the table. */
struct ixgbe_register {
	const char *name; /* datasheet name, without prefix */
	uint32_t offset;
	uint32_t stride;
	uint32_t count;
	enum ixgbe_reg_access access;
	uint32_t writable;
	uint32_t reset;
	const char *section; /* "" where the datasheet is silent */
};

/*
 * The rows, in table order: iterate from 0 below ixgbe_register_count, or index with
 * IXGBE_ROW_<NAME>.
 */
extern const struct ixgbe_register ixgbe_registers[];
extern const size_t ixgbe_register_count;

/*
 * The row that answers at `offset` (bytes in BAR 0), aliases resolved, or NULL when no
 * register is there or the offset is not a multiple of 4. On success *index is the
 * element within the row; index may be NULL, and is untouched on failure. Constant time,
 * thread safe: the first call builds an index.
 */
const struct ixgbe_register *ixgbe_register_find(uint32_t offset, uint32_t *index);

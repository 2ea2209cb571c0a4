/* SPDX-License-Identifier: MIT */
/*
 * The register file: reads and writes, driven by the table of ixgbe/tables/regs.h.
 *
 * The access class and the writable mask of the row are applied first, then the hooks
 * of the parts. Aliases are stored at the row's own offset. Several parts may hook one
 * register; their functions run in the order in which nic.c names the parts. Last of all a change
 * of bits that something running relies on is judged: see struct reg_live.
 *
 * A driver may do anything here: an access that the datasheet forbids is a violation,
 * counted and otherwise without effect.
 */
#include <errno.h>
#include <stdlib.h>

#include "chip.h"
#include "ixgbe/tables/guard.h"
#include "tools/ixnic/loop.h"
#include "violations.h"

#define HOOKS_MAX     256       /* of all parts together; number 0 is none */
#define ROW_HOOKS_MAX 32        /* of one row: a word has a bit for each */
#define RESET_WAIT_NS 10000000u /* section 4.2.1.6.1 */

struct regfile {
	struct {
		const struct reg_hook *hook;
		uint8_t next; /* of the same row, in `joined`; 0: it is the last */
	} joined[HOOKS_MAX];
	uint8_t first[IXGBE_REGISTER_ROWS]; /* hook of each row, in `joined`; 0: none */
};

/* Bits outside the writable mask that a driver may write as one all the same: bits that act and
 * read back as zero, and inputs, which a driver writes back as it read them. */
static const struct {
	enum ixgbe_reg_row row;
	uint32_t bits;
} acting[] = {
	{IXGBE_ROW_CTRL, IXGBE_CTRL_RST | IXGBE_CTRL_LRST},
	{IXGBE_ROW_I2CCTL, IXGBE_I2CCTL_CLK_IN | IXGBE_I2CCTL_DATA_IN},
	{IXGBE_ROW_EEC, IXGBE_EEC_DO | IXGBE_EEC_GNT},
	{IXGBE_ROW_FLA, IXGBE_FLA_SO | IXGBE_FLA_GNT},
	{IXGBE_ROW_EERD, IXGBE_EERD_START | IXGBE_EERD_DONE | IXGBE_EERD_DATA},
	{IXGBE_ROW_EEWR, IXGBE_EEWR_START | IXGBE_EEWR_DONE},
	{IXGBE_ROW_RXDCTL, IXGBE_RXDCTL_SWFLSH},
	{IXGBE_ROW_RXDCTL_HI, IXGBE_RXDCTL_SWFLSH},
	{IXGBE_ROW_TXDCTL, IXGBE_TXDCTL_SWFLSH},
	{IXGBE_ROW_EITR, IXGBE_EITR_CNT_WDIS},
	{IXGBE_ROW_EITR_HI, IXGBE_EITR_CNT_WDIS},
	{IXGBE_ROW_AUTOC, IXGBE_AUTOC_RESTART_AN},
	{IXGBE_ROW_MSCA, IXGBE_MSCA_MDICMD},
	{IXGBE_ROW_TCPTIMER, IXGBE_TCPTIMER_KICKSTART},
	{IXGBE_ROW_IPSTXIDX, IXGBE_IPSTXIDX_READ | IXGBE_IPSTXIDX_WRITE},
	{IXGBE_ROW_IPSRXIDX, IXGBE_IPSRXIDX_READ | IXGBE_IPSRXIDX_WRITE},
	{IXGBE_ROW_PFMAILBOX, IXGBE_PFMAILBOX_STS | IXGBE_PFMAILBOX_ACK},
	{IXGBE_ROW_PFQDE, IXGBE_PFQDE_WE | IXGBE_PFQDE_RE},
	{IXGBE_ROW_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE},
	/* These have rules of their own. */
	{IXGBE_ROW_DTXMXSZRQ, ~IXGBE_DTXMXSZRQ_MAX_BYTES},
	{IXGBE_ROW_RDBAL, IXGBE_RING_ALIGN_BYTES - 1},
	{IXGBE_ROW_RDBAL_HI, IXGBE_RING_ALIGN_BYTES - 1},
	{IXGBE_ROW_RDLEN, ~0u},
	{IXGBE_ROW_RDLEN_HI, ~0u},
	{IXGBE_ROW_TDBAL, IXGBE_RING_ALIGN_BYTES - 1},
	{IXGBE_ROW_TDLEN, ~0u},
};

/* The software and firmware semaphores and the manageability filters live through the resets of the
 * driver's own doing (section 4.2.3). */
static const enum ixgbe_reg_row lasting[] = {
	IXGBE_ROW_SWSM, IXGBE_ROW_SW_FW_SYNC, IXGBE_ROW_MAVTV, IXGBE_ROW_MFUTP,
	IXGBE_ROW_METF, IXGBE_ROW_MANC,       IXGBE_ROW_MFVAL, IXGBE_ROW_MANC2H,
	IXGBE_ROW_MDEF, IXGBE_ROW_MDEF_EXT,   IXGBE_ROW_MIPAF, IXGBE_ROW_MMAL,
	IXGBE_ROW_MMAH, IXGBE_ROW_FTFT,
};

static uint32_t row_of(const struct ixgbe_register *r)
{
	return (uint32_t)(r - ixgbe_registers);
}

static bool hook_is_end(const struct reg_hook *hook)
{
	return !hook->read && !hook->write && !hook->live.bits;
}

int regfile_new(struct nic *nic, const struct reg_hook *const *parts, size_t count)
{
	struct regfile *file = calloc(1, sizeof(*file));
	uint32_t n = 1;

	if (!file)
		return -ENOMEM;
	while (count-- > 0) {
		for (const struct reg_hook *hook = parts[count]; !hook_is_end(hook); hook++) {
			uint32_t index = 1;
			const struct ixgbe_register *r = ixgbe_register_find(hook->offset, &index);

			IXGBE_GUARD(r && index == 0 && n < HOOKS_MAX);
			file->joined[n].hook = hook;
			file->joined[n].next = file->first[row_of(r)];
			file->first[row_of(r)] = (uint8_t)n++;
		}
	}
	nic->regfile = file;
	return 0;
}

void regfile_free(struct nic *nic)
{
	free(nic->regfile);
	nic->regfile = NULL;
}

static const struct ixgbe_register *lookup(struct nic *nic, uint32_t offset, uint32_t *index,
					   const char *access)
{
	const struct ixgbe_register *r;

	if (offset % 4) {
		violation(nic, VIOLATION_UNALIGNED_ACCESS, "%s at 0x%05x", access, offset);
		return NULL;
	}
	r = ixgbe_register_find(offset, index);
	if (!r)
		violation(nic, VIOLATION_UNKNOWN_REGISTER, "%s at 0x%05x", access, offset);
	return r;
}

uint32_t regfile_read(struct nic *nic, uint32_t offset)
{
	const struct regfile *file = nic->regfile;
	uint32_t index, at, value;
	const struct ixgbe_register *r = lookup(nic, offset, &index, "read");

	nic->register_reads++;
	if (!r)
		return 0;
	at = r->offset + index * r->stride;
	value = r->access == IXGBE_REG_WO ? 0 : reg(nic, at);
	for (uint32_t h = file->first[row_of(r)]; h; h = file->joined[h].next) {
		if (file->joined[h].hook->read)
			value = file->joined[h].hook->read(nic, index, value);
	}
	/* Which bits of EICR (RCW1C) a read clears depends on the mode: interrupt.c clears them. */
	if (r->access == IXGBE_REG_RC)
		reg_store(nic, at, 0);
	return dirty_read(nic, r, at, value);
}

/* The value after the access class and the mask were applied. */
static uint32_t apply(const struct ixgbe_register *r, uint32_t old, uint32_t written)
{
	switch (r->access) {
	case IXGBE_REG_RW:
		return (old & ~r->writable) | (written & r->writable);
	case IXGBE_REG_W1C:
	case IXGBE_REG_RCW1C:
		return old & ~(written & r->writable);
	case IXGBE_REG_W1S:
		return old | (written & r->writable);
	case IXGBE_REG_RO:
	case IXGBE_REG_RC:
	case IXGBE_REG_WO:
		break;
	}
	return old;
}

static void check_write(struct nic *nic, const struct ixgbe_register *r, uint32_t index,
			uint32_t old, uint32_t written)
{
	uint32_t reserved = written & ~r->writable & ~old;

	if (r->access == IXGBE_REG_RO || r->access == IXGBE_REG_RC) {
		if (written != old)
			violation(nic, VIOLATION_READ_ONLY_WRITE, "%s[%u] = 0x%08x", r->name, index,
				  written);
		return;
	}
	if (r->access != IXGBE_REG_RW || !reserved)
		return;
	for (size_t i = 0; i < sizeof(acting) / sizeof(acting[0]); i++) {
		if (acting[i].row == row_of(r))
			reserved &= ~acting[i].bits;
	}
	if (reserved)
		violation(nic, VIOLATION_RESERVED_BITS, "%s[%u] = 0x%08x, reserved 0x%08x", r->name,
			  index, written, reserved);
}

/* A driver waits before it touches anything after a reset, though the reset is over here. A second
 * reset may follow at once (5.2.5.3.2). */
static void check_reset_wait(struct nic *nic, const struct ixgbe_register *r, uint32_t written)
{
	uint64_t since;

	if (!nic->reset_at_ns ||
	    (r->offset == IXGBE_CTRL && written & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST)))
		return;
	since = loop_now_ns() - nic->reset_at_ns;
	if (since < RESET_WAIT_NS)
		violation(nic, VIOLATION_RESET_NOT_WAITED, "%s written %u us after the reset",
			  r->name, (unsigned)(since / 1000));
	else
		nic->reset_at_ns = 0;
}

/* The hooks of a row whose live bits something relies on now, a bit for each in their order. */
static uint32_t live_running(const struct nic *nic, uint32_t row, uint32_t index)
{
	const struct regfile *file = nic->regfile;
	uint32_t running = 0, n = 0;

	for (uint32_t h = file->first[row]; h; h = file->joined[h].next, n++) {
		const struct reg_live *live = &file->joined[h].hook->live;

		IXGBE_GUARD(n < ROW_HOOKS_MAX);
		if (live->bits && (!live->runs || live->runs(nic, index)))
			running |= 1u << n;
	}
	return running;
}

/* A write is over: those of `running` are judged whose bits it changed. */
static void live_judge(struct nic *nic, const struct ixgbe_register *r, uint32_t index,
		       uint32_t running, uint32_t old)
{
	const struct regfile *file = nic->regfile;
	const uint32_t now = reg(nic, r->offset + index * r->stride);

	for (uint32_t h = file->first[row_of(r)]; running;
	     h = file->joined[h].next, running >>= 1) {
		const struct reg_live *live = &file->joined[h].hook->live;

		if (!(running & 1) || !((now ^ old) & live->bits))
			continue;
		if (live->judge)
			live->judge(nic, index);
		else
			violation(nic, live->rule, "%s[%u] 0x%08x to 0x%08x", r->name, index, old,
				  now);
	}
}

void regfile_write(struct nic *nic, uint32_t offset, uint32_t value)
{
	const struct regfile *file = nic->regfile;
	uint32_t index, at, old, running;
	const struct ixgbe_register *r = lookup(nic, offset, &index, "write");

	if (!r)
		return;
	at = r->offset + index * r->stride;
	old = reg(nic, at);
	running = live_running(nic, row_of(r), index);
	check_reset_wait(nic, r, value);
	check_write(nic, r, index, old, value);
	dirty_write(nic, r, at, old, value);
	reg_store(nic, at, apply(r, old, value));
	for (uint32_t h = file->first[row_of(r)]; h; h = file->joined[h].next) {
		if (file->joined[h].hook->write)
			file->joined[h].hook->write(nic, index, old, value);
	}
	live_judge(nic, r, index, running, old);
}

static bool row_lasts(uint32_t row)
{
	for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++) {
		if (lasting[i] == row)
			return true;
	}
	return false;
}

void regfile_reset(struct nic *nic, enum nic_reset kind)
{
	bool by_driver = kind == NIC_RESET_CTRL_RST || kind == NIC_RESET_LINK;

	for (uint32_t row = 0; row < IXGBE_REGISTER_ROWS; row++) {
		const struct ixgbe_register *r = &ixgbe_registers[row];

		if (by_driver && row_lasts(row))
			continue;
		for (uint32_t i = 0; i < r->count; i++)
			reg_store(nic, r->offset + i * r->stride, r->reset);
	}
	/* The table has one reset value a row; here entry 0 alone has it (8.2.3.9.16). */
	for (uint32_t i = 1; i < IXGBE_TXPBTHRESH_COUNT; i++)
		reg_store(nic, IXGBE_AT(TXPBTHRESH, i), 0);
}

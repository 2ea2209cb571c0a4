/* SPDX-License-Identifier: MIT */
/* The register dump: the table, less what a read would change. */
#include "parts.h"

#include <errno.h>
#include <stdio.h>

/* Registers whose class says RO or RW and whose read has an effect all the same. */
static bool read_changes(enum ixgbe_reg_row row)
{
	switch (row) {
	case IXGBE_ROW_SWSM: /* takes SMBI */
	case IXGBE_ROW_PFMAILBOX:
	case IXGBE_ROW_PVFMAILBOX: /* clears the message bits */
	case IXGBE_ROW_RXSTMPH:    /* lets the next time stamp in */
	case IXGBE_ROW_TXSTMPH:
	case IXGBE_ROW_AUXSTMPH0:
	case IXGBE_ROW_AUXSTMPH1:
		return true;
	default:
		return false;
	}
}

static bool readable(size_t row)
{
	const struct ixgbe_register *r = &ixgbe_registers[row];
	bool class = r->access == IXGBE_REG_RO || r->access == IXGBE_REG_RW ||
		     r->access == IXGBE_REG_W1C || r->access == IXGBE_REG_W1S;

	/* What the datasheet does not describe is left alone. */
	return class && r->section[0] != '\0' && !read_changes((enum ixgbe_reg_row)row);
}

int ixgbe_registers_dump(struct ixgbe *nic,
			 void (*row)(void *ctx, const char *name, uint32_t offset, uint32_t value),
			 void *ctx)
{
	char name[32];

	if (port_gone(nic))
		return -ENODEV;
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		for (uint32_t n = 0; readable(i) && n < r->count; n++) {
			uint32_t offset = r->offset + n * r->stride;

			snprintf(name, sizeof(name), r->count > 1 ? "%s[%u]" : "%s", r->name, n);
			row(ctx, name, offset, reg_read(nic, offset));
		}
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The EEPROM's own pins (section 8.2.3.2.1): a serial memory of 2 KiB with 16-bit addresses
 * and pages of 32 bytes, which a driver clocks by EEC bit by bit. That is how drivers
 * write it; for reading they have EERD.
 *
 * EEC.REQ asks for the pins and gets them at once. The memory is selected while CS is low; it
 * takes DI where SK rises and moves DO where SK falls. Of a word, the low byte comes first.
 *
 *   select, READ, address (2 bytes), data...   deselect     counts on to the next byte
 *   select, WREN                               deselect     permits one write
 *   select, WRITE, address, data...            deselect     wraps round within a page
 *   select, RDSR, status                       deselect     bit 0 busy: never; bit 1 permitted
 */
#include <errno.h>
#include <stdlib.h>

#include "chip.h"
#include "violations.h"

#define PAGE_MASK  31u
#define BYTES_MASK (EEPROM_WORDS * 2 - 1)

enum { WRITE = 2, READ = 3, WRDI = 4, RDSR = 5, WREN = 6 };

struct spi {
	uint32_t bits;  /* clocks since the memory was selected */
	uint32_t shift; /* bits that came in */
	uint8_t opcode;
	uint8_t out; /* the byte that goes out */
	uint32_t address;
	bool permitted; /* by WREN */
	uint64_t reads; /* nic->register_reads when the pins moved last */
};

int spi_new(struct nic *nic)
{
	nic->spi = calloc(1, sizeof(*nic->spi));
	if (!nic->spi)
		return -ENOMEM;
	nic->spi->reads = UINT64_MAX; /* never moved */
	return 0;
}

void spi_free(struct nic *nic)
{
	free(nic->spi);
	nic->spi = NULL;
}

static uint8_t byte_read(const struct nic *nic, uint32_t address)
{
	return (uint8_t)(eeprom_image_word(nic, address / 2) >> (address % 2 * 8));
}

static void byte_write(struct nic *nic, uint32_t address, uint8_t value)
{
	uint32_t shift = address % 2 * 8;
	uint32_t word = eeprom_image_word(nic, address / 2) & ~(0xffu << shift);

	eeprom_image_word_set(nic, address / 2, (uint16_t)(word | (uint32_t)value << shift));
}

/* Eight more bits are in: the opcode, a byte of the address, or data. */
static void byte_in(struct nic *nic, struct spi *spi)
{
	uint8_t value = (uint8_t)spi->shift;

	if (spi->bits == 8) {
		spi->opcode = value;
		if (value == WREN || value == WRDI)
			spi->permitted = value == WREN;
		spi->out = spi->permitted ? 2 : 0;
	} else if (spi->bits <= 24) {
		spi->address = (spi->address << 8 | value) & BYTES_MASK;
	} else if (spi->opcode == WRITE && spi->permitted) {
		byte_write(nic, spi->address, value);
		spi->address = (spi->address & ~PAGE_MASK) | ((spi->address + 1) & PAGE_MASK);
	}
}

/* Before the first bit of a byte goes out: fetches the byte. */
static void byte_out(const struct nic *nic, struct spi *spi)
{
	if (spi->opcode != READ || spi->bits < 24)
		return;
	spi->out = byte_read(nic, spi->address);
	spi->address = (spi->address + 1) & BYTES_MASK;
}

static void deselect(struct spi *spi)
{
	if (spi->opcode == WRITE)
		spi->permitted = false;
	spi->opcode = 0;
	spi->bits = 0;
	spi->address = 0;
}

static void clock_rise(struct nic *nic, struct spi *spi, bool di)
{
	spi->shift = spi->shift << 1 | di;
	/* The count stays in the data's range, however long the transfer is. */
	spi->bits = spi->bits == 32 ? 25 : spi->bits + 1;
	if (spi->bits % 8 == 0)
		byte_in(nic, spi);
}

/* The level of DO after SK fell. */
static bool clock_fall(struct nic *nic, struct spi *spi)
{
	if (spi->bits < 8)
		return false;
	if (spi->bits % 8 == 0)
		byte_out(nic, spi);
	return spi->out >> (7 - spi->bits % 8) & 1;
}

/* The pins may move. Returns whether the memory has seen their levels before. As on the module's
 * wires, two moves without a register read in between are too close, and the memory loses its
 * place. */
static bool levels_seen(struct nic *nic, uint32_t old, uint32_t value)
{
	struct spi *spi = nic->spi;
	bool seen = spi->reads != nic->register_reads;

	if (!((old ^ value) & (IXGBE_EEC_SK | IXGBE_EEC_CS | IXGBE_EEC_DI)))
		return true;
	spi->reads = nic->register_reads;
	if (!seen)
		violation(nic, VIOLATION_WIRES_UNREAD, "EEC = 0x%08x", value);
	return seen;
}

static void eec_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	struct spi *spi = nic->spi;
	uint32_t value = reg(nic, IXGBE_EEC) & ~IXGBE_EEC_GNT;

	(void)index;
	(void)written;
	if (value & IXGBE_EEC_REQ)
		value |= IXGBE_EEC_GNT;
	if (!(value & IXGBE_EEC_GNT) || !levels_seen(nic, old, value) || value & IXGBE_EEC_CS) {
		deselect(spi);
		value &= ~IXGBE_EEC_DO;
	} else if (value & ~old & IXGBE_EEC_SK) {
		clock_rise(nic, spi, value & IXGBE_EEC_DI);
	} else if (old & ~value & IXGBE_EEC_SK) {
		value &= ~IXGBE_EEC_DO;
		value |= clock_fall(nic, spi) ? IXGBE_EEC_DO : 0;
	}
	reg_store(nic, IXGBE_EEC, value);
}

const struct reg_hook spi_hooks[] = {
	{.offset = IXGBE_EEC, .write = eec_write},
	{0},
};

/* SPDX-License-Identifier: MIT */
/*
 * A backend without a device: registers in an array that behave as their access
 * class in the table says, and as much of an 82599 as the driver waits for. Every
 * access is recorded in order. A test bends it through forced bits and hooks.
 */
#pragma once

#include "ixgbe/parts.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define FAKE_EEPROM_WORDS 0x400u
#define FAKE_FORCED_MAX   8u
#define FAKE_MAPS_MAX     64u
#define FAKE_VECTORS_MAX  17u

extern const uint8_t fake_mac[IXGBE_MAC_BYTES];

struct fake_access {
	bool write;
	uint32_t offset, value;
};

struct fake {
	struct ixgbe_backend base; /* first: it is the backend */
	uint32_t reg[IXGBE_BAR0_SIZE / 4];
	uint8_t config[256];
	uint16_t eeprom[FAKE_EEPROM_WORDS];
	bool cable;           /* light from the partner */
	bool gone;            /* the device left the bus: all ones */
	bool status_sticks;   /* writes to the PCI status do nothing, as over the kernel's VFIO */
	uint32_t dma_refused; /* what the backend says */

	/* The module in the cage, a slave on the wires of I2CCTL. */
	struct {
		bool present;
		uint8_t page[128];
		enum { FAKE_I2C_IDLE, FAKE_I2C_ADDRESS, FAKE_I2C_OFFSET, FAKE_I2C_READ } state;
		bool clock, data; /* as the driver drives them */
		bool pull;        /* the module holds data low */
		uint32_t bits;    /* of the byte on its way; the ninth acknowledges */
		uint8_t shift, offset;
	} sfp;

	struct fake_access *log;
	size_t log_count, log_room;

	/* These bits read as this, whatever was written. */
	struct {
		uint32_t offset, mask, value;
	} forced[FAKE_FORCED_MAX];
	size_t forced_count;

	/* Called after the access has had its effect; may be NULL. */
	void (*on_read)(struct fake *fake, uint32_t offset, uint32_t *value);
	void (*on_config_read)(struct fake *fake, uint32_t offset); /* before it is answered */
	void (*on_write)(struct fake *fake, uint32_t offset, uint32_t value);
	void *ctx;

	int irq_set_error; /* what irq_set returns */
	int eventfd[FAKE_VECTORS_MAX];
	uint32_t vectors;
	struct {
		void *addr;
		size_t len;
		ixgbe_iova iova;
	} map[FAKE_MAPS_MAX];
	size_t maps;
	unsigned int resets, closed;
};

/* A device as after power-on: 8086:10fb, a valid EEPROM with fake_mac, the cable in. */
struct fake *fake_new(void);
/* A port on it. */
int fake_open(struct fake *fake, const struct ixgbe_options *options, struct ixgbe **out,
	      struct ixgbe_why *why);
/* After ixgbe_close: the port's close leaves it to the test to look at. */
void fake_free(struct fake *fake);
void fake_force(struct fake *fake, uint32_t offset, uint32_t mask, uint32_t value);
void fake_unforce(struct fake *fake);
/* Makes the EEPROM's checksum right again. */
void fake_eeprom_seal(struct fake *fake);
/* Memory that the driver mapped, or NULL. */
void *fake_dma_at(const struct fake *fake, ixgbe_iova iova, size_t len);
/* Position in the log of the first access at or after `from` that fits; -1: none. */
long fake_find_write(const struct fake *fake, size_t from, uint32_t offset, uint32_t mask,
		     uint32_t value);
long fake_find_read(const struct fake *fake, size_t from, uint32_t offset);

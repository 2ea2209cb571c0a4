/* SPDX-License-Identifier: MIT */
/*
 * chip: the register file, and the units behind all registers but those of rings and filters.
 *
 * Each part owns its state, which it keeps in struct nic, and the hooks of its registers. nic.c
 * makes the parts and hands their hooks to the register file.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     fault_play.c    faults begin, act as time passes, and end
 *       |
 *     phy.c           the link: laser, light, AUTOC, LINKS
 *     spi.c           the EEPROM's own pins, in EEC
 *     regfile.c       reads and writes of registers, by the table
 *     paths.c         the switches of the receive and transmit paths
 *       |
 *     interrupt.c     causes, masks, vectors, EITR, the TCP timer
 *     eeprom_image.c  the EEPROM and its registers, the semaphores
 *     module.c        the SFP+ module, on the two wires of I2CCTL
 *       |
 *     dirty.c         what a NIC that is not new has in its registers, and the time it takes
 *       |
 *     dirty_setup.c   of that: what a driver has to set up after a reset
 *     dirty_board.c   and what is on the board
 *       |
 *     statistics.c    the statistics registers
 *     violations.c    the rules that the driver broke
 *     faults.c        the faults that the operator has given it
 */
#pragma once

#include "violations.h"

/* ---- regfile.c: nic->regfile is how the hooks are found ---- */

/* The bits of a register that something relies on while it runs. A change of them then breaks
 * `rule`; or there is a judge, who looks whether all is still as the rules ask that are his. */
struct reg_live {
	uint32_t bits;                                       /* 0: none */
	bool (*runs)(const struct nic *nic, uint32_t index); /* before the write; NULL: always */
	void (*judge)(struct nic *nic, uint32_t index);      /* NULL: any change breaks `rule` */
	enum nic_violation rule;
};

/* The side effects of an access. `index` is that of the register in its row. read: gets the stored
 * value, may change it, and returns the value that the driver sees. write: comes after the access
 * class was applied; `old` is the stored value from before. Either may be NULL. The live bits are
 * judged after the write. */
struct reg_hook {
	uint32_t offset; /* of index 0: IXGBE_<NAME> */
	uint32_t (*read)(struct nic *nic, uint32_t index, uint32_t value);
	void (*write)(struct nic *nic, uint32_t index, uint32_t old, uint32_t written);
	struct reg_live live;
};
/* Rows for live bits alone: what may not change, and what is judged again. */
#define REG_STILL(name, bits, runs, rule)                                                          \
	{                                                                                          \
		.offset = IXGBE_##name, .live = { bits, runs, NULL, VIOLATION_##rule }             \
	}
#define REG_JUDGED(name, bits, runs, judge)                                                        \
	{                                                                                          \
		.offset = IXGBE_##name, .live = { bits, runs, judge, VIOLATIONS }                  \
	}
/* The register file with the hooks of `count` parts, in this order; a part's end with a row
 * without functions. */
int regfile_new(struct nic *nic, const struct reg_hook *const *parts, size_t count);
void regfile_free(struct nic *nic);
/* An access by the driver, with access class, side effects and rules. */
uint32_t regfile_read(struct nic *nic, uint32_t offset);
void regfile_write(struct nic *nic, uint32_t offset, uint32_t value);
/* All registers back to their reset values, but for those that live through this kind. */
void regfile_reset(struct nic *nic, enum nic_reset kind);

/* ---- dirty.c: nic->dirty is what is undefined and under way ---- */

/* From now on the NIC is as another driver left it, at random; short waits are `slow` times as
 * long. 0 or -ENOMEM. */
int dirty_set(struct nic *nic, uint64_t seed, uint32_t slow);
void dirty_free(struct nic *nic);
/* Before and after the registers have their reset values. */
void dirty_leave(struct nic *nic, enum nic_reset kind);
void dirty_reset(struct nic *nic, enum nic_reset kind);
/* The value that the driver sees, for a register that has `value`. */
uint32_t dirty_read(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
		    uint32_t value);
/* Before a write takes effect. */
void dirty_write(struct nic *nic, const struct ixgbe_register *r, uint32_t offset, uint32_t old,
		 uint32_t written);
/* Whether the device status shows requests of the device on the bus. */
bool dirty_pending(struct nic *nic);
/* A read of this RXDCTL or TXDCTL: whether it shows ENABLE as it was before the last write. The
 * hook of the register asks, and dirty_read does so. */
bool dirty_queue_late(struct nic *nic, uint32_t offset);
/* PIENA was written, and lets a cause through that is there. */
bool dirty_exception(const struct nic *nic);

/* ---- dirty_board.c ---- */

/* Another module is there, and knows no settings. */
void dirty_module(struct nic *nic, bool two_rates);
/* Whether everything is set up that a link needs. */
bool dirty_link(const struct nic *nic);

/* ---- paths.c: nic->eeprom_seen and dma_seen ---- */

extern const struct reg_hook paths_hooks[];

/* ---- eeprom_image.c: nic->eeprom_image is the image ---- */

#define EEPROM_WORDS 1024u

extern const struct reg_hook eeprom_image_hooks[];

int eeprom_image_new(struct nic *nic);
void eeprom_image_free(struct nic *nic);
void eeprom_image_load(
	struct nic *nic); /* the automatic read after a reset: registers of the image */
uint16_t eeprom_image_word(const struct nic *nic, uint32_t address); /* 0xffff beyond the end */
void eeprom_image_word_set(struct nic *nic, uint32_t address, uint16_t value); /* nothing beyond */

/* ---- spi.c: nic->spi is a transfer under way ---- */

extern const struct reg_hook spi_hooks[];

int spi_new(struct nic *nic);
void spi_free(struct nic *nic);

/* ---- module.c: nic->module is the module's memory and the state of its wires ---- */

extern const struct reg_hook module_hooks[];

enum module_kind { MODULE_NONE, MODULE_SR, MODULE_SR_TWO_RATES, MODULE_DA };

int module_new(struct nic *nic); /* MODULE_SR */
/* Another module; it takes some time before it answers. */
void module_plug(struct nic *nic, enum module_kind kind);
bool module_present(const struct nic *nic);
enum module_kind module_which(const struct nic *nic);
void module_free(struct nic *nic);
void module_reset(struct nic *nic);
bool module_tx_disable(const struct nic *nic); /* its pin of that name is high */
bool module_laser(const struct nic *nic);      /* the module's own TX_DISABLE is clear */

/* ---- phy.c: nic->phy is whether the link is up, and how it gets there ---- */

extern const struct reg_hook phy_hooks[]; /* behind module_hooks: both hook I2CCTL */

int phy_new(struct nic *nic);
void phy_free(struct nic *nic);
void phy_reset(struct nic *nic, enum nic_reset kind);
/* A wire is there, and hears at once of light that this end sends; NULL: the wire is gone. */
void phy_connect(struct nic *nic, const struct connector *connector);
/* The wire says whether light arrives from the far end (a cable with nobody there: none). */
void phy_light_set(struct nic *nic, bool light);
/* The operator changes the module, or pulls it. */
void phy_module_set(struct nic *nic, enum module_kind kind);
/* The link goes down, or comes up at once, if it may be up: it flaps. */
void phy_flap(struct nic *nic, bool up);
/* The operator plugs or pulls the cable. */
void phy_cable_set(struct nic *nic, bool plugged);
bool phy_link_is_up(const struct nic *nic);
bool phy_laser(const struct nic *nic); /* this end's laser is on */
/* Light arrives here: the cable is plugged, too. */
static inline bool phy_light(const struct nic *nic)
{
	return nic->cable && nic->light;
}

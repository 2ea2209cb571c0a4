/* SPDX-License-Identifier: MIT */
/*
 * The EEPROM (chapter 6, section 8.2.3.2) and the semaphores that guard what software
 * and firmware share (section 10.5.4).
 *
 * The image is that of an SFP+ adapter with one port: 1024 words, of which the first 64 are
 * fixed and point to sections. A section begins with its length. The checksum
 * covers words 0 to 0x3e and the sections of the pointers 0x03 to 0x0e; it makes the sum
 * 0xbaba. Reads and writes take no time. There is no firmware: its semaphores are always free.
 * FWSM says all the same that firmware is well, or drivers complain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"
#include "faults.h"
#include "violations.h"

#define CHECKSUM_WORD 0x3f
#define CHECKSUM_SUM  0xbaba
#define FIRST_SECTION 0x40
#define OROM_BLOCK    0x200 /* versions are at 0x83 and 0x84 of it */
#define NOTHING       0xffff

struct eeprom_image {
	uint16_t word[EEPROM_WORDS];
	uint16_t free;  /* where the next section goes, while the image is made */
	bool read_seen; /* the driver saw EERD.DONE of its last read */
};

/* The fixed words that are not pointers (chapter 6). */
static const struct {
	uint8_t address;
	uint16_t value;
} fixed[] = {
	{0x00, 0x2a40},  /* control word 1 */
	{0x01, 0x0010},  /* control word 2: the core clock stays on */
	{0x02, 0x0000},  /* reserved */
	{0x15, 0xe1b5},  /* part number, old format: E1B500-000 */
	{0x16, 0x0000},  /* its second word */
	{0x18, 0x0100},  /* EEPROM version 1.0 */
	{0x2c, 0x0081},  /* device capabilities: any SFP+ module, no crosstalk workaround */
	{0x2d, 0x0001},  /* image identifier, low */
	{0x2e, 0x8000},  /* and high; bit 15: in this order */
	{0x2f, NOTHING}, /* no vital product data */
	{0x30, 0x0100},  /* boot: PXE set-up */
	{0x31, 0x4000},  /* PXE options */
	{0x32, 0x0101},  /* PXE version */
	{0x33, 0x0000},  /* boot capabilities: none */
	{0x38, 0x0000},  /* control word 3 */
};

/* Firmware: there is none, but drivers ask for its version, here 7, and whether it manages the
 * link: no. The section has no checksum. */
static const uint16_t firmware[] = {NOTHING, NOTHING, NOTHING, 0 /* patch */, NOTHING, NOTHING};
static const uint16_t firmware_patch[] = {0, 0, 0, 0, 0, 0, 7};

static const uint16_t pcie_analog[] = {0x0000, 0x0000};
static const uint16_t core_analog[] = {0x0000, 0x0000};
static const uint16_t pcie_general[] = {0x0001, 0x0000, 0x0000, 0x8086, 0x0003};
static const uint16_t pcie_config[] = {0x0000, 0x10fb, 0x0000};
/* MAC: link mode, swap, polarity, negotiation defaults, AUTOC2, SGMII, KR. */
static const uint16_t mac_config[] = {0x6004, 0x0000, 0x0000, 0xc09c, 0x000a, 0x0000, 0x0000};
static const uint16_t csr_config[] = {0x0100, 0x0504, 0x0200}; /* LEDCTL: value, offset */

/* Words for CORECTL that initialize a module, then the end. */
static const uint16_t phy_init[] = {0x0144, 0x0245, NOTHING};

static uint16_t section(struct eeprom_image *eeprom, const uint16_t *words, uint16_t count)
{
	uint16_t at = eeprom->free;

	eeprom->word[at] = count;
	memcpy(&eeprom->word[at + 1], words, count * sizeof(*words));
	eeprom->free = (uint16_t)(at + 1 + count);
	return at;
}

#define SECTION(eeprom, words) section(eeprom, words, sizeof(words) / sizeof((words)[0]))

static uint16_t mac_word(const uint8_t mac[6], uint32_t i)
{
	return (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
}

/* LAN core section: the address, LED and pin defaults, filter control. */
static uint16_t core_section(struct eeprom_image *eeprom, const uint8_t mac[6])
{
	const uint16_t words[] = {
		mac_word(mac, 0), mac_word(mac, 1), mac_word(mac, 2), /* address */
		0x0100,           0x0504,                             /* LEDs */
		0x0b00,                                               /* pins */
		0x0000,                                               /* filters */
	};

	return SECTION(eeprom, words);
}

/* Storage addresses: one for each port, here the port's own with one bit flipped. */
static uint16_t san_section(struct eeprom_image *eeprom, const uint8_t mac[6])
{
	uint16_t at = eeprom->free;

	for (uint16_t i = 0; i < 6; i++)
		eeprom->word[at + i] = i < 3 ? mac_word(mac, i) : NOTHING;
	eeprom->word[at + 1] ^= 0x8000;
	eeprom->free = (uint16_t)(at + 6);
	return at;
}

/* The list of modules that this board knows: pairs of module type and initialization words.
 * Types: 3 and 4 direct attach, 5 and 6 optical, of port 0 and 1. */
static uint16_t phy_section(struct eeprom_image *eeprom)
{
	uint16_t init = SECTION(eeprom, phy_init);
	uint16_t at = eeprom->free;

	eeprom->word[at] = 9;
	for (uint16_t i = 0; i < 4; i++) {
		eeprom->word[at + 1 + 2 * i] = (uint16_t)(3 + i);
		eeprom->word[at + 2 + 2 * i] = init;
	}
	eeprom->word[at + 9] = NOTHING;
	eeprom->free = (uint16_t)(at + 10);
	return at;
}

static uint16_t checksum(const struct eeprom_image *eeprom)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < CHECKSUM_WORD; i++)
		sum += eeprom->word[i];
	for (uint32_t i = 0x03; i < 0x0f; i++) {
		uint32_t at = eeprom->word[i];

		for (uint32_t j = 1; j <= eeprom->word[at]; j++)
			sum += eeprom->word[at + j];
	}
	return (uint16_t)(CHECKSUM_SUM - sum);
}

static void image_make(struct eeprom_image *eeprom, const uint8_t mac[6])
{
	uint16_t *word = eeprom->word;
	uint16_t patch;

	memset(word, 0xff, sizeof(eeprom->word));
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		word[fixed[i].address] = fixed[i].value;
	eeprom->free = FIRST_SECTION;
	word[0x03] = SECTION(eeprom, pcie_analog);
	word[0x04] = SECTION(eeprom, core_analog);
	word[0x05] = SECTION(eeprom, core_analog);
	word[0x06] = SECTION(eeprom, pcie_general);
	word[0x07] = SECTION(eeprom, pcie_config);
	word[0x08] = SECTION(eeprom, pcie_config);
	word[0x09] = core_section(eeprom, mac);
	word[0x0a] = core_section(eeprom, mac);
	word[0x0b] = SECTION(eeprom, mac_config);
	word[0x0c] = SECTION(eeprom, mac_config);
	word[0x0d] = SECTION(eeprom, csr_config);
	word[0x0e] = SECTION(eeprom, csr_config);
	word[0x0f] = SECTION(eeprom, firmware);
	patch = SECTION(eeprom, firmware_patch);
	word[word[0x0f] + 4] = patch;
	word[0x17] = OROM_BLOCK;
	word[OROM_BLOCK + 0x83] = 0x0100; /* option ROM 1.0.0 */
	word[OROM_BLOCK + 0x84] = 0x0000;
	word[0x28] = san_section(eeprom, mac);
	word[0x2b] = phy_section(eeprom);
	word[CHECKSUM_WORD] = checksum(eeprom);
}

int eeprom_image_new(struct nic *nic)
{
	nic->eeprom_image = calloc(1, sizeof(*nic->eeprom_image));
	if (!nic->eeprom_image)
		return -ENOMEM;
	image_make(nic->eeprom_image, nic->mac);
	return 0;
}

void eeprom_image_free(struct nic *nic)
{
	free(nic->eeprom_image);
	nic->eeprom_image = NULL;
}

uint16_t eeprom_image_word(const struct nic *nic, uint32_t address)
{
	uint16_t word = address < EEPROM_WORDS ? nic->eeprom_image->word[address] : NOTHING;

	return fault_on(nic, FAULT_EEPROM_SUM) && address == CHECKSUM_WORD ? (uint16_t)~word : word;
}

void eeprom_image_word_set(struct nic *nic, uint32_t address, uint16_t value)
{
	if (address < EEPROM_WORDS)
		nic->eeprom_image->word[address] = value;
}

/* The core section of port 0, wherever the driver may have moved it (6.4.5). */
void eeprom_image_load(struct nic *nic)
{
	uint32_t core = eeprom_image_word(nic, 0x09);
	uint32_t low = eeprom_image_word(nic, core + 1);

	nic->eeprom_image->read_seen = true;
	reg_store(nic, IXGBE_RAL, low | (uint32_t)eeprom_image_word(nic, core + 2) << 16);
	reg_store(nic, IXGBE_RAH, eeprom_image_word(nic, core + 3) | IXGBE_RAH_AV);
}

/* ---- EERD, EEWR, FLA ---- */

static uint32_t eerd_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	nic->eeprom_image->read_seen = true;
	return value;
}

/* Reads are over at once, but a driver cannot know before it has seen DONE. */
static void eerd_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t address = IXGBE_FIELD_GET(IXGBE_EERD_ADDR, written);

	(void)index;
	(void)old;
	if (!nic->eeprom_image->read_seen)
		violation(nic, VIOLATION_EERD_BUSY, "word 0x%x, before DONE was read", address);
	if (!(written & IXGBE_EERD_START)) {
		reg_store(nic, IXGBE_EERD, written & IXGBE_EERD_ADDR);
		return;
	}
	nic->eeprom_image->read_seen = false;
	reg_store(nic, IXGBE_EERD,
		  IXGBE_FIELD_PREP(IXGBE_EERD_DATA, eeprom_image_word(nic, address)) |
			  (written & IXGBE_EERD_ADDR) | IXGBE_EERD_DONE);
}

static void eewr_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t address = IXGBE_FIELD_GET(IXGBE_EEWR_ADDR, written);

	(void)index;
	(void)old;
	if (!(written & IXGBE_EEWR_START))
		return;
	eeprom_image_word_set(nic, address, (uint16_t)IXGBE_FIELD_GET(IXGBE_EEWR_DATA, written));
	reg_store(nic, IXGBE_EEWR, reg(nic, IXGBE_EEWR) | IXGBE_EEWR_DONE);
}

/* Nobody else wants the flash's pins, and no flash is there: erasing it is over at once. */
static void fla_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t value = reg(nic, IXGBE_FLA) & ~(IXGBE_FLA_GNT | IXGBE_FLA_ERASE);

	(void)index;
	(void)old;
	(void)written;
	reg_store(nic, IXGBE_FLA, value | (value & IXGBE_FLA_REQ ? IXGBE_FLA_GNT : 0));
}

/* ---- Semaphores ---- */

/* Reading SMBI as 0 takes it. */
static uint32_t swsm_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	reg_store(nic, IXGBE_SWSM, value | IXGBE_SWSM_SMBI);
	return value;
}

/* SMBI is taken by reading only; a write can give it back. */
static void swsm_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (old & ~written & IXGBE_SWSM_SMBI && written & IXGBE_SWSM_SWESMBI)
		violation(nic, VIOLATION_SEMAPHORE, "SWSM.SMBI given back with SWESMBI taken");
	reg_store(nic, IXGBE_SWSM,
		  (written & IXGBE_SWSM_SWESMBI) | (old & written & IXGBE_SWSM_SMBI));
}

static void sw_fw_sync_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	const uint32_t both = IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI;

	(void)index;
	if ((reg(nic, IXGBE_SWSM) & both) != both)
		violation(nic, VIOLATION_SEMAPHORE,
			  "SW_FW_SYNC 0x%08x to 0x%08x without SWSM.SMBI and SWESMBI", old,
			  written);
}

const struct reg_hook eeprom_image_hooks[] = {
	{.offset = IXGBE_EERD, .read = eerd_read, .write = eerd_write},
	{.offset = IXGBE_EEWR, .write = eewr_write},
	{.offset = IXGBE_FLA, .write = fla_write},
	{.offset = IXGBE_SWSM, .read = swsm_read, .write = swsm_write},
	{.offset = IXGBE_SW_FW_SYNC, .write = sw_fw_sync_write},
	{0},
};

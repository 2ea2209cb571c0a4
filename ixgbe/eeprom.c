/* SPDX-License-Identifier: MIT */
/*
 * The EEPROM, read word by word through EERD (section 8.2.3.2.2), and its
 * checksum: the words below 0x3F, the checksum word, and the sections that
 * words 3 to 14 point to add up to 0xBABA (section 6.2.4). Pointers and lengths
 * are checked before use: a section must end within the EEPROM.
 */
#include "mac.h"
#include "parts.h"
#include "wait.h"

#include <errno.h>
#include <string.h>

#define CHECKSUM_WORD   0x3fu
#define CHECKSUM_SUM    0xbabau
#define SECTION_FIRST   0x03u /* PCIe analogue; up to, not including, firmware */
#define SECTION_END     0x0fu
#define EERD_LIMIT_US   100000u
#define EERD_WORDS_MAX  0x4000u /* EERD.ADDR has 14 bits */
#define CORE0_PTR       0x09u   /* section of core 0; that of core 1 follows */
#define CORE_MAC_OFFSET 0x01u   /* the address: three words, low byte first */

static bool pointer_valid(uint16_t pointer)
{
	return pointer != 0 && pointer != 0xffff;
}

/* The caller holds the semaphore. */
static int read_word(struct ixgbe *nic, uint32_t word, uint16_t *value)
{
	int err;

	if (word >= EERD_WORDS_MAX)
		return -EIO;
	reg_write(nic, IXGBE_EERD, IXGBE_FIELD_PREP(IXGBE_EERD_ADDR, word) | IXGBE_EERD_START);
	err = reg_wait(nic, IXGBE_EERD, IXGBE_EERD_DONE, IXGBE_EERD_DONE, EERD_LIMIT_US);
	if (err)
		return err;
	*value = (uint16_t)IXGBE_FIELD_GET(IXGBE_EERD_DATA, reg_read(nic, IXGBE_EERD));
	return 0;
}

int eeprom_read(struct ixgbe *nic, uint32_t word, uint16_t *value)
{
	int err = semaphore_take(nic, IXGBE_SW_FW_SYNC_SW_EEP);

	if (err)
		return err;
	err = read_word(nic, word, value);
	semaphore_release(nic, IXGBE_SW_FW_SYNC_SW_EEP);
	return err;
}

static int add_words(struct ixgbe *nic, uint32_t first, uint32_t count, uint16_t *sum)
{
	for (uint32_t i = 0; i < count; i++) {
		uint16_t word;
		int err = read_word(nic, first + i, &word);

		if (err)
			return err;
		*sum = (uint16_t)(*sum + word);
	}
	return 0;
}

static int checksum(struct ixgbe *nic, uint16_t *sum)
{
	uint32_t size = 64u << IXGBE_FIELD_GET(IXGBE_EEC_SIZE, reg_read(nic, IXGBE_EEC));
	int err;

	*sum = 0;
	err = add_words(nic, 0, CHECKSUM_WORD + 1, sum);
	for (uint32_t i = SECTION_FIRST; !err && i < SECTION_END; i++) {
		uint16_t pointer, length;

		err = read_word(nic, i, &pointer);
		if (err || !pointer_valid(pointer))
			continue;
		err = read_word(nic, pointer, &length);
		if (err || !pointer_valid(length))
			continue;
		if (pointer >= size || length >= size - pointer)
			return -EIO;
		err = add_words(nic, pointer + 1u, length, sum);
	}
	return err;
}

static bool mac_from_receive_address(const struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES])
{
	uint32_t low = reg_read(nic, IXGBE_RAL), high = reg_read(nic, IXGBE_RAH);

	for (uint32_t i = 0; i < 4; i++)
		mac[i] = (uint8_t)(low >> 8 * i);
	mac[4] = (uint8_t)high;
	mac[5] = (uint8_t)(high >> 8);
	return (high & IXGBE_RAH_AV) && mac_check(mac) == 0;
}

/* The address in the section of this port's core. */
static int read_mac(struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES])
{
	uint32_t lan = IXGBE_FIELD_GET(IXGBE_STATUS_LAN_ID, reg_read(nic, IXGBE_STATUS));
	uint16_t pointer, word;
	int err = read_word(nic, CORE0_PTR + (lan & 1), &pointer);

	if (!err && !pointer_valid(pointer))
		return -EIO;
	for (uint32_t i = 0; !err && i < IXGBE_MAC_BYTES; i += 2) {
		err = read_word(nic, pointer + CORE_MAC_OFFSET + i / 2, &word);
		if (err)
			break;
		mac[i] = (uint8_t)word;
		mac[i + 1] = (uint8_t)(word >> 8);
	}
	return err;
}

/* The sum of all words that the checksum covers, and the permanent address. */
static int contents_read(struct ixgbe *nic, uint16_t *sum, struct ixgbe_why *why)
{
	int err = semaphore_take(nic, IXGBE_SW_FW_SYNC_SW_EEP);

	if (err)
		return ixgbe_why_fill(
			why, err,
			"the EEPROM is held by firmware or another driver (%s): close that "
			"program, or reboot",
			strerror(-err));
	err = checksum(nic, sum);
	/* 8.2.3.7.9: a reset loads the first receive address from the EEPROM. */
	if (!err && !mac_from_receive_address(nic, nic->kept->mac_permanent))
		err = read_mac(nic, nic->kept->mac_permanent);
	semaphore_release(nic, IXGBE_SW_FW_SYNC_SW_EEP);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot read the EEPROM: %s; write it anew with the adapter maker's tool",
			strerror(-err));
	return 0;
}

int eeprom_check(struct ixgbe *nic, struct ixgbe_why *why)
{
	uint32_t eec = reg_read(nic, IXGBE_EEC), fwsm = reg_read(nic, IXGBE_FWSM);
	uint16_t sum = 0;
	int err;

	/* 8.2.3.2.1: PRES says that an EEPROM with a valid signature is there. */
	if (!(eec & IXGBE_EEC_PRES))
		return ixgbe_why_fill(
			why, -EIO,
			"the EEPROM is missing or damaged (EEC 0x%08x): write it anew with "
			"the adapter maker's tool",
			eec);
	/* DEVIATION(firmware-error): not all of the errors of 8.2.3.4.10 concern the driver. The
	 * checksum below decides. */
	if (fwsm & IXGBE_FWSM_EXT_ERR_IND)
		port_log(nic, IXGBE_LOG_WARNING,
			 "the adapter's firmware reports an error (FWSM 0x%08x)", fwsm);
	err = contents_read(nic, &sum, why);
	if (err)
		return err;
	if (sum != CHECKSUM_SUM)
		return ixgbe_why_fill(
			why, -EIO,
			"the EEPROM's checksum is wrong (its words add up to 0x%04x, not "
			"0x%04x): write it anew with the adapter maker's tool",
			sum, CHECKSUM_SUM);
	if (mac_check(nic->kept->mac_permanent))
		return ixgbe_why_fill(why, -EIO,
				      "the EEPROM has no valid MAC address: write it anew with the "
				      "adapter maker's tool");
	return 0;
}

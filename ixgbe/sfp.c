/* SPDX-License-Identifier: MIT */
/*
 * The module in the SFP+ cage: its identity over I2C, and the settings that the
 * EEPROM holds for its kind.
 *
 * The I2C bus is bit-banged through I2CCTL (section 3.6.1, 8.2.3.1.5): both lines are
 * open drain, so writing 1 lets go of one and reading tells what is on it.
 * Timing is that of 100 kHz, the slowest that every module does. The module's
 * memory is at address 0xA0, laid out as SFF-8472 says. The bus belongs to the
 * holder of the PHY semaphore.
 */
#include "parts.h"
#include "wait.h"

#include <errno.h>

#define I2C_HALF_BIT_US 5u
#define I2C_STRETCH_US  500u /* how long a module may hold the clock */
#define I2C_ADDRESS     0xa0u
#define I2C_READ        0x01u
#define I2C_TRIES       3u
#define I2C_LAST        true /* of bytes that are read: it is not acknowledged */

/* SFF-8472 table 4-1 and 5-3. */
#define SFF_IDENTIFIER      0u
#define SFF_10G_CODES       3u
#define SFF_1G_CODES        6u
#define SFF_CABLE           8u
#define SFF_CABLE_SPEC      60u
#define SFF_SUM             63u /* of all bytes before */
#define SFF_IDENTIFIER_SFP  0x03u
#define SFF_10G_SR          0x10u
#define SFF_10G_LR          0x20u
#define SFF_1G_OPTICAL      0x03u /* SX, LX */
#define SFF_CABLE_PASSIVE   0x04u
#define SFF_CABLE_ACTIVE    0x08u
#define SFF_ACTIVE_LIMITING 0x04u

/* The EEPROM's list of module kinds: pairs of kind and section, ended by ones. */
#define SETUP_LIST_PTR  0x2bu
#define SETUP_END       0xffffu
#define SETUP_DA        3u /* kind on port 0; on port 1 one more */
#define SETUP_OPTICAL   5u
#define SETUP_PAIRS_MAX 64u
#define SETUP_WORDS_MAX 256u
/* Firmware gets its turn between two holds of a semaphore. */
#define SEMAPHORE_PAUSE_US 5000u

/* ---- Bits ---- */

/* The read returns when the write has arrived (software clarification 3 in ERRATA.md). Without it
 * the next write may catch up with this one, and the module sees neither level long enough. */
static void i2c_drive(struct ixgbe *nic, bool clock, bool data)
{
	reg_write(nic, IXGBE_I2CCTL,
		  (clock ? IXGBE_I2CCTL_CLK_OUT : 0) | (data ? IXGBE_I2CCTL_DATA_OUT : 0));
	reg_read(nic, IXGBE_I2CCTL);
}

static bool i2c_data(const struct ixgbe *nic)
{
	return reg_read(nic, IXGBE_I2CCTL) & IXGBE_I2CCTL_DATA_IN;
}

/* Lets go of the clock and waits until it is high: a module that is not ready holds it low. One
 * that stretches for too long garbles the byte; the caller retries. */
static void i2c_clock_rise(struct ixgbe *nic, bool data)
{
	i2c_drive(nic, true, data);
	reg_wait(nic, IXGBE_I2CCTL, IXGBE_I2CCTL_CLK_IN, IXGBE_I2CCTL_CLK_IN, I2C_STRETCH_US);
	wait_us(I2C_HALF_BIT_US);
}

/* One pulse of the clock with `data` on the line. Returns the line while the clock is high. */
static bool i2c_bit(struct ixgbe *nic, bool data)
{
	bool seen;

	i2c_drive(nic, false, data);
	wait_us(I2C_HALF_BIT_US);
	i2c_clock_rise(nic, data);
	seen = i2c_data(nic);
	i2c_drive(nic, false, data);
	return seen;
}

static void i2c_start(struct ixgbe *nic)
{
	i2c_drive(nic, false, true);
	wait_us(I2C_HALF_BIT_US);
	i2c_clock_rise(nic, true);
	i2c_drive(nic, true, false); /* data falls while the clock is high */
	wait_us(I2C_HALF_BIT_US);
	i2c_drive(nic, false, false);
}

static void i2c_stop(struct ixgbe *nic)
{
	i2c_drive(nic, false, false);
	wait_us(I2C_HALF_BIT_US);
	i2c_clock_rise(nic, false);
	i2c_drive(nic, true, true); /* data rises while the clock is high */
	wait_us(I2C_HALF_BIT_US);
}

/* Whether the module acknowledged the byte. */
static bool i2c_byte_out(struct ixgbe *nic, uint32_t byte)
{
	for (uint32_t mask = 0x80; mask; mask >>= 1)
		i2c_bit(nic, byte & mask);
	return !i2c_bit(nic, true);
}

static uint8_t i2c_byte_in(struct ixgbe *nic, bool last)
{
	uint32_t byte = 0;

	for (int i = 0; i < 8; i++)
		byte = byte << 1 | i2c_bit(nic, true);
	i2c_bit(nic, last);
	return (uint8_t)byte;
}

/* A module that was cut off in the middle of a byte holds the data line until the clock
 * has pulsed for the rest of the byte. */
static void i2c_clear(struct ixgbe *nic)
{
	for (int i = 0; i < 9; i++)
		i2c_bit(nic, true);
	i2c_stop(nic);
}

/* ---- Identity ---- */

/* Reads `count` bytes from `at` on. -EIO: no module, or it does not answer. The caller has the
 * semaphore. */
static int i2c_read(struct ixgbe *nic, uint32_t at, uint8_t *value, uint32_t count)
{
	for (uint32_t try = 0; try < I2C_TRIES; try++) {
		i2c_start(nic);
		if (i2c_byte_out(nic, I2C_ADDRESS) && i2c_byte_out(nic, at)) {
			i2c_start(nic);
			if (i2c_byte_out(nic, I2C_ADDRESS | I2C_READ)) {
				for (uint32_t i = 0; i + 1 < count; i++)
					value[i] = i2c_byte_in(nic, !I2C_LAST);
				value[count - 1] = i2c_byte_in(nic, I2C_LAST);
				i2c_stop(nic);
				return port_gone(nic) ? -ENODEV : 0;
			}
		}
		i2c_clear(nic);
	}
	return port_gone(nic) ? -ENODEV : -EIO;
}

static enum ixgbe_sfp kind_of(uint8_t identifier, uint8_t codes, uint8_t cable)
{
	if (identifier != SFF_IDENTIFIER_SFP)
		return IXGBE_SFP_OTHER;
	if (cable & (SFF_CABLE_PASSIVE | SFF_CABLE_ACTIVE))
		return IXGBE_SFP_DA;
	if (codes & SFF_10G_SR)
		return IXGBE_SFP_SR;
	return codes & SFF_10G_LR ? IXGBE_SFP_LR : IXGBE_SFP_OTHER;
}

static uint32_t port_number(const struct ixgbe *nic)
{
	return IXGBE_FIELD_GET(IXGBE_STATUS_LAN_ID, reg_read(nic, IXGBE_STATUS)) & 1;
}

static uint32_t phy_resource(const struct ixgbe *nic)
{
	return port_number(nic) ? IXGBE_SW_FW_SYNC_SW_PHY1 : IXGBE_SW_FW_SYNC_SW_PHY0;
}

int sfp_identify(struct ixgbe *nic)
{
	const uint32_t resource = phy_resource(nic);
	uint8_t identifier = 0, codes = 0, codes_1g = 0, cable = 0, spec = 0;
	int err = semaphore_take(nic, resource);

	if (err)
		return err;
	nic->kept->sfp_pin = reg_read(nic, IXGBE_ESDP) & IXGBE_ESDP_SDP2_DATA;
	err = i2c_read(nic, SFF_IDENTIFIER, &identifier, 1);
	if (!err)
		err = i2c_read(nic, SFF_10G_CODES, &codes, 1);
	if (!err)
		err = i2c_read(nic, SFF_1G_CODES, &codes_1g, 1);
	if (!err)
		err = i2c_read(nic, SFF_CABLE, &cable, 1);
	if (!err && cable & SFF_CABLE_ACTIVE)
		err = i2c_read(nic, SFF_CABLE_SPEC, &spec, 1);
	semaphore_release(nic, resource);
	if (err && err != -EIO)
		return err;

	nic->kept->sfp = (uint8_t)(err ? IXGBE_SFP_NONE : kind_of(identifier, codes, cable));
	nic->kept->sfp_sum = IXGBE_SFP_SUM_UNREAD;
	nic->kept->sfp_limiting = (spec & SFF_ACTIVE_LIMITING) != 0;
	nic->kept->sfp_two_rates =
		(nic->kept->sfp == IXGBE_SFP_SR || nic->kept->sfp == IXGBE_SFP_LR) &&
		(codes_1g & SFF_1G_OPTICAL);
	port_log(nic, IXGBE_LOG_DEBUG, "SFP+ module: identifier %02x, 10G codes %02x, cable %02x%s",
		 identifier, codes, cable, err ? " (none, or it does not answer)" : "");
	return 0;
}

enum ixgbe_sfp ixgbe_sfp_type(const struct ixgbe *nic)
{
	return nic->kept->sfp;
}

/* Codes of a module are used whatever its checksum: modules with a wrong one are sold, and work.
 * Nothing of the NIC changes here: a successor of a driver that dies in between does it again. */
int ixgbe_sfp_sum_check(struct ixgbe *nic)
{
	uint8_t page[SFF_SUM + 1], sum = 0;
	uint32_t resource;
	int err;

	if (nic->kept->sfp == IXGBE_SFP_NONE || nic->kept->sfp_sum != IXGBE_SFP_SUM_UNREAD)
		return 0;
	resource = phy_resource(nic);
	err = semaphore_take(nic, resource);
	if (err)
		return err;
	err = i2c_read(nic, 0, page, sizeof(page));
	semaphore_release(nic, resource);
	if (err)
		return err == -EIO ? 0 : err;
	for (uint32_t i = 0; i < SFF_SUM; i++)
		sum = (uint8_t)(sum + page[i]);
	nic->kept->sfp_sum = sum == page[SFF_SUM] ? IXGBE_SFP_SUM_RIGHT : IXGBE_SFP_SUM_WRONG;
	return 0;
}

enum ixgbe_sfp_sum ixgbe_sfp_sum(const struct ixgbe *nic)
{
	return nic->kept->sfp_sum;
}

/* ---- The EEPROM's settings for the module ---- */

/* The section for this module; 0: the EEPROM has none, and the defaults will do. */
static int setup_find(struct ixgbe *nic, uint16_t *section)
{
	bool copper = nic->kept->sfp == IXGBE_SFP_DA && !nic->kept->sfp_limiting;
	uint32_t kind = (copper ? SETUP_DA : SETUP_OPTICAL) + port_number(nic);
	uint16_t list, word;
	int err = eeprom_read(nic, SETUP_LIST_PTR, &list);

	*section = 0;
	if (err || list == 0 || list == SETUP_END)
		return err;
	for (uint32_t i = 0; i < SETUP_PAIRS_MAX; i++) {
		err = eeprom_read(nic, list + 1u + 2 * i, &word);
		if (err || word == SETUP_END)
			return err;
		if (word != kind)
			continue;
		err = eeprom_read(nic, list + 2u + 2 * i, &word);
		if (!err && word != SETUP_END)
			*section = word;
		return err;
	}
	return 0;
}

int sfp_setup(struct ixgbe *nic)
{
	uint16_t section, value;
	int err;

	if (nic->kept->sfp == IXGBE_SFP_NONE)
		return 0;
	err = setup_find(nic, &section);
	if (err || section == 0)
		return err;

	err = semaphore_take(nic, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	if (err)
		return err;
	for (uint32_t i = 1; i <= SETUP_WORDS_MAX; i++) {
		err = eeprom_read(nic, section + i, &value);
		if (err || value == SETUP_END)
			break;
		reg_write(nic, IXGBE_CORECTL, value); /* 8.2.3.22.32 */
	}
	semaphore_release(nic, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	wait_us(SEMAPHORE_PAUSE_US);
	return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * The SFP+ module: a 10GBASE-SR optic with digital diagnostics (SFF-8472), on the two
 * wires of I2CCTL (section 8.2.3.1.5), which the driver moves bit by bit.
 *
 * Both wires are open drain: a line is high when everybody lets go of it. The module
 * never stretches the clock, so SCL is the driver's alone. SDA is low if either side
 * pulls it. The module looks at SDA where SCL rises and changes it where SCL falls; SDA
 * moving while SCL is high is a start (falls) or a stop (rises).
 *
 *   start, 0xa0, offset, start, 0xa1, data...  stop     a read; the offset counts on
 *   start, 0xa2, offset, data...               stop     a write
 *
 * A write is posted, and the bus may bring two at once. A driver reads a register after each
 * (software clarification 3 in ixgbe/ERRATA.md). Here two moves of the wires without a read in
 * between are too close for the module, which loses its place: nothing answers until the next
 * start.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"
#include "faults.h"
#include "tools/ixnic/loop.h"
#include "violations.h"

#define PAGE_BYTES 256
#define READY_NS   50000000u /* from the cage to the first answer: SFF-8431 allows 300 ms */

/* Bytes of the diagnostics page that matter here. */
#define DDM_TEMPERATURE        96  /* 1/256 C */
#define DDM_VOLTAGE            98  /* 100 uV */
#define DDM_BIAS               100 /* 2 uA */
#define DDM_TX_POWER           102 /* 0.1 uW */
#define DDM_RX_POWER           104
#define DDM_STATUS             110
#define STATUS_TX_DISABLE      0x80 /* the pin */
#define STATUS_SOFT_TX_DISABLE 0x40
#define STATUS_RX_LOS          0x02
#define DDM_USER               128 /* 120 bytes that the user may write */

enum bus { IDLE, ADDRESS, OFFSET, WRITE, READ };

struct module {
	uint8_t page[2][PAGE_BYTES]; /* at 0xa0 and 0xa2 */
	enum bus state;
	uint8_t device; /* which page */
	uint8_t offset;
	uint8_t shift;  /* the byte on its way */
	uint32_t bits;  /* clocks of this byte so far; the ninth is the acknowledgement */
	bool scl, sda;  /* the lines */
	bool pull;      /* the module pulls SDA low */
	bool nack;      /* the driver wants no more bytes */
	bool begun;     /* the bus is the driver's, from a start to a stop */
	uint64_t reads; /* nic->register_reads when the wires moved last */
	enum module_kind kind;
	uint64_t ready_ns; /* it answers from then on */
};

static void put(uint8_t *page, uint32_t at, const char *text, size_t len)
{
	memset(page + at, ' ', len);
	memcpy(page + at, text, strlen(text));
}

static void put16(uint8_t *page, uint32_t at, uint32_t value)
{
	page[at] = (uint8_t)(value >> 8);
	page[at + 1] = (uint8_t)value;
}

static void put_sum(uint8_t *page, uint32_t from, uint32_t at)
{
	page[at] = 0;
	for (uint32_t i = from; i < at; i++)
		page[at] = (uint8_t)(page[at] + page[i]);
}

/* What makes a passive copper cable of it, one metre long. */
static void copper_make(uint8_t *page)
{
	page[2] = 0x21; /* copper pigtail */
	page[3] = 0;
	page[8] = 0x04; /* passive */
	page[16] = page[17] = page[19] = 0;
	page[18] = 1;
	put(page, 40, "SOFT-10G-DA", 16);
	put16(page, 60, 0);
}

/* The identity (SFF-8472 table 4-1). */
static void identity_make(uint8_t *page, const uint8_t mac[6], enum module_kind kind)
{
	static const char hex[] = "0123456789ABCDEF";
	char serial[13] = "";

	for (int i = 0; i < 12; i++)
		serial[i] = hex[mac[i / 2] >> (i % 2 ? 0 : 4) & 15];
	page[0] = 0x03;                                   /* SFP */
	page[1] = 0x04;                                   /* two-wire identification only */
	page[2] = 0x07;                                   /* LC connector */
	page[3] = 0x10;                                   /* 10GBASE-SR */
	page[6] = kind == MODULE_SR_TWO_RATES ? 0x01 : 0; /* 1000BASE-SX */
	page[8] = 0;
	page[11] = 0x06; /* 64B/66B */
	page[12] = 103;  /* 10.3 Gb/s */
	page[16] = 8;    /* 80 m of OM2 */
	page[17] = 3;    /* 30 m of OM1 */
	page[18] = 40;   /* 400 m of OM4 */
	page[19] = 30;   /* 300 m of OM3 */
	put(page, 20, "IXTAP", 16);
	page[37] = 0x00; /* Intel's: drivers want a module that they know */
	page[38] = 0x1b;
	page[39] = 0x21;
	put(page, 40, "SOFT-10G-SR", 16);
	put(page, 56, "1", 4);
	put16(page, 60, 850); /* nm */
	if (kind == MODULE_DA)
		copper_make(page);
	put_sum(page, 0, 63);
	put16(page, 64, 0x001a); /* TX disable, TX fault, loss of signal */
	put(page, 68, serial, 16);
	put(page, 84, "260101", 8);
	page[92] = 0x68; /* diagnostics, internally calibrated, average power */
	page[93] = 0xf0; /* alarms, soft TX disable, soft TX fault and loss of signal */
	page[94] = 0x05; /* SFF-8472 revision 11.0 */
	put_sum(page, 64, 95);
}

/* SFF-8472 table 9-1 ff.: limits, calibration, readings. */
static void diagnostics_make(uint8_t *page)
{
	static const uint16_t limits[] = {
		/* high alarm, low alarm, high warning, low warning */
		78 << 8, 0xf300, 73 << 8, 0xf800, /* -13 C, -8 C */
		37000,   29000,  36000,   30000,  5900, 2000,
		5500,    2500,   15849,   1585,   7943, 2239, /* 2.0, -8.0, -1.0, -6.5 dBm */
		10000,   158,    7943,    251,                /* 0.0, -18.0, -1.0, -16.0 dBm */
	};

	for (uint32_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		put16(page, 2 * i, limits[i]);
	put16(page, 68, 0x3f80); /* received power: 1.0 as a float */
	for (uint32_t at = 76; at <= 88; at += 4)
		put16(page, at, 0x0100); /* the others: slope 1.0, offset 0 */
	put_sum(page, 0, 95);
	put16(page, DDM_TEMPERATURE, 38 << 8);
	put16(page, DDM_VOLTAGE, 33000);
	put(page, DDM_USER, "", 120);
}

int module_new(struct nic *nic)
{
	nic->module = calloc(1, sizeof(*nic->module));
	if (!nic->module)
		return -ENOMEM;
	nic->module->reads = UINT64_MAX; /* never moved */
	module_plug(nic, MODULE_SR);
	nic->module->ready_ns = 0;
	module_reset(nic);
	return 0;
}

void module_plug(struct nic *nic, enum module_kind kind)
{
	struct module *module = nic->module;

	module->kind = kind;
	memset(module->page, 0, sizeof(module->page));
	identity_make(module->page[0], nic->mac, kind);
	diagnostics_make(module->page[1]);
	module->state = IDLE;
	module->pull = false;
	module->ready_ns = loop_now_ns() + READY_NS;
	dirty_module(nic, kind == MODULE_SR_TWO_RATES);
}

bool module_present(const struct nic *nic)
{
	return nic->module->kind != MODULE_NONE;
}

enum module_kind module_which(const struct nic *nic)
{
	return nic->module->kind;
}

void module_free(struct nic *nic)
{
	free(nic->module);
	nic->module = NULL;
}

/* The module has no reset pin: only the wires are let go. */
void module_reset(struct nic *nic)
{
	struct module *module = nic->module;

	module->state = IDLE;
	module->pull = module->begun = false;
	module->scl = module->sda = true;
}

/* SDP3 on the boards that drivers know. As an input the pin drives nothing, and the module pulls
 * its line up (SFF-8431). */
bool module_tx_disable(const struct nic *nic)
{
	const uint32_t esdp = reg(nic, IXGBE_ESDP);

	return !(esdp & IXGBE_ESDP_SDP3_IODIR) || esdp & IXGBE_ESDP_SDP3_DATA;
}

bool module_laser(const struct nic *nic)
{
	return module_present(nic) && !(nic->module->page[1][DDM_STATUS] & STATUS_SOFT_TX_DISABLE);
}

/* The readings follow the laser and the light. */
static void diagnostics_update(struct nic *nic)
{
	uint8_t *page = nic->module->page[1];
	bool pin = module_tx_disable(nic);
	bool laser = !pin && module_laser(nic);
	bool light = phy_light(nic);

	put16(page, DDM_BIAS, laser ? 3700 : 0);
	put16(page, DDM_TX_POWER, laser ? 5800 : 0);
	put16(page, DDM_RX_POWER, light ? 5500 : 0);
	page[DDM_STATUS] = (uint8_t)((page[DDM_STATUS] & STATUS_SOFT_TX_DISABLE) |
				     (pin ? STATUS_TX_DISABLE : 0) | (light ? 0 : STATUS_RX_LOS));
}

static void byte_write(struct nic *nic, uint8_t value)
{
	struct module *module = nic->module;
	uint8_t at = module->offset++;

	if (module->device != 1)
		return; /* the identity is protected */
	if (at >= DDM_USER && at < DDM_USER + 120)
		module->page[1][at] = value;
	if (at == DDM_STATUS)
		module->page[1][at] = value & STATUS_SOFT_TX_DISABLE;
}

/* A byte came from the driver; whether the module acknowledges it. */
static bool byte_received(struct nic *nic)
{
	struct module *module = nic->module;

	switch (module->state) {
	case ADDRESS:
		if ((module->shift & 0xfc) != 0xa0 || !module_present(nic) ||
		    loop_now_ns() < module->ready_ns)
			break;
		module->device = module->shift >> 1 & 1;
		module->state = module->shift & 1 ? READ : OFFSET;
		module->nack = false;
		return true;
	case OFFSET:
		module->offset = module->shift;
		module->state = WRITE;
		return true;
	case WRITE:
		byte_write(nic, module->shift);
		return true;
	case IDLE:
	case READ:
		break;
	}
	module->state = IDLE;
	return false;
}

static void clock_rise(struct module *module, bool sda)
{
	module->bits++;
	if (module->state == READ) {
		if (module->bits == 9)
			module->nack = sda;
	} else if (module->bits <= 8) {
		module->shift = (uint8_t)(module->shift << 1 | sda);
	}
}

/* Drives the bit of a byte read that the next clock will take. */
static void bit_drive(struct module *module)
{
	module->pull = !(module->shift >> (7 - module->bits) & 1);
}

/* What the driver gets for a byte of a page. */
static uint8_t byte_sent(const struct nic *nic, const uint8_t *page, uint8_t at)
{
	if (fault_on(nic, FAULT_MODULE_CODE | FAULT_MODULE_SUM) && page == nic->module->page[0])
		return faults_module_byte(nic, page, at);
	return page[at];
}

static void clock_fall(struct nic *nic)
{
	struct module *module = nic->module;
	bool reading = module->state == READ;

	if (module->bits == 8) {
		module->pull = reading ? false : byte_received(nic);
	} else if (module->bits >= 9) {
		module->bits = 0;
		module->pull = false;
		if (!reading)
			return;
		if (module->nack) {
			module->state = IDLE;
			return;
		}
		if (module->device == 1)
			diagnostics_update(nic);
		module->shift = byte_sent(nic, module->page[module->device], module->offset++);
		bit_drive(module);
	} else if (reading && module->bits > 0) {
		bit_drive(module);
	}
}

/* The wires move. Returns whether the module has seen their levels before. */
static bool levels_seen(struct nic *nic, uint32_t written)
{
	struct module *module = nic->module;
	bool seen = module->reads != nic->register_reads;

	module->reads = nic->register_reads;
	if (!seen)
		violation(nic, VIOLATION_WIRES_UNREAD, "I2CCTL = 0x%08x", written);
	return seen;
}

static void i2cctl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	struct module *module = nic->module;
	bool scl = written & IXGBE_I2CCTL_CLK_OUT;
	bool out = written & IXGBE_I2CCTL_DATA_OUT;
	bool sda = out && !module->pull;
	uint32_t value = written & (IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT);
	bool moved = value != (old & (IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT));

	(void)index;
	if (moved && !(reg(nic, IXGBE_SW_FW_SYNC) & IXGBE_SW_FW_SYNC_SW_PHY0))
		violation(nic, VIOLATION_SEMAPHORE, "I2CCTL = 0x%08x without SW_PHY0", written);
	if (moved && !levels_seen(nic, written)) {
		module->state = IDLE;
		module->pull = false;
	} else if (scl && module->scl && sda != module->sda) {
		module->state = sda ? IDLE : ADDRESS;
		module->begun = !sda;
		module->bits = 0;
		module->pull = false;
	} else if (scl && !module->scl && module->state != IDLE) {
		clock_rise(module, sda);
	} else if (!scl && module->scl && module->state != IDLE) {
		clock_fall(nic);
	}
	module->scl = scl;
	module->sda = out && !module->pull;
	reg_store(nic, IXGBE_I2CCTL,
		  value | (scl ? IXGBE_I2CCTL_CLK_IN : 0) |
			  (module->sda ? IXGBE_I2CCTL_DATA_IN : 0));
}

/* A transfer has begun and not ended, and the wires are the driver's. */
static bool transfer_runs(const struct nic *nic, uint32_t index)
{
	(void)index;
	return nic->module->begun && reg(nic, IXGBE_SW_FW_SYNC) & IXGBE_SW_FW_SYNC_SW_PHY0;
}

const struct reg_hook module_hooks[] = {
	{.offset = IXGBE_I2CCTL, .write = i2cctl_write},
	REG_STILL(SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_PHY0, transfer_runs, WIRES_STOP),
	{0},
};

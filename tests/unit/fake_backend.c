/* SPDX-License-Identifier: MIT */
#include "fake_backend.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define CHECKSUM_WORD 0x3fu
#define CORE_SECTION  0x40u

const uint8_t fake_mac[IXGBE_MAC_BYTES] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

static uint32_t *at(struct fake *fake, uint32_t offset)
{
	assert(offset % 4 == 0 && offset < IXGBE_BAR0_SIZE);
	return &fake->reg[offset / 4];
}

static void record(struct fake *fake, bool write, uint32_t offset, uint32_t value)
{
	if (fake->log_count == fake->log_room) {
		fake->log_room = fake->log_room ? 2 * fake->log_room : 4096;
		fake->log = realloc(fake->log, fake->log_room * sizeof(*fake->log));
		assert(fake->log);
	}
	fake->log[fake->log_count++] = (struct fake_access){write, offset, value};
}

static void registers_reset(struct fake *fake)
{
	const uint8_t *mac = fake_mac;

	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		for (uint32_t n = 0; n < r->count; n++)
			*at(fake, r->offset + n * r->stride) = r->reset;
	}
	*at(fake, IXGBE_RAL) = (uint32_t)(mac[0] | mac[1] << 8 | mac[2] << 16) | (uint32_t)mac[3]
											 << 24;
	*at(fake, IXGBE_RAH) = (uint32_t)(mac[4] | mac[5] << 8) | IXGBE_RAH_AV;
}

/* ---- What the device does ---- */

static void ctrl_written(struct fake *fake, uint32_t value)
{
	uint32_t *status = at(fake, IXGBE_STATUS);

	if (value & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST))
		registers_reset(fake);
	else if (value & IXGBE_CTRL_PCIE_MASTER_DISABLE)
		*status &= ~IXGBE_STATUS_PCIE_MASTER_ENABLE;
	else
		*status |= IXGBE_STATUS_PCIE_MASTER_ENABLE;
}

static void eerd_written(struct fake *fake, uint32_t value)
{
	uint32_t word = IXGBE_FIELD_GET(IXGBE_EERD_ADDR, value);

	if (value & IXGBE_EERD_START)
		*at(fake, IXGBE_EERD) =
			(value & IXGBE_EERD_ADDR) | IXGBE_EERD_DONE |
			(word < FAKE_EEPROM_WORDS ? (uint32_t)fake->eeprom[word] << 16 : 0);
}

/* A clock that falls ends a bit: the module changes the data line for the next. */
static void i2c_fall(struct fake *fake)
{
	typeof(fake->sfp) *m = &fake->sfp;

	if (m->bits == 9) { /* acknowledged: the next byte */
		m->bits = 0;
		m->pull = false;
		if (m->state == FAKE_I2C_ADDRESS)
			m->state = m->shift & 1 ? FAKE_I2C_READ : FAKE_I2C_OFFSET;
		m->shift = m->state == FAKE_I2C_READ ? m->page[m->offset++ & 0x7f] : 0;
	} else if (m->bits == 8 && m->state != FAKE_I2C_READ) {
		m->pull = m->state == FAKE_I2C_OFFSET || (m->shift & 0xfe) == 0xa0;
		if (m->state == FAKE_I2C_OFFSET)
			m->offset = m->shift;
	}
	if (m->state == FAKE_I2C_READ)
		m->pull = m->bits < 8 && !(m->shift & 0x80u >> m->bits);
}

static void i2cctl_written(struct fake *fake, uint32_t value)
{
	bool clock = value & IXGBE_I2CCTL_CLK_OUT, data = value & IXGBE_I2CCTL_DATA_OUT;
	typeof(fake->sfp) *m = &fake->sfp;

	if (m->clock && clock && m->data != data) { /* a start or a stop */
		m->state = data ? FAKE_I2C_IDLE : FAKE_I2C_ADDRESS;
		m->bits = 0;
		m->shift = 0;
		m->pull = false;
	} else if (!m->clock && clock && m->state != FAKE_I2C_IDLE) {
		if (m->bits < 8 && m->state != FAKE_I2C_READ)
			m->shift = (uint8_t)(m->shift << 1 | data);
		m->bits++;
	} else if (m->clock && !clock && m->bits > 0 && m->state != FAKE_I2C_IDLE) {
		i2c_fall(fake);
	}
	m->clock = clock;
	m->data = data;
}

static uint32_t i2cctl_value(const struct fake *fake)
{
	bool data = fake->sfp.data && !(fake->sfp.present && fake->sfp.pull);

	return (fake->sfp.clock ? IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_CLK_IN : 0) |
	       (fake->sfp.data ? IXGBE_I2CCTL_DATA_OUT : 0) | (data ? IXGBE_I2CCTL_DATA_IN : 0);
}

static void effects(struct fake *fake, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case IXGBE_CTRL:
		ctrl_written(fake, value);
		break;
	case IXGBE_EERD:
		eerd_written(fake, value);
		break;
	case IXGBE_I2CCTL:
		i2cctl_written(fake, value);
		break;
	case IXGBE_SECRXCTRL:
		*at(fake, IXGBE_SECRXSTAT) =
			value & IXGBE_SECRXCTRL_RX_DIS ? IXGBE_SECRXSTAT_SECRX_RDY : 0;
		break;
	case IXGBE_EIMC:
		*at(fake, IXGBE_EIMS) &= ~value;
		break;
	case IXGBE_AUTOC:
		*at(fake, IXGBE_ANLP1) =
			IXGBE_FIELD_GET(IXGBE_AUTOC_LMS, value) >= IXGBE_AUTOC_LMS_KX4_KX_KR
				? IXGBE_ANLP1_AN_STATE
				: 0;
		break;
	default:
		break;
	}
}

static uint32_t links(struct fake *fake)
{
	uint32_t mode = IXGBE_FIELD_GET(IXGBE_AUTOC_LMS, *at(fake, IXGBE_AUTOC));
	bool laser = !(*at(fake, IXGBE_ESDP) & IXGBE_ESDP_SDP3_DATA);

	if (!fake->cable || !laser || mode != IXGBE_AUTOC_LMS_10G_SERIAL)
		return 0;
	return IXGBE_LINKS_UP | IXGBE_FIELD_PREP(IXGBE_LINKS_SPEED, IXGBE_LINKS_SPEED_10G);
}

static uint32_t load(struct fake *fake, uint32_t offset)
{
	const struct ixgbe_register *r = ixgbe_register_find(offset, NULL);
	uint32_t value = *at(fake, offset);

	if (r && (r->access == IXGBE_REG_RC || r->access == IXGBE_REG_RCW1C))
		*at(fake, offset) = 0;
	if (offset == IXGBE_SWSM)
		*at(fake, offset) |= IXGBE_SWSM_SMBI;
	if (offset == IXGBE_LINKS)
		value = links(fake);
	if (offset == IXGBE_I2CCTL)
		value = i2cctl_value(fake);
	for (size_t i = 0; i < fake->forced_count; i++)
		if (fake->forced[i].offset == offset)
			value = (value & ~fake->forced[i].mask) | fake->forced[i].value;
	return value;
}

static void store(struct fake *fake, uint32_t offset, uint32_t value)
{
	const struct ixgbe_register *r = ixgbe_register_find(offset, NULL);
	uint32_t *reg = at(fake, offset);

	if (!r)
		return;
	switch (r->access) {
	case IXGBE_REG_RW:
		*reg = (*reg & ~r->writable) | (value & r->writable);
		break;
	case IXGBE_REG_W1C:
	case IXGBE_REG_RCW1C:
		*reg &= ~(value & r->writable);
		break;
	case IXGBE_REG_W1S:
		*reg |= value & r->writable;
		break;
	case IXGBE_REG_RO:
	case IXGBE_REG_WO:
	case IXGBE_REG_RC:
		break;
	}
	effects(fake, offset, value);
}

/* ---- The operations ---- */

static struct fake *self(struct ixgbe_backend *backend)
{
	return (struct fake *)backend;
}

static uint32_t fake_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	struct fake *fake = self(backend);
	uint32_t value = fake->gone ? UINT32_MAX : load(fake, offset);

	if (!fake->gone && fake->on_read)
		fake->on_read(fake, offset, &value);
	record(fake, false, offset, value);
	return value;
}

static void fake_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	struct fake *fake = self(backend);

	record(fake, true, offset, value);
	if (fake->gone)
		return;
	store(fake, offset, value);
	if (fake->on_write)
		fake->on_write(fake, offset, value);
}

static volatile uint32_t *fake_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	(void)backend;
	(void)offset;
	return NULL; /* so that tail writes are recorded too */
}

static int fake_config_read(struct ixgbe_backend *backend, uint32_t offset, void *data, size_t len)
{
	struct fake *fake = self(backend);

	if (offset > sizeof(fake->config) || len > sizeof(fake->config) - offset)
		return -EINVAL;
	if (fake->on_config_read)
		fake->on_config_read(fake, offset);
	memcpy(data, &fake->config[offset], len);
	return 0;
}

static int fake_config_write(struct ixgbe_backend *backend, uint32_t offset, const void *data,
			     size_t len)
{
	struct fake *fake = self(backend);

	if (offset > sizeof(fake->config) || len > sizeof(fake->config) - offset)
		return -EINVAL;
	if (offset == PCI_STATUS && len == 2) {
		for (size_t i = 0; i < len && !fake->status_sticks; i++)
			fake->config[offset + i] &= (uint8_t) ~((const uint8_t *)data)[i];
		return 0;
	}
	memcpy(&fake->config[offset], data, len);
	return 0;
}

static uint32_t fake_dma_refused(struct ixgbe_backend *backend)
{
	return self(backend)->dma_refused;
}

static int fake_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
			uint64_t fd_offset, ixgbe_iova iova)
{
	struct fake *fake = self(backend);

	(void)fd;
	(void)fd_offset;
	assert(len % 4096 == 0 && iova % 4096 == 0 && (uintptr_t)addr % 4096 == 0);
	if (fake->maps == FAKE_MAPS_MAX)
		return -ENOSPC;
	fake->map[fake->maps].addr = addr;
	fake->map[fake->maps].len = len;
	fake->map[fake->maps++].iova = iova;
	return 0;
}

static int fake_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	struct fake *fake = self(backend);

	for (size_t i = 0; i < fake->maps; i++) {
		if (fake->map[i].iova != iova || fake->map[i].len != len)
			continue;
		fake->map[i] = fake->map[--fake->maps];
		return 0;
	}
	return -EINVAL;
}

static void fake_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	(void)backend;
	*first = 0x10000;
	*last = (1ull << 39) - 1;
}

static int fake_irq_set(struct ixgbe_backend *backend, const int *eventfd, uint32_t count)
{
	struct fake *fake = self(backend);

	assert(count <= FAKE_VECTORS_MAX);
	if (fake->irq_set_error && count > 0)
		return fake->irq_set_error;
	fake->vectors = count;
	if (count > 0)
		memcpy(fake->eventfd, eventfd, count * sizeof(*eventfd));
	return 0;
}

static int fake_reset(struct ixgbe_backend *backend)
{
	self(backend)->resets++;
	self(backend)->vectors = 0;
	registers_reset(self(backend));
	return 0;
}

static void fake_registers(struct ixgbe_backend *backend, struct backend_registers *out)
{
	(void)backend;
	*out = (struct backend_registers){.bytes = IXGBE_BAR0_SIZE, .fd = -1, .channel = -1};
}

static void fake_close(struct ixgbe_backend *backend)
{
	self(backend)->closed++;
}

static const struct ixgbe_backend_ops fake_ops = {
	.name = "fake",
	.prefix = "fake:",
	.close = fake_close,
	.read32 = fake_read32,
	.write32 = fake_write32,
	.doorbell = fake_doorbell,
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.dma_map = fake_dma_map,
	.dma_unmap = fake_dma_unmap,
	.dma_range = fake_dma_range,
	.irq_set = fake_irq_set,
	.reset = fake_reset,
	.dma_refused = fake_dma_refused,
	.registers = fake_registers,
};

/* ---- For tests ---- */

void fake_eeprom_seal(struct fake *fake)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < CHECKSUM_WORD; i++)
		sum += fake->eeprom[i];
	for (uint32_t i = 3; i < 0x0f; i++) {
		uint32_t section = fake->eeprom[i];

		for (uint32_t k = 1; section && section != 0xffff && k <= fake->eeprom[section];
		     k++)
			sum += fake->eeprom[section + k];
	}
	fake->eeprom[CHECKSUM_WORD] = (uint16_t)(0xbaba - sum);
}

struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert(fake);
	fake->base.ops = &fake_ops;
	fake->cable = true;
	fake->sfp.clock = fake->sfp.data = true;
	fake->config[0] = 0x86;
	fake->config[1] = 0x80;
	fake->config[2] = 0xfb;
	fake->config[3] = 0x10;
	fake->eeprom[0x09] = CORE_SECTION;
	fake->eeprom[CORE_SECTION] = 3;
	for (uint32_t i = 0; i < 3; i++)
		fake->eeprom[CORE_SECTION + 1 + i] =
			(uint16_t)(fake_mac[2 * i] | fake_mac[2 * i + 1] << 8);
	fake_eeprom_seal(fake);
	registers_reset(fake);
	return fake;
}

void fake_free(struct fake *fake)
{
	if (!fake)
		return;
	free(fake->log);
	free(fake);
}

void fake_force(struct fake *fake, uint32_t offset, uint32_t mask, uint32_t value)
{
	assert(fake->forced_count < FAKE_FORCED_MAX);
	fake->forced[fake->forced_count].offset = offset;
	fake->forced[fake->forced_count].mask = mask;
	fake->forced[fake->forced_count++].value = value;
}

void fake_unforce(struct fake *fake)
{
	fake->forced_count = 0;
}

void *fake_dma_at(const struct fake *fake, ixgbe_iova iova, size_t len)
{
	for (size_t i = 0; i < fake->maps; i++) {
		ixgbe_iova start = fake->map[i].iova;

		if (iova >= start && iova - start <= fake->map[i].len &&
		    len <= fake->map[i].len - (iova - start))
			return (uint8_t *)fake->map[i].addr + (iova - start);
	}
	return NULL;
}

long fake_find_write(const struct fake *fake, size_t from, uint32_t offset, uint32_t mask,
		     uint32_t value)
{
	for (size_t i = from; i < fake->log_count; i++)
		if (fake->log[i].write && fake->log[i].offset == offset &&
		    (fake->log[i].value & mask) == value)
			return (long)i;
	return -1;
}

long fake_find_read(const struct fake *fake, size_t from, uint32_t offset)
{
	for (size_t i = from; i < fake->log_count; i++)
		if (!fake->log[i].write && fake->log[i].offset == offset)
			return (long)i;
	return -1;
}

int fake_open(struct fake *fake, const struct ixgbe_options *options, struct ixgbe **out,
	      struct ixgbe_why *why)
{
	struct ixgbe_device *device;
	int err = device_new(&fake->base, options, &device, why);

	return err ? err : ixgbe_attach(device, out, why);
}

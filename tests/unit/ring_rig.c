/* SPDX-License-Identifier: MIT */
#include "ring_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rig *rig_of(struct ixgbe_backend *backend)
{
	return (struct rig *)backend;
}

static uint32_t rig_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	return rig_of(backend)->reg[offset / 4];
}

static void rig_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	struct rig *rig = rig_of(backend);

	if (rig->writes == RIG_WRITES_MAX) {
		memmove(&rig->write[0], &rig->write[1], sizeof(rig->write) - sizeof(rig->write[0]));
		rig->writes--;
	}
	rig->write[rig->writes].offset = offset;
	rig->write[rig->writes++].value = value;
	if (rig->queues_stuck &&
	    (offset == ixgbe_rxq_reg(IXGBE_RXDCTL, 0) || offset == ixgbe_txq_reg(IXGBE_TXDCTL, 0)))
		value = (value & ~IXGBE_RXDCTL_ENABLE) |
			(rig->reg[offset / 4] & IXGBE_RXDCTL_ENABLE);
	rig->reg[offset / 4] = value;
}

static volatile uint32_t *rig_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	struct rig *rig = rig_of(backend);

	return rig->doorbells ? &rig->reg[offset / 4] : NULL;
}

static int rig_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
		       uint64_t fd_offset, ixgbe_iova iova)
{
	struct rig *rig = rig_of(backend);

	assert_true(fd >= 0);
	assert_int_equal(fd_offset, 0);
	if (rig->map_error)
		return rig->map_error;
	assert_true(rig->maps < RIG_MAPS_MAX);
	for (uint32_t i = 0; i < rig->maps; i++)
		assert_true(iova + len <= rig->map[i].iova ||
			    rig->map[i].iova + rig->map[i].len <= iova);
	rig->map[rig->maps++] = (struct rig_map){.addr = addr, .len = len, .iova = iova};
	return 0;
}

static int rig_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	struct rig *rig = rig_of(backend);

	for (uint32_t i = 0; i < rig->maps; i++) {
		if (rig->map[i].iova != iova)
			continue;
		assert_int_equal(rig->map[i].len, len);
		rig->map[i] = rig->map[--rig->maps];
		return 0;
	}
	fail_msg("unmapped what was never mapped");
	return -1;
}

static void rig_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	*first = rig_of(backend)->first;
	*last = rig_of(backend)->last;
}

static const struct ixgbe_backend_ops rig_ops = {
	.name = "rig",
	.read32 = rig_read32,
	.write32 = rig_write32,
	.doorbell = rig_doorbell,
	.dma_map = rig_dma_map,
	.dma_unmap = rig_dma_unmap,
	.dma_range = rig_dma_range,
};

void rig_init(struct rig *rig, uint16_t ring)
{
	rig->backend.ops = &rig_ops;
	rig->last = (1ull << 39) - 1;
	rig->reg[ixgbe_rxq_reg(IXGBE_DCA_RXCTRL, 0) / 4] = 0xb200;
	rig->nic.backend = &rig->backend;
	rig->nic.options =
		(struct ixgbe_options){.queues = 1, .rx_ring = ring, .tx_ring = ring, .mtu = 1500};
	rig->nic.device = &rig->device;
	rig->nic.kept = &rig->kept;
	rig->kept.mtu = 1500;
	assert_int_equal(dma_new(&rig->backend, &rig->nic.dma), 0);
}

struct rig *rig_new(uint16_t ring)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig_init(rig, ring);
	return rig;
}

int rig_rxq_new(struct rig *rig, uint16_t queue)
{
	const struct queue_place place = {
		.backend = &rig->backend,
		.dma = rig->nic.dma,
		.queue = queue,
		.size = rig->nic.options.rx_ring,
		.state = rig->device.state,
		.plain = rig->nic.options.plain_loops,
	};

	return rxq_new(&place, rig->nic.options.rx_vlan_strip, &rig->nic.rxq[queue]);
}

int rig_txq_new(struct rig *rig, uint16_t queue)
{
	const struct queue_place place = {
		.backend = &rig->backend,
		.dma = rig->nic.dma,
		.queue = queue,
		.size = rig->nic.options.tx_ring,
		.state = rig->device.state,
		.plain = rig->nic.options.plain_loops,
	};

	return txq_new(&place, &rig->kept.mtu, &rig->nic.txq[queue]);
}

void rig_free(struct rig *rig)
{
	rings_free(&rig->nic);
	dma_free(rig->nic.dma);
	assert_int_equal(rig->maps, 0);
	free(rig);
}

void *rig_at(struct rig *rig, ixgbe_iova iova, size_t len)
{
	for (uint32_t i = 0; i < rig->maps; i++) {
		const struct rig_map *map = &rig->map[i];

		if (iova >= map->iova && iova - map->iova < map->len &&
		    len <= map->len - (iova - map->iova))
			return map->addr + (iova - map->iova);
	}
	fail_msg("no memory at IOVA %#llx, %zu bytes", (unsigned long long)iova, len);
	return NULL;
}

uint32_t rig_written(const struct rig *rig, uint32_t offset)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rig->writes; i++)
		n += rig->write[i].offset == offset;
	return n;
}

/* ---- Receive ---- */

static uint32_t *rx_reg(struct rig *rig, enum ixgbe_reg_offset reg)
{
	return &rig->reg[ixgbe_rxq_reg(reg, 0) / 4];
}

static uint32_t rx_size(struct rig *rig)
{
	return *rx_reg(rig, IXGBE_RDLEN) / IXGBE_DESC_BYTES;
}

union ixgbe_desc *rig_rx_desc(struct rig *rig, uint32_t index)
{
	ixgbe_iova base = *rx_reg(rig, IXGBE_RDBAL) | (uint64_t)*rx_reg(rig, IXGBE_RDBAH) << 32;

	assert_true(index < rx_size(rig));
	return (union ixgbe_desc *)rig_at(rig, base, rx_size(rig) * IXGBE_DESC_BYTES) + index;
}

uint32_t rig_rx_room(struct rig *rig)
{
	return (*rx_reg(rig, IXGBE_RDT) + rx_size(rig) - *rx_reg(rig, IXGBE_RDH)) % rx_size(rig);
}

void rig_rx(struct rig *rig, uint32_t info, uint32_t hash, uint32_t status, uint16_t len,
	    uint16_t vlan, uint8_t fill)
{
	uint32_t *head = rx_reg(rig, IXGBE_RDH);
	union ixgbe_desc *desc = rig_rx_desc(rig, *head);

	assert_true(rig_rx_room(rig) > 0);
	assert_int_equal(desc->qword[1], 0);
	memset(rig_at(rig, desc->qword[0], 2048), fill, len < 2048 ? len : 2048);
	desc->dword[0] = info;
	desc->dword[1] = hash;
	desc->dword[3] = len | (uint32_t)vlan << 16;
	desc->dword[2] = status;
	*head = (*head + 1) % rx_size(rig);
}

void rig_rx_frame(struct rig *rig, uint16_t len, uint8_t fill)
{
	rig_rx(rig, 0, 0, IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP, len, 0, fill);
}

/* ---- Transmit ---- */

static uint32_t *tx_reg(struct rig *rig, enum ixgbe_reg_offset reg)
{
	return &rig->reg[ixgbe_txq_reg(reg, 0) / 4];
}

static uint32_t tx_size(struct rig *rig)
{
	return *tx_reg(rig, IXGBE_TDLEN) / IXGBE_DESC_BYTES;
}

union ixgbe_desc *rig_tx_desc(struct rig *rig, uint32_t index)
{
	ixgbe_iova base = *tx_reg(rig, IXGBE_TDBAL) | (uint64_t)*tx_reg(rig, IXGBE_TDBAH) << 32;

	assert_true(index < tx_size(rig));
	return (union ixgbe_desc *)rig_at(rig, base, tx_size(rig) * IXGBE_DESC_BYTES) + index;
}

uint32_t rig_tx_queued(struct rig *rig)
{
	return (*tx_reg(rig, IXGBE_TDT) + tx_size(rig) - *tx_reg(rig, IXGBE_TDH)) % tx_size(rig);
}

uint32_t rig_tx_send(struct rig *rig, uint32_t max)
{
	uint32_t *head = tx_reg(rig, IXGBE_TDH);
	uint32_t n = 0;

	for (; n < max && rig_tx_queued(rig) > 0; n++) {
		union ixgbe_desc *desc = rig_tx_desc(rig, *head);

		if (desc->dword[2] & IXGBE_TXD_RS)
			desc->dword[3] |= IXGBE_TXD_STAT_DD;
		*head = (*head + 1) % tx_size(rig);
	}
	return n;
}

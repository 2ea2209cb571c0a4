/* SPDX-License-Identifier: MIT */
#include "model_rings.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TX_BUFFER_BYTES (1024u * 1024u)

static void breathe(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static union ixgbe_desc load(const struct ring *ring, uint32_t index)
{
	const uint64_t *at = (const void *)(ring->desc.addr + index * IXGBE_DESC_BYTES);
	/* DD first: with it the other half is there, too. */
	const uint64_t high = __atomic_load_n(&at[1], __ATOMIC_ACQUIRE);

	return (union ixgbe_desc){.qword = {at[0], high}};
}

static void store(struct ring *ring, uint32_t index, uint64_t low, uint64_t high)
{
	uint64_t *at = (void *)(ring->desc.addr + index * IXGBE_DESC_BYTES);

	at[0] = low;
	__atomic_store_n(&at[1], high, __ATOMIC_RELEASE);
}

/* Packet buffers for one traffic class (4.6.11.3.4), the transmit ones while the arbiter stands. */
static void buffers_set(struct model *m)
{
	model_set(m, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
	for (uint32_t i = 1; i < IXGBE_RXPBSIZE_COUNT; i++) {
		model_write(m, IXGBE_AT(RXPBSIZE, i), 0);
		model_write(m, IXGBE_AT(TXPBSIZE, i), 0);
	}
	model_clear(m, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
	model_write(m, IXGBE_FCRTH, 32 * 1024);
}

void rings_begin(struct model *m)
{
	model_wait(m, IXGBE_EEC, IXGBE_EEC_AUTO_RD, IXGBE_EEC_AUTO_RD);
	model_wait(m, IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, IXGBE_RDRXCTL_DMAIDONE);
	model_set(m, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS | IXGBE_CTRL_EXT_DRV_LOAD);
	buffers_set(m);
	model_write(m, IXGBE_RDRXCTL,
		    (model_read(m, IXGBE_RDRXCTL) & ~IXGBE_RDRXCTL_RSCFRSTSIZE) |
			    IXGBE_RDRXCTL_CRCSTRIP | IXGBE_RDRXCTL_RSCACKC |
			    IXGBE_RDRXCTL_FCOE_WRFIX);
	model_set(m, IXGBE_HLREG0,
		  IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN);
	model_write(m, IXGBE_FCTRL, IXGBE_FCTRL_BAM);
	model_set(m, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
	for (uint32_t i = 0; i < IXGBE_PFUTA_COUNT; i++)
		model_write(m, IXGBE_AT(PFUTA, i), 0);
	model_set(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
}

void rings_te_off(struct model *m)
{
	model_clear(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_wait(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, 0);
	model_clear(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
}

void rings_pools(struct model *m)
{
	rings_te_off(m);
	model_set(m, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
	model_write(m, IXGBE_MTQC,
		    IXGBE_MTQC_VT_ENA |
			    IXGBE_FIELD_PREP(IXGBE_MTQC_NUM_TC, IXGBE_MTQC_NUM_TC_64Q_64VF));
	model_clear(m, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
	model_set(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
}

void rings_go(struct model *m)
{
	model_set(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	model_wait(m, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, IXGBE_SECRXSTAT_SECRX_RDY);
	model_set(m, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	model_clear(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
}

void rings_start(struct model *m, struct ring *rx, struct ring *tx)
{
	rings_begin(m);
	rx_open(rx, m, 0, 64, 2, 0);
	tx_open(tx, m, 0, 64);
	rings_go(m);
}

void rings_end(struct model *m, long long violations)
{
	assert_int_equal(model_control_int(m, "violations", "total"), violations);
}

long long counter(struct model *m, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "counters.%s", name);
	return model_control_int(m, "counters", path);
}

/* ---- Receive ---- */

static uint32_t rx_reg(const struct ring *ring, enum ixgbe_reg_offset row)
{
	return ixgbe_rxq_reg(row, ring->queue);
}

static void rx_fill(struct ring *ring, uint32_t index)
{
	store(ring, index, ring->buffer.iova + (uint64_t)index * ring->buffer_bytes, 0);
}

void rx_open_empty(struct ring *ring, struct model *m, uint32_t queue, uint32_t size, uint32_t kib,
		   uint32_t srrctl)
{
	*ring = (struct ring){.m = m, .queue = queue, .size = size, .buffer_bytes = kib * 1024};
	ring->desc = model_dma_new(m, size * IXGBE_DESC_BYTES);
	ring->buffer = model_dma_new(m, (size_t)size * ring->buffer_bytes);
	for (uint32_t i = 0; i < size; i++)
		rx_fill(ring, i);
	model_write(m, rx_reg(ring, IXGBE_RDBAL), (uint32_t)ring->desc.iova);
	model_write(m, rx_reg(ring, IXGBE_RDBAH), (uint32_t)(ring->desc.iova >> 32));
	model_write(m, rx_reg(ring, IXGBE_RDLEN), size * IXGBE_DESC_BYTES);
	if (!(srrctl & IXGBE_SRRCTL_DESCTYPE))
		srrctl |= IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE,
					   IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER);
	model_write(m, rx_reg(ring, IXGBE_SRRCTL),
		    srrctl | IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEPACKET, kib));
	model_clear(m, rx_reg(ring, IXGBE_DCA_RXCTRL), IXGBE_DCA_RXCTRL_RESERVED_ZERO);
	model_write(m, rx_reg(ring, IXGBE_RDH), 0);
	model_set(m, rx_reg(ring, IXGBE_RXDCTL), IXGBE_RXDCTL_ENABLE);
	model_wait(m, rx_reg(ring, IXGBE_RXDCTL), IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
	model_write(m, rx_reg(ring, IXGBE_RDT), 0);
}

void rx_give(struct ring *ring, uint32_t count)
{
	ring->tail = (ring->tail + count) % ring->size;
	model_write(ring->m, rx_reg(ring, IXGBE_RDT), ring->tail);
}

void rx_open(struct ring *ring, struct model *m, uint32_t queue, uint32_t size, uint32_t kib,
	     uint32_t srrctl)
{
	rx_open_empty(ring, m, queue, size, kib, srrctl);
	rx_give(ring, size - 1);
}

void rx_legacy(struct ring *ring)
{
	uint32_t rxdctl = rx_reg(ring, IXGBE_RXDCTL);

	model_clear(ring->m, rxdctl, IXGBE_RXDCTL_ENABLE);
	model_clear(ring->m, rx_reg(ring, IXGBE_SRRCTL), IXGBE_SRRCTL_DESCTYPE);
	model_set(ring->m, rxdctl, IXGBE_RXDCTL_ENABLE);
	model_wait(ring->m, rxdctl, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
}

static union ixgbe_desc rx_wait(struct ring *ring)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	union ixgbe_desc desc;

	while (!((desc = load(ring, ring->next)).dword[2] & IXGBE_RXD_STAT_DD)) {
		if (model_now_ms() > end)
			fail_msg("queue %u: no frame in descriptor %u", ring->queue, ring->next);
		breathe();
	}
	return desc;
}

void rx_take(struct ring *ring, struct received *out)
{
	union ixgbe_desc desc;

	out->len = out->descs = 0;
	do {
		uint32_t len;

		desc = rx_wait(ring);
		len = desc.dword[3] & IXGBE_RXD_LENGTH;
		assert_true(len <= ring->buffer_bytes && out->len + len <= sizeof(out->data));
		memcpy(out->data + out->len,
		       ring->buffer.addr + (size_t)ring->next * ring->buffer_bytes, len);
		if (out->descs++ == 0)
			out->first = desc;
		out->len += len;
		rx_fill(ring, ring->next);
		ring->next = (ring->next + 1) % ring->size;
	} while (!(desc.dword[2] & IXGBE_RXD_STAT_EOP));
	out->last = desc;
	rx_give(ring, out->descs);
}

void rx_one_frame(struct model *m, struct ring *rx)
{
	struct received got;
	struct built f;

	frame_raw(&f, NULL, 100);
	model_wire_send(m, f.data, f.len);
	rx_take(rx, &got);
}

bool rx_silent(struct ring *ring)
{
	uint64_t end = model_now_ms() + MODEL_QUIET_MS;

	do {
		if (load(ring, ring->next).dword[2] & IXGBE_RXD_STAT_DD)
			return false;
		breathe();
	} while (model_now_ms() < end);
	return true;
}

/* ---- Transmit ---- */

static uint32_t tx_reg(const struct ring *ring, enum ixgbe_reg_offset row)
{
	return ixgbe_txq_reg(row, ring->queue);
}

void tx_open_off(struct ring *ring, struct model *m, uint32_t queue, uint32_t size)
{
	*ring = (struct ring){.m = m, .tx = true, .queue = queue, .size = size};
	ring->desc = model_dma_new(m, size * IXGBE_DESC_BYTES);
	ring->buffer = model_dma_new(m, TX_BUFFER_BYTES);
	/* DMATXCTL.TE enables queue 0 as it is (8.2.3.9.10). */
	model_clear(m, tx_reg(ring, IXGBE_TXDCTL), IXGBE_TXDCTL_ENABLE);
	model_write(m, tx_reg(ring, IXGBE_TDBAL), (uint32_t)ring->desc.iova);
	model_write(m, tx_reg(ring, IXGBE_TDBAH), (uint32_t)(ring->desc.iova >> 32));
	model_write(m, tx_reg(ring, IXGBE_TDLEN), size * IXGBE_DESC_BYTES);
	model_write(m, tx_reg(ring, IXGBE_TDH), 0);
	model_write(m, tx_reg(ring, IXGBE_TDT), 0);
}

void tx_open(struct ring *ring, struct model *m, uint32_t queue, uint32_t size)
{
	tx_open_off(ring, m, queue, size);
	model_set(m, tx_reg(ring, IXGBE_TXDCTL), IXGBE_TXDCTL_ENABLE);
	model_wait(m, tx_reg(ring, IXGBE_TXDCTL), IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
}

uint64_t tx_data(struct ring *ring, const void *data, size_t len)
{
	size_t at = ring->used + len <= TX_BUFFER_BYTES ? ring->used : 0;

	memcpy(ring->buffer.addr + at, data, len);
	ring->used = at + len;
	return ring->buffer.iova + at;
}

uint32_t tx_desc(struct ring *ring, uint64_t address, uint64_t qword1)
{
	uint32_t index = ring->next;

	store(ring, index, address, qword1);
	ring->next = (index + 1) % ring->size;
	return index;
}

void tx_kick(struct ring *ring)
{
	ring->tail = ring->next;
	model_write(ring->m, tx_reg(ring, IXGBE_TDT), ring->tail);
}

bool tx_done(const struct ring *ring, uint32_t index)
{
	return load(ring, index).dword[3] & IXGBE_TXD_STAT_DD;
}

void tx_wait(struct ring *ring, uint32_t index)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (!tx_done(ring, index)) {
		if (model_now_ms() > end)
			fail_msg("queue %u: descriptor %u is not sent", ring->queue, index);
		breathe();
	}
}

uint64_t tx_data_half(uint32_t len, uint32_t cmd, uint32_t paylen, uint32_t options)
{
	uint32_t low = len | cmd | IXGBE_FIELD_PREP(IXGBE_TXD_DTYP, IXGBE_TXD_DTYP_DATA);

	return (uint64_t)(options | IXGBE_FIELD_PREP(IXGBE_TXD_PAYLEN, paylen)) << 32 | low;
}

uint32_t tx_context(struct ring *ring, uint32_t index, uint32_t maclen, uint32_t iplen,
		    uint32_t l4len, uint32_t mss, uint16_t vlan, uint32_t flags)
{
	union ixgbe_desc desc = {
		.dword =
			{
				IXGBE_FIELD_PREP(IXGBE_TXC_IPLEN, iplen) |
					IXGBE_FIELD_PREP(IXGBE_TXC_MACLEN, maclen) |
					IXGBE_FIELD_PREP(IXGBE_TXC_VLAN, vlan),
				0,
				IXGBE_TXD_DEXT | flags |
					IXGBE_FIELD_PREP(IXGBE_TXD_DTYP, IXGBE_TXD_DTYP_CTXT),
				IXGBE_FIELD_PREP(IXGBE_TXC_IDX, index) |
					IXGBE_FIELD_PREP(IXGBE_TXC_L4LEN, l4len) |
					IXGBE_FIELD_PREP(IXGBE_TXC_MSS, mss),
			},
	};

	return tx_desc(ring, desc.qword[0], desc.qword[1]);
}

uint32_t tx_frame(struct ring *ring, const void *data, uint32_t len, uint32_t cmd, uint32_t options)
{
	return tx_desc(ring, tx_data(ring, data, len),
		       tx_data_half(len, TX_LAST | cmd, len, options));
}

/* SPDX-License-Identifier: MIT */
/*
 * Statistics, under the names and in the order of `ethtool -S` on the in-kernel driver.
 *
 * There are two sources: the device's counters, which clear on read and stick at their
 * maximum (section 8.2.3.23) and are added up here, and the queues' own counters. The
 * other names are of things that the hardware lacks or the driver never does: always zero.
 * One thread adds to a counter, any thread reads it: all are relaxed atomics.
 */
#include "parts.h"
#include "queues/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The device's counters ---- */

enum hw_counter {
	HW_CRC_ERRORS,
	HW_LENGTH_ERRORS,
	HW_MISSED,
	HW_GOOD_RX,
	HW_GOOD_TX,
	HW_RX_BYTES,
	HW_TX_BYTES,
	HW_MULTICAST,
	HW_BROADCAST,
	HW_OVERSIZE,
	HW_UNDERSIZE,
	HW_XON_TX,
	HW_XON_RX,
	HW_XOFF_TX,
	HW_XOFF_RX,
	HW_NO_DESCRIPTOR,
	HW_FDIR_MATCH,
	HW_FDIR_MISS,
	HW_COUNTERS,
};

/* The sum of `count` registers; with `high` a 36-bit counter, low word read first. */
struct hw_source {
	uint32_t offset, stride, count, high;
};
#define HIGH_BITS 0xfu

/* clang-format off */
#define REG(name)       {IXGBE_##name, 4, 1, 0}
#define SUM(name)       {IXGBE_##name, IXGBE_##name##_STRIDE, IXGBE_##name##_COUNT, 0}
#define PAIR(low, high) {IXGBE_##low, 4, 1, IXGBE_##high}

static const struct hw_source hw_source[HW_COUNTERS] = {
	[HW_CRC_ERRORS] = REG(CRCERRS),
	[HW_LENGTH_ERRORS] = REG(RLEC),
	[HW_MISSED] = SUM(RXMPC),
	[HW_GOOD_RX] = REG(GPRC),
	[HW_GOOD_TX] = REG(GPTC),
	[HW_RX_BYTES] = PAIR(GORCL, GORCH),
	[HW_TX_BYTES] = PAIR(GOTCL, GOTCH),
	[HW_MULTICAST] = REG(MPRC),
	[HW_BROADCAST] = REG(BPRC),
	[HW_OVERSIZE] = REG(ROC),
	[HW_UNDERSIZE] = REG(RUC),
	[HW_XON_TX] = REG(LXONTXC),
	[HW_XON_RX] = REG(LXONRXCNT),
	[HW_XOFF_TX] = REG(LXOFFTXC),
	[HW_XOFF_RX] = REG(LXOFFRXCNT),
	[HW_NO_DESCRIPTOR] = SUM(QPRDC),
	[HW_FDIR_MATCH] = REG(FDIRMATCH),
	[HW_FDIR_MISS] = REG(FDIRMISS),
};
/* clang-format on */

/* ---- The names ---- */

enum source {
	ZERO,
	HW,       /* one of the above */
	HW_RX,    /* rx_pkts_nic: GPRC less the frames that the packet buffer had no room for */
	HW_ERROR, /* rx_errors: CRC and length */
	RXQ,      /* the sum of a counter over the receive queues */
	TXQ,
	LSC,
	TIMEOUTS,
};

struct stat {
	const char *name;
	enum source source;
	size_t which; /* enum hw_counter, or the offset in struct ixgbe_queue_counters */
};
#define QUEUE(field) offsetof(struct ixgbe_queue_counters, field)

static const struct stat stats[] = {
	{"rx_packets", RXQ, QUEUE(packets)},
	{"tx_packets", TXQ, QUEUE(packets)},
	{"rx_bytes", RXQ, QUEUE(bytes)},
	{"tx_bytes", TXQ, QUEUE(bytes)},
	{"rx_pkts_nic", HW_RX, 0},
	{"tx_pkts_nic", HW, HW_GOOD_TX},
	{"rx_bytes_nic", HW, HW_RX_BYTES},
	{"tx_bytes_nic", HW, HW_TX_BYTES},
	{"lsc_int", LSC, 0},
	{"tx_busy", ZERO, 0},
	{"non_eop_descs", ZERO, 0},
	{"rx_errors", HW_ERROR, 0},
	{"tx_errors", ZERO, 0},
	{"rx_dropped", RXQ, QUEUE(errors)},
	{"tx_dropped", ZERO, 0},
	{"multicast", HW, HW_MULTICAST},
	{"broadcast", HW, HW_BROADCAST},
	{"rx_no_buffer_count", ZERO, 0},
	{"collisions", ZERO, 0},
	{"rx_over_errors", ZERO, 0},
	{"rx_crc_errors", HW, HW_CRC_ERRORS},
	{"rx_frame_errors", ZERO, 0},
	{"hw_rsc_aggregated", ZERO, 0},
	{"hw_rsc_flushed", ZERO, 0},
	{"fdir_match", HW, HW_FDIR_MATCH},
	{"fdir_miss", HW, HW_FDIR_MISS},
	{"fdir_overflow", ZERO, 0},
	{"rx_fifo_errors", ZERO, 0},
	{"rx_missed_errors", HW, HW_MISSED},
	{"tx_aborted_errors", ZERO, 0},
	{"tx_carrier_errors", ZERO, 0},
	{"tx_fifo_errors", ZERO, 0},
	{"tx_heartbeat_errors", ZERO, 0},
	{"tx_timeout_count", TIMEOUTS, 0},
	{"tx_restart_queue", TXQ, QUEUE(restarts)},
	{"rx_length_errors", HW, HW_LENGTH_ERRORS},
	{"rx_long_length_errors", HW, HW_OVERSIZE},
	{"rx_short_length_errors", HW, HW_UNDERSIZE},
	{"tx_flow_control_xon", HW, HW_XON_TX},
	{"rx_flow_control_xon", HW, HW_XON_RX},
	{"tx_flow_control_xoff", HW, HW_XOFF_TX},
	{"rx_flow_control_xoff", HW, HW_XOFF_RX},
	{"rx_csum_offload_errors", RXQ, QUEUE(csum_errors)},
	{"alloc_rx_page", ZERO, 0},
	{"alloc_rx_page_failed", ZERO, 0},
	{"alloc_rx_buff_failed", RXQ, QUEUE(alloc_failed)},
	{"rx_no_dma_resources", HW, HW_NO_DESCRIPTOR},
	{"os2bmc_rx_by_bmc", ZERO, 0},
	{"os2bmc_tx_by_bmc", ZERO, 0},
	{"os2bmc_tx_by_host", ZERO, 0},
	{"os2bmc_rx_by_host", ZERO, 0},
	{"tx_hwtstamp_timeouts", ZERO, 0},
	{"tx_hwtstamp_skipped", ZERO, 0},
	{"rx_hwtstamp_cleared", ZERO, 0},
	{"tx_ipsec", ZERO, 0},
	{"rx_ipsec", ZERO, 0},
};
#define STATS (sizeof(stats) / sizeof(*stats))

/* Behind the names above come packets and bytes of each queue, transmit queues first, as in the
 * kernel. */
#define NAME_BYTES 24u

struct ixgbe_stats {
	_Atomic uint64_t hw[HW_COUNTERS];
	_Atomic uint64_t link_changes, tx_timeouts, full;
	uint32_t next; /* what ixgbe_stats_step reads */
	char queue_name[4 * IXGBE_QUEUES_MAX][NAME_BYTES];
};

int stats_new(struct ixgbe *nic)
{
	uint16_t queues = nic->options.queues;

	nic->stats = state_alloc(nic->device->state, sizeof(*nic->stats));
	if (!nic->stats)
		return -ENOMEM;
	for (unsigned int i = 0; i < 4u * queues; i++)
		snprintf(nic->stats->queue_name[i], NAME_BYTES, "%s_queue_%u_%s",
			 i < 2u * queues ? "tx" : "rx", i / 2 % queues,
			 i % 2 ? "bytes" : "packets");
	return 0;
}

void stats_free(struct ixgbe *nic)
{
	state_free(nic->device->state, nic->stats);
}

void stats_link_change(struct ixgbe *nic)
{
	atomic_fetch_add_explicit(&nic->stats->link_changes, 1, memory_order_relaxed);
}

uint64_t stats_link_changes(const struct ixgbe *nic)
{
	return atomic_load_explicit(&nic->stats->link_changes, memory_order_relaxed);
}

void stats_tx_timeout(struct ixgbe *nic)
{
	atomic_fetch_add_explicit(&nic->stats->tx_timeouts, 1, memory_order_relaxed);
}

/* Adds to *full the registers that were at their maximum. */
static uint64_t hw_read(const struct ixgbe *nic, const struct hw_source *source, uint64_t *full)
{
	const uint64_t most = source->high ? (uint64_t)HIGH_BITS << 32 | UINT32_MAX : UINT32_MAX;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < source->count; i++) {
		uint64_t value = reg_read(nic, source->offset + i * source->stride);

		if (source->high)
			value |= (uint64_t)(reg_read(nic, source->high) & HIGH_BITS) << 32;
		*full += value == most;
		sum += value;
	}
	return sum;
}

void stats_discard(struct ixgbe *nic)
{
	uint64_t full = 0;

	for (size_t i = 0; i < HW_COUNTERS; i++)
		hw_read(nic, &hw_source[i], &full);
}

static int read_and_add(struct ixgbe *nic, size_t first, size_t end)
{
	uint64_t read[HW_COUNTERS], full = 0;

	for (size_t i = first; i < end; i++)
		read[i] = hw_read(nic, &hw_source[i], &full);
	if (port_gone(nic)) /* the counters read as ones */
		return -ENODEV;
	for (size_t i = first; i < end; i++)
		atomic_fetch_add_explicit(&nic->stats->hw[i], read[i], memory_order_relaxed);
	atomic_fetch_add_explicit(&nic->stats->full, full, memory_order_relaxed);
	return 0;
}

/* There is one packet buffer (init.c): the other seven of its counters stay 0. */
int stats_missed(struct ixgbe *nic, uint32_t *count)
{
	uint32_t read = reg_read(nic, IXGBE_RXMPC);

	if (read == UINT32_MAX && port_gone(nic))
		return -ENODEV;
	atomic_fetch_add_explicit(&nic->stats->hw[HW_MISSED], read, memory_order_relaxed);
	*count = read;
	return 0;
}

int stats_pauses(struct ixgbe *nic, uint64_t *count)
{
	int err = read_and_add(nic, HW_XOFF_RX, HW_XOFF_RX + 1);

	if (!err)
		*count = atomic_load_explicit(&nic->stats->hw[HW_XOFF_RX], memory_order_relaxed);
	return err;
}

int ixgbe_stats_update(struct ixgbe *nic)
{
	return read_and_add(nic, 0, HW_COUNTERS);
}

int ixgbe_stats_step(struct ixgbe *nic)
{
	size_t i = nic->stats->next % HW_COUNTERS;

	nic->stats->next = (uint32_t)(i + 1);
	return read_and_add(nic, i, i + 1);
}

/* ---- Reading ---- */

uint64_t ixgbe_stats_full(const struct ixgbe *nic)
{
	return atomic_load_explicit(&nic->stats->full, memory_order_relaxed);
}

static uint64_t hw_value(const struct ixgbe *nic, size_t i)
{
	return atomic_load_explicit(&nic->stats->hw[i], memory_order_relaxed);
}

static uint64_t queue_value(const struct ixgbe_queue_counters *counters, size_t offset)
{
	const _Atomic uint64_t *value = (const void *)((const char *)counters + offset);

	return atomic_load_explicit(value, memory_order_relaxed);
}

static const struct ixgbe_queue_counters *counters_of(const struct ixgbe *nic, bool tx, uint32_t q)
{
	return tx ? txq_counters(nic->txq[q]) : rxq_counters(nic->rxq[q]);
}

static uint64_t queue_sum(const struct ixgbe *nic, bool tx, size_t offset)
{
	uint64_t sum = 0;

	for (uint16_t q = 0; q < nic->options.queues; q++)
		sum += queue_value(counters_of(nic, tx, q), offset);
	return sum;
}

size_t ixgbe_stats_count(const struct ixgbe *nic)
{
	return STATS + 4u * nic->options.queues;
}

const char *ixgbe_stats_name(const struct ixgbe *nic, size_t i)
{
	if (i >= ixgbe_stats_count(nic))
		return NULL;
	return i < STATS ? stats[i].name : nic->stats->queue_name[i - STATS];
}

uint64_t ixgbe_stats_value(const struct ixgbe *nic, size_t i)
{
	uint64_t good, missed;

	if (i >= ixgbe_stats_count(nic))
		return 0;
	if (i >= STATS) {
		size_t entry = i - STATS;
		bool tx = entry < 2u * nic->options.queues;
		uint32_t q = (uint32_t)(entry / 2) % nic->options.queues;

		return queue_value(counters_of(nic, tx, q),
				   entry % 2 ? QUEUE(bytes) : QUEUE(packets));
	}
	switch (stats[i].source) {
	case HW:
		return hw_value(nic, stats[i].which);
	case HW_RX:
		good = hw_value(nic, HW_GOOD_RX);
		missed = hw_value(nic, HW_MISSED);
		return good > missed ? good - missed : 0;
	case HW_ERROR:
		return hw_value(nic, HW_CRC_ERRORS) + hw_value(nic, HW_LENGTH_ERRORS);
	case RXQ:
		return queue_sum(nic, false, stats[i].which);
	case TXQ:
		return queue_sum(nic, true, stats[i].which);
	case LSC:
		return stats_link_changes(nic);
	case TIMEOUTS:
		return atomic_load_explicit(&nic->stats->tx_timeouts, memory_order_relaxed);
	case ZERO:
		break;
	}
	return 0;
}

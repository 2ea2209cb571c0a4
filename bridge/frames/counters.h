/* SPDX-License-Identifier: MIT */
/*
 * The bridge's counters, for each queue. rx: from the NIC to the TAP; tx: from the TAP to the NIC.
 * A received frame is one on the wire, even if it is merged with others. A sent frame is what one
 * read of the TAP returns: a TSO frame is one. It is delivered when the NIC says that it was sent.
 *
 * Invariant when at rest, in both directions:
 *     received = delivered + the sum of the drops
 *
 * What the kernel loses before a read of the TAP is not among these, but told beside them:
 *     frames that the kernel gave the interface = tx_received + kernel_drop
 *
 * While frames are in the NIC's ring they are received and not delivered yet.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* C(name, what it counts) */
#define BRIDGE_RX_DROPS(C)                                                                         \
	C(rx_drop_tap_down, "frames for the interface while it was down or deleted")               \
	C(rx_drop_tap_rejected, "frames the kernel refused")                                       \
	C(rx_drop_runt, "frames shorter than an Ethernet header")                                  \
	C(rx_drop_driver_died, "frames held by a driver process that died, and then reset")

#define BRIDGE_TX_DROPS(C)                                                                         \
	C(tx_drop_short, "reads shorter than a vnet header and an Ethernet header")                \
	C(tx_drop_truncated, "frames longer than any the kernel may send")                         \
	C(tx_drop_bad_vnet_header, "vnet headers that contradict their frame")                     \
	C(tx_drop_unsupported_gso, "frames with a kind of segmentation that the NIC cannot do")    \
	C(tx_drop_oversize, "frames, or segments to be cut, longer than the MTU")                  \
	C(tx_drop_link_down, "frames while the link was down")                                     \
	C(tx_drop_rejected, "frames the driver refused")                                           \
	C(tx_drop_stopped, "frames held when the worker stopped")                                  \
	C(tx_drop_unreported,                                                                      \
	  "frames in the NIC's ring that it had not reported sent when it was stopped")            \
	C(tx_drop_driver_died, "frames held by a driver process that died")

#define BRIDGE_COUNTERS(C)                                                                         \
	C(rx_received, "frames taken from the NIC")                                                \
	C(rx_delivered, "frames written to the TAP, alone or merged")                              \
	C(rx_bytes, "bytes of the frames written to the TAP")                                      \
	C(rx_coalesced, "frames that were merged into an earlier one")                             \
	C(rx_csum_verified, "frames whose TCP or UDP checksum the NIC found right")                \
	C(rx_csum_bad,                                                                             \
	  "frames in which the NIC found a wrong IPv4 or TCP checksum; the kernel judges them")    \
	C(rx_unfinished, "times the NIC began a frame and did not end it within a second")         \
	C(rx_skipped,                                                                              \
	  "times the NIC was done with later descriptors, and not with the next, for a second")    \
	BRIDGE_RX_DROPS(C)                                                                         \
	C(tx_received, "frames read from the TAP")                                                 \
	C(tx_delivered, "frames the NIC reported sent")                                            \
	C(tx_bytes, "bytes of the frames handed to the NIC")                                       \
	C(tx_csum_offload, "frames whose checksum the NIC filled")                                 \
	C(tx_csum_software, "frames whose checksum ixtapd filled, since the NIC cannot")           \
	C(tx_tso, "frames the NIC segmented")                                                      \
	C(tx_ring_full, "times the TAP was not read: the NIC's ring was full, or no buffer free")  \
	BRIDGE_TX_DROPS(C)                                                                         \
	C(wakeups, "times the worker slept and was woken")                                         \
	C(turns, "turns of the loop")                                                              \
	C(irqs, "interrupts of the NIC")                                                           \
	C(irqs_lost, "times frames waited and the interrupt for them did not come")                \
	C(irqs_other, "interrupts of the NIC for link, module and errors")

/* Of the whole interface, by the kernel's account. */
#define BRIDGE_KERNEL_COUNTERS(C)                                                                  \
	C(kernel_drop, "frames the kernel dropped: the TAP's queue was full or without carrier")

struct bridge_counters {
#define C(name, text) uint64_t name;
	BRIDGE_COUNTERS(C)
#undef C
};

struct bridge_counter_info {
	const char *name, *text;
};
/* In the order of the struct, all of whose members are uint64_t: ((const uint64_t *)c)[i]. */
extern const struct bridge_counter_info bridge_counter_info[];
extern const size_t bridge_counter_count;

/* A counter has one writer and many readers. */
static inline void bridge_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}
/* Counters that another thread, or process, adds to. */
void bridge_counters_read(const struct bridge_counters *counters, struct bridge_counters *out);
void bridge_counters_add(struct bridge_counters *sum, const struct bridge_counters *more);

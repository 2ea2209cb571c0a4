/* SPDX-License-Identifier: MIT */
/*
 * What is on the wire: a header, then bytes that say nothing, up to the size asked for. It is the
 * payload of a UDP datagram, of an Ethernet frame of type PROBE_ETHERTYPE, or one of many in a TCP
 * stream, where `bytes` tells where the next begins. Numbers are in network byte order.
 *
 * The reflector sends a probe back as it came, with PROBE_ANSWER for PROBE_REQUEST and its two
 * stamps. An answer is never answered, so two reflectors don't keep each other busy, and is as long
 * as the probe, so nobody gains by a false sender's address.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROBE_VERSION = 1,
	PROBE_PORT = 8259,
	PROBE_ETHERTYPE = 0x88b5, /* IEEE 802: local experimental */
};

enum probe_kind { PROBE_REQUEST = 1, PROBE_ANSWER = 2 };

struct probe {
	uint32_t magic;
	uint8_t version;
	uint8_t kind;
	uint16_t bytes; /* from `magic` to the end */
	uint32_t run; /* the sender's number for this run, so that answers of others don't count */
	uint32_t sequence;
	/* Nanoseconds of CLOCK_MONOTONIC: of the sender, then of the reflector. */
	uint64_t sent_ns;
	uint64_t reflector_received_ns;
	uint64_t reflector_sent_ns;
} __attribute__((packed)); /* it has no holes, but stands anywhere in a stream */
static_assert(sizeof(struct probe) == 40, "it goes over the wire");
static_assert(offsetof(struct probe, sent_ns) == 16, "it goes over the wire");

/* In host order, what a sender knows and what comes back. */
struct probe_stamps {
	uint32_t sequence;
	int64_t sent_ns, reflector_received_ns, reflector_sent_ns;
};

/* Writes a request of `bytes`, at least sizeof(struct probe). */
void probe_write(struct probe *probe, uint16_t bytes, uint32_t run, uint32_t sequence,
		 int64_t sent_ns);
/*
 * The whole length of the message that begins with these `available` bytes, at least a header of
 * them; 0 if they begin no probe of ours.
 */
uint16_t probe_bytes(const struct probe *probe);
/* Whether `length` bytes are one request. */
bool probe_is_request(const struct probe *probe, size_t length);
/* Makes the request an answer, received then; probe_stamp_sent() just before it goes. */
void probe_make_answer(struct probe *probe, int64_t received_ns);
void probe_stamp_sent(struct probe *probe, int64_t sent_ns);
/* Whether `length` bytes are an answer to a probe of `run` with `bytes`; then *out is filled. */
bool probe_read_answer(const struct probe *probe, size_t length, uint32_t run, uint16_t bytes,
		       struct probe_stamps *out);

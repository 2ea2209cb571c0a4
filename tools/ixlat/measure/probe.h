/* SPDX-License-Identifier: MIT */
/*
 * The format of probes: a header, then bytes without meaning, up to the size of the probe. A probe
 * is the payload of a UDP datagram or of an Ethernet frame of type PROBE_ETHERTYPE. A TCP stream
 * has one after the other; `bytes` says where the next begins. Numbers are in network byte order.
 *
 * The reflector sends a probe back with PROBE_ANSWER in place of PROBE_REQUEST, and with its two
 * stamps. Answers are never answered, or two reflectors could keep each other busy. An answer is no
 * longer than its probe, or a forged sender's address could be used to flood its owner.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/ixlat/command_line.h"

enum {
	PROBE_VERSION = 1,
	PROBE_ETHERTYPE = 0x88b5, /* IEEE 802: local experimental */
};

enum probe_kind { PROBE_REQUEST = 1, PROBE_ANSWER = 2 };

struct probe {
	uint32_t magic;
	uint8_t version;
	uint8_t kind;
	uint16_t bytes; /* from `magic` to the end */
	uint32_t run;   /* a random number: answers to other runs don't count */
	uint32_t sequence;
	/* Of CLOCK_MONOTONIC: the sender's, then the reflector's. */
	uint64_t sent_ns;
	uint64_t reflector_received_ns;
	uint64_t reflector_sent_ns;
} __attribute__((packed)); /* not aligned within a stream */
static_assert(sizeof(struct probe) == PROBE_BYTES_MIN, "a probe goes over the wire");
static_assert(offsetof(struct probe, sent_ns) == 16, "a probe goes over the wire");

/* Of an answer, in host order. */
struct probe_stamps {
	uint32_t sequence;
	int64_t sent_ns, reflector_received_ns, reflector_sent_ns;
};

/* Writes a request of `bytes`, at least sizeof(struct probe). */
void probe_write(struct probe *probe, uint16_t bytes, uint32_t run, uint32_t sequence,
		 int64_t sent_ns);
/* The length of the message that begins with this header; 0: this is no probe. */
uint16_t probe_bytes(const struct probe *probe);
/* Whether these `length` bytes are one whole request. */
bool probe_is_request(const struct probe *probe, size_t length);
/* Turns a request into an answer. probe_stamp_sent() follows right before sending. */
void probe_make_answer(struct probe *probe, int64_t received_ns);
void probe_stamp_sent(struct probe *probe, int64_t sent_ns);
/* Whether these `length` bytes are an answer to a probe of `run` with `bytes`: fills *out then. */
bool probe_read_answer(const struct probe *probe, size_t length, uint32_t run, uint16_t bytes,
		       struct probe_stamps *out);

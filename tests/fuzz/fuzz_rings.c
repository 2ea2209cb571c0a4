/* SPDX-License-Identifier: MIT */
/*
 * A NIC that writes anything into the rings, and a caller that asks for anything.
 *
 * The input says whether the loops of vector.h are used, and is a list of steps then: write back a
 * descriptor, receive, transmit, free, report.
 * Whatever they are, no buffer is handed out twice or lost, no segment is longer than its
 * buffer, and no descriptor leads outside the buffers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tests/unit/ring_rig.h"

#define RING     64u
#define BUFFERS  100u
#define HEADROOM 64u
#define SIZE     (HEADROOM + 2048u)
#define BURST    80u

struct input {
	const uint8_t *at, *end;
};

/* One without the loops of vector.h, and one with them; and the one that is tried. */
static struct {
	struct rig *rig;
	struct ixgbe_pool *pool;
} kinds[2];
static struct rig *rig;
static struct ixgbe_pool *pool;
static struct ixgbe_buf *held[BUFFERS];
static uint32_t held_count;

/* Not assert: this holds in every build. */
static void must(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "violated: %s\n", what);
		abort();
	}
}

/* The next bytes of the input, zeros behind its end. */
static uint64_t take(struct input *in, size_t bytes)
{
	size_t left = (size_t)(in->end - in->at);
	uint64_t value = 0;

	memcpy(&value, in->at, bytes < left ? bytes : left);
	in->at += bytes < left ? bytes : left;
	return value;
}

static void hold(struct ixgbe_buf *buf)
{
	for (uint32_t i = 0; i < held_count; i++)
		must(held[i] != buf, "a buffer has one owner");
	held[held_count++] = buf;
}

static void step_write_back(struct input *in, union ixgbe_desc *desc)
{
	desc->qword[0] = take(in, 8);
	desc->qword[1] = take(in, 8);
}

/* The next descriptors become frames that are almost right. */
static void step_frames(struct input *in)
{
	uint32_t at = (uint32_t)take(in, 1) % RING;

	for (uint32_t n = (uint32_t)take(in, 1) % RING; n > 0; n--, at = (at + 1) % RING) {
		uint32_t bits = (uint32_t)take(in, 1);

		rig_rx_desc(rig, at)->dword[3] = bits & 4 ? (uint32_t)take(in, 2) : 60;
		rig_rx_desc(rig, at)->dword[2] = bits & 3;
	}
}

static void step_receive(struct input *in)
{
	struct ixgbe_seg seg[BURST];
	uint32_t max = (uint32_t)take(in, 1) % (BURST + 1);
	uint32_t n = ixgbe_rx_burst(rig->nic.rxq[0], seg, max);

	must(n <= max, "a burst keeps to its limit");
	must(n == 0 || (seg[n - 1].flags & IXGBE_SEG_EOP), "frames are whole");
	for (uint32_t i = 0; i < n; i++) {
		must(seg[i].offset == HEADROOM && seg[i].len > 0 && seg[i].len <= 2048,
		     "a segment is within its buffer");
		hold(seg[i].buf);
	}
}

static void step_free(struct input *in)
{
	for (uint32_t n = (uint32_t)take(in, 1); n > 0 && held_count > 0; n--)
		ixgbe_buf_put(held[--held_count]);
}

/* What was just queued leads to the pool's buffers and nowhere else. */
static void check_queued(uint32_t from)
{
	const uint32_t to = rig->reg[ixgbe_txq_reg(IXGBE_TDT, 0) / 4];
	const struct ixgbe_buf *last = ixgbe_pool_at(pool, BUFFERS - 1);
	const ixgbe_iova first_iova = ixgbe_pool_at(pool, 0)->iova;

	for (; from != to; from = (from + 1) % RING) {
		const union ixgbe_desc *desc = rig_tx_desc(rig, from);
		const uint32_t len = desc->dword[2] & IXGBE_TXD_DTALEN;

		if (IXGBE_FIELD_GET(IXGBE_TXD_DTYP, desc->dword[2]) != IXGBE_TXD_DTYP_DATA)
			continue;
		must(len > 0 && len <= SIZE && desc->qword[0] >= first_iova &&
			     desc->qword[0] + len <= last->iova + SIZE,
		     "a descriptor is within the buffers");
	}
}

static void step_transmit(struct input *in)
{
	struct ixgbe_seg seg[BURST];
	const uint32_t from = rig->reg[ixgbe_txq_reg(IXGBE_TDT, 0) / 4];
	uint32_t n, taken;
	int stopped;

	for (n = (uint32_t)take(in, 1) % BURST; n > held_count; n--)
		;
	for (uint32_t i = 0; i < n; i++) {
		const bool plain = take(in, 1) & 1;

		seg[i] = (struct ixgbe_seg){
			.buf = held[held_count - 1 - i],
			.offset = plain ? HEADROOM : (uint32_t)take(in, 4),
			.len = plain ? 60 : (uint32_t)take(in, 2),
			.flags = plain ? IXGBE_SEG_EOP : (uint32_t)take(in, 3),
		};
		if (plain)
			continue;
		seg[i].mss = (uint16_t)take(in, 2);
		seg[i].l2_len = (uint8_t)take(in, 1);
		seg[i].l3_len = (uint16_t)take(in, 2);
		seg[i].l4_len = (uint8_t)take(in, 1);
	}
	taken = ixgbe_tx_burst(rig->nic.txq[0], seg, n, &stopped);
	must(taken <= n, "no more is taken than there is");
	must((stopped == 0) == (taken == n), "a burst that stops says why, no other does");
	must(stopped != -EAGAIN || ixgbe_tx_in_flight(rig->nic.txq[0]) > 0,
	     "an empty ring has room for every frame");
	held_count -= taken;
	check_queued(from);
}

static void start(bool vectors)
{
	pool = kinds[vectors].pool;
	rig = kinds[vectors].rig;
	if (rig)
		return;
	rig = rig_new(RING);
	rig->nic.options.plain_loops = !vectors;
	if (ixgbe_pool_new(&rig->nic, BUFFERS, SIZE, HEADROOM, &pool) || rig_rxq_new(rig, 0) ||
	    rig_txq_new(rig, 0))
		abort();
	kinds[vectors].rig = rig;
	kinds[vectors].pool = pool;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};

	start(take(&in, 1) & 1);
	if (rings_receive_start(&rig->nic, &pool, NULL) || rings_transmit_start(&rig->nic, NULL))
		abort();
	while (in.at < in.end) {
		const uint8_t step = *in.at++;

		switch (step % 8) {
		case 0:
			step_write_back(&in,
					rig_rx_desc(rig, step / 8 + (uint32_t)take(&in, 1) % 32));
			break;
		case 1:
			step_write_back(&in,
					rig_tx_desc(rig, step / 8 + (uint32_t)take(&in, 1) % 32));
			break;
		case 2:
		case 3:
			step_frames(&in);
			break;
		case 4:
			step_receive(&in);
			break;
		case 5:
			step_transmit(&in);
			break;
		case 6:
			step_free(&in);
			break;
		case 7:
			rig_tx_send(rig, (uint32_t)take(&in, 1));
			ixgbe_tx_reclaim(rig->nic.txq[0]);
			break;
		}
		must(held_count + ixgbe_tx_in_flight(rig->nic.txq[0]) +
				     ixgbe_pool_available(pool) <=
			     BUFFERS,
		     "no buffer is twice there");
	}
	rings_receive_stop(&rig->nic);
	rings_transmit_stop(&rig->nic);
	while (held_count > 0)
		ixgbe_buf_put(held[--held_count]);
	must(ixgbe_pool_available(pool) == BUFFERS, "no buffer is lost");
	return 0;
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	size_t len = random() % (size < 800 ? size : 800);

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)random();
	return len;
}

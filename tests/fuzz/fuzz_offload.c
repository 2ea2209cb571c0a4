/* SPDX-License-Identifier: MIT */
/*
 * Any vnet header in front of any frame: nothing is touched outside the frame (the sanitizer
 * sees to that: the frame ends where its block ends), and what is to be sent is something that
 * the driver takes.
 *
 * An input is flags (4 bytes, for the receive side), a vnet header, a frame. The last two bytes
 * of the flags repeat the frame's end, so that short inputs make long frames too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "bridge/frames/offload.h"
#include "fuzz.h"
#include "tests/unit/puppet_nic.h"

#define FRAME_OFFSET 64u

static const struct offload_headers unparsed;

/* The driver sends a frame as offload_tx made it, or says that it is over the MTU. */
static void check_sendable(const uint8_t *frame, uint32_t len, struct ixgbe_seg *seg)
{
	static struct puppet *puppet;
	struct ixgbe_txq *txq;
	struct ixgbe_buf *buf;
	int stopped;

	if (!puppet)
		puppet = puppet_new(512, 9710);
	txq = ixgbe_txq(puppet->nic, 0);
	buf = ixgbe_buf_get(puppet->pool[WORKER_POOL_TX_LONG]);
	CHECK(buf);
	memcpy(buf->data + FRAME_OFFSET, frame, len);
	seg->buf = buf;
	seg->offset = FRAME_OFFSET;
	seg->len = len;
	seg->flags |= IXGBE_SEG_EOP;
	if (ixgbe_tx_burst(txq, seg, 1, &stopped) == 0) {
		CHECK(stopped == -EMSGSIZE);
		ixgbe_buf_put(buf);
		return;
	}
	puppet_transmit_all(puppet);
	ixgbe_tx_reclaim(txq);
	CHECK(ixgbe_tx_in_flight(txq) == 0);
}

static void transmit(const uint8_t *vnet, const uint8_t *bytes, uint32_t len)
{
	uint8_t *frame = malloc(len ? len : 1);
	struct ixgbe_seg seg;
	enum offload_tx verdict;

	CHECK(frame);
	memcpy(frame, bytes, len);
	memset(&seg, 0xee, sizeof(seg));
	verdict = offload_tx(vnet, frame, len, &seg);
	CHECK(verdict < OFFLOAD_TX_VERDICTS);
	if (verdict < OFFLOAD_TX_DROP_SHORT)
		check_sendable(frame, len, &seg);
	if (verdict == OFFLOAD_TX_PLAIN)
		CHECK(memcmp(frame, bytes, len) == 0);
	free(frame);
}

/* What the kernel refuses (tun_get_user) must not come out. */
static void receive(uint32_t flags, const uint8_t *bytes, uint32_t len, uint32_t first)
{
	uint8_t vnet[TAP_VNET_HDR_BYTES], *frame = malloc(first ? first : 1);

	CHECK(frame);
	memcpy(frame, bytes, first);
	if (offload_rx(vnet, frame, first, len, flags, &unparsed) == OFFLOAD_RX_VERIFIED) {
		uint32_t start = offload_get_le16(vnet + VNET_CSUM_START);
		uint32_t offset = offload_get_le16(vnet + VNET_CSUM_OFFSET);

		CHECK(start >= OFFLOAD_ETH_BYTES && start + offset + 2 <= first && first <= len);
	}
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[TAP_FRAME_MAX + 2];
	uint8_t vnet[TAP_VNET_HDR_BYTES];
	uint32_t flags, len;
	size_t extra;

	if (size < sizeof(flags) + sizeof(vnet))
		return 0;
	memcpy(&flags, data, sizeof(flags));
	memcpy(vnet, data + sizeof(flags), sizeof(vnet));
	data += sizeof(flags) + sizeof(vnet);
	size -= sizeof(flags) + sizeof(vnet);
	if (size > sizeof(bytes))
		size = sizeof(bytes);
	memset(bytes, 0xa5, sizeof(bytes));
	memcpy(bytes, data, size);
	extra = flags >> 31 ? flags >> 15 & 0xffff : 0;
	len = (uint32_t)(extra > sizeof(bytes) - size ? sizeof(bytes) : size + extra);

	transmit(vnet, bytes, len);
	receive(flags, bytes, len, len < 2048 ? len : 2048);
	receive(flags, bytes, len, (uint32_t)size < len ? (uint32_t)size : len);
	return 0;
}

/* ---- Inputs that are nearly right, for where no coverage guides ---- */

static size_t header_generate(uint8_t *frame, uint32_t (*random)(void), uint32_t *l4)
{
	uint32_t at = 14, tags = random() % 4, extensions = random() % 10;
	uint8_t protocol = (uint8_t[]){6, 6, 17, 17, 58, 132}[random() % 6];

	offload_put_be16(frame + 12, 0x8100);
	for (; tags > 0; tags--, at += 4)
		offload_put_be16(frame + at + 2, 0x8100);
	if (random() % 2) {
		offload_put_be16(frame + at - 2, 0x0800);
		frame[at] = (uint8_t)(0x40 | (random() % 8 ? 5 + random() % 3 : random() % 16));
		frame[at + 6] = 0;
		frame[at + 7] = 0;
		frame[at + 9] = protocol;
		at += (frame[at] & 0xfu) * 4;
	} else {
		offload_put_be16(frame + at - 2, 0x86dd);
		frame[at] = 0x60;
		frame[at + 6] = extensions ? 60 : protocol;
		at += 40;
		for (; extensions > 0; extensions--) {
			frame[at] = extensions > 1 ? 60 : protocol;
			frame[at + 1] = (uint8_t)(random() % 3);
			at += 8 * (frame[at + 1] + 1u);
		}
	}
	*l4 = at;
	frame[at + 12] = (uint8_t)(random() % 8 ? 5 << 4 | (random() & 0xf) : random());
	return at + random() % 128;
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	uint8_t *vnet = to + 4, *frame = vnet + TAP_VNET_HDR_BYTES;
	const uint16_t offset = (uint16_t[]){16, 6, 2, 8}[random() % 4];
	size_t len;
	uint32_t l4;

	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)random();
	to[1] |= IXGBE_RX_L4_GOOD >> 8;
	len = header_generate(frame, random, &l4);
	vnet[VNET_FLAGS] = (uint8_t)(random() % 8 != 0);
	vnet[VNET_GSO_TYPE] = (uint8_t[]){0, 1, 4, 5, 0x81, 0x84, 3, 7}[random() % 8];
	offload_put_le16(vnet + VNET_HDR_LEN, (uint16_t)l4);
	offload_put_le16(vnet + VNET_GSO_SIZE,
			 (uint16_t)(random() % 8 ? random() % 2000 : random()));
	offload_put_le16(vnet + VNET_CSUM_START, (uint16_t)(random() % 8 ? l4 : random()));
	offload_put_le16(vnet + VNET_CSUM_OFFSET, random() % 8 ? offset : (uint16_t)random());
	if (random() % 16 == 0)
		frame[random() % 64] = (uint8_t)random();
	return 4 + TAP_VNET_HDR_BYTES + len;
}

/* SPDX-License-Identifier: MIT */
/*
 * Any burst of any frames: nothing outside the segments is touched (each ends where its block
 * ends), every segment is in one write, and every byte is written but the headers that are left
 * out.
 *
 * An input is records: flags of a frame (4 bytes), bytes of its first segment and of all (2 each),
 * and as many bytes as are there; what is missing repeats the frame before.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge/frames/coalesce.h"
#include "bridge/frames/offload.h"
#include "fuzz.h"

#define HEADROOM    64u
#define FRAME_MAX   4096u
#define RECORD      8u
#define SEGS_FRAME  3u /* of a frame at most */
#define SPLIT_BYTES 2048u

static struct burst {
	struct ixgbe_buf buf[COALESCE_SEGS];
	struct ixgbe_seg seg[COALESCE_SEGS];
	uint32_t segs, frames;
	uint64_t bytes;
	struct coalesce c;
} b;

static void segment_add(const uint8_t *data, uint32_t len)
{
	struct ixgbe_buf *buf = &b.buf[b.segs];

	buf->data = malloc(HEADROOM + len);
	CHECK(buf->data);
	memcpy(buf->data + HEADROOM, data, len);
	b.seg[b.segs++] = (struct ixgbe_seg){.buf = buf, .offset = HEADROOM, .len = len};
}

static void frame_add(const uint8_t *data, uint32_t len, uint32_t first, uint32_t flags)
{
	const uint32_t at = b.segs;

	first = first == 0 || first > len ? len : first;
	if (len - first > (SEGS_FRAME - 1) * SPLIT_BYTES)
		first = len;
	segment_add(data, first);
	for (uint32_t done = first, n; done < len; done += n) {
		n = len - done < SPLIT_BYTES ? len - done : SPLIT_BYTES;
		segment_add(data + done, n);
	}
	b.seg[b.segs - 1].flags = flags | IXGBE_SEG_EOP;
	coalesce_add(&b.c, at, b.segs - at, len);
	b.frames++;
	b.bytes += len;
}

static volatile uint32_t bytes_read; /* so that the reads stay */

/* Reads every byte that would be written. */
static void write_check(uint32_t index)
{
	const struct coalesce_write *w = &b.c.write[index];
	struct coalesce_head *head = &b.c.head[index];
	struct iovec iov[COALESCE_SEGS + 1];
	uint32_t pieces;
	uint64_t bytes = 0;
	uint32_t sum = 0;

	CHECK(w->frames >= 1 && w->segs >= w->frames);
	memset(head->vnet, 0, sizeof(head->vnet));
	CHECK(w->head_bytes <= b.seg[w->first].len);
	if (w->frames > 1) {
		coalesce_headers(w, head);
		CHECK(w->bytes <= TAP_FRAME_MAX && w->header_bytes <= w->head_bytes);
		CHECK(w->wire_bytes == w->bytes + (w->frames - 1u) * w->header_bytes);
	} else {
		CHECK(w->wire_bytes == w->bytes);
		offload_rx(head->vnet, head->frame, w->head_bytes, w->bytes, b.seg[w->last].flags,
			   &w->headers);
	}
	pieces = coalesce_iov(&b.c, index, iov);
	CHECK(pieces <= w->segs + 1u);
	for (uint32_t i = 0; i < pieces; i++) {
		bytes += iov[i].iov_len;
		for (size_t j = 0; j < iov[i].iov_len; j++)
			sum += ((const uint8_t *)iov[i].iov_base)[j];
	}
	CHECK(bytes == w->bytes + TAP_VNET_HDR_BYTES);
	bytes_read = sum;
}

static void burst_check(void)
{
	bool seen[COALESCE_SEGS] = {false};
	uint64_t wire_bytes = 0;
	uint32_t frames = 0, segs = 0;

	for (uint32_t i = 0; i < b.c.writes; i++) {
		const struct coalesce_write *w = &b.c.write[i];
		uint32_t at = w->first;

		for (uint32_t n = 0; n < w->segs; n++, at = b.c.next[at]) {
			CHECK(at < b.segs && !seen[at]);
			seen[at] = true;
			CHECK(n + 1 < w->segs || at == w->last);
		}
		write_check(i);
		frames += w->frames;
		segs += w->segs;
		wire_bytes += w->wire_bytes;
	}
	CHECK(frames == b.frames && segs == b.segs && wire_bytes == b.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t frame[FRAME_MAX];

	memset(frame, 0, sizeof(frame));
	b.segs = b.frames = 0;
	b.bytes = 0;
	coalesce_begin(&b.c, b.seg, true);
	while (size >= RECORD && b.segs + SEGS_FRAME <= COALESCE_SEGS) {
		uint32_t flags = offload_get_le16(data), n = data[2];
		uint32_t first = offload_get_le16(data + 4), len = offload_get_le16(data + 6);

		data += RECORD;
		size -= RECORD;
		len = len % FRAME_MAX;
		len = len < OFFLOAD_ETH_BYTES ? OFFLOAD_ETH_BYTES : len;
		n = n < size ? n : (uint32_t)size;
		memcpy(frame, data, n);
		data += n;
		size -= n;
		frame_add(frame, len, first, flags & ~(uint32_t)IXGBE_SEG_EOP);
	}
	burst_check();
	for (uint32_t i = 0; i < b.segs; i++)
		free(b.buf[i].data);
	return 0;
}

/* ---- Streams that are nearly right, for where no coverage guides ---- */

static void headers_generate(uint8_t *frame, uint32_t payload, uint32_t id, uint32_t seq, bool v6)
{
	uint8_t *ip = frame + 14, *tcp = ip + (v6 ? 40 : 20);

	memset(frame, 2, 14);
	offload_put_be16(frame + 12, v6 ? 0x86dd : 0x0800);
	memset(ip, 0, v6 ? 60 : 40);
	ip[0] = v6 ? 0x60 : 0x45;
	if (v6) {
		offload_put_be16(ip + 4, (uint16_t)(20 + payload));
		ip[6] = 6;
	} else {
		offload_put_be16(ip + 2, (uint16_t)(40 + payload));
		offload_put_be16(ip + 4, (uint16_t)id);
		ip[9] = 6;
	}
	offload_put_be16(tcp + 4, (uint16_t)(seq >> 16));
	offload_put_be16(tcp + 6, (uint16_t)seq);
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	const bool v6 = random() % 2;
	const uint32_t header = v6 ? 74 : 54, payload = 1 + random() % 1500;
	uint32_t seq = random(), id = random();
	size_t len = 0;

	while (len + RECORD + header <= size && random() % 32) {
		uint8_t *record = to + len, *frame = record + RECORD;

		offload_put_le16(record, IXGBE_RX_TCP | IXGBE_RX_L4_GOOD | IXGBE_RX_IP_GOOD);
		record[2] = (uint8_t)header;
		record[3] = 0;
		offload_put_le16(record + 4, (uint16_t)(random() % 8 ? 0 : random() % 2000));
		offload_put_le16(record + 6, (uint16_t)(header + payload));
		headers_generate(frame, payload, id++, seq, v6);
		seq += payload;
		if (random() % 8 == 0)
			record[random() % (RECORD + header)] ^= (uint8_t)(1u << random() % 8);
		len += RECORD + header;
	}
	return len;
}

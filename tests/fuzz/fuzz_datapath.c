/* SPDX-License-Identifier: MIT */
/*
 * The software NIC's data path under a hostile driver and a hostile wire.
 *
 * The input is a list of steps: descriptors and memory written, tails moved, registers of the rings
 * and filters changed, frames and trains of segments from the wire. What is sent loops back or is
 * lost without a wire.
 * Whatever they are: nothing is read or written outside (the sanitizers), a turn ends, and every
 * frame is delivered or in a named drop.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "fuzz.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/data/checksum.h"
#include "tools/ixnic/data/data.h"

#define MEMORY 0x40000u
#define IOVA   0x100000u
#define RING   16u
#define RX_AT  0x0000u /* the rings' places in the memory */
#define TX_AT  0x1000u

struct input {
	const uint8_t *at, *end;
};

static uint8_t *memory;
static int memory_fd = -1;

/* A frame's: Ethernet, IPv4, TCP. The transmit buffers begin with them, too. */
static const uint8_t headers[54] = {
	2, 0,  0, 0, 0,  1, 2, 0, 0,  0, 0,    9,    8,  0, 0x45, 0, 1, 0,
	0, 1,  0, 0, 64, 6, 0, 0, 10, 0, 0,    1,    10, 0, 0,    2, 0, 80,
	0, 81, 0, 0, 0,  1, 0, 0, 0,  2, 0x50, 0x18, 16, 0, 0,    0, 0, 0,
};

/* The next bytes of the input, zeros behind its end. */
static uint32_t take(struct input *in, size_t bytes)
{
	size_t left = (size_t)(in->end - in->at);
	uint32_t value = 0;

	bytes = bytes < left ? bytes : left;
	memcpy(&value, in->at, bytes);
	in->at += bytes;
	return value;
}

static void start(struct nic *nic, bool coalesce)
{
	const uint32_t rx = IOVA + RX_AT, tx = IOVA + TX_AT;
	static const uint32_t key[] = {0x6d5a56da, 0x255b0ec2, 0x4167253d};

	memory_enable(nic->memory, true);
	phy_cable_set(nic, true);
	phy_light_set(nic, true);
	regfile_write(nic, IXGBE_AUTOC, reg(nic, IXGBE_AUTOC) | IXGBE_AUTOC_FLU);
	for (uint32_t i = 0; i < 3; i++)
		regfile_write(nic, IXGBE_AT(RSSRK, i), key[i]);
	regfile_write(nic, IXGBE_FCTRL, IXGBE_FCTRL_BAM | IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE);
	regfile_write(nic, IXGBE_HLREG0,
		      reg(nic, IXGBE_HLREG0) | IXGBE_HLREG0_LPBK | IXGBE_HLREG0_RXCRCSTRP);
	regfile_write(nic, IXGBE_RDBAL, rx);
	regfile_write(nic, IXGBE_RDLEN, RING * IXGBE_DESC_BYTES);
	if (coalesce) {
		regfile_write(nic, IXGBE_SRRCTL,
			      IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE,
					       IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER) |
				      IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEHEADER, 4) |
				      IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEPACKET, 2));
		regfile_write(nic, IXGBE_RSCCTL, IXGBE_RSCCTL_RSCEN | IXGBE_RSCCTL_MAXDESC);
	}
	regfile_write(nic, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	regfile_write(nic, IXGBE_RDT, RING - 1);
	regfile_write(nic, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	regfile_write(nic, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	regfile_write(nic, IXGBE_TDBAL, tx);
	regfile_write(nic, IXGBE_TDLEN, RING * IXGBE_DESC_BYTES);
	regfile_write(nic, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
}

static void step_descriptor(struct input *in)
{
	uint32_t where = take(in, 1);
	union ixgbe_desc *ring =
		(union ixgbe_desc *)(void *)(memory + (where & 0x80 ? RX_AT : TX_AT));
	union ixgbe_desc *desc = &ring[where % RING];

	desc->qword[0] = IOVA + take(in, 3) % (MEMORY + 4096);
	if (where & 0x40) { /* a context is all bits */
		desc->dword[0] = take(in, 4);
		desc->dword[1] = take(in, 4);
	}
	desc->dword[2] = take(in, 4);
	desc->dword[3] = take(in, 4);
}

static void step_register(struct input *in, struct nic *nic)
{
	static const uint32_t offset[] = {
		IXGBE_RDH,      IXGBE_RDT,      IXGBE_RDLEN,     IXGBE_RXDCTL,     IXGBE_SRRCTL,
		IXGBE_TDH,      IXGBE_TDT,      IXGBE_TDLEN,     IXGBE_TXDCTL,     IXGBE_TDWBAL,
		IXGBE_HLREG0,   IXGBE_MAXFRS,   IXGBE_RXPBSIZE,  IXGBE_MRQC,       IXGBE_RXCSUM,
		IXGBE_FCTRL,    IXGBE_VLNCTRL,  IXGBE_PSRTYPE,   IXGBE_MCSTCTRL,   IXGBE_RETA,
		IXGBE_ETQF,     IXGBE_ETQS,     IXGBE_FTQF,      IXGBE_CTRL_EXT,   IXGBE_EXVET,
		IXGBE_RDBAL,    IXGBE_TDBAL,    IXGBE_L34TIMIR,  IXGBE_DTXTCPFLGL, IXGBE_DMATXCTL,
		IXGBE_SYNQF,    IXGBE_PFVTCTL,  IXGBE_FDIRCTRL,  IXGBE_FDIRHASH,   IXGBE_FDIRCMD,
		IXGBE_FDIRM,    IXGBE_FDIRTCPM, IXGBE_FDIRSIP4M, IXGBE_FDIRDIP4M,  IXGBE_FDIRIP6M,
		IXGBE_FDIRPORT, IXGBE_FDIRIPSA, IXGBE_FDIRIPDA,  IXGBE_FDIRVLAN,   IXGBE_FDIRHKEY,
		IXGBE_RSCCTL,   IXGBE_RSCDBU,   IXGBE_RFCTL,     IXGBE_RDRXCTL,
	};

	regfile_write(nic, offset[take(in, 1) % (sizeof(offset) / sizeof(offset[0]))], take(in, 4));
}

/* A command of the flow director: of few buckets and indexes, so that lists form, and all zero but
 * for masks that hide most of a frame, so that frames match. */
static void step_flow(struct input *in, struct nic *nic)
{
	static const uint32_t masks[] = {IXGBE_FDIRSIP4M, IXGBE_FDIRDIP4M, IXGBE_FDIRTCPM,
					 IXGBE_FDIRUDPM};
	uint32_t how = take(in, 1);

	if (how & 0x80) {
		regfile_write(nic, IXGBE_FDIRCTRL, take(in, 4));
		regfile_write(nic, IXGBE_FDIRM, how & 0x7f);
		for (uint32_t i = 0; i < 4; i++)
			regfile_write(nic, masks[i], how & 1 ? UINT32_MAX : 0);
		regfile_write(nic, IXGBE_FDIRHKEY, how & 2 ? 0 : take(in, 4));
		regfile_write(nic, IXGBE_FDIRSKEY, how & 4 ? 0 : take(in, 4));
		return;
	}
	regfile_write(nic, IXGBE_FDIRHASH, (how & 0x1f) << 16 | (how >> 5 & 3));
	regfile_write(nic, IXGBE_FDIRCMD, take(in, 4));
}

/* In memory of exactly its length, and in two parts if so asked. */
static void step_frame(struct input *in, struct nic *nic)
{
	size_t len = take(in, 1) * (take(in, 1) % 8 + 1u), left = (size_t)(in->end - in->at);
	uint8_t *data = calloc(1, len ? len : 1);
	struct frame frame = {.head = data, .head_len = (uint32_t)len};

	if (!data || len == 0)
		goto out;
	memcpy(data, in->at, len < left ? len : left);
	in->at += len < left ? len : left;
	if (len > 200) {
		frame.head_len = 100;
		frame.body = data + 100;
		frame.body_len = (uint32_t)len - 100;
	}
	receive_frame(nic, &frame);
out:
	free(data);
}

/*
 * A train of TCP segments that come in one turn: each follows the last but for what the input says,
 * and most of them could be coalesced. The payload is in memory of exactly its length.
 */
static void step_train(struct input *in, struct nic *nic)
{
	uint32_t left = take(in, 1) % 40, seq = take(in, 4);
	uint8_t head[66];

	memcpy(head, headers, sizeof(headers));
	memcpy(head + 54, (const uint8_t[]){1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}, 12);
	while (left-- > 0) {
		uint32_t how = take(in, 1), len = 6 + take(in, 2) % 3000;
		uint32_t head_len = how & 0x40 ? 66 : 54;
		uint8_t *body = calloc(1, len);
		struct frame frame = {head, body, head_len, len, FRAME_CHECKED_ANY, false};
		uint32_t be = htobe32(seq);
		uint16_t sum;

		if (!body)
			abort();
		head[16] = (uint8_t)((head_len - 14 + len) >> 8);
		head[17] = (uint8_t)(head_len - 14 + len);
		head[24] = head[25] = 0;
		sum = (uint16_t)~csum_fold(csum_add(0, head + 14, 20));
		memcpy(head + 24, &sum, sizeof(sum));
		head[35] = (uint8_t)(how & 0x20 ? take(in, 1) : 0); /* another flow */
		memcpy(head + 38, &be, sizeof(be));
		head[46] = head_len == 66 ? 0x80 : 0x50;
		head[47] = how & 0x10 ? (uint8_t)take(in, 1) : 0x10;
		if (how & 0x08) /* anything */
			head[take(in, 1) % head_len] = (uint8_t)take(in, 1);
		receive_frame(nic, &frame);
		free(body);
		seq += how & 0x04 ? take(in, 1) : len;
	}
}

static uint64_t total, arrived, sent, left_us;

/* Sums up the names: what came in, and where it went. */
static void sum(void *ctx, const char *name, uint64_t value)
{
	(void)ctx;
	if (strcmp(name, "rx_frames") == 0)
		total = value;
	else if (strncmp(name, "rx_drop_", 8) == 0 || strcmp(name, "rx_delivered") == 0)
		arrived += value;
	else if (strcmp(name, "tx_frames") == 0)
		sent = value;
	else if (strcmp(name, "tx_sent") == 0 || strcmp(name, "tx_looped") == 0 ||
		 strcmp(name, "tx_drop_crc") == 0 || strncmp(name, "wire_drop_", 10) == 0)
		left_us += value;
}

static void must(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "violated: %s\n", what);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct input in = {data, data + size};
	struct nic *nic = NULL;

	log_level_set(IXGBE_LOG_ERROR);
	if (!memory) {
		memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
		if (memory_fd < 0 || ftruncate(memory_fd, MEMORY) < 0)
			abort();
		memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	}
	if (memory == MAP_FAILED || nic_new(mac, &nic))
		abort();
	memset(memory, 0, MEMORY);
	memcpy(memory + 0x2000, headers, sizeof(headers));
	if (memory_map(nic->memory, IOVA, MEMORY, MEMORY_READABLE | MEMORY_WRITABLE, memory_fd, 0))
		abort();
	start(nic, take(&in, 1) & 1);
	while (in.at < in.end) {
		switch (take(&in, 1) % 8) {
		case 0:
			step_descriptor(&in);
			break;
		case 1:
			step_register(&in, nic);
			break;
		case 2:
			step_frame(&in, nic);
			break;
		case 3:
			memory[0x2000 + take(&in, 2) % (MEMORY - 0x2000)] = (uint8_t)take(&in, 1);
			break;
		case 4:
			regfile_write(nic, IXGBE_TDT, take(&in, 1) % (RING + 1));
			break;
		case 5:
			step_train(&in, nic);
			break;
		case 6:
			step_flow(&in, nic);
			break;
		default:
			regfile_write(nic, IXGBE_RDT, take(&in, 1) % (RING + 1));
			break;
		}
		data_work(nic);
	}
	data_reset(nic);
	total = arrived = sent = left_us = 0;
	data_counters(nic, sum, NULL);
	must(total == arrived, "received = delivered + drops");
	must(sent == left_us, "cut = sent + drops");
	nic_free(nic);
	return 0;
}

/* ---- Inputs that make sense up to a point ---- */

struct output {
	uint8_t *to;
	size_t n;
	uint32_t (*random)(void);
};

static void put(struct output *out, uint32_t value, size_t bytes)
{
	memcpy(out->to + out->n, &value, bytes);
	out->n += bytes;
}

/* A context, and a packet of one or two descriptors that uses it; then the tail. */
static void put_packet(struct output *out, uint32_t *tail)
{
	uint32_t len = 60 + out->random() % 1400, pieces = 1 + out->random() % 2;
	uint32_t tso = out->random() & IXGBE_TXD_TSE, bits = out->random();
	uint32_t paylen = len * pieces - (tso ? 54 : 0) + (out->random() % 16 == 0);

	put(out, 0, 1);
	put(out, 0x40 | *tail, 1);
	put(out, 0, 3);
	put(out, 14u << 9 | 20, 4);
	put(out, 0, 4);
	put(out, IXGBE_TXD_DEXT | 2u << 20 | IXGBE_TXC_IPV4 | (out->random() & IXGBE_TXC_L4T), 4);
	put(out, 20u << 8 | out->random() % 2000 << 16, 4);
	for (uint32_t i = 0; i < pieces; i++) {
		*tail = (*tail + 1) % RING;
		put(out, 0, 1);
		put(out, *tail, 1);
		put(out, 0x2000 + (i ? out->random() % 0x8000 : 0), 3);
		put(out,
		    len | 3u << 20 | IXGBE_TXD_DEXT | IXGBE_TXD_IFCS | tso |
			    (bits & IXGBE_TXD_VLE) |
			    (i + 1 == pieces ? IXGBE_TXD_EOP | IXGBE_TXD_RS : 0),
		    4);
		put(out, paylen << 14 | (bits & (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM)), 4);
	}
	*tail = (*tail + 1) % RING;
	put(out, 4, 1);
	put(out, *tail, 1);
}

/* The headers of a frame; its payload is what follows in the input. */
static void put_frame(struct output *out)
{
	put(out, 2, 1);
	put(out, 40 + out->random() % 200, 1);
	put(out, out->random(), 1);
	memcpy(out->to + out->n, headers, sizeof(headers));
	for (uint32_t i = out->random() % 3; i > 0; i--)
		out->to[out->n + out->random() % sizeof(headers)] = (uint8_t)out->random();
	out->n += sizeof(headers);
}

/* The flow director switched on, and filters that match what put_frame() makes. */
static void put_flows(struct output *out)
{
	uint32_t n = out->random() % 8;

	put(out, 6, 1);
	put(out, 0x80 | (out->random() & 0x1f) | 7, 1);
	put(out, out->random(), 4);
	while (n-- > 0) {
		put(out, 6, 1);
		put(out, out->random() & (out->random() % 4 ? 0x03 : 0x7f), 1);
		put(out,
		    out->random() % 4 +
			    (out->random() & (IXGBE_FDIRCMD_DROP | IXGBE_FDIRCMD_FILTER_UPDATE |
					      IXGBE_FDIRCMD_RX_QUEUE | IXGBE_FDIRCMD_L4TYPE)) +
			    IXGBE_FDIRCMD_QUEUE_EN,
		    4);
	}
}

/* Segments that mostly follow each other. */
static void put_train(struct output *out)
{
	uint32_t segments = 1 + out->random() % 39;

	put(out, 5, 1);
	put(out, segments, 1);
	put(out, out->random(), 4);
	while (segments-- > 0) {
		uint32_t how = out->random() % 8 ? 0 : out->random() & 0xff;

		put(out, how, 1);
		put(out, out->random() % 4 ? 1448 : out->random(), 2);
		if (how & 0x20)
			put(out, out->random() % 40, 1);
		if (how & 0x10)
			put(out, out->random() % 2 ? 0x18 : out->random(), 1);
		if (how & 0x08)
			put(out, out->random(), 2);
		if (how & 0x04)
			put(out, out->random(), 1);
	}
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	struct output out = {.to = to, .random = random};
	uint32_t tail = 0, given = RING - 1;

	put(&out, random(), 1);
	while (out.n + 400 < size && random() % 60) {
		switch (random() % 9) {
		case 0:
			put_frame(&out);
			break;
		case 1: /* a register */
			put(&out, 1, 1);
			put(&out, random(), 1);
			put(&out, random(), 4);
			break;
		case 2: /* receive descriptors are handed over again */
			given = (given + random() % RING) % RING;
			for (uint32_t i = 0; i < RING; i++) {
				put(&out, 0, 1);
				put(&out, 0x80 | i, 1);
				put(&out, 0x10000 + i * 0x2000, 3);
				put(&out, 0, 4);
				put(&out, 0, 4);
			}
			put(&out, 7, 1);
			put(&out, given, 1);
			break;
		case 3: /* anything */
			put(&out, random(), 4);
			break;
		case 4:
			put_flows(&out);
			break;
		case 5:
			put_train(&out);
			break;
		default:
			put_packet(&out, &tail);
			break;
		}
	}
	return out.n;
}

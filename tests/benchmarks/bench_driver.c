/* SPDX-License-Identifier: MIT */
/*
 * What the driver costs per frame: receive, transmit and forward, with a NIC that costs
 * nothing.
 *
 * The NIC is this program. Its registers are an array, its doorbells memory, and its turn
 * is to write descriptors back in place: it fills the receive ring and reports what was
 * sent. The frames are 60 bytes in one segment.
 *
 *     receive   ixgbe_rx_burst, and every buffer back to the pool
 *     transmit  buffers from the pool, ixgbe_tx_burst
 *     forward   ixgbe_rx_burst, ixgbe_tx_burst of the same segments
 *     touch     the same, and each frame's MAC addresses change places in between
 *
 * The clock runs over ROUND_FRAMES frames, in bursts, and stands while the NIC has its
 * turn. What is timed contains the reading of the clock, twice per round, and the few
 * instructions of the caller between the bursts; both are in the numbers. The best of
 * several repetitions is printed: what disturbs a run only makes it slower.
 *
 * With --mode and --batch it makes that one measurement, with a turn of the NIC after each
 * burst: for callgrind, which counts the burst functions only (bench_driver.py).
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ixgbe/parts.h"
#include "ixgbe/tables/desc.h"

#define RING         512u
#define BUFFERS      2048u
#define HEADROOM     64u
#define FRAME_BYTES  60u
#define ROUND_FRAMES 256u
#define BATCH_MAX    256u
#define REPETITIONS  9u

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t batches[] = {1, 8, 32, 64, 256};

struct bench {
	struct ixgbe_backend backend; /* first: the backend is the bench */
	struct ixgbe_device device;   /* has no state memory */
	struct port_state kept;
	struct ixgbe nic;
	struct ixgbe_pool *pool;
	struct ixgbe_rxq *rxq;
	struct ixgbe_txq *txq;
	union ixgbe_desc *rx_ring, *tx_ring;
	uint32_t reg[IXGBE_BAR0_SIZE / 4];
	struct {
		ixgbe_iova iova;
		void *addr;
	} map[8];
	uint32_t maps;
};

struct mode {
	const char *name;
	/* Takes at most `batch` frames; how many. */
	uint32_t (*burst)(struct bench *bench, uint32_t batch);
};

/* ---- The NIC ---- */

static uint32_t nic_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	return ((struct bench *)backend)->reg[offset / 4];
}

static void nic_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	((struct bench *)backend)->reg[offset / 4] = value;
}

static volatile uint32_t *nic_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	return &((struct bench *)backend)->reg[offset / 4];
}

static int nic_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
		       uint64_t fd_offset, ixgbe_iova iova)
{
	struct bench *bench = (struct bench *)backend;

	(void)len;
	(void)fd;
	(void)fd_offset;
	if (bench->maps == COUNT(bench->map))
		return -ENOSPC;
	bench->map[bench->maps].iova = iova;
	bench->map[bench->maps++].addr = addr;
	return 0;
}

static int nic_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	(void)backend;
	(void)iova;
	(void)len;
	return 0;
}

static void nic_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	(void)backend;
	*first = 0;
	*last = UINT32_MAX;
}

static const struct ixgbe_backend_ops nic_ops = {
	.name = "bench",
	.read32 = nic_read32,
	.write32 = nic_write32,
	.doorbell = nic_doorbell,
	.dma_map = nic_dma_map,
	.dma_unmap = nic_dma_unmap,
	.dma_range = nic_dma_range,
};

static void *nic_ring(const struct bench *bench, uint32_t base)
{
	for (uint32_t i = 0; i < bench->maps; i++)
		if (bench->map[i].iova == base)
			return bench->map[i].addr;
	return NULL;
}

/* Receives up to `max` frames and sends all that is queued. */
static __attribute__((noinline)) void nic_turn(struct bench *bench, uint32_t max)
{
	const uint64_t status =
		IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP | IXGBE_RXD_STAT_IPCS | IXGBE_RXD_STAT_L4I;
	const uint64_t info = IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP | IXGBE_RXD_RSS_IPV4_TCP;
	uint32_t *head = &bench->reg[IXGBE_RDH / 4];
	uint32_t tail = bench->reg[IXGBE_RDT / 4];

	for (; max > 0 && *head != tail; max--) {
		bench->rx_ring[*head].qword[0] = info;
		bench->rx_ring[*head].qword[1] = status | (uint64_t)FRAME_BYTES << 32;
		*head = (*head + 1) % RING;
	}
	head = &bench->reg[IXGBE_TDH / 4];
	tail = bench->reg[IXGBE_TDT / 4];
	for (; *head != tail; *head = (*head + 1) % RING)
		if (bench->tx_ring[*head].dword[2] & IXGBE_TXD_RS)
			bench->tx_ring[*head].dword[3] |= IXGBE_TXD_STAT_DD;
}

/* ---- What is measured ---- */

static struct ixgbe_seg seg[BATCH_MAX];

static uint32_t burst_receive(struct bench *bench, uint32_t batch)
{
	uint32_t n = ixgbe_rx_burst(bench->rxq, seg, batch);

	ixgbe_bufs_put(seg, n);
	return n;
}

static uint32_t burst_transmit(struct bench *bench, uint32_t batch)
{
	uint32_t n = ixgbe_bufs_get(bench->pool, seg, batch);
	int stopped;

	for (uint32_t i = 0; i < n; i++) {
		seg[i].offset = HEADROOM;
		seg[i].len = FRAME_BYTES;
		seg[i].flags = IXGBE_SEG_EOP;
	}
	return ixgbe_tx_burst(bench->txq, seg, n, &stopped);
}

static uint32_t burst_forward(struct bench *bench, uint32_t batch)
{
	uint32_t n = ixgbe_rx_burst(bench->rxq, seg, batch);
	int stopped;

	return ixgbe_tx_burst(bench->txq, seg, n, &stopped);
}

static void addresses_swap(const struct ixgbe_seg *of)
{
	uint8_t *frame = of->buf->data + of->offset, to[6];

	memcpy(to, frame, sizeof(to));
	memmove(frame, frame + sizeof(to), sizeof(to));
	memcpy(frame + sizeof(to), to, sizeof(to));
}

static uint32_t burst_touch(struct bench *bench, uint32_t batch)
{
	uint32_t n = ixgbe_rx_burst(bench->rxq, seg, batch);
	int stopped;

	for (uint32_t i = 0; i < n; i++)
		addresses_swap(&seg[i]);
	return ixgbe_tx_burst(bench->txq, seg, n, &stopped);
}

static const struct mode modes[] = {
	{"receive", burst_receive},
	{"transmit", burst_transmit},
	{"forward", burst_forward},
	{"touch", burst_touch},
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void failed(const char *what, int err)
{
	fprintf(stderr, "bench_driver: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* All of `frames` went through, or the measurement is worth nothing. */
static void burst_whole(struct bench *bench, const struct mode *mode, uint32_t batch)
{
	if (mode->burst(bench, batch) != batch)
		failed(mode->name, -EIO);
}

/* The NIC's turn after each burst; nothing is timed. */
static void run_counted(struct bench *bench, const struct mode *mode, uint32_t batch,
			uint32_t frames)
{
	for (uint32_t done = 0; done < frames; done += batch) {
		nic_turn(bench, batch);
		burst_whole(bench, mode, batch);
	}
	nic_turn(bench, 0);
}

/* Nanoseconds per frame. */
static double run_timed(struct bench *bench, const struct mode *mode, uint32_t batch,
			uint32_t frames)
{
	uint64_t ns = 0;
	uint32_t done = 0;

	while (done < frames) {
		uint64_t start;

		nic_turn(bench, ROUND_FRAMES);
		start = now_ns();
		for (uint32_t n = 0; n < ROUND_FRAMES; n += batch)
			burst_whole(bench, mode, batch);
		ns += now_ns() - start;
		done += ROUND_FRAMES;
	}
	nic_turn(bench, 0);
	return (double)ns / done;
}

static void bench_start(struct bench *bench, bool plain)
{
	int err;

	bench->backend.ops = &nic_ops;
	bench->nic.backend = &bench->backend;
	bench->nic.device = &bench->device;
	bench->nic.kept = &bench->kept;
	bench->kept.mtu = 1500;
	bench->nic.options = (struct ixgbe_options){
		.queues = 1, .rx_ring = RING, .tx_ring = RING, .plain_loops = plain};
	err = dma_new(&bench->backend, &bench->nic.dma);
	if (!err)
		err = rings_new(&bench->nic);
	if (!err)
		err = ixgbe_pool_new(&bench->nic, BUFFERS, HEADROOM + 2048, HEADROOM, &bench->pool);
	if (!err)
		err = rings_transmit_start(&bench->nic, NULL);
	if (!err)
		err = rings_receive_start(&bench->nic, &bench->pool, NULL);
	if (err)
		failed("set-up", err);
	bench->rxq = ixgbe_rxq(&bench->nic, 0);
	bench->txq = ixgbe_txq(&bench->nic, 0);
	bench->rx_ring = nic_ring(bench, bench->reg[IXGBE_RDBAL / 4]);
	bench->tx_ring = nic_ring(bench, bench->reg[IXGBE_TDBAL / 4]);
}

static void bench_stop(struct bench *bench)
{
	rings_receive_stop(&bench->nic);
	rings_transmit_stop(&bench->nic);
	if (ixgbe_pool_available(bench->pool) != BUFFERS)
		failed("a buffer is lost", -EIO);
	ixgbe_pool_free(bench->pool);
	rings_free(&bench->nic);
	dma_free(bench->nic.dma);
}

static void write_json(FILE *file, const double ns[COUNT(modes)][COUNT(batches)])
{
	fprintf(file, "{");
	for (size_t m = 0; m < COUNT(modes); m++) {
		fprintf(file, "%s\"%s\": {", m ? ", " : "", modes[m].name);
		for (size_t b = 0; b < COUNT(batches); b++)
			fprintf(file, "%s\"%u\": %.2f", b ? ", " : "", batches[b], ns[m][b]);
		fprintf(file, "}");
	}
	fprintf(file, "}\n");
}

static void measure_all(struct bench *bench, uint32_t frames, const char *json)
{
	double ns[COUNT(modes)][COUNT(batches)];

	/* Repetitions outermost: a slow second of the machine does not hit one cell only. */
	for (uint32_t r = 0; r < REPETITIONS; r++)
		for (size_t m = 0; m < COUNT(modes); m++)
			for (size_t b = 0; b < COUNT(batches); b++) {
				double got = run_timed(bench, &modes[m], batches[b], frames);

				if (r == 0 || got < ns[m][b])
					ns[m][b] = got;
			}
	printf("%-12s", "ns/frame");
	for (size_t b = 0; b < COUNT(batches); b++)
		printf("%8s%4u", "batch", batches[b]);
	printf("\n");
	for (size_t m = 0; m < COUNT(modes); m++) {
		printf("%-12s", modes[m].name);
		for (size_t b = 0; b < COUNT(batches); b++)
			printf("%12.1f", ns[m][b]);
		printf("\n");
	}
	if (json) {
		FILE *file = fopen(json, "w");

		if (!file)
			failed(json, -errno);
		write_json(file, ns);
		if (fclose(file))
			failed(json, -errno);
	}
}

/* ---- Options ---- */

struct options {
	const struct mode *mode;
	uint32_t batch, frames;
	const char *json;
	bool plain;
};

static const struct argp_option option_table[] = {
	{"json", 'j', "FILE", 0, "Write the table as JSON too", 0},
	{"frames", 'n', "COUNT", 0, "Frames of each measurement (1000000)", 0},
	{"mode", 'm', "MODE", 0, "Only this one: receive, transmit, forward or touch; untimed", 0},
	{"batch", 'b', "COUNT", 0, "Frames of a burst with --mode (32)", 0},
	{"plain", 'p', NULL, 0, "As on a processor without AVX2", 0},
	{0},
};

static uint32_t number(const char *text, uint32_t max, struct argp_state *state)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value == 0 || value > max)
		argp_error(state, "'%s' is no number from 1 to %u", text, max);
	return (uint32_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'j':
		options->json = arg;
		return 0;
	case 'n':
		options->frames = number(arg, 1000000000, state);
		return 0;
	case 'b':
		options->batch = number(arg, BATCH_MAX, state);
		return 0;
	case 'p':
		options->plain = true;
		return 0;
	case 'm':
		for (size_t m = 0; m < COUNT(modes); m++)
			if (strcmp(arg, modes[m].name) == 0)
				options->mode = &modes[m];
		if (!options->mode)
			argp_error(state, "'%s' is no mode", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse,
		.doc = "What the driver costs per frame, with a NIC that costs nothing.",
	};
	static struct bench bench;
	struct options options = {.batch = 32, .frames = 1000000};

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	bench_start(&bench, options.plain);
	if (options.mode)
		run_counted(&bench, options.mode, options.batch, options.frames);
	else
		measure_all(&bench, options.frames, options.json);
	bench_stop(&bench);
	return 0;
}

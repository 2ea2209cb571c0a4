/* SPDX-License-Identifier: MIT */
/*
 * State memory that holds anything, and the driver that finds it.
 *
 * A driver starts on a device that is kept, receives, sends, and dies. What it left is the same for
 * each input. The input is a list of edits of that memory; then a successor attaches, in a process
 * of its own, since that is how it finds the addresses. It goes on, or refuses and resets the
 * device. Either way no access is outside its memory, each buffer is in one place, each frame has
 * its own bytes, and no descriptor leads outside the buffers.
 *
 * One edit goes unnoticed: of a descriptor that the NIC has written, the table's entry may name
 * another buffer that is free. That frame has the bytes of an earlier one.
 */
#include "ixgbe/port.h"
#include "ixgbe/tables/desc.h"
#include "tests/unit/fake_backend.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define RING        64u
#define RX_BUFFERS  (2u * RING)
#define TX_BUFFERS  32u
#define BUFFER_SIZE 2112u
#define HEADROOM    64u
#define BURST       16u
#define FRAMES      20u /* received and not taken, when the first driver dies */
#define FRAME_BYTES 60u
#define AREAS_MAX   8u
#define EDITS_MAX   8u
#define DEADLINE_MS 20000

static const struct ixgbe_options wanted = {.rx_ring = RING, .tx_ring = RING, .itr_us = 20};
static const struct ixgbe_pool_plan plan[] = {{RX_BUFFERS, BUFFER_SIZE, HEADROOM},
					      {TX_BUFFERS, BUFFER_SIZE, 0}};

static struct world {
	struct fake *fake;
	struct ixgbe_device *device;
	uint32_t areas;
	struct {
		void *at, *copy;
		size_t bytes;
	} area[AREAS_MAX]; /* what a driver shares with the next: as the first one left it */
	uint32_t reg[IXGBE_BAR0_SIZE / 4];
	size_t *used; /* bytes of state memory that drivers use; shared with them */
	bool table_edited;
} w;

/* ---- A driver ---- */

struct driver {
	struct ixgbe *nic;
	struct ixgbe_pool *pool[2];
	struct ixgbe_resumed how;
};

static int driver_start(struct driver *d)
{
	struct ixgbe_why why;
	int err = ixgbe_attach(w.device, &d->nic, &why);

	for (int i = 0; i < 2 && !err; i++)
		err = ixgbe_pool_new(d->nic, plan[i].count, plan[i].size, plan[i].headroom,
				     &d->pool[i]);
	if (!err)
		err = ixgbe_start(d->nic, d->pool, &why);
	if (!err)
		ixgbe_resumed(d->nic, &d->how);
	return err;
}

static void transmit(struct driver *d, uint32_t frames)
{
	struct ixgbe_seg seg[BURST];
	uint32_t n = 0, taken;
	int stopped;

	for (; n < frames && n < BURST && ixgbe_pool_available(d->pool[1]) > 0; n++)
		seg[n] = (struct ixgbe_seg){.buf = ixgbe_buf_get(d->pool[1]),
					    .len = FRAME_BYTES,
					    .flags = IXGBE_SEG_EOP};
	taken = ixgbe_tx_burst(ixgbe_txq(d->nic, 0), seg, n, &stopped);
	CHECK(taken <= n && (stopped == 0 || stopped == -EAGAIN));
	while (n > taken)
		ixgbe_buf_put(seg[--n].buf);
}

static void first_driver(void)
{
	struct driver d;

	CHECK(driver_start(&d) == 0 && !d.how.resumed);
	*w.used = w.device->memory.used;
	transmit(&d, BURST);
	CHECK(ixgbe_unicast_set(d.nic, (const uint8_t[][IXGBE_MAC_BYTES]){{2, 0, 0, 0, 0, 9}}, 1) ==
	      0);
}

/* The hash of a frame that the world's NIC has received is its number, as are its bytes. */
static void receive(struct driver *d)
{
	struct ixgbe_seg seg[BURST];
	uint32_t n;

	while ((n = ixgbe_rx_burst(ixgbe_rxq(d->nic, 0), seg, BURST)) > 0)
		for (uint32_t i = 0; i < n; i++) {
			const uint32_t number = seg[i].rss_hash;

			CHECK(seg[i].offset == HEADROOM && seg[i].len == FRAME_BYTES);
			CHECK(number < FRAMES);
			CHECK(w.table_edited || seg[i].buf->data[HEADROOM] == (uint8_t)number);
			ixgbe_buf_put(seg[i].buf);
		}
}

/* Sends all: what the NIC is given lies in the buffers, and they all come back. */
static void nic_sends(const struct driver *d)
{
	const struct ixgbe_buf *first = ixgbe_pool_at(d->pool[1], 0);
	const struct ixgbe_buf *last = ixgbe_pool_at(d->pool[1], TX_BUFFERS - 1);
	const uint64_t base = (uint64_t)w.reg[ixgbe_txq_reg(IXGBE_TDBAH, 0) / 4] << 32 |
			      w.reg[ixgbe_txq_reg(IXGBE_TDBAL, 0) / 4];
	union ixgbe_desc *ring = fake_dma_at(w.fake, base, RING * IXGBE_DESC_BYTES);

	CHECK(ring);
	for (uint32_t i = 0; i < RING; i++) {
		const uint32_t len = ring[i].dword[2] & IXGBE_TXD_DTALEN;

		if (len == 0)
			continue;
		CHECK(ring[i].dword[3] & IXGBE_TXD_STAT_DD ||
		      (ring[i].qword[0] >= first->iova &&
		       ring[i].qword[0] + len <= last->iova + BUFFER_SIZE));
		ring[i].dword[3] |= IXGBE_TXD_STAT_DD;
	}
	while (ixgbe_tx_reclaim(ixgbe_txq(d->nic, 0)) > 0)
		;
	CHECK(ixgbe_tx_in_flight(ixgbe_txq(d->nic, 0)) == 0);
	CHECK(ixgbe_pool_available(d->pool[1]) == TX_BUFFERS);
}

static void successor(void)
{
	struct ixgbe_link link;
	struct driver d;

	if (driver_start(&d))
		return; /* the next one resets the device */
	receive(&d);
	nic_sends(&d);
	transmit(&d, BURST);
	nic_sends(&d);
	CHECK(ixgbe_pool_available(d.pool[0]) + RING - 1 >= RX_BUFFERS);
	(void)ixgbe_link_get(d.nic, &link);
	(void)ixgbe_stats_update(d.nic);
	(void)ixgbe_promiscuous_set(d.nic, true);
	(void)ixgbe_tx_watch(d.nic);
}

/* Runs `driver` in a process of its own, and serves its registers until that is dead. */
static void drive(void (*driver)(void))
{
	struct pollfd pfd[2];
	int status;
	pid_t pid;

	CHECK(ixgbe_device_renew(w.device) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		driver();
		_exit(0);
	}
	pfd[0] = (struct pollfd){(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
	pfd[1] = (struct pollfd){ixgbe_device_relay(w.device), POLLIN, 0};
	CHECK(pfd[0].fd >= 0);
	do
		CHECK(poll(pfd, 2, DEADLINE_MS) > 0);
	while (!pfd[0].revents && ixgbe_device_serve(w.device) == 0);
	close(pfd[0].fd);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
}

/* ---- The world ---- */

static union ixgbe_desc *ring_at(uint32_t low, uint32_t high)
{
	union ixgbe_desc *ring =
		fake_dma_at(w.fake, (uint64_t)w.fake->reg[high / 4] << 32 | w.fake->reg[low / 4],
			    RING * IXGBE_DESC_BYTES);

	CHECK(ring);
	return ring;
}

static void nic_acts(void)
{
	union ixgbe_desc *rx =
		ring_at(ixgbe_rxq_reg(IXGBE_RDBAL, 0), ixgbe_rxq_reg(IXGBE_RDBAH, 0));
	union ixgbe_desc *tx =
		ring_at(ixgbe_txq_reg(IXGBE_TDBAL, 0), ixgbe_txq_reg(IXGBE_TDBAH, 0));

	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t *data = fake_dma_at(w.fake, rx[i].qword[0], FRAME_BYTES);

		CHECK(data);
		memset(data, (int)i, FRAME_BYTES);
		rx[i].qword[0] = (uint64_t)i << 32;
		rx[i].qword[1] =
			(uint64_t)FRAME_BYTES << 32 | IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;
	}
	for (uint32_t i = 0; i < BURST / 2; i++)
		tx[i].dword[3] |= IXGBE_TXD_STAT_DD;
}

static void remember(void *at, size_t bytes)
{
	CHECK(w.areas < AREAS_MAX);
	w.area[w.areas].at = at;
	w.area[w.areas].bytes = bytes;
	w.area[w.areas].copy = malloc(bytes);
	CHECK(w.area[w.areas].copy);
	memcpy(w.area[w.areas++].copy, at, bytes);
}

static void world_new(void)
{
	struct dma_shared area;
	struct ixgbe_why why;

	w.used = mmap(NULL, sizeof(*w.used), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	CHECK(w.used != MAP_FAILED);
	w.fake = fake_new();
	CHECK(device_keep(&w.fake->base, &wanted, plan, 2, &w.device, &why) == 0);
	drive(first_driver);
	nic_acts();
	remember(w.device->memory.at, w.device->memory.bytes);
	for (uint32_t i = 0; i < dma_count(w.device->dma); i++) {
		dma_show(w.device->dma, i, &area);
		remember(area.dma.addr, area.dma.len);
	}
	memcpy(w.reg, w.fake->reg, sizeof(w.reg));
}

static void world_restore(void)
{
	for (uint32_t i = 0; i < w.areas; i++)
		memcpy(w.area[i].at, w.area[i].copy, w.area[i].bytes);
	memcpy(w.fake->reg, w.reg, sizeof(w.reg));
	w.fake->log_count = 0;
}

/* ---- Edits ---- */

struct edit {
	uint8_t place; /* of a record, or of all */
	uint8_t bytes; /* 1, 2, 4 or 8, as a power of two */
	uint16_t at;   /* in bytes of that size */
	uint8_t value; /* of the edges, or what follows */
	uint8_t other[8];
};

#define RECORD_BYTES 256u /* of a queue, and the beginning of its table */

static size_t lines(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* Records begin with the port's and end with the pools' (port.c). */
static void place_find(uint8_t place, size_t *from, size_t *bytes)
{
	const size_t pools =
		lines(pool_memory_bytes(RX_BUFFERS)) + lines(pool_memory_bytes(TX_BUFFERS));
	const size_t txq = *w.used - pools - lines(txq_memory_bytes(RING));
	const size_t rxq = txq - lines(rxq_memory_bytes(RING));

	*from = place % 4 == 1 ? rxq : place % 4 == 2 ? txq : 0;
	*bytes = place % 4 == 0   ? *w.used
		 : place % 4 == 3 ? sizeof(struct port_state)
				  : RECORD_BYTES;
}

/* Whether the receive queue's table is another than it was. */
static bool table_differs(void)
{
	const size_t bytes = RING * sizeof(struct ixgbe_buf *);
	size_t rxq, ignored;

	place_find(1, &rxq, &ignored);
	rxq += rxq_memory_bytes(RING) - bytes;
	return memcmp(w.device->memory.at + rxq, (uint8_t *)w.area[0].copy + rxq, bytes) != 0;
}

static void edit(const struct edit *e)
{
	static const uint64_t edges[] = {
		0,    1,      2,      RING - 1,   RING,       RING + 1,   2 * RING,  0x7f,
		0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, UINT32_MAX, INT64_MAX, UINT64_MAX};
	const size_t bytes = (size_t)1 << (e->bytes & 3);
	size_t from, room;
	uint64_t value;

	place_find(e->place, &from, &room);
	memcpy(&value, e->other, sizeof(value));
	if (e->value < 2 * sizeof(edges) / sizeof(*edges))
		value = edges[e->value / 2];
	memcpy(w.device->memory.at + from + e->at * bytes % (room / bytes * bytes), &value, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct edit e;

	if (!w.fake)
		world_new();
	else
		world_restore();
	for (; size >= sizeof(e); data += sizeof(e), size -= sizeof(e)) {
		memcpy(&e, data, sizeof(e));
		edit(&e);
	}
	w.table_edited = table_differs();
	drive(successor);
	return 0;
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	size_t len = 0;

	for (uint32_t n = random() % 2 ? 1 : random() % EDITS_MAX;
	     n > 0 && len + sizeof(struct edit) <= size; n--) {
		struct edit e = {.place = (uint8_t)random(),
				 .bytes = (uint8_t)random(),
				 .at = (uint16_t)random(),
				 .value = (uint8_t)(random() % 48)};

		for (size_t i = 0; i < sizeof(e.other); i++)
			e.other[i] = (uint8_t)random();
		memcpy(to + len, &e, sizeof(e));
		len += sizeof(e);
	}
	return len;
}

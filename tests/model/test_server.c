/* SPDX-License-Identifier: MIT */
/* The vfio-user server and a client that is well: QEMU's way in, regions, interrupts, memory. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "server_client.h"

#define PAGE 4096u

static int setup(void **state)
{
	static const struct model_options options = {.listen = true};

	return model_start(state, &options);
}

/* ---- Negotiation and description ---- */

/* What QEMU 11 sends, in its order, and what it insists on in the replies. */
static void test_qemu_start(void **state)
{
	struct model *m = *state;
	static const char json[] =
		"{\"capabilities\": {\"migration\": {\"max_bitmap_size\": 268435456, \"pgsize\": 4096},"
		" \"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, \"pgsizes\": 4096,"
		" \"max_dma_maps\": 65535, \"write_multiple\": true}}";
	struct vu_version version = {0, 0};
	struct vu_capabilities caps;
	uint8_t request[4 + sizeof(json)], reply[512];
	int len;

	model_disconnect(m);
	struct peer *p = peer_connect(m);

	memcpy(request, &version, 4);
	memcpy(request + 4, json, sizeof(json));
	len = peer_command(p, VU_VERSION, request, sizeof(request), NULL, 0, reply, sizeof(reply));
	assert_in_range(len, 5, sizeof(request)); /* QEMU has no room for more */
	memcpy(&version, reply, 4);
	assert_int_equal(version.major, 0);
	assert_int_equal(version.minor, 0);
	assert_int_equal(vu_capabilities_parse((char *)reply + 4, (size_t)len - 4, &caps), 0);
	assert_in_range(caps.max_msg_fds, 1, 16);
	assert_int_equal(caps.pgsizes, 4096);
	assert_true(caps.max_dma_maps <= 65535 && caps.write_multiple);

	struct vu_dma_unmap unmap = {.argsz = 24, .addr = 0, .size = 1ull << 39};

	assert_int_equal(peer_command(p, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, reply, 24),
			 24);
	unmap = (struct vu_dma_unmap){.argsz = 24, .flags = VU_UNMAP_ALL};
	assert_int_equal(peer_command(p, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, reply, 24),
			 24);

	struct vu_device_info info = {.argsz = sizeof(info)};

	assert_int_equal(peer_command(p, VU_GET_INFO, &info, sizeof(info), NULL, 0, &info, 16), 16);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(info.regions, VFIO_PCI_NUM_REGIONS);
	assert_int_equal(info.irqs, VFIO_PCI_NUM_IRQS);

	static const uint64_t sizes[VFIO_PCI_NUM_REGIONS] = {0x80000, 0, 32,   0, 0x4000,
							     0,       0, 4096, 0};

	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		struct vu_region_info region = {.argsz = sizeof(region), .index = i};

		assert_int_equal(peer_command(p, VU_GET_REGION_INFO, &region, sizeof(region), NULL,
					      0, &region, sizeof(region)),
				 sizeof(region));
		assert_int_equal(region.index, i);
		assert_int_equal(region.argsz, sizeof(region));
		assert_int_equal(region.size, sizes[i]);
		assert_int_equal(region.flags,
				 sizes[i] ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE
					  : 0);
	}

	static const uint32_t counts[VFIO_PCI_NUM_IRQS] = {1, 1, 64, 1, 1};

	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		struct vu_irq_info irq = {.argsz = sizeof(irq), .index = i};

		assert_int_equal(peer_command(p, VU_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0, &irq,
					      sizeof(irq)),
				 sizeof(irq));
		assert_int_equal(irq.count, counts[i]);
		assert_true(irq.flags & VFIO_IRQ_INFO_EVENTFD);
	}
	/* MSI-X is first enabled without a vector. */
	struct vu_irq_set set = {.argsz = sizeof(set),
				 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
				 .index = VFIO_PCI_MSIX_IRQ_INDEX,
				 .count = 1};

	assert_int_equal(peer_command(p, VU_SET_IRQS, &set, sizeof(set), NULL, 0, NULL, 0), 0);
	assert_int_equal(peer_command(p, VU_RESET, NULL, 0, NULL, 0, NULL, 0), 0);
	peer_close(p);
	model_reconnect(m);
}

/* A client that names no capabilities gets none. */
static void test_version_without_json(void **state)
{
	struct model *m = *state;
	struct vu_version version = {0, 7};
	char reply[512];

	model_disconnect(m);
	struct peer *p = peer_connect(m);
	int len = peer_command(p, VU_VERSION, &version, 4, NULL, 0, reply, sizeof(reply));

	memcpy(&version, reply, 4);
	assert_int_equal(version.minor, VU_VERSION_MINOR);
	assert_string_equal(reply + 4, "{\"capabilities\":{}}");
	assert_int_equal(len, 4 + sizeof("{\"capabilities\":{}}"));
	/* A second time is an error, and no more. */
	assert_int_equal(peer_command(p, VU_VERSION, &version, 4, NULL, 0, reply, 512), -EINVAL);
	peer_close(p);
}

static void test_wrong_major(void **state)
{
	struct model *m = *state;
	struct vu_version version = {1, 0};
	char reply[512];

	model_disconnect(m);
	struct peer *p = peer_connect(m);

	assert_int_equal(peer_command(p, VU_VERSION, &version, 4, NULL, 0, reply, 512), -EINVAL);
	peer_close(p);
}

static void test_bad_requests(void **state)
{
	struct model *m = *state;
	struct vu_device_info info = {.argsz = 8};
	struct vu_region_info region = {.argsz = sizeof(region), .index = VFIO_PCI_NUM_REGIONS};
	struct vu_irq_info irq = {.argsz = sizeof(irq), .index = VFIO_PCI_NUM_IRQS};
	int fd = STDERR_FILENO;
	uint8_t reply[64];

	assert_int_equal(model_command(m, VU_GET_INFO, &info, 16, NULL, 0, reply, 64), -EINVAL);
	assert_int_equal(model_command(m, VU_GET_INFO, &info, 15, NULL, 0, reply, 64), -EINVAL);
	info.argsz = sizeof(info);
	assert_int_equal(model_command(m, VU_GET_INFO, &info, 16, &fd, 1, reply, 64), -EINVAL);
	assert_int_equal(model_command(m, VU_GET_REGION_INFO, &region, 32, NULL, 0, reply, 64),
			 -EINVAL);
	assert_int_equal(model_command(m, VU_GET_IRQ_INFO, &irq, 16, NULL, 0, reply, 64), -EINVAL);
	for (uint16_t command = 0; command < 40; command++) {
		if (command == 0 || command == 11 || command == 12 || command == 14 || command > 15)
			assert_int_equal(model_command(m, command, NULL, 0, NULL, 0, reply, 64),
					 -ENOTSUP);
	}
	assert_int_equal(model_command(m, 0xffff, NULL, 0, NULL, 0, reply, 64), -ENOTSUP);
	assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
}

/* ---- Regions ---- */

static void test_region_bounds(void **state)
{
	struct model *m = *state;
	static const struct {
		uint32_t region;
		uint64_t offset;
		uint32_t count;
	} bad[] = {
		{0, 0x80000, 4},
		{0, 0x7fffc, 8},
		{0, UINT64_MAX - 3, 4},
		{0, UINT64_MAX - 3, 8},
		{0, 1ull << 32, 4},
		{0, 0, 0},
		{0, 0, UINT32_MAX},
		{0, 0, 65540},
		{1, 0, 4},
		{4, 0x3ffe, 4},
		{6, 0, 4},
		{7, 4096, 1},
		{8, 0, 1},
		{9, 0, 4},
		{UINT32_MAX, 0, 4},
	};
	uint8_t data[64] = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vu_region_access access = {bad[i].offset, bad[i].region, bad[i].count};
		uint8_t request[sizeof(access) + 8] = {0};

		memcpy(request, &access, sizeof(access));
		assert_int_equal(model_command(m, VU_REGION_READ, &access, sizeof(access), NULL, 0,
					       data, sizeof(data)),
				 -EINVAL);
		assert_int_equal(model_command(m, VU_REGION_WRITE, request, sizeof(request), NULL,
					       0, data, sizeof(data)),
				 -EINVAL);
	}
	/* A write that says more than it brings. */
	struct vu_region_access access = {0, 0, 8};
	uint8_t request[sizeof(access) + 4] = {0};

	memcpy(request, &access, sizeof(access));
	assert_int_equal(model_command(m, VU_REGION_WRITE, request, sizeof(request), NULL, 0, data,
				       sizeof(data)),
			 -EINVAL);
}

static void test_largest_read(void **state)
{
	struct model *m = *state;
	uint8_t *data = malloc(65536);
	uint32_t status;

	assert_int_equal(model_region_read(m, 0, 0, data, 65536), 0);
	memcpy(&status, data + IXGBE_STATUS, 4);
	/* The link may come up in between. */
	assert_int_equal(status & ~IXGBE_STATUS_LINK_UP,
			 model_read(m, IXGBE_STATUS) & ~IXGBE_STATUS_LINK_UP);
	free(data);
}

static void test_io_bar(void **state)
{
	struct model *m = *state;
	uint32_t value = IXGBE_LEDCTL;

	assert_int_equal(model_region_write(m, 2, 0, &value, 4), 0);
	value = 0x01010101;
	assert_int_equal(model_region_write(m, 2, 4, &value, 4), 0);
	assert_int_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);
	value = 0;
	assert_int_equal(model_region_read(m, 2, 4, &value, 4), 0);
	assert_int_equal(value, 0x01010101);
	value = 0x7fffffff; /* outside the registers */
	assert_int_equal(model_region_write(m, 2, 0, &value, 4), 0);
	assert_int_equal(model_region_read(m, 2, 4, &value, 4), 0);
	assert_int_equal(value, 0xffffffff);
}

static void test_write_multi(void **state)
{
	struct model *m = *state;
	struct {
		struct vu_write_multi multi;
		struct vu_write_one one[3];
	} request = {{3},
		     {{IXGBE_LEDCTL, 0, 4, {1, 1, 1, 1}},
		      {IXGBE_FCTTV, 0, 8, {1, 0, 0, 0, 2, 0, 0, 0}},
		      {0x80000, 0, 4, {0}}}};
	uint64_t done;

	assert_int_equal(model_command(m, VU_REGION_WRITE_MULTI, &request, sizeof(request), NULL, 0,
				       &done, 8),
			 8);
	assert_int_equal(done, 2); /* the third is outside */
	assert_int_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);
	assert_int_equal(model_read(m, IXGBE_AT(FCTTV, 1)), 2);
	request.multi.count = 4;
	assert_int_equal(model_command(m, VU_REGION_WRITE_MULTI, &request, sizeof(request), NULL, 0,
				       &done, 8),
			 -EINVAL);
	request.multi.count = UINT64_MAX;
	assert_int_equal(model_command(m, VU_REGION_WRITE_MULTI, &request, sizeof(request), NULL, 0,
				       &done, 8),
			 -EINVAL);
}

/* ---- Interrupts ---- */

static int irq_set(struct model *m, uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
		   const int *fd, uint32_t fds)
{
	struct vu_irq_set set = {.argsz = sizeof(set),
				 .flags = flags,
				 .index = index,
				 .start = start,
				 .count = count};

	return model_command(m, VU_SET_IRQS, &set, sizeof(set), fd, fds, NULL, 0);
}

enum {
	NONE_TRIGGER = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
	NONE_MASK = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK,
	NONE_UNMASK = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
	BOOL_TRIGGER = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
	EVENTFD_TRIGGER = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
	EVENTFD_MASK = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK,
};
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX

static bool fired(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	return poll(&pfd, 1, 0) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

/* The NIC itself raises vector `v`. */
static void raise_vector(struct model *m, uint32_t v)
{
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
	model_write(m, IXGBE_EIMS, 1u << v);
	model_write(m, IXGBE_EICS, 1u << v);
}

static uint64_t pending_bits(struct model *m)
{
	uint64_t bits;

	assert_int_equal(model_region_read(m, 4, 0x2000, &bits, 8), 0);
	return bits;
}

static void test_irq_trigger(void **state)
{
	struct model *m = *state;
	uint8_t request[sizeof(struct vu_irq_set) + 4];
	struct vu_irq_set set = {.argsz = sizeof(request),
				 .flags = BOOL_TRIGGER,
				 .index = MSIX,
				 .start = 8,
				 .count = 4};

	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 5, 2, NULL, 0), 0);
	assert_true(model_irq_pending(m, 5) && model_irq_pending(m, 6));
	assert_false(model_irq_pending(m, 4) || model_irq_pending(m, 7));

	memcpy(request, &set, sizeof(set));
	memcpy(request + sizeof(set), "\0\1\0\1", 4);
	assert_int_equal(model_command(m, VU_SET_IRQS, request, sizeof(request), NULL, 0, NULL, 0),
			 0);
	assert_false(model_irq_pending(m, 8) || model_irq_pending(m, 10));
	assert_true(model_irq_pending(m, 9) && model_irq_pending(m, 11));

	raise_vector(m, 3);
	assert_true(model_irq_pending(m, 3));
}

static void test_irq_masks(void **state)
{
	struct model *m = *state;
	uint32_t control = 1;

	/* By message. */
	assert_int_equal(irq_set(m, MSIX, NONE_MASK, 3, 1, NULL, 0), 0);
	raise_vector(m, 3);
	assert_false(model_irq_pending(m, 3));
	assert_int_equal(pending_bits(m), 1u << 3);
	assert_int_equal(irq_set(m, MSIX, NONE_UNMASK, 3, 1, NULL, 0), 0);
	assert_true(model_irq_pending(m, 3));
	assert_int_equal(pending_bits(m), 0);

	/* By the table. */
	assert_int_equal(model_region_write(m, 4, 16 * 40 + 12, &control, 4), 0);
	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 40, 1, NULL, 0), 0);
	assert_false(model_irq_pending(m, 40));
	assert_int_equal(pending_bits(m), 1ull << 40);
	control = 0;
	assert_int_equal(model_region_write(m, 4, 16 * 40 + 12, &control, 4), 0);
	assert_true(model_irq_pending(m, 40));

	/* By the function's mask. */
	model_config_write(m, 0x72, 2, 0xc000);
	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 63, 1, NULL, 0), 0);
	assert_false(model_irq_pending(m, 63));
	assert_int_equal(pending_bits(m), 1ull << 63);
	model_config_write(m, 0x72, 2, 0x8000);
	assert_true(model_irq_pending(m, 63));
}

static void test_irq_table(void **state)
{
	struct model *m = *state;
	uint32_t entry[4] = {0xfee00000, 1, 0x4041, 0}, back[4];

	assert_int_equal(model_region_write(m, 4, 16 * 7, entry, 12), 0);
	assert_int_equal(model_region_read(m, 4, 16 * 7, back, 16), 0);
	assert_memory_equal(entry, back, 16);
	/* The pending bits and what is behind the table take no writes. */
	assert_int_equal(model_region_write(m, 4, 0x2000, entry, 16), 0);
	assert_int_equal(model_region_write(m, 4, 0x3ff0, entry, 16), 0);
	assert_int_equal(model_region_read(m, 4, 0x3ff0, back, 16), 0);
	assert_int_equal(back[0] | back[1] | back[2] | back[3], 0);
	assert_int_equal(pending_bits(m), 0);
	/* A vector without an eventfd is masked, as at power-on; a reset keeps those with one. */
	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 0, 0, NULL, 0), 0);
	assert_int_equal(model_region_read(m, 4, 16 * 7 + 12, back, 4), 0);
	assert_int_equal(back[0], 1);
}

static void test_irq_survives_reset(void **state)
{
	struct model *m = *state;

	model_reset(m);
	raise_vector(m, 2);
	assert_true(model_irq_pending(m, 2));
	model_config_write(m, 0xa8, 2, 0xa810); /* FLR */
	raise_vector(m, 2);
	assert_true(model_irq_pending(m, 2));
}

/* Without MSI-X: the line, a level that masks itself. */
static void test_intx(void **state)
{
	struct model *m = *state;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), mask = eventfd(0, EFD_NONBLOCK);

	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 0, 0, NULL, 0), 0);
	assert_int_equal(irq_set(m, INTX, EVENTFD_TRIGGER, 0, 1, &fd, 1), 0);
	assert_int_equal(irq_set(m, INTX, EVENTFD_MASK, 0, 1, &mask, 1), 0);
	model_write(m, IXGBE_EIMS, 1);
	model_write(m, IXGBE_EICS, 1);
	(void)model_read(m, IXGBE_STATUS);
	assert_true(fired(fd));
	model_write(m, IXGBE_EICS, 1);
	(void)model_read(m, IXGBE_STATUS);
	assert_false(fired(fd)); /* masked since */
	assert_int_equal(irq_set(m, INTX, NONE_UNMASK, 0, 1, NULL, 0), 0);
	assert_true(fired(fd)); /* asserted still */
	(void)model_read(m, IXGBE_EICR);
	assert_int_equal(irq_set(m, INTX, NONE_UNMASK, 0, 1, NULL, 0), 0);
	assert_false(fired(fd)); /* deasserted */
	assert_false(fired(mask));
	assert_int_equal(irq_set(m, INTX, NONE_MASK, 0, 1, NULL, 0), 0);
	assert_true(fired(mask));

	/* Taken back. */
	assert_int_equal(irq_set(m, INTX, EVENTFD_TRIGGER, 0, 1, NULL, 0), 0);
	assert_int_equal(irq_set(m, INTX, NONE_UNMASK, 0, 1, NULL, 0), 0);
	model_write(m, IXGBE_EICS, 1);
	(void)model_read(m, IXGBE_STATUS);
	assert_false(fired(fd));
	close(fd);
	close(mask);
}

static void test_msi_err_req(void **state)
{
	struct model *m = *state;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 0, 0, NULL, 0), 0);
	assert_int_equal(irq_set(m, MSI, EVENTFD_TRIGGER, 0, 1, &fd, 1), 0);
	model_write(m, IXGBE_EIMS, 1);
	model_write(m, IXGBE_EICS, 1);
	(void)model_read(m, IXGBE_STATUS);
	assert_true(fired(fd));
	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		assert_int_equal(irq_set(m, index, EVENTFD_TRIGGER, 0, 1, &fd, 1), 0);
		assert_int_equal(irq_set(m, index, NONE_TRIGGER, 0, 1, NULL, 0), 0);
		assert_true(fired(fd));
		assert_int_equal(irq_set(m, index, NONE_TRIGGER, 0, 0, NULL, 0), 0);
	}
	close(fd);
}

static void test_bad_irq_sets(void **state)
{
	struct model *m = *state;
	int pipes[2], fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(irq_set(m, MSIX, EVENTFD_TRIGGER, 0, 1, &pipes[1], 1), -EINVAL);
	assert_int_equal(irq_set(m, MSIX, EVENTFD_TRIGGER, 64, 1, &fd, 1), -EINVAL);
	assert_int_equal(irq_set(m, MSIX, EVENTFD_TRIGGER, UINT32_MAX, 1, &fd, 1), -EINVAL);
	assert_int_equal(irq_set(m, MSIX, EVENTFD_TRIGGER, 0, 2, &fd, 1), -EINVAL);
	assert_int_equal(irq_set(m, 5, EVENTFD_TRIGGER, 0, 1, &fd, 1), -EINVAL);
	assert_int_equal(irq_set(m, 5, NONE_TRIGGER, 0, 0, NULL, 0), -EINVAL);
	assert_int_equal(irq_set(m, UINT32_MAX, NONE_TRIGGER, 0, 0, NULL, 0), -EINVAL);
	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 0, UINT32_MAX, NULL, 0), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);

	/* An eventfd filled to the brim, which would block whoever writes to it. */
	assert_int_equal(irq_set(m, MSIX, EVENTFD_TRIGGER, 0, 1, &fd, 1), 0);
	assert_int_equal(write(fd, &(uint64_t){UINT64_MAX - 1}, 8), 8);
	assert_int_equal(irq_set(m, MSIX, NONE_TRIGGER, 0, 1, NULL, 0), 0);
	assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
	close(fd);
}

/* ---- Memory ---- */

static int dma_map(struct model *m, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		   uint32_t flags)
{
	struct vu_dma_map map = {
		.argsz = 32, .flags = flags, .offset = offset, .addr = iova, .size = size};

	return model_command(m, VU_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL, 0);
}

static int dma_unmap(struct model *m, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vu_dma_unmap unmap = {.argsz = 24, .flags = flags, .addr = iova, .size = size};
	int n = model_command(m, VU_DMA_UNMAP, &unmap, 24, NULL, 0, &unmap, 24);

	if (n >= 0)
		assert_int_equal(unmap.addr, iova);
	return n < 0 ? n : 0;
}

#define RW (VU_DMA_READABLE | VU_DMA_WRITABLE)

static int memory(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void test_bad_maps(void **state)
{
	struct model *m = *state;
	int fd = memory(4 * PAGE), pipes[2], sock[2];
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/zero", O_RDWR);
	int file =
		open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* of a file system: it could wait */
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int readonly = open(path, O_RDONLY | O_CLOEXEC), opath = open(path, O_PATH | O_CLOEXEC);

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);

	assert_int_equal(dma_map(m, 0x1000, 0, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE, fd, 0, 0), -EINVAL);
	assert_int_equal(dma_map(m, 0x1001, PAGE, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE - 1, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE, fd, 1, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, 5 * PAGE, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE, fd, 4 * PAGE, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE, fd, -(uint64_t)PAGE, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, 2 * PAGE, fd, -(uint64_t)PAGE, RW), -EINVAL);
	assert_int_equal(dma_map(m, -(uint64_t)PAGE, 2 * PAGE, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, -(uint64_t)PAGE, fd, 0, RW), -EINVAL);
	assert_int_equal(dma_map(m, 0x1000, PAGE, pipes[0], 0, RW), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, sock[0], 0, RW), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, dir, 0, RW), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, null, 0, RW), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, opath, 0, RW), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, file, 0, VU_DMA_READABLE), -ENOTSUP);
	assert_int_equal(dma_map(m, 0x1000, PAGE, readonly, 0, RW), -EACCES);
	assert_int_equal(dma_map(m, 0x1000, PAGE, readonly, 0, VU_DMA_READABLE), 0);
	assert_int_equal(dma_map(m, 0x1000, PAGE, fd, 0, RW), -EEXIST);
	assert_int_equal(dma_map(m, 0x0, 4 * PAGE, fd, 0, RW), -EEXIST);
	assert_int_equal(dma_map(m, 0x100000, PAGE, -1, 0, RW), 0);        /* not shared: fine */
	assert_int_equal(dma_map(m, -(uint64_t)PAGE, PAGE, fd, 0, RW), 0); /* the very last page */
	assert_int_equal(dma_unmap(m, 0, 0, VU_UNMAP_ALL), 0);

	int fds[] = {fd, dir, null, file, readonly, opath, pipes[0], pipes[1], sock[0], sock[1]};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

static void test_unmap(void **state)
{
	struct model *m = *state;
	int fd = memory(8 * PAGE);

	assert_int_equal(dma_unmap(m, 0x1000, PAGE, 0), 0); /* never mapped */
	assert_int_equal(dma_unmap(m, 0, 0, 0), -EINVAL);
	assert_int_equal(dma_unmap(m, 0x1000, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(dma_unmap(m, 0x1000, PAGE, VU_UNMAP_ALL), -EINVAL);
	assert_int_equal(dma_unmap(m, 0x1000, PAGE, VU_UNMAP_DIRTY), -ENOTSUP);
	assert_int_equal(dma_unmap(m, 0x1000, PAGE, 0x80), -EINVAL);

	assert_int_equal(dma_map(m, 0x1000, 2 * PAGE, fd, 0, RW), 0);
	assert_int_equal(dma_map(m, 0x3000, 2 * PAGE, fd, 2 * PAGE, RW), 0);
	assert_int_equal(dma_unmap(m, 0x1000, PAGE, 0), -EINVAL); /* half of one */
	assert_int_equal(dma_unmap(m, 0x2000, 3 * PAGE, 0), -EINVAL);
	assert_int_equal(dma_unmap(m, 0, 16 * PAGE, 0), 0); /* both */
	assert_int_equal(dma_map(m, 0x1000, 8 * PAGE, fd, 0, RW), 0);
	assert_int_equal(dma_unmap(m, 0x1000, 8 * PAGE, 0), 0);
	close(fd);
}

/* Sends `len` bytes at `iova` by a legacy descriptor in `ring`, which is one page. */
static void transmit(struct model *m, struct model_dma *ring, uint64_t iova, uint32_t len)
{
	union ixgbe_desc *desc = (void *)ring->addr;

	desc->qword[0] = iova;
	desc->dword[2] = len | IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_RS;
	desc->dword[3] = 0;
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	model_write(m, IXGBE_AT(TDBAL, 0), (uint32_t)ring->iova);
	model_write(m, IXGBE_AT(TDLEN, 0), 128);
	model_set(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	model_set(m, IXGBE_AT(TXDCTL, 0), IXGBE_TXDCTL_ENABLE);
	model_wait(m, IXGBE_AT(TXDCTL, 0), IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	model_write(m, IXGBE_AT(TDT, 0), 1);
}

/* Brings the link up for transmit(). */
static void link_up(struct model *m)
{
	uint32_t autoc = model_read(m, IXGBE_AUTOC);

	autoc = IXGBE_FIELD_SET(IXGBE_AUTOC_LMS, autoc, IXGBE_AUTOC_LMS_10G_SERIAL);
	model_write(m, IXGBE_AUTOC, autoc | IXGBE_AUTOC_RESTART_AN);
}

/* A guest with an IOMMU: thousands of single pages, of one file, in no order of the file. */
static void test_five_thousand_pages(void **state)
{
	struct model *m = *state;
	enum { PAGES = 5000 };
	int fd = memory(PAGES * PAGE);
	uint8_t *mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct model_dma ring = model_dma_new(m, PAGE);
	uint8_t frame[2048];
	uint64_t base = 1ull << 32;

	assert_ptr_not_equal(mem, MAP_FAILED);
	for (uint32_t i = 0; i < PAGES; i++) {
		uint32_t place = i * 7 % PAGES; /* PAGES and 7 have no common divisor */

		memset(mem + place * PAGE, (int)(i & 0xff), PAGE);
		assert_int_equal(dma_map(m, base + i * PAGE, PAGE, fd, place * PAGE, RW), 0);
	}
	link_up(m);
	transmit(m, &ring, base + 1001 * PAGE - 100, 200); /* over the edge of two pages */
	assert_int_equal(model_wire_recv(m, frame, sizeof(frame)), 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(frame[i], (i < 100 ? 1000 : 1001) & 0xff);
	for (uint32_t i = 0; i < PAGES; i += 2)
		assert_int_equal(dma_unmap(m, base + i * PAGE, PAGE, 0), 0);
	assert_int_equal(dma_unmap(m, base, PAGES * PAGE, 0), 0);
	assert_int_equal(dma_map(m, base, PAGES * PAGE, fd, 0, RW), 0);
	munmap(mem, PAGES * PAGE);
	close(fd);
}

/* Memory that is gone when the NIC reaches for it. */
static void test_truncated_memory(void **state)
{
	struct model *m = *state;
	int fd = memory(16 * PAGE);
	struct model_dma ring = model_dma_new(m, PAGE);

	link_up(m);
	assert_int_equal(dma_map(m, 1ull << 32, 16 * PAGE, fd, 0, RW), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	transmit(m, &ring, (1ull << 32) + 5 * PAGE, 1000);
	model_reconnect(m); /* it lives */
	assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
	/* And the next client's memory is as good as any. */
	fd = (close(fd), memory(PAGE));
	assert_int_equal(dma_map(m, 1ull << 32, PAGE, fd, 0, RW), 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_qemu_start),
		TEST(test_version_without_json),
		TEST(test_wrong_major),
		TEST(test_bad_requests),
		TEST(test_region_bounds),
		TEST(test_largest_read),
		TEST(test_io_bar),
		TEST(test_write_multi),
		TEST(test_irq_trigger),
		TEST(test_irq_masks),
		TEST(test_irq_table),
		TEST(test_irq_survives_reset),
		TEST(test_intx),
		TEST(test_msi_err_req),
		TEST(test_bad_irq_sets),
		TEST(test_bad_maps),
		TEST(test_unmap),
		TEST(test_five_thousand_pages),
		TEST(test_truncated_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

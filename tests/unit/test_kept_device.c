/* SPDX-License-Identifier: MIT */
/*
 * A device that outlives its drivers, over a backend that is an array: the keeper's bus, the relay
 * of register accesses, and the image for another program.
 *
 * An import in the process that exported finds its addresses in use. So a test that imports keeps
 * copies of the descriptors, and closes the device before: memory lives as long as a descriptor
 * does.
 */
#include "tests/driver/child_check.h"
#include "fake_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fds_open.h"

#define RING        64
#define POOL_COUNT  (2u * RING)
#define BUFFER_SIZE 2112u
#define HEADROOM    64u
#define FUZZED      2000u
#define PAGE        4096u

static const struct ixgbe_options wanted = {.rx_ring = RING, .tx_ring = RING, .itr_us = 20};
static const struct ixgbe_pool_plan plan[] = {{POOL_COUNT, BUFFER_SIZE, HEADROOM},
					      {32, BUFFER_SIZE, 0}};

struct kept {
	struct fake *fake;
	struct ixgbe_device *device;
	int fds; /* open before */
};

static void keep(struct kept *k)
{
	struct ixgbe_why why = {"no reason given"};
	int err = device_keep(&k->fake->base, &wanted, plan, 2, &k->device, &why);

	if (err)
		fail_msg("keep: %d: %s", err, why.text);
}

static int setup(void **state)
{
	struct kept *k = calloc(1, sizeof(*k));

	k->fds = fds_open();
	k->fake = fake_new();
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kept *k = *state;

	ixgbe_device_close(k->device);
	assert_int_equal(k->fake->maps, 0);
	assert_int_equal(k->fake->vectors, 0);
	assert_int_equal(fds_open(), k->fds);
	fake_free(k->fake);
	free(k);
	return 0;
}

static uint16_t config16(const struct kept *k, uint32_t offset)
{
	return (uint16_t)(k->fake->config[offset] | k->fake->config[offset + 1] << 8);
}

static void status_raise(struct kept *k, uint16_t bits)
{
	k->fake->config[PCI_STATUS + 1] |= (uint8_t)(bits >> 8);
}

/* ---- The keeper's bus ---- */

static void the_keeper_has_the_bus(void **state)
{
	struct kept *k = *state;
	struct ixgbe_why why = {"no reason given"};

	k->fake->config[PCI_COMMAND] = PCI_COMMAND_MASTER; /* a former owner's */
	keep(k);
	assert_int_equal(config16(k, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(ixgbe_device_bus_master_set(k->device, true), 0);
	assert_true(config16(k, PCI_COMMAND) & PCI_COMMAND_MASTER);
	assert_int_equal(k->fake->resets, 1); /* it may have been a former owner's */
	assert_int_equal(k->fake->vectors, 2);
	assert_int_equal(ixgbe_device_reset(k->device, &why), 0);
	assert_false(config16(k, PCI_COMMAND) & PCI_COMMAND_MASTER);
	assert_true(config16(k, PCI_COMMAND) & PCI_COMMAND_MEMORY);
	assert_int_equal(k->fake->resets, 2);
	assert_int_equal(k->fake->vectors, 2);
	assert_int_equal(ixgbe_device_connection(k->device), -1);
}

static void refusals_are_told_once(void **state)
{
	struct kept *k = *state;

	status_raise(k, PCI_STATUS_REC_MASTER_ABORT); /* a former owner's */
	k->fake->dma_refused = 3;
	keep(k);
	assert_int_equal(ixgbe_device_bus_errors(k->device), 0);
	status_raise(k, PCI_STATUS_REC_TARGET_ABORT);
	assert_int_equal(ixgbe_device_bus_errors(k->device), IXGBE_BUS_REFUSED);
	assert_int_equal(ixgbe_device_bus_errors(k->device), 0);
	k->fake->dma_refused++;
	assert_int_equal(ixgbe_device_bus_errors(k->device), IXGBE_BUS_REFUSED);
	assert_int_equal(ixgbe_device_bus_errors(k->device), 0);
	memset(k->fake->config, 0xff, sizeof(k->fake->config));
	assert_int_equal(ixgbe_device_bus_errors(k->device), -ENODEV);
}

static void a_reset_leaves_no_record(void **state)
{
	struct kept *k = *state;

	keep(k);
	memset(k->device->memory.at, 0xa5, k->device->memory.bytes);
	status_raise(k, PCI_STATUS_REC_MASTER_ABORT); /* by the driver before */
	assert_int_equal(ixgbe_device_reset(k->device, NULL), 0);
	for (size_t i = 0; i < k->device->memory.bytes; i++)
		assert_int_equal(k->device->memory.at[i], 0);
	assert_int_equal(ixgbe_device_bus_errors(k->device), 0);
	/* One that is gone, with a backend that does not notice. */
	memset(k->fake->config, 0xff, sizeof(k->fake->config));
	assert_int_equal(ixgbe_device_reset(k->device, NULL), -ENODEV);
}

static void pools_are_limited(void **state)
{
	static const struct ixgbe_pool_plan many[IXGBE_DEVICE_POOLS_MAX + 1];
	struct kept *k = *state;
	struct ixgbe_why why = {""};

	assert_int_equal(device_keep(&k->fake->base, &wanted, many, IXGBE_DEVICE_POOLS_MAX + 1,
				     &k->device, &why),
			 -EINVAL);
	assert_non_null(strstr(why.text, "64 at most"));
	assert_int_equal(k->fake->closed, 1);
}

/* ---- A driver over the relay ---- */

/* Runs `driver` in a process of its own and serves it until it is dead. */
static void drive(struct kept *k, void (*driver)(struct kept *k))
{
	int status;
	pid_t pid = fork();
	struct pollfd pfd[2] = {{.events = POLLIN},
				{.fd = ixgbe_device_relay(k->device), .events = POLLIN}};

	if (pid == 0) {
		driver(k);
		_exit(0);
	}
	pfd[0].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pfd[0].fd >= 0);
	while (poll(pfd, 2, -1) > 0 && !pfd[0].revents)
		assert_int_equal(ixgbe_device_serve(k->device), 0);
	close(pfd[0].fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void runs(struct kept *k, bool resumed)
{
	struct ixgbe_pool *pool[2];
	struct ixgbe_why why = {"no reason given"};
	struct ixgbe_resumed how;
	struct ixgbe *nic;
	int err = ixgbe_attach(k->device, &nic, &why);

	for (int i = 0; i < 2 && !err; i++)
		err = ixgbe_pool_new(nic, plan[i].count, plan[i].size, plan[i].headroom, &pool[i]);
	if (!err)
		err = ixgbe_start(nic, pool, &why);
	if (err)
		fprintf(stderr, "%d: %s\n", err, why.text);
	CHECK(!err);
	ixgbe_resumed(nic, &how);
	CHECK(how.resumed == resumed);
	CHECK(strcmp(ixgbe_backend_name(nic), "fake") == 0);
	/* No memory but what is kept; of the bus a driver sees the NIC's own report. */
	CHECK(ixgbe_pool_new(nic, 8, 256, 0, &pool[1]) == -EBADMSG);
	CHECK(ixgbe_bus_errors(nic) == IXGBE_BUS_TIMEOUT);
	CHECK(nic->backend->ops->reset(nic->backend) == -ENOTSUP);
	CHECK(ixgbe_irq_fd(nic, 0) == k->device->irq_fd[0]);
}

static void first_driver(struct kept *k)
{
	runs(k, false);
}

static void next_driver(struct kept *k)
{
	runs(k, true);
}

static void a_driver_has_registers_only(void **state)
{
	struct kept *k = *state;

	fake_force(k->fake, IXGBE_PICAUSE, IXGBE_PIENA_TO, IXGBE_PIENA_TO);
	keep(k);
	status_raise(k, PCI_STATUS_REC_MASTER_ABORT);
	drive(k, first_driver);
	assert_int_equal(config16(k, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(ixgbe_device_bus_errors(k->device), IXGBE_BUS_REFUSED);
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	drive(k, next_driver);
	assert_int_equal(ixgbe_device_reset(k->device, NULL), 0);
	assert_int_equal(ixgbe_device_relay(k->device), -1);
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	drive(k, first_driver);
	assert_int_equal(k->fake->resets, 2);
}

static void hangs(struct kept *k)
{
	struct ixgbe_why why = {""};
	struct ixgbe *nic;

	CHECK(ixgbe_attach(k->device, &nic, &why) == -ETIMEDOUT);
}

/* A device that does not end its DMA: only the keeper can help. */
static void a_hanging_device_is_the_keepers(void **state)
{
	struct kept *k = *state;

	keep(k);
	fake_force(k->fake, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE,
		   IXGBE_STATUS_PCIE_MASTER_ENABLE);
	drive(k, hangs);
	assert_int_equal(k->fake->resets, 1); /* when it was opened */
}

/* Another file at the same place. */
static void memory_is_replaced(void **state)
{
	struct kept *k = *state;
	struct dma_shared before[4] = {0}, after;
	struct ixgbe_why why = {""};
	size_t maps;
	struct stat old[4] = {0}, new;

	fake_force(k->fake, IXGBE_PICAUSE, IXGBE_PIENA_TO, IXGBE_PIENA_TO);
	keep(k);
	maps = k->fake->maps;
	assert_int_equal(dma_count(k->device->dma), 4);
	for (uint32_t i = 0; i < dma_count(k->device->dma); i++) {
		dma_show(k->device->dma, i, &before[i]);
		memset(before[i].dma.addr, 0xa5, before[i].dma.len);
		assert_int_equal(fstat(before[i].fd, &old[i]), 0);
	}
	assert_int_equal(ixgbe_device_bus_master_set(k->device, true), 0);
	assert_int_equal(ixgbe_device_memory_replace(k->device, &why), -EBUSY);
	assert_int_equal(ixgbe_device_reset(k->device, NULL), 0);
	assert_int_equal(ixgbe_device_memory_replace(k->device, &why), 0);
	assert_int_equal(k->fake->maps, maps);
	for (uint32_t i = 0; i < dma_count(k->device->dma); i++) {
		dma_show(k->device->dma, i, &after);
		assert_ptr_equal(after.dma.addr, before[i].dma.addr);
		assert_int_equal(after.dma.iova, before[i].dma.iova);
		assert_int_equal(after.dma.len, before[i].dma.len);
		assert_int_equal(fstat(after.fd, &new), 0);
		assert_true(new.st_ino != old[i].st_ino || new.st_dev != old[i].st_dev);
		for (size_t at = 0; at < after.dma.len; at++)
			assert_int_equal(((uint8_t *)after.dma.addr)[at], 0);
	}
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	drive(k, first_driver);
}

static int unmap_refused(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	(void)backend;
	(void)iova;
	(void)len;
	return -EPERM;
}

static void memory_that_may_not_be_replaced(void **state)
{
	const struct ixgbe_backend_ops *was;
	struct ixgbe_backend_ops ops;
	struct kept *k = *state;
	struct ixgbe_why why = {""};

	keep(k);
	was = k->fake->base.ops;
	ops = *was;
	ops.dma_unmap = unmap_refused;
	k->fake->base.ops = &ops;
	assert_int_equal(ixgbe_device_memory_replace(k->device, &why), -EPERM);
	assert_non_null(strstr(why.text, "cannot be replaced"));
	k->fake->base.ops = was;
}

/* ---- Drivers that lie ---- */

static struct vu_ioregion_command command(uint8_t what, uint64_t offset, uint64_t data)
{
	return (struct vu_ioregion_command){.command = what,
					    .how = VU_IOREGION_32BIT,
					    .user_data = 1,
					    .offset = offset,
					    .data = data};
}

static void tell(struct kept *k, const void *bytes, size_t len)
{
	assert_int_equal(send(ixgbe_device_channel(k->device), bytes, len, MSG_NOSIGNAL), len);
}

static void a_lie_ends_the_relay(void **state)
{
	const uint8_t read = VU_IOREGION_READ, write = VU_IOREGION_WRITE;
	struct vu_ioregion_command lie[] = {
		command(2, 0, 0),
		command(read, 0, 0),
		command(read, 0, 0),
		command(read, 0, 0),
		command(write, 2, 0),
		command(read, IXGBE_BAR0_SIZE, 0),
		command(write, UINT64_MAX - 3, 0),
		command(read, UINT64_C(1) << 32, 0),
	};
	struct kept *k = *state;
	size_t log;

	lie[1].user_data = 2;
	lie[2].how = 3; /* 64 bits */
	lie[3].how = 0x22;
	keep(k);
	log = k->fake->log_count;
	for (size_t i = 0; i < sizeof(lie) / sizeof(*lie); i++) {
		tell(k, &lie[i], sizeof(*lie));
		assert_int_equal(ixgbe_device_serve(k->device), -EPROTO);
		assert_int_equal(ixgbe_device_relay(k->device), -1);
		assert_int_equal(ixgbe_device_channel(k->device), -1);
		assert_int_equal(ixgbe_device_serve(k->device), 0);
		assert_int_equal(ixgbe_device_renew(k->device), 0);
	}
	shutdown(ixgbe_device_channel(k->device), SHUT_WR);
	assert_int_equal(ixgbe_device_serve(k->device), -EPROTO);
	assert_int_equal(k->fake->log_count, log);
}

/* Answers that nobody takes fill the socket, and the keeper does not wait. */
static void a_flood_ends_the_relay(void **state)
{
	const struct vu_ioregion_command read = command(VU_IOREGION_READ, IXGBE_STATUS, 0);
	struct kept *k = *state;
	int err = 0;

	keep(k);
	for (int i = 0; i < 1 << 20 && !err; i++) {
		tell(k, &read, sizeof(read));
		err = ixgbe_device_serve(k->device);
	}
	assert_int_equal(err, -EPROTO);
}

static void what_was_written_is_carried_out(void **state)
{
	const struct vu_ioregion_command write = command(VU_IOREGION_WRITE, IXGBE_AT(EITR, 0), 8);
	struct vu_ioregion_command many[100];
	struct kept *k = *state;

	for (size_t i = 0; i < 100; i++)
		many[i] = command(VU_IOREGION_WRITE, IXGBE_AT(EITR, 0), 8 * i);
	keep(k);
	/* The driver dies before the keeper has looked, and within a command. */
	tell(k, many, sizeof(many));
	tell(k, &write, sizeof(write) - 1);
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	assert_int_equal(k->fake->reg[IXGBE_AT(EITR, 0) / 4], 8 * 99);
	/* A command may come in pieces. */
	tell(k, &write, 5);
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	tell(k, (const uint8_t *)&write + 5, sizeof(write) - 5);
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	assert_int_equal(k->fake->reg[IXGBE_AT(EITR, 0) / 4], 8);
	/* With a reset what is left is void. */
	k->fake->log_count = 0;
	tell(k, many, sizeof(many));
	assert_int_equal(ixgbe_device_reset(k->device, NULL), 0);
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	assert_int_equal(fake_find_write(k->fake, 0, IXGBE_AT(EITR, 0), 0, 0), -1);
}

/* Half a command goes along to the next keeper, whose relay has the same ends. */
static void half_a_command_goes_along(void **state)
{
	const struct vu_ioregion_command write = command(VU_IOREGION_WRITE, IXGBE_AT(EITR, 0), 16);
	struct kept *k = *state;
	struct relay *was, next;

	keep(k);
	was = &k->device->relay;
	tell(k, &write, 5);
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	assert_int_equal(was->have, 5);
	relay_init(&next);
	assert_int_equal(relay_adopt(&next, -1, was->driver, IXGBE_BAR0_SIZE, was->command, 5),
			 -EBADMSG);
	assert_int_equal(relay_adopt(&next, was->keeper, k->device->state_fd, IXGBE_BAR0_SIZE,
				     was->command, 5),
			 -EBADMSG);
	assert_int_equal(relay_adopt(&next, was->keeper, was->driver, IXGBE_BAR0_SIZE, was->command,
				     sizeof(write)),
			 -EBADMSG);
	assert_int_equal(next.keeper, -1);
	assert_int_equal(
		relay_adopt(&next, was->keeper, was->driver, IXGBE_BAR0_SIZE, was->command, 5), 0);
	*was = next;
	tell(k, (const uint8_t *)&write + 5, sizeof(write) - 5);
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	assert_int_equal(k->fake->reg[IXGBE_AT(EITR, 0) / 4], 16);
}

/* Who dies with a command in its hands leaves a device that nobody can go on with. */
static void a_journal_says_what_is_in_hand(void **state)
{
	struct kept *k = *state;
	struct ixgbe_journal journal = {.used = 0};
	struct ixgbe_why why = {""};
	const uint8_t half[5] = {1};

	keep(k);
	assert_true(k->device->relay.keeper >= 0);
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), 0);
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	assert_int_equal(journal.relayed, 0);
	assert_int_equal(write(k->device->relay.driver, half, sizeof(half)), sizeof(half));
	assert_int_equal(ixgbe_device_serve(k->device), 0);
	assert_int_equal(journal.relayed, 1);
	journal.used = 1;
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), -EBADMSG);
	assert_true(why.text[0]);
	assert_int_equal(ixgbe_device_renew(k->device), 0);
	assert_int_equal(journal.relayed, 0);
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), 0);
	/* A lost reply is none's, if the server is in step and does not ask. */
	journal.within = 1;
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), 0);
	k->fake->config[0]++;
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), -EBADMSG);
	k->fake->config[0]--;
	journal.serves = 1;
	assert_int_equal(ixgbe_device_journal(k->device, &journal, &why), -EBADMSG);
}

/* ---- The image ---- */

struct image {
	struct ixgbe_device_image of;
	int copy[IXGBE_IMAGE_FDS_MAX];
};

static int windows_fd = -1;

/* Two windows, as a server may have them. */
static void two_windows(struct ixgbe_backend *backend, struct backend_registers *out)
{
	(void)backend;
	*out = (struct backend_registers){
		.bytes = IXGBE_BAR0_SIZE,
		.windows = 2,
		.window = {{PAGE, PAGE, NULL, 0}, {4 * PAGE, 2 * PAGE, NULL, PAGE}},
		.fd = windows_fd,
		.channel = -1};
}

/* A file that cannot be shrunk, if `seals` says so. */
static int file_of(size_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* The image of a device that is closed again, with `marked` where its memories begin. */
static void image_make(struct kept *k, struct image *image, uint8_t marked)
{
	static struct ixgbe_backend_ops ops;
	struct dma_shared shared;

	ops = *k->fake->base.ops;
	ops.registers = two_windows;
	k->fake->base.ops = &ops;
	windows_fd = file_of(3 * (size_t)PAGE, F_SEAL_SHRINK);
	keep(k);
	for (uint32_t i = 0; i < dma_count(k->device->dma); i++) {
		dma_show(k->device->dma, i, &shared);
		*(uint8_t *)shared.dma.addr = (uint8_t)(marked + i);
	}
	assert_int_equal(ixgbe_device_export(k->device, &image->of, NULL), 0);
	assert_int_equal(image->of.fds, 1 + 4 + 2 + 1);
	for (uint32_t i = 0; i < image->of.fds; i++) {
		image->copy[i] = fcntl(image->of.fd[i], F_DUPFD_CLOEXEC, 0);
		assert_true(image->copy[i] >= 0);
	}
	ixgbe_device_close(k->device);
	k->device = NULL;
	close(windows_fd);
}

static void image_end(struct image *image)
{
	for (uint32_t i = 0; i < image->of.fds; i++)
		close(image->copy[i]);
	ixgbe_device_image_free(&image->of);
}

/* Imports `record` with copies of the image's descriptors, but for `other` in place of number
 * `nth`. */
static int import_with(const struct image *image, const void *record, uint32_t nth, int other,
		       struct ixgbe_device **out)
{
	struct ixgbe_why why = {""};
	int fd[IXGBE_IMAGE_FDS_MAX], err;

	for (uint32_t i = 0; i < image->of.fds; i++)
		fd[i] = fcntl(i == nth ? other : image->copy[i], F_DUPFD_CLOEXEC, 0);
	err = ixgbe_device_import(record, image->of.bytes, fd, image->of.fds, NULL, out, &why);
	assert_true(err <= 0 && (err == 0 || why.text[0]));
	return err;
}

static int import(const struct image *image, const void *record, struct ixgbe_device **out)
{
	return import_with(image, record, UINT32_MAX, -1, out);
}

static void another_program_has_the_same_memory(void **state)
{
	struct kept *k = *state;
	struct ixgbe_device *device = NULL;
	struct dma_shared shared;
	struct image image;
	int before;

	image_make(k, &image, 0x40);
	before = fds_open();
	assert_int_equal(import(&image, image.of.record, &device), 0);
	assert_int_equal(fds_open(), before + 2); /* the vectors' */
	assert_int_equal(device->vectors, 2);
	assert_int_equal(dma_count(device->dma), 4);
	for (uint32_t i = 0; i < 4; i++) {
		dma_show(device->dma, i, &shared);
		assert_int_equal(*(uint8_t *)shared.dma.addr, 0x40 + i);
		assert_true((uintptr_t)shared.dma.addr >> 44 == 2);
	}
	assert_int_equal(device->options.itr_us, wanted.itr_us);
	/* It is a driver's: the bus is the keeper's. */
	assert_int_equal(ixgbe_device_bus_master_set(device, true), -ENOTSUP);
	assert_int_equal(ixgbe_device_reset(device, NULL), -ENOTSUP);
	assert_int_equal(ixgbe_device_memory_replace(device, NULL), -ENOTSUP);
	assert_int_equal(ixgbe_device_renew(device), -ENOTSUP);
	assert_int_equal(ixgbe_device_serve(device), 0);
	assert_int_equal(ixgbe_device_export(device, &(struct ixgbe_device_image){0}, NULL),
			 -ENOTSUP);
	assert_int_equal(ixgbe_device_hand_over(device, &(struct ixgbe_device_image){0}, NULL),
			 -ENOTSUP);
	ixgbe_device_close(device);
	image_end(&image);
}

static void addresses_in_use_are_told(void **state)
{
	struct kept *k = *state;
	struct ixgbe_device *device = NULL, *second = NULL;
	struct image image;

	image_make(k, &image, 0);
	assert_int_equal(import(&image, image.of.record, &device), 0);
	assert_int_equal(import(&image, image.of.record, &second), -EEXIST);
	assert_null(second);
	/* A keeper takes the next places. */
	k->fake->closed = 0;
	keep(k);
	ixgbe_device_close(device);
	image_end(&image);
}

static void attach_needs_a_channel(void **state)
{
	struct kept *k = *state;
	struct ixgbe_device *device = NULL;
	struct ixgbe_why why = {""};
	struct ixgbe *nic = NULL;
	struct image image;
	int sock[2];

	image_make(k, &image, 0);
	assert_int_equal(import(&image, image.of.record, &device), 0);
	assert_int_equal(ixgbe_attach(device, &nic, &why), -ENOTCONN);
	assert_int_equal(ixgbe_device_channel_set(device, eventfd(0, EFD_CLOEXEC)), 0);
	assert_int_equal(ixgbe_device_channel_set(device, eventfd(0, EFD_CLOEXEC)), -EALREADY);
	assert_int_equal(ixgbe_attach(device, &nic, &why), -ENOTSOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	close(sock[0]);
	assert_int_equal(ixgbe_device_channel_set(device, sock[1]), 0);
	assert_int_equal(ixgbe_attach(device, &nic, &why), -ENODEV);
	assert_null(nic);
	ixgbe_device_close(device);
	image_end(&image);
}

static void other_descriptors_are_refused(void **state)
{
	struct kept *k = *state;
	struct ixgbe_device *device = NULL;
	struct ixgbe_why why = {""};
	struct image image;
	int other[5], before;

	image_make(k, &image, 0);
	other[0] = -1;
	other[1] = eventfd(0, EFD_CLOEXEC);
	other[2] = file_of(PAGE, F_SEAL_SHRINK);             /* too short */
	other[3] = file_of((size_t)PAGE << 10, F_SEAL_GROW); /* can be shrunk */
	other[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
	before = fds_open();
	for (uint32_t nth = 0; nth < image.of.fds; nth++)
		for (int i = 0; i < 5; i++) {
			if (nth == 5 || nth == 6 || (i == 2 && (nth == 1 || nth == 2)))
				continue; /* vectors; rings of one page */
			assert_true(import_with(&image, image.of.record, nth, other[i], &device) <
				    0);
			assert_int_equal(fds_open(), before);
		}
	for (uint32_t fds = 0; fds < image.of.fds; fds++) {
		int fd[IXGBE_IMAGE_FDS_MAX];

		for (uint32_t i = 0; i < fds; i++)
			fd[i] = fcntl(image.copy[i], F_DUPFD_CLOEXEC, 0);
		assert_int_equal(ixgbe_device_import(image.of.record, image.of.bytes, fd, fds, NULL,
						     &device, &why),
				 -EBADMSG);
		assert_int_equal(fds_open(), before);
	}
	for (int i = 1; i < 5; i++)
		close(other[i]);
	image_end(&image);
}

static void other_versions_are_refused(void **state)
{
	struct kept *k = *state;
	struct ixgbe_device *device = NULL;
	struct ixgbe_why why = {""};
	struct image image;
	uint32_t *word;

	image_make(k, &image, 0);
	word = image.of.record;
	for (size_t bytes = 0; bytes < image.of.bytes; bytes += 1 + bytes / 8)
		assert_int_equal(
			ixgbe_device_import(word, bytes, image.copy, 0, NULL, &device, &why),
			-EBADMSG);
	word[1]++;
	assert_int_equal(import(&image, word, &device), -EBADMSG);
	assert_int_equal(ixgbe_device_import(word, 12, image.copy, 0, NULL, &device, &why),
			 -EBADMSG);
	assert_non_null(strstr(why.text, "another version"));
	image_end(&image);
}

/* What a record says is taken or refused; nothing of it stays. */
static void survived(const struct image *image, const void *record, uint32_t *taken)
{
	struct ixgbe_device *device = NULL;
	const int before = fds_open();
	struct ixgbe *nic = NULL;
	int sock[2];

	if (import(image, record, &device) == 0) {
		++*taken;
		/* With a device that is gone. */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
		close(sock[0]);
		assert_int_equal(ixgbe_device_channel_set(device, sock[1]), 0);
		assert_true(ixgbe_attach(device, &nic, NULL) < 0);
		ixgbe_device_close(device);
	}
	assert_int_equal(fds_open(), before);
}

static void any_record_is_survived(void **state)
{
	static const uint32_t edges[] = {0,          1,          PAGE - 1,   PAGE,      2 * PAGE,
					 0x1fff,     0x2000,     0x2fff,     0x3000,    1u << 21,
					 0x7fffffff, 0x80000000, UINT32_MAX, 0xfffff000};
	struct kept *k = *state;
	struct image image;
	uint32_t taken = 0, all = 0;
	uint8_t *record;

	image_make(k, &image, 0);
	record = malloc(image.of.bytes);
	srandom(82599);
	for (size_t at = 0; at < image.of.bytes; at += 4) {
		/* Of unused rows a few stand for all. */
		if (at > 300 && at < image.of.bytes - 400 && at % 92)
			continue;
		for (size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++, all++) {
			memcpy(record, image.of.record, image.of.bytes);
			memcpy(record + at, &edges[i], 4);
			survived(&image, record, &taken);
		}
	}
	for (uint32_t i = 0; i < FUZZED; i++, all++) {
		memcpy(record, image.of.record, image.of.bytes);
		for (long n = random() % 6; n >= 0; n--)
			record[(size_t)random() % (n % 2 ? 300 : image.of.bytes)] =
				(uint8_t)random();
		survived(&image, record, &taken);
	}
	assert_true(taken > all / 20 && taken < all / 20 * 19);
	taken = 0;
	survived(&image, image.of.record, &taken);
	assert_int_equal(taken, 1);
	free(record);
	image_end(&image);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_keeper_has_the_bus),
		TEST(refusals_are_told_once),
		TEST(a_reset_leaves_no_record),
		TEST(memory_is_replaced),
		TEST(memory_that_may_not_be_replaced),
		TEST(pools_are_limited),
		TEST(a_driver_has_registers_only),
		TEST(a_hanging_device_is_the_keepers),
		TEST(a_lie_ends_the_relay),
		TEST(a_flood_ends_the_relay),
		TEST(a_journal_says_what_is_in_hand),
		TEST(what_was_written_is_carried_out),
		TEST(half_a_command_goes_along),
		TEST(another_program_has_the_same_memory),
		TEST(addresses_in_use_are_told),
		TEST(attach_needs_a_channel),
		TEST(other_descriptors_are_refused),
		TEST(other_versions_are_refused),
		TEST(any_record_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

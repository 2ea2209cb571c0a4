/* SPDX-License-Identifier: MIT */
/*
 * Who keeps a VFIO device open. Whoever looks here holds nothing of the device: the command
 * register is read in sysfs, and the page into which the device writes is a memfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bare_device.h"
#include "facts.h"

#define STATUS_AT   0x8u /* the NIC's status register */
#define UNBIND_US   1500000
#define KILLS       10
#define RELEASED_US 30000000

struct stage {
	const char *bdf;
	void *page;
	int channel[2]; /* between two actors */
};

static void opened(struct device *device, const struct stage *stage)
{
	device_open(device, stage->bdf);
	errno = -dma_add(device->container, stage->page, PAGE_BYTES, IOVA_FIRST);
	if (errno)
		fact_broken("mapping a page for DMA");
	device_command(device, COMMAND_MASTER, 0);
}

/* Waits until the device is closed: a reset may be under way. */
static bool master_ends(const char *bdf)
{
	const int64_t until = now_us() + RELEASED_US;

	while (bus_master(bdf))
		if (now_us() > until)
			return false;
		else
			sleep_us(1000);
	return true;
}

static void still_held(const struct stage *stage, const char *who)
{
	bool master = bus_master(stage->bdf), dma = dma_goes_on(stage->page);

	fact(master && dma, "%s keeps the device open: bus master %d, its DMA %s", who, master,
	     dma ? "goes on" : "stops");
}

static void not_held(const struct stage *stage, const char *what)
{
	bool master = bus_master(stage->bdf), dma = dma_goes_on(stage->page);

	fact(!master && !dma, "%s: bus master %d, its DMA %s", what, master,
	     dma ? "goes on" : "stops");
}

/* ---- A BAR's mapping alone ---- */

static void play_bar_alone(int sock, void *arg)
{
	const volatile uint32_t *status;
	struct device device;

	opened(&device, arg);
	status = (volatile uint32_t *)((char *)device_map_bar(&device) + STATUS_AT);
	say_and_wait(sock, device.cloexec);
	close(device.fd);
	say_and_wait(sock, 0);
	close(device.group);
	close(device.container);
	say_and_wait(sock, *status);
	munmap((void *)((uintptr_t)status & ~(uintptr_t)(PAGE_BYTES - 1)), PAGE_BYTES);
	say_and_wait(sock, 0);
	wait_for_death();
}

static void bar_alone(struct stage *stage)
{
	struct actor actor;
	int64_t status, us;
	bool master;

	actor_start(&actor, play_bar_alone, stage);
	fact(actor_says(&actor), "the kernel makes the device's descriptor close-on-exec");
	still_held(stage, "whoever has all descriptors");
	actor_next(&actor);
	still_held(
		stage,
		"a mapping of the BAR, with group and container, without the device's descriptor");
	status = actor_next(&actor);
	still_held(stage, "a mapping of the BAR alone, all descriptors closed,");
	fact((uint32_t)status != UINT32_MAX, "registers can be read by such a mapping: STATUS %#x",
	     (uint32_t)status);
	actor_next(&actor);
	still_held(stage, "the rest of that mapping, one page unmapped,");
	us = actor_kill(&actor);
	master = bus_master(stage->bdf);
	fact(!master,
	     "when the pidfd of a killed process says so, its BAR's mapping has closed the device: "
	     "after %lld us, bus master %d",
	     (long long)us, master);
	not_held(stage, "after a process that had the BAR's mapping alone");
	actor_end(&actor);
}

/* ---- A descriptor elsewhere ---- */

static void play_giver(int sock, void *arg)
{
	const struct stage *stage = arg;
	struct device device;

	opened(&device, stage);
	message_send(stage->channel[1], 0, &device.fd, 1);
	say_and_wait(sock, 0);
}

static void play_store(int sock, void *arg)
{
	const struct stage *stage = arg;
	int fd;

	close(stage->channel[1]);
	message_take(stage->channel[0], &fd, 1);
	say_and_wait(sock, 0);
	close(fd);
	say_and_wait(sock, 0);
}

static void in_store(struct stage *stage)
{
	struct actor giver, store;

	message_pair(stage->channel);
	actor_start(&store, play_store, stage);
	actor_start(&giver, play_giver, stage);
	close(stage->channel[0]);
	close(stage->channel[1]);
	actor_says(&giver);
	actor_says(&store);
	fact_note("a process that is not the last holder dies within %lld us",
		  (long long)actor_kill(&giver));
	actor_end(&giver);
	still_held(stage, "the device's descriptor in another process, the opener killed,");
	actor_next(&store);
	not_held(stage, "when that descriptor, the last one, has been closed");
	actor_kill(&store);
	actor_end(&store);
}

static void under_way(struct stage *stage)
{
	struct actor giver;

	message_pair(stage->channel);
	actor_start(&giver, play_giver, stage);
	close(stage->channel[1]);
	actor_says(&giver);
	actor_kill(&giver);
	actor_end(&giver);
	still_held(stage, "a descriptor that was sent and not yet received, the opener killed,");
	close(stage->channel[0]);
	fact(master_ends(stage->bdf), "closing the socket closes the device: bus master %d",
	     bus_master(stage->bdf));
}

/* ---- Group and container without the device ---- */

static void play_group_giver(int sock, void *arg)
{
	const struct stage *stage = arg;
	struct device device;

	opened(&device, stage);
	message_send(stage->channel[1], 0, (int[]){device.container, device.group}, 2);
	say_and_wait(sock, 0);
}

static void play_group_store(int sock, void *arg)
{
	const struct stage *stage = arg;
	struct device device;
	int fds[2];

	close(stage->channel[1]);
	message_take(stage->channel[0], fds, 2);
	device.container = fds[0];
	device.group = fds[1];
	say_and_wait(sock, 0);
	say_and_wait(sock, device_reopen(&device, stage->bdf));
	device_command(&device, COMMAND_MASTER, 0);
	say_and_wait(sock, 0);
	wait_for_death();
}

static void group_kept(struct stage *stage)
{
	struct actor giver, store;
	int64_t err;

	message_pair(stage->channel);
	actor_start(&store, play_group_store, stage);
	actor_start(&giver, play_group_giver, stage);
	close(stage->channel[0]);
	close(stage->channel[1]);
	actor_says(&giver);
	actor_says(&store);
	actor_kill(&giver);
	actor_end(&giver);
	not_held(stage, "group and container without the device's descriptor do not keep it open");
	err = actor_next(&store);
	fact(err == 0, "their holder can open the device again: %s", strerror((int)-err));
	actor_next(&store);
	still_held(stage, "with the map of a dead process's memory: this");
	actor_kill(&store);
	actor_end(&store);
}

/* ---- When, after a kill ---- */

static void play_opener(int sock, void *arg)
{
	struct device device;

	opened(&device, arg);
	device_map_bar(&device);
	say_and_wait(sock, 0);
	wait_for_death();
}

static void killed_often(struct stage *stage)
{
	int64_t least = INT64_MAX, most = 0;
	int late = 0;

	for (int i = 0; i < KILLS; i++) {
		struct actor actor;
		int64_t us;

		actor_start(&actor, play_opener, stage);
		actor_says(&actor);
		us = actor_kill(&actor);
		late += bus_master(stage->bdf);
		least = us < least ? us : least;
		most = us > most ? us : most;
		actor_end(&actor);
	}
	fact(late == 0,
	     "in %d kills of the only holder bus mastering had ended, %d times not, when the "
	     "pidfd said so, %lld to %lld us after the signal",
	     KILLS, late, (long long)least, (long long)most);
}

/* ---- Unbinding ---- */

static void play_unbinder(int sock, void *arg)
{
	const struct stage *stage = arg;
	int fd = open("/sys/bus/pci/drivers/vfio-pci/unbind", O_WRONLY | O_CLOEXEC);

	message_send(sock, 0, NULL, 0);
	if (fd < 0 || write(fd, stage->bdf, strlen(stage->bdf)) < 0)
		fact_broken("unbinding");
	message_send(sock, 0, NULL, 0);
}

static void play_requested(int sock, void *arg)
{
	const int request = eventfd(0, EFD_CLOEXEC);
	struct pollfd wait = {.fd = request, .events = POLLIN};
	union {
		struct vfio_irq_set set;
		char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} irq = {.set = {.argsz = sizeof(irq),
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = VFIO_PCI_REQ_IRQ_INDEX,
			 .count = 1}};
	struct device device;

	opened(&device, arg);
	device_map_bar(&device);
	memcpy(irq.set.data, &request, sizeof(request));
	if (ioctl(device.fd, VFIO_DEVICE_SET_IRQS, &irq.set) < 0)
		fact_broken("the interrupt for a request to let go");
	device_close(&device);
	say_and_wait(sock, 0);
	say_and_wait(sock, poll(&wait, 1, 5000));
	wait_for_death();
}

static void unbind_waits(struct stage *stage)
{
	struct actor holder, unbinder;
	int64_t asked;
	bool waits, ends;

	actor_start(&holder, play_requested, stage);
	actor_says(&holder);
	actor_start(&unbinder, play_unbinder, stage);
	actor_says(&unbinder);
	asked = actor_next(&holder);
	waits = !actor_dead(&unbinder, UNBIND_US);
	fact(asked == 1 && waits,
	     "unbinding waits for a mapping of the BAR alone, and the REQ "
	     "interrupt, set before all descriptors were closed, asks for the device: %s, %s",
	     waits ? "waits" : "does not wait", asked ? "asked" : "not asked");
	actor_kill(&holder);
	ends = actor_dead(&unbinder, RELEASED_US);
	fact(ends, "unbinding %s when the holder is dead", ends ? "ends" : "does not end");
	if (!ends)
		fact_broken("the device is lost to this test");
	actor_end(&holder);
	actor_end(&unbinder);
}

static void bind_again(const char *bdf)
{
	int fd = open("/sys/bus/pci/drivers_probe", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, bdf, strlen(bdf)) < 0)
		fact_broken("binding the device again");
	close(fd);
}

void facts_held_device(const char *bdf)
{
	struct stage stage = {.bdf = bdf};
	int fd;

	stage.page = memory_new("held-device", PAGE_BYTES, &fd);
	bar_alone(&stage);
	in_store(&stage);
	under_way(&stage);
	group_kept(&stage);
	killed_often(&stage);
	unbind_waits(&stage);
	bind_again(bdf);
}

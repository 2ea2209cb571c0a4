/* SPDX-License-Identifier: MIT */
/*
 * A BAR that several processes have mapped: after a fork, after an exec, during a reset, while the
 * device's memory is disabled; and interrupts whose setter is dead.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare_device.h"
#include "facts.h"

#define STATUS_AT 0x8u
#define EICR_AT   0x800u /* 82599: causes of interrupts, cleared by a read */
#define EICS_AT   0x808u /* sets causes */
#define EIMS_AT   0x880u
#define FAILS_US  2000000

struct scene {
	const char *bdf;
	int channel[2];
	/* Of the process that reads a register all the time; shared. */
	struct {
		_Atomic int64_t reads, longest_us, sigbus, all_ones;
	} * seen;
};

static volatile uint32_t *register_at(void *bar, uint32_t at)
{
	return (volatile uint32_t *)((char *)bar + at);
}

/* ---- fork, exec ---- */

static void play_forker(int sock, void *arg)
{
	const struct scene *scene = arg;
	struct device device;
	uint32_t status;
	void *bar;
	int pair[2];
	pid_t pid;

	device_open(&device, scene->bdf);
	bar = device_map_bar(&device);
	status = *register_at(bar, STATUS_AT);
	message_send(sock, status, NULL, 0);
	message_pair(pair);
	pid = fork();
	if (pid == 0) {
		message_send(pair[1], *register_at(bar, STATUS_AT), NULL, 0);
		_exit(0);
	}
	message_send(sock, message_take(pair[0], NULL, 0), NULL, 0);
	waitpid(pid, NULL, 0);
	madvise(bar, device.bar_bytes, MADV_DONTFORK);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		(void)*register_at(bar, STATUS_AT);
		_exit(0);
	}
	waitpid(pid, &pair[0], 0);
	message_send(sock, WIFSIGNALED(pair[0]) ? WTERMSIG(pair[0]) : 0, NULL, 0);
	message_send(scene->channel[1], 0, &device.fd, 1);
	wait_for_death();
}

static void play_executed(int sock, void *arg)
{
	const struct scene *scene = arg;
	char sock_word[16], channel_word[16];

	snprintf(sock_word, sizeof(sock_word), "%d", sock);
	snprintf(channel_word, sizeof(channel_word), "%d", scene->channel[0]);
	execl("/proc/self/exe", "groundwork", "after-exec-bar", sock_word, channel_word, NULL);
	fact_broken("exec");
}

int after_exec_bar(char **words)
{
	const int sock = (int)strtol(words[0], NULL, 10), channel = (int)strtol(words[1], NULL, 10);
	struct device device = {.bar_bytes = PAGE_BYTES}; /* the BAR is at 0 in the descriptor */
	void *bar;

	message_take(channel, &device.fd, 1);
	bar = device_map_bar(&device);
	close(device.fd);
	say_and_wait(sock, *register_at(bar, STATUS_AT));
	say_and_wait(sock, *register_at(bar, STATUS_AT));
	return 0;
}

static void forked(struct scene *scene)
{
	struct actor opener, executed;
	uint32_t status, child, other;
	int64_t end;

	message_pair(scene->channel);
	actor_start(&executed, play_executed, scene);
	actor_start(&opener, play_forker, scene);
	status = (uint32_t)actor_says(&opener);
	child = (uint32_t)actor_says(&opener);
	end = actor_says(&opener);
	fact(child == status && status != UINT32_MAX,
	     "a forked child reads registers by its parent's "
	     "mapping of the BAR: STATUS %#x, the child %#x",
	     status, child);
	fact(end == SIGSEGV, "after MADV_DONTFORK it has no mapping: the child ends by signal %d",
	     (int)end);
	other = (uint32_t)actor_says(&executed);
	fact(other == status,
	     "another program that got the descriptor by SCM_RIGHTS, mapped and closed it: "
	     "STATUS %#x",
	     other);
	actor_kill(&opener);
	actor_end(&opener);
	other = (uint32_t)actor_next(&executed);
	fact(other == status, "and after the opener's death: STATUS %#x", other);
	actor_kill(&executed);
	actor_end(&executed);
	close(scene->channel[0]);
	close(scene->channel[1]);
}

/* ---- Reset, disabled memory ---- */

static sigjmp_buf after_sigbus;

static void on_sigbus(int number)
{
	(void)number;
	siglongjmp(after_sigbus, 1);
}

static void play_reader(int sock, void *arg)
{
	struct scene *scene = arg;
	struct device device = {.bar_bytes = PAGE_BYTES};
	void *bar;

	message_take(scene->channel[0], &device.fd, 1);
	bar = device_map_bar(&device);
	close(device.fd);
	signal(SIGBUS, on_sigbus);
	if (sigsetjmp(after_sigbus, 1)) {
		scene->seen->sigbus++;
		sleep_us(1000);
	}
	message_send(sock, 0, NULL, 0);
	for (;;) {
		const int64_t since = now_us();
		const uint32_t status = *register_at(bar, STATUS_AT);
		const int64_t took = now_us() - since;

		scene->seen->all_ones += status == UINT32_MAX;
		if (took > scene->seen->longest_us)
			scene->seen->longest_us = took;
		scene->seen->reads++;
	}
}

static void seen_anew(struct scene *scene)
{
	scene->seen->reads = scene->seen->longest_us = scene->seen->sigbus = scene->seen->all_ones =
		0;
}

static bool reads_again(const struct scene *scene)
{
	const int64_t before = scene->seen->reads, until = now_us() + FAILS_US;

	while (scene->seen->reads == before && now_us() < until)
		sleep_us(1000);
	return scene->seen->reads != before;
}

static void resets(struct scene *scene, const struct device *device)
{
	int64_t since, took;
	int err = 0;
	bool good;

	seen_anew(scene);
	device_command(device, COMMAND_MASTER, 0);
	since = now_us();
	if (ioctl(device->fd, VFIO_DEVICE_RESET) < 0)
		err = errno;
	took = now_us() - since;
	good = reads_again(scene) && err == 0 && scene->seen->sigbus == 0;
	fact(good,
	     "VFIO_DEVICE_RESET while another process reads by its mapping: %s, "
	     "%lld us; reads: %lld, SIGBUS: %lld, all ones: %lld, the longest read took %lld us",
	     strerror(err), (long long)took, (long long)scene->seen->reads,
	     (long long)scene->seen->sigbus, (long long)scene->seen->all_ones,
	     (long long)scene->seen->longest_us);
	fact(bus_master(scene->bdf),
	     "that reset keeps the command register: bus master is still on");
	device_command(device, 0, COMMAND_MASTER);
	errno = ioctl(device->fd, VFIO_DEVICE_RESET) < 0 ? errno : 0;
	fact(!bus_master(scene->bdf), "and off, when it was off: %s", strerror(errno));
	device_command(device, COMMAND_MASTER, 0);
	seen_anew(scene);
	device_command(device, 0, COMMAND_MEMORY);
	sleep_us(100000);
	fact(scene->seen->sigbus > 0,
	     "memory decoding switched off: the other process's reads: %lld SIGBUS, %lld reads, "
	     "%lld of them all ones",
	     (long long)scene->seen->sigbus, (long long)scene->seen->reads,
	     (long long)scene->seen->all_ones);
	device_command(device, COMMAND_MEMORY, 0);
	fact(reads_again(scene), "and on again: the same mapping works");
}

/* ---- Interrupts ---- */

static void set_vector(const struct device *device, int event)
{
	union {
		struct vfio_irq_set set;
		char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} irq = {.set = {.argsz = sizeof(irq),
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = VFIO_PCI_MSIX_IRQ_INDEX,
			 .count = 1}};

	memcpy(irq.set.data, &event, sizeof(event));
	if (ioctl(device->fd, VFIO_DEVICE_SET_IRQS, &irq.set) < 0)
		fact_broken("the MSI-X vector");
}

static bool fires(void *bar, int event)
{
	struct pollfd wait = {.fd = event, .events = POLLIN};
	uint64_t count;

	(void)*register_at(bar, EICR_AT);
	*register_at(bar, EIMS_AT) = 0x7fffffff;
	*register_at(bar, EICS_AT) = 1;
	if (poll(&wait, 1, 3000) != 1)
		return false;
	return read(event, &count, sizeof(count)) == sizeof(count);
}

static void play_setter(int sock, void *arg)
{
	const struct scene *scene = arg;
	struct device device;

	device_open(&device, scene->bdf);
	device_command(&device, COMMAND_MASTER, 0);
	message_send(scene->channel[1], 0, &device.fd, 1);
	say_and_wait(sock, 0);
	set_vector(&device, (int)message_take(sock, NULL, 0));
	say_and_wait(sock, 0);
	wait_for_death();
}

void facts_mapped_bar(const char *bdf)
{
	struct scene scene = {.bdf = bdf};
	struct actor opener, reader;
	struct device device = {.group = -1};
	const int event = eventfd(0, 0);
	void *bar;

	scene.seen =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	forked(&scene);
	message_pair(scene.channel);
	actor_start(&opener, play_setter, &scene);
	actor_says(&opener);
	message_take(scene.channel[0], &device.fd, 1);
	device_regions(&device);
	bar = device_map_bar(&device);
	actor_go(&opener);
	message_send(opener.sock, event, NULL, 0);
	actor_says(&opener);
	fact(fires(bar, event), "an interrupt that another process has set arrives");
	actor_kill(&opener);
	actor_end(&opener);
	fact(fires(bar, event), "and still arrives when the setter is dead");
	actor_start(&reader, play_reader, &scene);
	message_send(scene.channel[1], 0, &device.fd, 1);
	actor_says(&reader);
	resets(&scene, &device);
	*register_at(bar, EIMS_AT) = 0;
	fact(fires(bar, event), "after a reset the interrupt, not set anew, arrives");
	actor_kill(&reader);
	actor_end(&reader);
	munmap(bar, device.bar_bytes);
	close(device.fd);
}

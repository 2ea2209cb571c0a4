/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A write to an eventfd whose count is full waits until somebody reads. The client has the eventfd
 * too: it can fill the count and clear O_NONBLOCK, and can do so between a poll() of ours and the
 * write. So no write of ours is safe from it, and write(2) to an eventfd knows no RWF_NOWAIT.
 *
 * The kernel itself signals an eventfd without waiting: a full count stays full. It does so when
 * asynchronous I/O ends (IOCB_FLAG_RESFD, io_submit(2)). The I/O here is a read of an empty file,
 * which is over when io_submit returns. One context serves all eventfds, at less than the cost of
 * poll() and write(). Nobody is interested in the results; they are taken out of the context after
 * every RESULTS_MAX signals, or it would be full.
 *
 * Weighed against it: io_uring punts such a write to a thread or writes itself, as the flag that
 * the client can change says at that moment. A ring's own eventfd (IORING_REGISTER_EVENTFD) is
 * signalled as here, but each vector needs a ring.
 *
 * A kernel without asynchronous I/O, or with none left (fs.aio-max-nr), has poll() and write(); a
 * warning says so.
 */
#include "notifier.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bridge/service/log.h"

#define RESULTS_MAX 32

struct notifier {
	aio_context_t context; /* 0: none */
	int empty;             /* a file without a byte */
	long results;          /* in the context */
};

int notifier_new(struct notifier **out)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	int err;

	if (!notifier)
		return -ENOMEM;
	notifier->empty = memfd_create("empty", MFD_CLOEXEC);
	if (notifier->empty < 0) {
		err = -errno;
		free(notifier);
		return err;
	}
	if (syscall(SYS_io_setup, RESULTS_MAX, &notifier->context)) {
		notifier->context = 0;
		log_warning("no asynchronous I/O: %s: a client can make interrupts wait; see "
			    "fs.aio-max-nr",
			    strerror(errno));
	}
	*out = notifier;
	return 0;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;
	if (notifier->context)
		syscall(SYS_io_destroy, notifier->context);
	close(notifier->empty);
	free(notifier);
}

static void results_drop(struct notifier *notifier)
{
	struct io_event result[RESULTS_MAX];
	const struct timespec now = {0};
	long taken = syscall(SYS_io_getevents, notifier->context, 0, RESULTS_MAX, result, &now);

	notifier->results -= taken > 0 ? taken : 0;
}

/* Nothing is lost without the write if the count is full: an interrupt is there to be read. */
static void write_if_room(int eventfd)
{
	struct pollfd room = {.fd = eventfd, .events = POLLOUT};

	if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT))
		(void)!write(eventfd, &(uint64_t){1}, sizeof(uint64_t));
}

void notifier_signal(struct notifier *notifier, int eventfd)
{
	uint8_t byte;
	struct iocb read_nothing = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)notifier->empty,
		.aio_buf = (uint64_t)(uintptr_t)&byte,
		.aio_nbytes = sizeof(byte),
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)eventfd,
	};
	struct iocb *list[] = {&read_nothing};

	if (!notifier->context) {
		write_if_room(eventfd);
		return;
	}
	if (notifier->results == RESULTS_MAX)
		results_drop(notifier);
	if (syscall(SYS_io_submit, notifier->context, 1, list) == 1)
		notifier->results++;
}

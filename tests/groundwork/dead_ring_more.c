/* SPDX-License-Identifier: MIT */
/* The io_uring of a killed process: what else its requests could do. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "facts.h"
#include "ring_trial.h"

/* ---- An interrupt's eventfd ---- */

struct event_stand {
	int event, end[2];
};

static void play_event_reader(int sock, void *arg)
{
	const struct event_stand *stand = arg;
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
						  IORING_SETUP_DEFER_TASKRUN};
	struct io_uring ring;
	uint64_t value;

	errno = -io_uring_queue_init_params(4, &ring, &params);
	if (!errno)
		errno = -io_uring_register_files(&ring, (int[]){stand->event, stand->end[1]}, 2);
	if (errno)
		fact_broken("an io_uring");
	close(stand->end[1]);
	for (;;) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		struct io_uring_cqe *cqe;

		io_uring_prep_read(sqe, 0, &value, sizeof(value), 0);
		io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
		io_uring_submit(&ring);
		message_send(sock, 0, NULL, 0);
		if (io_uring_wait_cqe(&ring, &cqe) == 0)
			io_uring_cqe_seen(&ring, cqe);
	}
}

/* Counts that a dead ring's read took. */
static uint64_t event_kill(struct event_stand *stand)
{
	const uint64_t one = 1;
	uint64_t written = 0, left = 0;
	struct actor reader;

	end_new(stand->end);
	actor_start(&reader, play_event_reader, stand);
	close(stand->end[1]);
	actor_says(&reader);
	wait_spinning(any_below(200));
	actor_kill(&reader);
	do {
		if (write(stand->event, &one, sizeof(one)) != sizeof(one))
			fact_broken("an eventfd");
		written++;
		wait_spinning(20);
	} while (!readable(stand->end[0]));
	if (read(stand->event, &left, sizeof(left)) != sizeof(left))
		left = 0;
	close(stand->end[0]);
	actor_end(&reader);
	return written - left;
}

void dead_ring_event(int kills)
{
	struct event_stand stand = {.event = eventfd(0, EFD_NONBLOCK)};
	uint64_t taken = 0;

	for (int i = 0; i < kills; i++)
		taken += event_kill(&stand);
	fact(taken == 0,
	     "%d kills with a read of an eventfd armed: %llu counts were taken after the pidfd's word",
	     kills, (unsigned long long)taken);
	close(stand.event);
}

/* ---- Frames that are written ---- */

static __attribute__((noreturn)) void writes_for_ever(const struct trial *trial, int sock)
{
	struct io_uring ring = ring_new(trial);
	struct slot frame = {
		.frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ETHER_TYPE >> 8, ETHER_TYPE & 0xff}};

	message_send(sock, 0, NULL, 0);
	for (;;) {
		struct io_uring_cqe *cqe;

		for (int i = 0; i < SLOTS; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_write(sqe, 0, &frame, VNET_BYTES + FRAME_BYTES, 0);
			io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
		}
		io_uring_submit_and_wait(&ring, SLOTS);
		while (io_uring_peek_cqe(&ring, &cqe) == 0)
			io_uring_cqe_seen(&ring, cqe);
	}
}

static void play_writer(int sock, void *arg)
{
	writes_for_ever(arg, sock);
}

/* Frames that a dead ring has written. */
static long long write_kill(struct trial *trial)
{
	struct actor writer;
	long long at_death, at_end;
	int64_t since;

	end_new(trial->end);
	actor_start(&writer, play_writer, trial);
	close(trial->end[1]);
	actor_says(&writer);
	wait_spinning(any_below(2000));
	actor_kill(&writer);
	at_death = interface_counts().rx_packets;
	since = now_us();
	while (!readable(trial->end[0]) && now_us() - since < RING_END_US)
		sleep_us(1000);
	at_end = interface_counts().rx_packets;
	close(trial->end[0]);
	actor_end(&writer);
	return at_end - at_death;
}

void dead_ring_writes(struct trial *trial, int kills)
{
	long long before = interface_counts().rx_packets, late = 0;

	trial->setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	for (int i = 0; i < kills; i++)
		late += write_kill(trial);
	fact(late == 0 && interface_counts().rx_packets > before,
	     "%d kills of a ring that writes: %lld frames "
	     "arrived after the pidfd's word",
	     kills, late);
}

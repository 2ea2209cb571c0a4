/* SPDX-License-Identifier: MIT */
/*
 * The io_uring of a killed process: how long its requests take frames from the TAP.
 *
 *     us: holds a TAP queue, shared memory          victim: the same queue, an io_uring
 *     sends numbered frames into the interface      reads them into slots of the shared memory,
 *     kills the victim, goes on sending             notes the numbers it has seen there
 *     waits for the ring's end, reads the queue
 *
 * Each number must turn up: noted by the victim, in a slot, or read by us. One that was sent after
 * the pidfd said that the victim is dead, and that we did not read, was taken by the dead ring.
 *
 * How the ring's end is seen: the write end of a pipe is among the ring's registered files and
 * nowhere else. The kernel lets these files go when no request is left, and we read a hang-up.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "facts.h"
#include "ring_trial.h"

#define ALIVE_MAX 64
#define DYING_MAX 150
#define DEAD_MAX  150
#define QUIET_US  2000
#define KEPT_US   200000
#define HEIR_US   5000000
#define KILLS_MAX 1000

struct tally {
	int64_t dead_us[KILLS_MAX], over_us[KILLS_MAX];
	int kills, unnoted, lost_dying, taken_dead, written_dead;
	int64_t taken_last_us, written_last_us;
	int not_over;
};

/* ---- The victim ---- */

static void post_read(const struct trial *trial, struct io_uring *ring, uint64_t index)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, 0, &trial->common->slot[index], SLOT_BYTES, 0);
	io_uring_sqe_set_flags(sqe,
			       IOSQE_FIXED_FILE | (trial->reads == READS_ASYNC ? IOSQE_ASYNC : 0));
	if (trial->reads == READS_TURNS)
		sqe->rw_flags = RWF_NOWAIT;
	io_uring_sqe_set_data64(sqe, index);
}

static void post_poll(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_poll_add(sqe, 0, POLLIN);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data64(sqe, SLOTS);
}

static void note_slot(const struct trial *trial, uint64_t index)
{
	struct slot *slot = &trial->common->slot[index];

	trial->common->noted[number_in(slot)] = true;
	atomic_thread_fence(memory_order_seq_cst);
	memset(slot, 0, VNET_BYTES + sizeof(struct frame));
	atomic_thread_fence(memory_order_seq_cst);
}

/* Takes completions. Returns whether a read brought a frame or whether anything waits still. */
static int reap(const struct trial *trial, struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int frames = 0;

	while (io_uring_peek_cqe(ring, &cqe) == 0) {
		const uint64_t index = io_uring_cqe_get_data64(cqe);
		const int res = cqe->res;

		io_uring_cqe_seen(ring, cqe);
		if (index == SLOTS)
			continue;
		if (res > 0) {
			note_slot(trial, index);
			frames++;
		} else if (res != -EAGAIN) {
			trial->common->refused = -res;
		}
		if (trial->reads != READS_TURNS)
			post_read(trial, ring, index);
	}
	return frames;
}

struct stand {
	const struct trial *trial;
	int sock;
};

static __attribute__((noreturn)) void *reads_for_ever(void *arg)
{
	const struct stand *stand = arg;
	const struct trial *trial = stand->trial;
	const int sock = stand->sock;
	struct io_uring ring = ring_new(trial);

	close(trial->end[0]);
	if (trial->ring_kept)
		message_send(sock, ring.ring_fd, NULL, 0);
	if (trial->reads != READS_TURNS)
		for (int i = 0; i < trial->depth; i++)
			post_read(trial, &ring, (uint64_t)i);
	message_send(sock, 0, NULL, 0);
	for (;;) {
		if (trial->reads == READS_TURNS) {
			for (int i = 0; i < trial->depth; i++)
				post_read(trial, &ring, (uint64_t)i);
			io_uring_submit_and_wait(&ring, (unsigned int)trial->depth);
			if (reap(trial, &ring))
				continue;
			post_poll(&ring);
		}
		io_uring_submit_and_wait(&ring, 1);
		reap(trial, &ring);
	}
}

static void play_victim(int sock, void *arg)
{
	struct stand stand = {.trial = arg, .sock = sock};
	pthread_t thread;

	if (!stand.trial->threaded)
		reads_for_ever(&stand);
	errno = pthread_create(&thread, NULL, reads_for_ever, &stand);
	if (errno)
		fact_broken("a thread");
	wait_for_death();
}

/* ---- One kill ---- */

struct timeline {
	uint32_t next;       /* number */
	uint32_t after_dead; /* the first number sent after the pidfd's word */
	int64_t killed_us, dead_us, over_us;
	int64_t sent_us[NUMBERS_MAX];
	struct slot at_death[SLOTS];
};

static void send_next(const struct trial *trial, struct timeline *time)
{
	time->sent_us[time->next] = now_us();
	frame_send(trial, time->next++);
}

static void let_die(const struct trial *trial, struct actor *victim, struct timeline *time)
{
	const int before = any_below(ALIVE_MAX);

	for (int i = 0; i < before; i++) {
		send_next(trial, time);
		if (any_below(4) == 0)
			wait_spinning(any_below(60));
	}
	time->killed_us = now_us();
	kill(victim->pid, SIGKILL);
	for (int i = 0; !readable(victim->pidfd); i++)
		if (i < DYING_MAX)
			send_next(trial, time);
	time->dead_us = now_us();
	time->after_dead = time->next;
	memcpy(time->at_death, trial->common->slot, sizeof(time->at_death));
}

/* Sends on until the ring is over, densely at first. False: it did not end. */
static bool let_ring_end(const struct trial *trial, struct timeline *time)
{
	for (int i = 0; !readable(trial->end[0]); i++) {
		if (i < DEAD_MAX)
			send_next(trial, time);
		wait_spinning(i < 50 ? 20 : 200);
		if (now_us() - time->dead_us > RING_END_US)
			return false;
	}
	time->over_us = now_us();
	return true;
}

/* Reads what is left in the TAP; a number that is nowhere was lost. */
static void account(const struct trial *trial, const struct timeline *time, struct tally *tally)
{
	static bool found[NUMBERS_MAX];
	struct slot left;

	memset(found, 0, sizeof(found));
	while (read(trial->tap, &left, sizeof(left)) > 0)
		found[number_in(&left)] = true;
	for (uint32_t number = time->after_dead; number < time->next; number++)
		if (!found[number]) {
			int64_t after_us = time->sent_us[number] - time->dead_us;

			tally->taken_dead++;
			if (after_us > tally->taken_last_us)
				tally->taken_last_us = after_us;
		}
	for (int i = 0; i < SLOTS; i++) {
		const uint32_t number = number_in(&trial->common->slot[i]);

		if (number && !trial->common->noted[number])
			tally->unnoted++;
		found[number] = true;
		if (memcmp(&trial->common->slot[i], &time->at_death[i], sizeof(struct slot)) != 0)
			tally->written_dead++;
	}
	for (uint32_t number = 1; number < time->after_dead; number++)
		tally->lost_dying += !found[number] && !trial->common->noted[number];
}

static void one_kill(struct trial *trial, struct tally *tally)
{
	static struct timeline time;
	struct actor victim;

	memset(trial->common, 0, sizeof(*trial->common));
	end_new(trial->end);
	actor_start(&victim, play_victim, trial);
	close(trial->end[1]);
	actor_says(&victim);
	if (trial->common->refused) {
		errno = trial->common->refused;
		fact_broken("reading the TAP");
	}
	wait_spinning(any_below(200));
	time.next = 1;
	let_die(trial, &victim, &time);
	if (!let_ring_end(trial, &time))
		tally->not_over++;
	wait_spinning(QUIET_US);
	account(trial, &time, tally);
	tally->dead_us[tally->kills] = time.dead_us - time.killed_us;
	tally->over_us[tally->kills++] = time.over_us - time.dead_us;
	close(trial->end[0]);
	actor_end(&victim);
}

/* ---- Many ---- */

static int ascending(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static long long part(int64_t *us, int count, int percent)
{
	qsort(us, (size_t)count, sizeof(*us), ascending);
	return us[(count - 1) * percent / 100];
}

static bool nowait_known(int tap)
{
	struct slot slot;
	struct iovec iov = {&slot, sizeof(slot)};

	return preadv2(tap, &iov, 1, -1, RWF_NOWAIT) >= 0 || errno == EAGAIN;
}

static void many_kills(struct trial *trial, int kills)
{
	static struct tally tally;

	if (trial->reads == READS_TURNS && !nowait_known(trial->tap)) {
		fact_skip("%s # SKIP this kernel's TAP does not know RWF_NOWAIT", trial->name);
		return;
	}
	memset(&tally, 0, sizeof(tally));
	for (int i = 0; i < kills; i++)
		one_kill(trial, &tally);
	fact_note(
		"%s: us from SIGKILL to the pidfd's word: median %lld, 99%% %lld, most %lld; from there to "
		"the ring's end: least %lld, median %lld, 99%% %lld, most %lld",
		trial->name, part(tally.dead_us, kills, 50), part(tally.dead_us, kills, 99),
		part(tally.dead_us, kills, 100), part(tally.over_us, kills, 0),
		part(tally.over_us, kills, 50), part(tally.over_us, kills, 99),
		part(tally.over_us, kills, 100));
	fact(tally.not_over == 0, "%s, %d kills: the ring's files are let go each time (%d not)",
	     trial->name, kills, tally.not_over);
	fact(tally.taken_dead == 0 && tally.written_dead == 0,
	     "%s: after the pidfd's word %d frames were taken, the last %lld us later, and %d slots written",
	     trial->name, tally.taken_dead, (long long)tally.taken_last_us, tally.written_dead);
	fact(tally.lost_dying == 0,
	     "%s: %d frames of before are nowhere; %d were read and not noted", trial->name,
	     tally.lost_dying, tally.unnoted);
}

/* What a living ring takes is seen: so would be what a dead one takes. */
static void living_ring(struct trial *trial)
{
	static struct timeline time;
	static struct tally tally;
	struct actor reader;

	memset(trial->common, 0, sizeof(*trial->common));
	end_new(trial->end);
	actor_start(&reader, play_victim, trial);
	close(trial->end[1]);
	actor_says(&reader);
	time.next = time.after_dead = 1;
	time.dead_us = now_us();
	for (int i = 0; i < SLOTS; i++)
		send_next(trial, &time);
	sleep_us(KEPT_US);
	account(trial, &time, &tally);
	fact(tally.taken_dead > 0,
	     "%d of %d frames are found to be taken by a ring that is not dead", tally.taken_dead,
	     SLOTS);
	actor_kill(&reader);
	fact(let_ring_end(trial, &time), "and it ends");
	close(trial->end[0]);
	actor_end(&reader);
	while (read(trial->tap, &time.at_death[0], sizeof(struct slot)) > 0)
		;
}

static int noted_of(const struct trial *trial, uint32_t first, uint32_t end)
{
	int noted = 0;

	for (uint32_t number = first; number < end; number++)
		noted += trial->common->noted[number];
	return noted;
}

/* The dead ring's requests wait for frames still, beside those of a successor. */
static void succeeds(const struct trial *trial, struct timeline *time)
{
	struct trial heir = *trial;
	const uint32_t first = time->next;
	const int64_t until = now_us() + HEIR_US;
	struct actor successor;

	heir.ring_kept = false;
	end_new(heir.end);
	actor_start(&successor, play_victim, &heir);
	close(heir.end[1]);
	actor_says(&successor);
	for (int i = 0; i < SLOTS; i++) {
		send_next(trial, time);
		sleep_us(1000);
	}
	while (noted_of(trial, first, time->next) < SLOTS && now_us() < until)
		sleep_us(1000);
	fact(noted_of(trial, first, time->next) == SLOTS,
	     "%s, descriptor kept: a successor's ring reads %d of %d frames", trial->name,
	     noted_of(trial, first, time->next), SLOTS);
	actor_kill(&successor);
	actor_end(&successor);
	close(heir.end[0]);
}

/* A ring whose descriptor somebody keeps outlives its process, and does nothing any more. */
static void kept_ring(struct trial *trial)
{
	static struct timeline time;
	static struct tally tally;
	struct actor victim;
	int ring;

	memset(trial->common, 0, sizeof(*trial->common));
	end_new(trial->end);
	trial->ring_kept = true;
	actor_start(&victim, play_victim, trial);
	close(trial->end[1]);
	/* By SCM_RIGHTS newer kernels do not send such a descriptor. */
	ring = (int)syscall(SYS_pidfd_getfd, victim.pidfd, (int)actor_says(&victim), 0);
	if (ring < 0)
		fact_broken("the ring's descriptor");
	actor_says(&victim);
	time.next = 1;
	let_die(trial, &victim, &time);
	for (int i = 0; i < SLOTS; i++) {
		send_next(trial, &time);
		sleep_us(2000);
	}
	sleep_us(KEPT_US);
	fact(!readable(trial->end[0]), "%s: the ring's files are held while its descriptor is kept",
	     trial->name);
	account(trial, &time, &tally);
	fact(tally.taken_dead == 0 && tally.written_dead == 0,
	     "%s, descriptor kept: %d frames were taken after "
	     "the pidfd's word, %d slots written",
	     trial->name, tally.taken_dead, tally.written_dead);
	succeeds(trial, &time);
	close(ring);
	time.dead_us = now_us();
	fact(let_ring_end(trial, &time), "%s: they are let go when it is closed", trial->name);
	close(trial->end[0]);
	actor_end(&victim);
	while (read(trial->tap, &time.at_death[0], sizeof(struct slot)) > 0)
		;
}

void facts_dead_ring(int kills)
{
	static const struct trial kinds[] = {
		{.name = "deferred, one read armed",
		 .reads = READS_ARMED,
		 .depth = 1,
		 .setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
		{.name = "deferred, many reads armed",
		 .reads = READS_MANY,
		 .depth = SLOTS,
		 .setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
		{.name = "deferred, another thread's, many reads armed",
		 .reads = READS_MANY,
		 .depth = SLOTS,
		 .setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		 .threaded = true},
		{.name = "deferred, turns and a poll",
		 .reads = READS_TURNS,
		 .depth = SLOTS,
		 .setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
		{.name = "cooperative, many reads armed",
		 .reads = READS_MANY,
		 .depth = SLOTS,
		 .setup = IORING_SETUP_COOP_TASKRUN},
		{.name = "plain, many reads armed", .reads = READS_MANY, .depth = SLOTS},
		{.name = "plain, reads in the kernel's threads", .reads = READS_ASYNC, .depth = 4},
	};
	struct trial trial;

	if (!trial_begin(&trial)) {
		fact_skip("the io_uring of a killed process # SKIP no network namespace: %s",
			  strerror(errno));
		return;
	}
	if (kills > KILLS_MAX)
		kills = KILLS_MAX;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct trial kind = kinds[i];

		kind.tap = trial.tap;
		kind.sender = trial.sender;
		kind.common = trial.common;
		many_kills(&kind, kills);
		if (kind.reads == READS_MANY)
			kept_ring(&kind);
		kind.ring_kept = false;
		if (i == 0)
			living_ring(&kind);
	}
	dead_ring_event(kills);
	dead_ring_writes(&trial, kills);
	fact(interface_counts().tx_dropped == 0, "the TAP's own queue dropped %u frames",
	     interface_counts().tx_dropped);
}

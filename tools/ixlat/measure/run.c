/* SPDX-License-Identifier: MIT */
/*
 * One thread sends and receives. Two threads would have to share the table of probes, and on one
 * processor every probe would wait for a switch between them. With one thread, an answer that comes
 * while a probe is being sent is read after that send.
 *
 * In each round the thread gives up probes that are too old, sends the probe that is due, and takes
 * the answers that are there. Then it sleeps in ppoll(2) until an answer comes, or until SPIN_NS
 * before the next probe is due. From then on it looks for answers without sleep, since a timer
 * would wake it too late, and every measured time would have that in it. With --busy it never
 * sleeps.
 *
 * At a fixed rate, probe n is due at start + n / rate, whatever happens. The thread may be unable
 * to send in time: the kernel's queue is full, or another program has the processor. It then sends
 * all overdue probes at once, and their times count from when they were due. So a pause that delays
 * ten probes shows as ten long times and not as none, which is the correction of "coordinated
 * omission". The times from when the probes were sent are kept too. Probes that are not sent a
 * timeout after the last one was due are never sent, and are counted: the rate was too high for
 * this sender.
 *
 * The loop allocates no memory and writes no text.
 */
#include "run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "tools/ixlat/ixlat.h"
#include "flight.h"
#include "sender.h"
#include "progress.h"
#include "stop.h"
#include "tools/ixtap/output.h"

enum {
	RECEIVE_BATCH = 16,
	SPIN_NS = 50000,
	/* A signal that comes right before a sleep does not end it; the end of the sleep does. */
	SLEEP_MAX_NS = 100000000,
	GIVE_UP_S = 5, /* a run without any answer for so long and a timeout is given up */
};

struct run {
	const struct ixlat_options *options;
	struct result *result;
	struct sender sender;
	struct flight flight;
	struct progress progress;
	uint32_t id;
	uint32_t total; /* probes, with those for warming up; UINT32_MAX: the run ends by time */
	int64_t start_ns;
	int64_t end_ns;       /* at a fixed rate: nothing is sent from then on */
	int64_t measured_ns;  /* when the first probe that counts was due; 0: not yet */
	int64_t last_ns;      /* when the last answer came */
	uint32_t answered;    /* probes, with those for warming up */
	int64_t attempted_ns; /* the first attempt to send the next probe; 0: none yet */
	struct rusage usage;  /* when the first probe that counts was sent */
};

/* ---- The schedule ---- */

static bool all_sent(const struct run *run, int64_t now_ns)
{
	if (run->flight.next == run->total || now_ns >= run->end_ns)
		return true;
	return run->total == UINT32_MAX && run->measured_ns &&
	       (double)(now_ns - run->measured_ns) >= run->options->duration_s * 1e9;
}

static int64_t due_at(const struct run *run, uint32_t sequence)
{
	return run->start_ns + llround(sequence * (1e9 / run->options->rate_hz));
}

/* When the next probe is due; INT64_MAX: not before an answer or a loss, or never. */
static int64_t next_due(const struct run *run, int64_t now_ns)
{
	if (all_sent(run, now_ns))
		return INT64_MAX;
	if (run->options->rate_hz <= 0)
		return flight_empty(&run->flight) ? now_ns : INT64_MAX;
	if (!flight_has_room(&run->flight))
		return INT64_MAX;
	return due_at(run, run->flight.next);
}

static uint32_t probes_in_all(const struct ixlat_options *options)
{
	if (options->count)
		return options->warmup + options->count;
	if (options->rate_hz > 0)
		return options->warmup +
		       (uint32_t)fmax(1, ceil(options->rate_hz * options->duration_s));
	return UINT32_MAX;
}

/* ---- Sending ---- */

static void note_sent(struct run *run, int64_t due_ns, int64_t sent_ns)
{
	if (!run->measured_ns && flight_counted(&run->flight, run->flight.next)) {
		run->measured_ns = due_ns;
		getrusage(RUSAGE_SELF, &run->usage);
	}
	flight_sent(&run->flight, due_ns, sent_ns);
	run->attempted_ns = 0;
	atomic_store_explicit(&run->progress.sent, run->flight.next, memory_order_relaxed);
}

/*
 * Sends the probe that is due. If the kernel has no room for it, the next rounds try again, for a
 * timeout at most. After that, or when the kernel refuses the probe, it counts as sent and lost.
 */
static void send_next(struct run *run, int64_t due_ns)
{
	int err = sender_ready(&run->sender);
	int64_t now_ns = clock_ns();

	if (!run->attempted_ns)
		run->attempted_ns = now_ns;
	if (!err) {
		probe_write(run->sender.probe, run->sender.probe_bytes, run->id, run->flight.next,
			    now_ns);
		err = sender_send(&run->sender);
	}
	if ((err == -EAGAIN || err == -ENOBUFS) &&
	    now_ns - run->attempted_ns < run->flight.timeout_ns)
		return;
	if (err) {
		run->result->last_error = err;
		run->result->send_errors += flight_counted(&run->flight, run->flight.next);
	}
	note_sent(run, run->options->rate_hz > 0 ? due_ns : now_ns, now_ns);
}

/* ---- Receiving ---- */

static int record_one_way(struct run *run, const struct probe_stamps *stamps)
{
	int64_t forward_ns = stamps->reflector_received_ns - stamps->sent_ns;
	int64_t return_ns = run->sender.received_ns - stamps->reflector_sent_ns;
	int64_t worst_ns = forward_ns < return_ns ? forward_ns : return_ns;

	if (worst_ns < 0 || stamps->reflector_sent_ns < stamps->reflector_received_ns) {
		fail("--one-way: the reflector's clock is not ours: a probe would have %s %.3f us "
		     "before it was sent; both ends must run on one machine, in one time namespace",
		     forward_ns < return_ns ? "arrived there" : "come back",
		     (double)-worst_ns / 1000);
		return -1;
	}
	histogram_record(&run->result->times[RESULT_FORWARD], forward_ns);
	histogram_record(&run->result->times[RESULT_RETURN], return_ns);
	return 0;
}

static int record(struct run *run, const struct probe_stamps *stamps,
		  const struct flight_slot *slot)
{
	struct histogram *times = run->result->times;
	int64_t received_ns = run->sender.received_ns;

	run->last_ns = received_ns;
	histogram_record(&times[RESULT_RTT], received_ns - slot->due_ns);
	if (times[RESULT_UNCORRECTED].counters)
		histogram_record(&times[RESULT_UNCORRECTED], received_ns - slot->sent_ns);
	return times[RESULT_FORWARD].counters ? record_one_way(run, stamps) : 0;
}

/* Takes one message, which may be anything. */
static int take(struct run *run, const struct probe *probe, size_t length)
{
	const struct flight_slot *slot = NULL;
	struct probe_stamps stamps;

	if (!probe_read_answer(probe, length, run->id, run->sender.probe_bytes, &stamps)) {
		run->result->invalid++;
		return 0;
	}
	switch (flight_answer(&run->flight, stamps.sequence, stamps.sent_ns, &slot)) {
	case FLIGHT_FIRST:
		run->answered++;
		atomic_store_explicit(&run->progress.received, run->answered, memory_order_relaxed);
		return flight_counted(&run->flight, stamps.sequence) ? record(run, &stamps, slot)
								     : 0;
	case FLIGHT_UNKNOWN:
		run->result->invalid++;
		return 0;
	default:
		return 0;
	}
}

/*
 * Takes the messages that are there, and returns their number or -1. Sending must not wait: there
 * is a limit of RECEIVE_BATCH, and without a rate nothing more is read after the one answer.
 */
static int receive(struct run *run)
{
	int taken = 0;

	while (taken < RECEIVE_BATCH) {
		const struct probe *probe = NULL;
		ssize_t length = sender_receive(&run->sender, &probe);

		if (length >= 0) {
			taken++;
			if (take(run, probe, (size_t)length))
				return -1;
			if (run->options->rate_hz <= 0 && flight_empty(&run->flight))
				break;
			continue;
		}
		if (length == -EAGAIN)
			break;
		run->result->last_error = (int)length;
		if (run->options->mode == MODE_TCP) {
			fail(length == -EPROTO
				     ? "what comes over the connection are no answers: is "
				       "that 'ixlat reflect tcp'?"
				     : "the connection broke: %s",
			     strerror((int)-length));
			return -1;
		}
		/* An error of an earlier datagram, as "port unreachable": the next call goes on. */
		break;
	}
	return taken;
}

/* ---- The loop ---- */

static int nothing_came(const struct run *run)
{
	int err = -run->result->last_error;

	fail("nothing came back from %s%s%s; is 'ixlat reflect %s' running there?",
	     run->options->host, err ? ": " : "", err ? strerror(err) : "",
	     mode_name(run->options->mode));
	return -1;
}

static void rest(const struct run *run, int64_t now_ns, int64_t due_ns)
{
	int64_t until_ns = flight_deadline(&run->flight);

	/* The kernel's queue is full: try again soon. */
	if (run->attempted_ns && due_ns <= now_ns)
		until_ns = now_ns + SPIN_NS;
	else if (due_ns - SPIN_NS < until_ns)
		until_ns = due_ns - SPIN_NS;
	if (until_ns > now_ns + SLEEP_MAX_NS)
		until_ns = now_ns + SLEEP_MAX_NS;
	sender_wait(&run->sender, until_ns);
}

static int loop(struct run *run)
{
	const int64_t give_up_ns = run->start_ns + run->flight.timeout_ns + GIVE_UP_S * NS_PER_S;

	while (!stop_asked()) {
		int64_t now_ns = clock_ns();
		int64_t due_ns;
		int taken;

		flight_expire(&run->flight, now_ns);
		due_ns = next_due(run, now_ns);
		if (due_ns == INT64_MAX && all_sent(run, now_ns) && flight_empty(&run->flight))
			return 0;
		if (!run->flight.any_answered && now_ns > give_up_ns)
			return 0;
		if (due_ns <= now_ns)
			send_next(run, due_ns);
		else
			sender_ready(&run->sender); /* sends the rest of a message */
		taken = receive(run);
		if (taken < 0)
			return -1;
		due_ns = next_due(run, now_ns);
		if (taken == 0 && !run->options->busy && (due_ns > now_ns || run->attempted_ns))
			rest(run, now_ns, due_ns);
	}
	run->result->interrupted = true;
	flight_abandon(&run->flight);
	return 0;
}

/* ---- The whole ---- */

static double seconds(struct timeval from, struct timeval to)
{
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) / 1e6;
}

static void sum_up(struct run *run)
{
	struct result *result = run->result;
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	result->counts = run->flight.counts;
	if (run->options->rate_hz > 0 && !result->interrupted)
		result->unsent = run->total - run->flight.next;
	if (!run->measured_ns)
		return;
	result->user_s = seconds(run->usage.ru_utime, now.ru_utime);
	result->system_s = seconds(run->usage.ru_stime, now.ru_stime);
	if (run->last_ns)
		result->duration_s = (double)(run->last_ns - run->measured_ns) / 1e9;
}

static int prepare(struct run *run)
{
	const struct ixlat_options *options = run->options;

	if (getrandom(&run->id, sizeof(run->id), 0) != sizeof(run->id)) {
		fail("cannot get a random number: %s", strerror(errno));
		return -1;
	}
	if (flight_init(&run->flight, options->rate_hz, options->timeout_ms * (NS_PER_S / 1000),
			options->warmup)) {
		fail("out of memory");
		return -1;
	}
	run->total = probes_in_all(options);
	run->progress.total = run->total == UINT32_MAX ? 0 : run->total;
	run->progress.duration_s = options->duration_s;
	/* No page faults, no slack of timers. Where this is not allowed the run goes on without. */
	mlockall(MCL_CURRENT);
	prctl(PR_SET_TIMERSLACK, 1);
	return 0;
}

int run_probes(const struct ixlat_options *options, struct result *result)
{
	struct run run = {.options = options, .result = result};
	int err;

	if (sender_open(&run.sender, options))
		return -1;
	err = prepare(&run);
	if (!err) {
		stop_on_signals();
		progress_start(&run.progress);
		run.start_ns = clock_ns();
		run.end_ns = options->rate_hz > 0 ? due_at(&run, run.total) + run.flight.timeout_ns
						  : INT64_MAX;
		err = loop(&run);
		stop_by_default();
		progress_stop(&run.progress);
		sum_up(&run);
		if (!err && !result->counts.received)
			err = nothing_came(&run);
	}
	flight_free(&run.flight);
	sender_close(&run.sender);
	return err;
}

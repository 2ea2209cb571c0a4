/* SPDX-License-Identifier: MIT */
/*
 * What the death of a driver costs: numbered frames both ways, and kills. bench_restart.py starts
 * this program, tells it what to do, and has the rest: which process to kill, and what the daemon
 * says of it.
 *
 *      namespace left                                        namespace right
 *    +----------------+     +--------+         +-------+     +----------------+
 *    | the TAP        |-----| ixtapd |=========| ixnic |-----| the wire's end |
 *    +-------^--------+     +--------+         +-------+     +-------^--------+
 *            |  sent: numbered frames from left to right             |
 *      +-----v------------------- this program ---------------------v-----+
 *               received: numbered frames from right to left
 *
 *     bench_restart [--rate N] [--bytes N] [--plant KIND:N] NETNS:INTERFACE NETNS:INTERFACE
 *
 * A command is a line of words on standard input, its answer a line of JSON:
 *
 *     start                       sends from here on, so many frames a second each way
 *     until NUMBER                answers when so many frames were sent each way
 *     kill PID DELAY_US           kills after the delay; answers when frames flow again both ways
 *     look DELAY_US               the same without a kill, for comparison
 *     once PID DELAY_US           not after start: kills, then sends one frame each way
 *     bare SHARED PRIVATE MAPPINGS ENTRIES
 *                                 kills a process with as many bytes mapped, and such an io_uring
 *     stop                        the accounts; the program ends
 *
 * The sender has real-time priority where that is to be had: a late frame must not look like a gap.
 * The thread that kills has it, too, or its own wake-up would be in the time that the kernel takes.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare_process.h"
#include "frame_way.h"

enum { SENT, RECEIVED, WAYS };

#define KILLS_MAX    100000u
#define DEADLINE_NS  INT64_C(10000000000) /* of a death, and of frames after it */
#define DRAIN_NS     INT64_C(3000000000)  /* what has not come by then is lost */
#define AFTER_NS     INT64_C(20000000)    /* still looked at when frames flow again */
#define CATCH_UP_MAX 64                   /* frames at a time that a late sender makes up for */

static struct run {
	struct frame_way way[WAYS];
	int64_t interval_ns;
	atomic_bool sending;
	pthread_t sender;
	bool started, realtime;
	uint64_t late_frames; /* by over a millisecond */
	int64_t late_ns;      /* the most */
	uint64_t at_kill[KILLS_MAX][WAYS];
	uint32_t kills;
	int64_t began_ns;
} run;

/* ---- The sender ---- */

static void note_late(int64_t late_ns)
{
	if (late_ns > run.late_ns)
		run.late_ns = late_ns;
	run.late_frames += late_ns > 1000000;
}

static void *send_paced(void *arg)
{
	int64_t due_ns = clock_now_ns();

	(void)arg;
	while (run.sending) {
		int64_t now_ns;

		sleep_until_ns(due_ns);
		now_ns = clock_now_ns();
		for (int i = 0; i < CATCH_UP_MAX && due_ns <= now_ns; i++) {
			note_late(now_ns - due_ns);
			for (int w = 0; w < WAYS; w++)
				way_send(&run.way[w]);
			due_ns += run.interval_ns;
		}
		/* Later than that is not made up for, or it would be a flood. */
		if (due_ns < now_ns)
			due_ns = now_ns;
	}
	return NULL;
}

/* Children do not inherit it. */
static bool realtime_try(void)
{
	const struct sched_param param = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0;
}

static void *send_first(void *arg)
{
	run.realtime = realtime_try();
	return send_paced(arg);
}

/* ---- Killing ---- */

/* Kills, and waits for the end. The two times; false: there is no such process, or it does not end.
 */
static bool kill_timed(int pidfd, int64_t *killed_ns, int64_t *dead_ns)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	*killed_ns = clock_now_ns();
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return false;
	if (poll(&wait, 1, (int)(DEADLINE_NS / 1000000)) != 1)
		return false;
	*dead_ns = clock_now_ns();
	return true;
}

static json_t *error_json(const char *what)
{
	return json_pack("{s:o}", "error", json_sprintf("%s: %s", what, strerror(errno)));
}

static void note_kill(void)
{
	for (int w = 0; w < WAYS && run.kills < KILLS_MAX; w++)
		run.at_kill[run.kills][w] = run.way[w].next;
	run.kills += run.kills < KILLS_MAX;
}

static json_t *time_json(int64_t ns)
{
	return ns ? json_integer(ns) : json_null();
}

/* "sure_ns" is when a frame arrived that only the new driver can have carried. */
static json_t *gap_json(struct frame_way *way, int64_t since_ns, int64_t after_ns)
{
	struct way_gap gap = way_gap_since(way, since_ns, after_ns);

	return json_pack("{s:I, s:o, s:o}", "gap_ns", (json_int_t)gap.largest_ns, "first_ns",
			 time_json(gap.first_ns), "sure_ns",
			 time_json(way_arrival_after(way, after_ns)));
}

/* Waits until frames that were sent behind `dead_ns` have arrived both ways, and a little longer.
 */
static json_t *flow_again(int64_t killed_ns, int64_t dead_ns)
{
	const int64_t deadline_ns = dead_ns + DEADLINE_NS;
	bool again = true;

	for (int w = 0; w < WAYS; w++)
		again &= way_wait_sent_after(&run.way[w], dead_ns, deadline_ns);
	sleep_until_ns(clock_now_ns() + AFTER_NS);
	return json_pack("{s:I, s:I, s:b, s:o, s:o}", "killed_ns", (json_int_t)killed_ns, "dead_ns",
			 (json_int_t)dead_ns, "again", again, run.way[SENT].name,
			 gap_json(&run.way[SENT], killed_ns, dead_ns), run.way[RECEIVED].name,
			 gap_json(&run.way[RECEIVED], killed_ns, dead_ns));
}

static json_t *kill_command(char *const words[])
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(words[1]), 0);
	int64_t killed_ns, dead_ns;
	bool dead;

	if (pidfd < 0)
		return error_json("kill");
	sleep_until_ns(clock_now_ns() + atoll(words[2]) * 1000);
	note_kill();
	dead = kill_timed(pidfd, &killed_ns, &dead_ns);
	close(pidfd);
	return dead ? flow_again(killed_ns, dead_ns) : error_json("kill");
}

static json_t *look_command(char *const words[])
{
	int64_t now_ns;

	sleep_until_ns(clock_now_ns() + atoll(words[1]) * 1000);
	now_ns = clock_now_ns();
	return flow_again(now_ns, now_ns);
}

static json_t *first_json(struct frame_way *way, int64_t after_ns)
{
	int64_t first_ns = way_arrival_after(way, after_ns);

	return json_pack("{s:o, s:o}", "first_ns", time_json(first_ns), "sure_ns",
			 time_json(first_ns));
}

static json_t *once_command(char *const words[])
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(words[1]), 0);
	int64_t killed_ns, dead_ns;
	bool dead, came = true;

	if (pidfd < 0)
		return error_json("once");
	sleep_until_ns(clock_now_ns() + atoll(words[2]) * 1000);
	note_kill();
	dead = kill_timed(pidfd, &killed_ns, &dead_ns);
	close(pidfd);
	if (!dead)
		return error_json("once");
	for (int w = 0; w < WAYS; w++)
		way_send(&run.way[w]);
	for (int w = 0; w < WAYS; w++)
		came &= way_wait_sent_after(&run.way[w], dead_ns, dead_ns + DEADLINE_NS);
	return json_pack("{s:I, s:I, s:b, s:o, s:o}", "killed_ns", (json_int_t)killed_ns, "dead_ns",
			 (json_int_t)dead_ns, "again", came, run.way[SENT].name,
			 first_json(&run.way[SENT], dead_ns), run.way[RECEIVED].name,
			 first_json(&run.way[RECEIVED], dead_ns));
}

static json_t *bare_command(char *const words[])
{
	const struct bare_size size = {
		.shared_bytes = strtoull(words[1], NULL, 10),
		.private_bytes = strtoull(words[2], NULL, 10),
		.mappings = (uint32_t)strtoul(words[3], NULL, 10),
		.entries = (uint32_t)strtoul(words[4], NULL, 10),
	};
	int64_t killed_ns, dead_ns;
	int pidfd;
	pid_t pid = bare_start(&size, &pidfd);
	bool dead = kill_timed(pidfd, &killed_ns, &dead_ns);

	close(pidfd);
	if (!dead)
		return error_json("bare");
	waitpid(pid, NULL, 0);
	return json_pack("{s:I}", "dead_ns", (json_int_t)(dead_ns - killed_ns));
}

/* ---- Begin and end ---- */

static json_t *start_command(char *const words[])
{
	(void)words;
	run.began_ns = clock_now_ns();
	run.sending = run.started = true;
	errno = pthread_create(&run.sender, NULL, send_first, NULL);
	if (errno)
		way_fail("a thread");
	return json_pack("{s:I}", "started_ns", (json_int_t)run.began_ns);
}

static json_t *until_command(char *const words[])
{
	const uint64_t number = strtoull(words[1], NULL, 10);

	for (int w = 0; w < WAYS; w++)
		while (run.sending && run.way[w].next < number)
			sleep_until_ns(clock_now_ns() + run.interval_ns);
	return json_pack("{s:I}", "frames", (json_int_t)run.way[SENT].next);
}

/* Where the numbers of a kill begin: in the middle between the kill before and this one. */
static uint64_t begin_of(uint32_t kill, int w)
{
	if (kill == 0)
		return 0;
	if (kill == run.kills)
		return run.way[w].next;
	return (run.at_kill[kill - 1][w] + run.at_kill[kill][w]) / 2;
}

static json_t *kills_json(int w, uint64_t (*count)(const struct frame_way *, uint64_t, uint64_t))
{
	json_t *each = json_array();

	for (uint32_t k = 0; k < run.kills; k++)
		json_array_append_new(each,
				      json_integer((json_int_t)count(&run.way[w], begin_of(k, w),
								     begin_of(k + 1, w))));
	return each;
}

static json_t *stop_command(char *const words[])
{
	int64_t ended_ns, deadline_ns;
	json_t *reply;

	(void)words;
	run.sending = false;
	if (run.started)
		pthread_join(run.sender, NULL);
	ended_ns = clock_now_ns();
	deadline_ns = ended_ns + DRAIN_NS;
	for (int w = 0; w < WAYS; w++)
		way_wait_all(&run.way[w], deadline_ns);
	/* All are there: one that comes twice would come soon. */
	sleep_until_ns(clock_now_ns() + AFTER_NS);
	for (int w = 0; w < WAYS; w++)
		way_stop(&run.way[w]);
	reply = json_pack("{s:f, s:b, s:I, s:I}", "seconds",
			  run.started ? (double)(ended_ns - run.began_ns) / 1e9 : 0, "realtime",
			  run.realtime, "late_frames", (json_int_t)run.late_frames, "late_ns",
			  (json_int_t)run.late_ns);
	for (int w = 0; w < WAYS; w++) {
		json_t *way = way_json(&run.way[w]);

		json_object_set_new(way, "lost_by_kill", kills_json(w, way_lost));
		json_object_set_new(way, "repeated_by_kill", kills_json(w, way_repeated));
		json_object_set_new(reply, run.way[w].name, way);
	}
	return reply;
}

/* ---- Commands ---- */

#define WORDS_MAX 5

static const struct command {
	const char *name;
	int words; /* the name among them */
	json_t *(*call)(char *const words[]);
} commands[] = {
	{"start", 1, start_command}, {"kill", 3, kill_command}, {"look", 2, look_command},
	{"once", 3, once_command},   {"bare", 5, bare_command}, {"until", 2, until_command},
	{"stop", 1, stop_command},
};

static json_t *obey(char *line)
{
	char *words[WORDS_MAX + 1] = {0}, *rest = NULL;
	int count = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && count <= WORDS_MAX;
	     word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (count == commands[i].words && !strcmp(words[0], commands[i].name))
			return commands[i].call(words);
	errno = EINVAL;
	return error_json("command");
}

static void serve(void)
{
	char line[256];
	bool over = false;

	while (!over && fgets(line, sizeof(line), stdin)) {
		json_t *reply;

		over = !strncmp(line, "stop", 4);
		reply = obey(line);
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(reply);
	}
}

/* ---- Options ---- */

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: bench_restart [--rate N] [--bytes N] "
			"[--plant drop|repeat|corrupt|swap:N] NETNS:INTERFACE NETNS:INTERFACE\n");
	exit(2);
}

static void plant_parse(const char *text)
{
	static const char *const kinds[] = {"", "drop", "repeat", "corrupt", "swap"};
	const char *colon = strchr(text, ':');

	for (int kind = PLANT_DROP; colon && kind <= PLANT_SWAP; kind++) {
		if (strncmp(text, kinds[kind], (size_t)(colon - text)) != 0 ||
		    kinds[kind][colon - text] || atoi(colon + 1) < 1)
			continue;
		for (int w = 0; w < WAYS; w++) {
			run.way[w].plant = (enum plant)kind;
			run.way[w].plant_each = (uint64_t)atoi(colon + 1);
		}
		return;
	}
	usage();
}

/* What stands behind the options. */
static int options_parse(int argc, char **argv, uint32_t *bytes)
{
	int i = 1;

	run.interval_ns = 100000;
	for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
		long number = atol(argv[i + 1]);

		if (!strcmp(argv[i], "--plant"))
			plant_parse(argv[i + 1]);
		else if (!strcmp(argv[i], "--rate") && number > 0 && number <= 1000000)
			run.interval_ns = 1000000000 / number;
		else if (!strcmp(argv[i], "--bytes") &&
			 (number == 0 ||
			  (number >= NUMBERED_BYTES_MIN && number <= NUMBERED_BYTES_MAX)))
			*bytes = (uint32_t)number;
		else
			usage();
	}
	if (argc - i != WAYS)
		usage();
	return i;
}

/* The interface at one end: its socket, and its MAC. */
static int end_open(const char *place, uint8_t mac[6])
{
	const char *colon = strrchr(place, ':');
	char netns[128];

	if (!colon || (size_t)(colon - place) >= sizeof(netns))
		usage();
	memcpy(netns, place, (size_t)(colon - place));
	netns[colon - place] = 0;
	return way_socket(netns, colon + 1, mac);
}

static void ways_open(char *const places[WAYS], uint32_t bytes)
{
	uint8_t mac[WAYS][6];
	int fd[WAYS];
	uint32_t id = 0;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		way_fail("a random number");
	for (int end = 0; end < WAYS; end++)
		fd[end] = end_open(places[end], mac[end]);
	for (int w = 0; w < WAYS; w++) {
		struct frame_way *way = &run.way[w];
		const int from = w == SENT ? 0 : 1, to = 1 - from;

		way->name = w == SENT ? "sent" : "received";
		way->from = fd[from];
		way->to = fd[to];
		way->kind = (struct numbered_kind){.run = id, .way = (uint32_t)w, .bytes = bytes};
		memcpy(way->kind.from, mac[from], 6);
		memcpy(way->kind.to, mac[to], 6);
		way_start(way);
	}
}

int main(int argc, char **argv)
{
	uint32_t bytes = 0;
	int at;

	if (argc == 6 && !strcmp(argv[1], "--bare"))
		bare_main(argv + 2);
	at = options_parse(argc, argv, &bytes);
	ways_open(argv + at, bytes);
	run.realtime = realtime_try();
	printf("{\"ready\": true}\n");
	fflush(stdout);
	serve();
	return 0;
}

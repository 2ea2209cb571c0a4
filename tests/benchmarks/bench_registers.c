/* SPDX-License-Identifier: MIT */
/*
 * What an access to a register of the software NIC costs, by a message of the connection and over a
 * channel of its own.
 *
 * There are two NICs, of which one offers no channel; a round measures both, the first of them by
 * turns. Of each access there is the time that passes, with what the machine does besides, and the
 * processor's time of both ends. The rounds' medians are printed, and the range of the middle half
 * of the ratios: the two times of a round were taken under the same load.
 *
 *     read    ixgbe_backend's read32, one after the other
 *     write   write32, a thousand and then a read: until the last has taken effect
 *
 *     bench_registers [--json FILE] [--rounds N] IXNIC
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/tables/regs.h"

#define ROUNDS_MAX 1000u
#define READS      500u
#define WRITES     1000u
#define TURNS      5u /* of so many writes in a round */

enum way { MESSAGES, CHANNEL, WAYS };
enum access { READ, WRITE, ACCESSES };
enum clock { PASSED, PROCESSOR, CLOCKS };

static const char *const way_name[] = {"messages", "channel"};
static const char *const access_name[] = {"read", "write"};
static const char *const clock_name[] = {"passed", "processor"};

struct side {
	pid_t pid;
	clockid_t clock; /* the process's */
	struct ixgbe_backend *backend;
};

struct args {
	const char *ixnic, *json;
	uint32_t rounds;
};

static double ns[ACCESSES][CLOCKS][WAYS + 1][ROUNDS_MAX]; /* the last is the ratio */

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "bench_registers: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- The NICs ---- */

static void become_ixnic(const char *program, enum way way, int sock, const char *wire)
{
	char name[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(sock, F_SETFD, 0);
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
	snprintf(name, sizeof(name), "fd:%d", sock);
	execl(program, "ixnic", "--socket", name, "--wire", wire, "--io-fds",
	      way == CHANNEL ? "on" : "off", "--log-level", "warning", (char *)NULL);
	_exit(127);
}

/* A NIC without anybody at its wire. */
static struct side side_new(const char *program, enum way way, const char *dir)
{
	struct ixgbe_why why = {"no reason given"};
	struct side side = {0};
	char wire[64], arg[16];
	int sock[2];

	snprintf(wire, sizeof(wire), "seqpacket:%s/%s", dir, way_name[way]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		fail(strerror(errno));
	side.pid = fork();
	if (side.pid == 0)
		become_ixnic(program, way, sock[1], wire);
	close(sock[1]);
	if (clock_getcpuclockid(side.pid, &side.clock))
		fail("the NIC's clock cannot be read");
	snprintf(arg, sizeof(arg), "%d", sock[0]);
	if (ixgbe_backend_vfio_user_fd.open(arg, NULL, &side.backend, &why))
		fail(why.text);
	return side;
}

static void side_free(struct side *side)
{
	side->backend->ops->close(side->backend);
	waitpid(side->pid, NULL, 0);
}

/* ---- The rounds ---- */

static double clock_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void clocks(const struct side *side, double at[CLOCKS])
{
	at[PASSED] = clock_of(CLOCK_MONOTONIC);
	at[PROCESSOR] = clock_of(CLOCK_PROCESS_CPUTIME_ID) + clock_of(side->clock);
}

/* Returns how many accesses that were. */
static double accesses(struct side *side, enum access access)
{
	const struct ixgbe_backend_ops *ops = side->backend->ops;

	if (access == READ) {
		for (uint32_t i = 0; i < READS; i++)
			ops->read32(side->backend, IXGBE_FCTTV);
		return READS;
	}
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		for (uint32_t i = 0; i < WRITES; i++)
			ops->write32(side->backend, IXGBE_FCTTV, i);
		if (ops->read32(side->backend, IXGBE_FCTTV) != WRITES - 1)
			fail("the NIC is gone");
	}
	return TURNS * WRITES;
}

static void measure(struct side side[WAYS], enum access access, uint32_t round)
{
	for (uint32_t i = 0; i < WAYS; i++) {
		uint32_t way = (round + i) % WAYS;
		double start[CLOCKS], end[CLOCKS], count;

		clocks(&side[way], start);
		count = accesses(&side[way], access);
		clocks(&side[way], end);
		for (int c = 0; c < CLOCKS; c++)
			ns[access][c][way][round] = (end[c] - start[c]) / count;
	}
	for (int c = 0; c < CLOCKS; c++)
		ns[access][c][WAYS][round] =
			ns[access][c][CHANNEL][round] / ns[access][c][MESSAGES][round];
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static json_t *print_row(enum access access, enum clock clock, uint32_t rounds)
{
	double middle[WAYS + 1];
	const double *ratio = ns[access][clock][WAYS];

	for (int w = 0; w <= WAYS; w++) {
		qsort(ns[access][clock][w], rounds, sizeof(double), compare);
		middle[w] = ns[access][clock][w][rounds / 2];
	}
	printf("%-6s %-10s %10.0f %10.0f %8.2f   %.2f-%.2f\n", access_name[access],
	       clock_name[clock], middle[MESSAGES], middle[CHANNEL], middle[WAYS],
	       ratio[rounds / 4], ratio[3 * rounds / 4]);
	return json_pack("{s:s, s:s, s:f, s:f, s:f}", "access", access_name[access], "clock",
			 clock_name[clock], "messages_ns", middle[MESSAGES], "channel_ns",
			 middle[CHANNEL], "ratio", middle[WAYS]);
}

static json_t *run(struct side side[WAYS], uint32_t rounds)
{
	json_t *rows = json_array();

	for (uint32_t r = 0; r < rounds; r++) {
		for (int a = 0; a < ACCESSES; a++)
			measure(side, (enum access)a, r);
	}
	printf("%-6s %-10s %10s %10s %8s   %s\n", "access", "ns", way_name[MESSAGES],
	       way_name[CHANNEL], "ratio", "middle half");
	for (int a = 0; a < ACCESSES; a++) {
		for (int c = 0; c < CLOCKS; c++)
			json_array_append_new(rows,
					      print_row((enum access)a, (enum clock)c, rounds));
	}
	return rows;
}

/* ---- Options ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	char *end;

	switch (key) {
	case 'j':
		args->json = arg;
		return 0;
	case 'r':
		args->rounds = (uint32_t)strtoul(arg, &end, 10);
		if (*end || args->rounds < 1 || args->rounds > ROUNDS_MAX)
			argp_error(state, "rounds: 1 to %u", ROUNDS_MAX);
		return 0;
	case ARGP_KEY_ARG:
		args->ixnic = arg;
		return state->arg_num ? ARGP_ERR_UNKNOWN : 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"json", 'j', "FILE", 0, "Write the results there too", 0},
		{"rounds", 'r', "N", 0, "How often each is measured (default: 100)", 0},
		{0},
	};
	const struct argp argp = {.options = options,
				  .parser = parse,
				  .args_doc = "IXNIC",
				  .doc = "What an access to a register of ixnic costs."};
	struct args args = {.rounds = 100};
	char dir[] = "/tmp/ixtap-registers-XXXXXX", path[64];
	struct side side[WAYS];
	json_t *rows;
	bool written;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!mkdtemp(dir))
		fail(strerror(errno));
	for (int w = 0; w < WAYS; w++)
		side[w] = side_new(args.ixnic, (enum way)w, dir);
	rows = run(side, args.rounds);
	for (int w = 0; w < WAYS; w++) {
		side_free(&side[w]);
		snprintf(path, sizeof(path), "%s/%s", dir, way_name[w]);
		unlink(path);
	}
	rmdir(dir);
	written = !args.json || json_dump_file(rows, args.json, JSON_INDENT(2)) == 0;
	json_decref(rows);
	if (!written)
		fail("the results cannot be written");
	return 0;
}

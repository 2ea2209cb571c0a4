/* SPDX-License-Identifier: MIT */
#include "soft_nic.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "bridge/service/printable.h"
#include "programs.h"

enum { ASK_MS = 50 }; /* how often a wait asks whether to go on */

static void close_once(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void soft_nic_init(struct soft_nic *soft, struct maker *maker)
{
	*soft = (struct soft_nic){
		.maker = maker, .pid = -1, .pidfd = -1, .output = -1, .socket = -1};
}

/* ---- Output ---- */

/*
 * ixnic logs "ixnic: LEVEL: TEXT". A line "ixnic: TEXT" is about its command line, or the dynamic
 * linker cannot start it. A line without that prefix is an error that a sanitizer or a library
 * reports. ixtapd logs the news of the link itself, so those of ixnic are debug lines.
 */
static enum ixgbe_log_level line_level(const char **text, bool *own)
{
	static const struct {
		const char *prefix;
		enum ixgbe_log_level level;
	} prefixes[] = {
		{"ixnic: error: ", IXGBE_LOG_ERROR}, {"ixnic: warning: ", IXGBE_LOG_WARNING},
		{"ixnic: info: ", IXGBE_LOG_DEBUG},  {"ixnic: debug: ", IXGBE_LOG_DEBUG},
		{"ixnic: ", IXGBE_LOG_ERROR},
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(*text, prefixes[i].prefix, len))
			continue;
		*text += len;
		*own = true;
		return prefixes[i].level;
	}
	*own = false;
	return IXGBE_LOG_ERROR;
}

static void line_end(struct soft_nic *soft)
{
	const char *text = soft->line;
	enum ixgbe_log_level level;
	bool own;

	soft->line[soft->line_len] = '\0';
	soft->line_len = 0;
	level = line_level(&text, &own);
	if (own) /* what it has written as bridge/service/printable.h says, our log does again */
		printable_undo(soft->line);
	if (soft->reason && own && level == IXGBE_LOG_ERROR)
		ixgbe_why_fill(soft->reason, -ECHILD, "software NIC: %s", text);
	else if (*text)
		log_line(level, "software NIC: %s", text);
}

int soft_nic_output(struct soft_nic *soft)
{
	char bytes[512];
	ssize_t got = read(soft->output, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (ssize_t i = 0; i < got; i++) {
		/* A line of ixnic always fits. A longer one is another program's, and is cut into
		 * several. */
		if (bytes[i] == '\n' || soft->line_len == sizeof(soft->line) - 1)
			line_end(soft);
		if (bytes[i] != '\n')
			soft->line[soft->line_len++] = bytes[i];
	}
	return got ? 0 : -EPIPE;
}

static void output_rest(struct soft_nic *soft)
{
	struct pollfd poll_output = {.fd = soft->output, .events = POLLIN};

	/* Bounded by what the pipe held: the other end is closed. */
	while (poll(&poll_output, 1, 0) == 1 && !soft_nic_output(soft))
		;
	if (soft->line_len)
		line_end(soft);
}

/* ---- Start ---- */

/* The child's last line about an error of its own becomes `why`; what else it said is logged, as
 * when it runs. */
static int ended_at_once(struct soft_nic *soft, struct ixgbe_why *why)
{
	char fate[SPAWN_FATE_BYTES];

	soft_nic_fate(soft, fate);
	ixgbe_why_fill(why, -ECHILD,
		       "the software NIC %s and did not say why: run ixnic by hand to see more",
		       fate);
	soft->reason = why;
	output_rest(soft);
	soft->reason = NULL;
	return -ECHILD;
}

static int wait_ready(struct soft_nic *soft, int ready, struct patience *patience,
		      struct ixgbe_why *why)
{
	int64_t deadline = clock_ms() + SOFT_NIC_START_MS;
	struct pollfd fds[] = {{.fd = ready, .events = POLLIN},
			       {.fd = soft->pidfd, .events = POLLIN}};
	char byte;

	for (;;) {
		int64_t left = deadline - clock_ms();

		if (left > 0 && !poll(fds, 2, left < ASK_MS ? (int)left : ASK_MS)) {
			if (patience_over(patience))
				return ixgbe_why_fill(why, -ECANCELED,
						      "the software NIC is not ready: given up");
			continue;
		}
		if (left <= 0) {
			return ixgbe_why_fill(
				why, -ETIMEDOUT,
				"the software NIC was not ready within %d s: the machine is "
				"overloaded, or ixnic is of another version",
				SOFT_NIC_START_MS / 1000);
		}
		if (fds[0].revents & POLLIN) {
			/* Its only output there is the line "ready". */
			if (read(ready, &byte, 1) == 1 && byte == '\n')
				return 0;
		} else if (fds[1].revents) {
			return ended_at_once(soft, why);
		} else if (fds[0].revents) {
			fds[0].fd = -1; /* closed: the end of ixnic follows */
		}
	}
}

/* The maker has one of this version, once it has been told where that is. */
static int program_have(const struct soft_nic *soft, char path[PATH_MAX], struct ixgbe_why *why)
{
	int err;

	if (soft->maker->nic)
		return 0;
	err = programs_ixnic(path, why);
	return err || !maker_there(soft->maker) ? err
						: maker_open(soft->maker, MAKER_IXNIC, path, why);
}

int soft_nic_start(struct soft_nic *soft, const struct nic_words *words, struct patience *patience,
		   struct ixgbe_why *why)
{
	struct nic_process process;
	char path[PATH_MAX] = "";
	int err;

	soft_nic_init(soft, soft->maker);
	err = program_have(soft, path, why);
	if (!err)
		err = maker_nic_start(soft->maker, path, words, &process, why);
	if (err)
		return err;
	soft->pid = process.pid;
	soft->pidfd = process.pidfd;
	soft->socket = process.socket;
	soft->output = process.output;
	err = wait_ready(soft, process.ready, patience, why);
	close_once(&process.ready);
	if (err)
		soft_nic_stop(soft);
	return err;
}

/* ---- End ---- */

void soft_nic_fate(const struct soft_nic *soft, char text[SPAWN_FATE_BYTES])
{
	struct spawn_end end;

	spawn_fate(maker_end(soft->maker, soft->pidfd, false, &end) ? &end : NULL, text);
}

bool soft_nic_ended(const struct soft_nic *soft, int timeout_ms)
{
	struct pollfd end = {.fd = soft->pidfd, .events = POLLIN};

	return soft->pid > 0 && poll(&end, 1, timeout_ms) == 1;
}

static bool ends_by(const struct soft_nic *soft, int signal)
{
	return !maker_signal(soft->maker, soft->pidfd, signal) &&
	       soft_nic_ended(soft, SOFT_NIC_STOP_MS);
}

void soft_nic_stop(struct soft_nic *soft)
{
	struct spawn_end end;

	close_once(&soft->socket);
	if (soft->pid > 0) {
		if (!soft_nic_ended(soft, SOFT_NIC_STOP_MS) && !ends_by(soft, SIGTERM))
			(void)ends_by(soft, SIGKILL);
		(void)maker_end(soft->maker, soft->pidfd, true, &end);
	}
	if (soft->output >= 0)
		output_rest(soft);
	close_once(&soft->output);
	close_once(&soft->pidfd);
	soft->pid = -1;
}

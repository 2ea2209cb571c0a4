/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * Another program takes this one's place, in the same process: its number, children, namespaces and
 * descriptors stay. What the next program has to know goes with it in a memfd: the handover
 * (handover.h), to which is added
 *
 *     "control"         control_hand_over
 *     "store"           store_hand_over
 *     "program"         the former program, to go back to
 *     "driver_program"  that of its drivers
 *     "maker"           maker_hand_over
 *     "rights"          what the process has given up
 *     "why"             of one that goes back
 *
 * Descriptors that do not stand in it are closed by exec.
 *
 *     former program                        next program
 *     ------------------------------------  ------------------------------------------------
 *     executes it as a child, and asks   ─► --handover FD:check  "warm", "cold", or why not
 *     cold: closes the NIC
 *     exec in place                      ─► --handover FD:go     takes all over; the driver is
 *                                                                followed by one of its own
 *     --handover FD:back  goes on        ◄─ exec in place        if that failed
 *
 * Nothing is stopped before the question is answered, nor, when warm, before the next spawner is
 * ready. Both programs are held as descriptors, since a package manager has replaced the files when
 * one must go back. A next program that crashes cannot go back: the question has shown before that
 * the program starts, reads the handover, and finds its own driver program, which is a program that
 * may be executed.
 */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/engine/programs.h"
#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "bridge/service/option_table.h"
#include "bridge/making/trusted_program.h"
#include "bridge/service/outlet.h"
#include "bridge/service/printable.h"
#include "bridge/service/text_json.h"
#include "bridge/spawn/spawn.h"
#include "handover.h"
#include "heir.h"
#include "nic_life.h"
#include "publish.h"
#include "rx_features.h"
#include "store.h"

#define CHECK_MS     3000
#define ANSWER_BYTES 4096u
#define CHECK_FD     3
#define SAID_BYTES   256u /* of the end of its standard error, at most */
#define SAID_LATER   1024 /* reads, once it has ended: others may have its standard error, too */
#define SPARE_FDS    32   /* that both programs open at most, beside what is open, and its queues */

/* ---- The next program is asked ---- */

/* Whether the driver program will be executed. A maker judges it as it is judged here; it may reach
 * what this process cannot. */
static int driver_check(const json_t *handover, struct ixgbe_why *why)
{
	const bool maker = json_is_object(json_object_get(handover, "maker"));
	char path[PATH_MAX];
	int fd, err = programs_driver(path, why);

	if (err)
		return err;
	fd = maker ? trusted_program_open(path, "ixtap-driver", why)
		   : spawner_program_open(path, why);
	if (fd == -EACCES && maker)
		return 0;
	if (fd < 0)
		return fd;
	err = programs_executable(fd, path, why);
	close(fd);
	return err;
}

static json_t *check(const struct options *options, int fd)
{
	struct ixgbe_why why = {""};
	json_t *handover = handover_read(fd, &why), *answer;
	int err = handover ? handover_options_check(options, handover, &why) : -EBADMSG;

	if (!err)
		err = handover_process_check(options, handover, &why);
	if (!err)
		err = driver_check(handover, &why);
	if (!err)
		err = maker_hand_over_check(json_object_get(handover, "maker"), &why);
	if (err)
		answer = json_pack("{s:o}", "error", text_json(why.text));
	else if (engine_hand_over_check(json_object_get(handover, "engine"), &why))
		answer = json_pack("{s:s,s:o}", "start", "cold", "why", text_json(why.text));
	else
		answer = json_pack("{s:s}", "start", "warm");
	json_decref(handover);
	return answer;
}

/* With what an upgrade adds. A new reference; NULL: `why` is filled. */
static json_t *pack(struct daemon *daemon, uint64_t client, struct ixgbe_why *why)
{
	json_t *json = handover_new(daemon, why);

	if (!json)
		return NULL;
	json_object_set_new(json, "control", control_hand_over(daemon->control, client));
	json_object_set_new(json, "store", store_hand_over());
	json_object_set_new(json, "driver_program",
			    json_pack("{s:i}", "fd", daemon->engine.program_fd));
	json_object_set_new(json, "maker", maker_hand_over(&daemon->maker));
	json_object_set_new(json, "rights", rights_hand_over(&daemon->rights));
	return json;
}

json_t *upgrade_take(int fd, struct ixgbe_why *why)
{
	json_t *handover = handover_read(fd, why);

	if (handover && handover_fds_flag(handover, FD_CLOEXEC)) {
		ixgbe_why_fill(why, -EBADF, "the handover names descriptors that are none");
		json_decref(handover);
		return NULL;
	}
	close(fd);
	heir_continue(handover);
	return handover;
}

int upgrade_answer(const struct options *options, int fd)
{
	json_t *answer = check(options, fd);
	int err;

	json_object_set_new(answer, "version", json_string(IXTAP_VERSION));
	err = json_dumpfd(answer, STDOUT_FILENO, JSON_COMPACT);
	json_decref(answer);
	return err ? 1 : 0;
}

/* The program that is to come. A user of our own may not reach the path: the maker opens it then.
 */
struct next {
	const char *path;
	int fd; /* -1: the path */
};

/* Returns if that failed: -errno. */
static int next_execute(const struct next *next, char *const *words)
{
	if (next->fd >= 0)
		syscall(SYS_execveat, next->fd, "", words, environ, AT_EMPTY_PATH);
	else
		execv(next->path, words);
	return -errno;
}

/* The words of the command line, with "--handover FD:MODE" first; the caller frees the array. */
static char **words_new(char *const *argv, const char *order)
{
	size_t count = 0;
	char **words;

	while (argv[count])
		count++;
	words = calloc(count + 3, sizeof(*words));
	if (!words)
		return NULL;
	words[0] = argv[0];
	words[1] = (char *)(uintptr_t) "--handover";
	words[2] = (char *)(uintptr_t)order;
	memcpy(&words[3], &argv[1], (count - 1) * sizeof(*words));
	return words;
}

/* In the child, between fork and exec. */
static void become_asked(const struct next *next, char *const *words, int handover,
			 const int to_us[2], pid_t parent)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int high = fcntl(handover, F_DUPFD_CLOEXEC, 10);
	const int out = fcntl(to_us[0], F_DUPFD_CLOEXEC, 10);
	const int said = fcntl(to_us[1], F_DUPFD_CLOEXEC, 10);
	const struct next away = {.path = next->path,
				  .fd = next->fd < 0 ? -1 : fcntl(next->fd, F_DUPFD_CLOEXEC, 10)};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0 || high < 0 || out < 0 || said < 0)
		_exit(127);
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(said, STDERR_FILENO);
	dup2(high, CHECK_FD);
	close_range(CHECK_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dprintf(STDERR_FILENO, "%s\n", strerror(-next_execute(&away, words)));
	_exit(127);
}

#define ASKING                                                                                     \
	"another program is asked whether it can take over: only status is answered; ask again"

/* What is heard of a program that is asked. */
struct heard {
	enum { HEARD_ALL, HEARD_TOO_LATE, HEARD_TOO_MUCH, HEARD_URGENT } how;
	int answer, said; /* pipes */
	size_t len, said_len;
	char text[ANSWER_BYTES];
	char tail[2 * SAID_BYTES]; /* the last that it said on its standard error */
};

/* Returns whether there may be more. */
static bool said_hear(struct heard *heard)
{
	ssize_t got;

	if (heard->said_len > SAID_BYTES) {
		memmove(heard->tail, heard->tail + heard->said_len - SAID_BYTES, SAID_BYTES);
		heard->said_len = SAID_BYTES;
	}
	got = read(heard->said, heard->tail + heard->said_len,
		   sizeof(heard->tail) - 1 - heard->said_len);
	heard->said_len += got > 0 ? (size_t)got : 0;
	return got > 0;
}

/* Its answer, as far as it comes in time. The NIC and who asks for the status are served meanwhile.
 * HEARD_URGENT: the loop has more urgent things to do: an end, a dead driver, a NIC that is gone.
 */
static void answer_await(struct daemon *daemon, struct heard *heard)
{
	const struct ixgbe_device *device = daemon->engine.device;
	const int64_t end_ms = clock_ms() + CHECK_MS;
	struct pollfd pfd[] = {
		{.fd = heard->answer, .events = POLLIN},
		{.fd = heard->said, .events = POLLIN},
		{.fd = daemon->signals, .events = POLLIN},
		{.fd = daemon->engine.driver.pidfd, .events = POLLIN},
		{.fd = device ? ixgbe_device_connection(device) : -1, .events = POLLIN},
		{.fd = device ? ixgbe_device_relay(device) : -1, .events = POLLIN},
		{.fd = control_fd(daemon->control), .events = POLLIN},
	};
	int64_t left;

	while ((left = end_ms - clock_ms()) > 0 && heard->len < ANSWER_BYTES - 1) {
		ssize_t got = 1;

		if (poll(pfd, sizeof(pfd) / sizeof(pfd[0]), (int)left) <= 0)
			continue;
		if (pfd[0].revents) {
			got = read(heard->answer, heard->text + heard->len,
				   ANSWER_BYTES - 1 - heard->len);
			heard->len += got > 0 ? (size_t)got : 0;
		}
		if (pfd[1].revents && !said_hear(heard))
			pfd[1].fd = -1;
		if (got <= 0)
			return;
		if (pfd[2].revents || pfd[3].revents ||
		    ((pfd[4].revents || pfd[5].revents) &&
		     ixgbe_device_serve(daemon->engine.device))) {
			heard->how = HEARD_URGENT;
			return;
		}
		if (pfd[6].revents)
			control_meanwhile(daemon->control, ASKING);
	}
	heard->how = left > 0 ? HEARD_TOO_MUCH : HEARD_TOO_LATE;
}

/* The last line of its standard error, for people, with what stands before it; "": none. */
static void last_line(struct heard *heard, char *line, size_t size)
{
	char *text = heard->tail, *begin;

	for (int i = 0; i < SAID_LATER && said_hear(heard); i++)
		;
	text[heard->said_len] = '\0';
	while (heard->said_len && strchr("\n\r ", text[heard->said_len - 1]))
		text[--heard->said_len] = '\0';
	if (heard->said_len > SAID_BYTES)
		text += heard->said_len - SAID_BYTES;
	begin = strrchr(text, '\n');
	begin = begin ? begin + 1 : text;
	/* A service manager's priority. */
	if (begin[0] == '<' && begin[1] && begin[2] == '>')
		begin += 3;
	snprintf(line, size, "%s%s", *begin ? ": " : "", begin);
	printable_undo(line); /* control_error does it once more */
}

/* Takes and gives an error that does not last. */
static json_t *later(json_t *error)
{
	json_object_set_new(error, "again", json_true());
	return error;
}

static json_t *urgent(const char *program)
{
	return later(
		control_error("something more urgent came while %s was asked: try again", program));
}

static json_t *bad_end(const char *program, const siginfo_t *end, const char *said)
{
	if (end->si_code != CLD_EXITED)
		return control_error("%s was killed by signal %d when it was asked whether it can "
				     "take over%s",
				     program, end->si_status, said);
	if (end->si_status == 127)
		return control_error("%s cannot be executed: is it a program, and may we?%s",
				     program, said);
	if (end->si_status == EXIT_STATUS_USAGE)
		return control_error("%s does not understand its command line or configuration: it "
				     "exited with status %d%s",
				     program, end->si_status, said);
	return control_error("%s exited with status %d when it was asked whether it can "
			     "take over: it is no ixtapd, or one that cannot%s",
			     program, end->si_status, said);
}

/* `ours`: it has not ended by itself. */
static json_t *no_answer(const char *program, struct heard *heard, const siginfo_t *end, bool ours)
{
	char said[4 * SAID_BYTES];

	if (heard->how == HEARD_URGENT)
		return urgent(program);
	last_line(heard, said, sizeof(said));
	if (heard->how == HEARD_TOO_MUCH)
		return control_error(
			"%s printed %u bytes and more when it was asked whether it can "
			"take over: it is no ixtapd%s",
			program, ANSWER_BYTES, said);
	if (heard->how == HEARD_TOO_LATE)
		return control_error(
			"%s did not answer within %d s whether it can take over: it is "
			"no ixtapd, or one that hangs%s",
			program, CHECK_MS / 1000, said);
	if (ours)
		return control_error("%s closed its output without an answer whether it can take "
				     "over: it is no ixtapd%s",
				     program, said);
	return bad_end(program, end, said);
}

/* Waits for one that is about to end, or ends it. Returns whether it had to. */
static bool asked_end(pid_t pid, bool about_to, siginfo_t *end)
{
	for (int64_t end_ms = clock_ms() + 100; about_to && clock_ms() < end_ms && !end->si_pid;)
		if (waitid(P_PID, (id_t)pid, end, WEXITED | WNOHANG) || !end->si_pid)
			usleep(1000);
	if (end->si_pid)
		return false;
	kill(-pid, SIGKILL); /* its children, too, if it has come so far */
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, end, WEXITED);
	return true;
}

/* Asks a program that was executed, and ends it. A new reference, which has "error" or "start". */
static json_t *answer_take(struct daemon *daemon, const char *program, pid_t pid,
			   struct heard *heard)
{
	siginfo_t end = {0};
	json_t *json;
	bool ours;

	answer_await(daemon, heard);
	json = heard->len ? json_loadb(heard->text, heard->len, 0, NULL) : NULL;
	/* One that has answered has closed its output. */
	ours = asked_end(pid, heard->how == HEARD_ALL, &end);
	if (json_is_string(json_object_get(json, "start")) ||
	    json_is_string(json_object_get(json, "error")))
		return json;
	json_decref(json);
	return no_answer(program, heard, &end, ours);
}

static void pair_close(const int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static json_t *program_ask(struct daemon *daemon, const struct next *next, int handover)
{
	char order[32];
	const pid_t parent = getpid();
	int answer[2] = {-1, -1}, said[2] = {-1, -1};
	char **words;
	json_t *json;
	pid_t pid;

	snprintf(order, sizeof(order), "%d:check", CHECK_FD);
	words = words_new(daemon->argv, order);
	if (!words || pipe2(answer, O_CLOEXEC) || pipe2(said, O_CLOEXEC) ||
	    fcntl(said[0], F_SETFL, O_NONBLOCK)) {
		json = control_error("cannot ask %s: no memory, or too many files", next->path);
	} else {
		struct heard heard = {.answer = answer[0], .said = said[0]};
		const int to_us[2] = {answer[1], said[1]};

		pid = fork();
		if (!pid)
			become_asked(next, words, handover, to_us, parent);
		close(answer[1]);
		close(said[1]);
		answer[1] = said[1] = -1;
		json = pid < 0 ? control_error("cannot ask %s: %s", next->path, strerror(errno))
			       : answer_take(daemon, next->path, pid, &heard);
	}
	pair_close(answer);
	pair_close(said);
	free(words);
	return json;
}

/* ---- The next program is executed ---- */

/* Returns -errno. */
static int program_execute(const struct next *next, json_t *handover, const char *mode,
			   char *const *argv)
{
	int fd = handover_write(handover), err;
	char order[32];
	char **words;

	if (fd < 0)
		return fd;
	snprintf(order, sizeof(order), "%d:%s", fd, mode);
	words = words_new(argv, order);
	err = words ? handover_fds_flag(handover, 0) : -ENOMEM;
	if (!err) {
		fcntl(fd, F_SETFD, 0);
		outlet_finish();
		err = next_execute(next, words);
	}
	handover_fds_flag(handover, FD_CLOEXEC);
	free(words);
	close(fd);
	return err;
}

void upgrade_go_back(json_t *handover, char *const *argv, const struct ixgbe_why *why)
{
	const json_t *program = json_object_get(handover, "program");
	const struct next former = {.path = "",
				    .fd = (int)json_integer_value(json_object_get(program, "fd"))};
	int err;

	json_object_set_new(handover, "why", text_json(why->text));
	json_object_set_new(handover, "version", json_string(IXTAP_VERSION));
	err = program_execute(&former, handover, "back", argv);
	log_error("%s: and the former version cannot be executed again: %s", why->text,
		  strerror(-err));
}

/* Adds this program, for the next one to go back to. -errno. */
static int self_add(json_t *handover)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return json_object_set_new(handover, "program", json_pack("{s:i}", "fd", fd)) ? -ENOMEM : 0;
}

static void self_forget(const json_t *handover)
{
	const json_t *fd = json_object_get(json_object_get(handover, "program"), "fd");

	if (fd)
		close((int)json_integer_value(fd));
}

/* With the answer in hand. Nobody uses the device from the handover on. Returns the error. */
static json_t *place_give(struct daemon *daemon, const struct next *next, uint64_t client)
{
	struct ixgbe_why why;
	json_t *handover;
	int err;

	/* How a driver has ended is told once: to this program, or to the next. */
	if (engine_driver_died(&daemon->engine))
		return urgent(next->path);
	handover = pack(daemon, client, &why);
	if (!handover)
		return later(control_error("%s: try again", why.text));
	err = self_add(handover);
	if (!err) {
		log_info("%s: executing %s in our place", daemon->iface.tap.name, next->path);
		/* The next program begins where this one did. */
		interface_leave(&daemon->iface);
		err = program_execute(next, handover, "go", daemon->argv);
		interface_enter(&daemon->iface);
	}
	self_forget(handover);
	json_decref(handover);
	return control_error("cannot execute %s: %s", next->path, strerror(-err));
}

/* A program that starts the NIC anew is executed without a NIC. A new reference: the error. */
static json_t *place_give_cold(struct daemon *daemon, const struct next *next, uint64_t client,
			       const char *reason)
{
	if (!rights_open_nic(&daemon->rights, daemon->options->nic_kind))
		return control_error("%s would start the NIC anew (%s), which ixtapd may not do "
				     "under --isolation require: restart the service",
				     next->path, reason);
	log_warning("%s: the upgrade starts the NIC anew: %s", daemon->iface.tap.name, reason);
	ixgbe_why_fill(&daemon->reason, 0, "the NIC starts anew after an upgrade");
	nic_life_close(daemon);
	return place_give(daemon, next, client);
}

static json_t *program_try(struct daemon *daemon, const struct next *next, uint64_t client)
{
	struct ixgbe_why why;
	json_t *handover = pack(daemon, client, &why), *answer, *error;
	const char *reason;
	int fd;

	if (!handover)
		return later(control_error("%s: try again", why.text));
	fd = handover_write(handover);
	json_decref(handover);
	answer = fd < 0 ? control_error("out of memory") : program_ask(daemon, next, fd);
	if (fd >= 0)
		close(fd);
	reason = json_string_value(json_object_get(answer, "why"));
	if (json_object_get(answer, "error"))
		error = json_incref(answer);
	else if (reason && daemon->facts.nic_open)
		error = place_give_cold(daemon, next, client, reason);
	else
		error = place_give(daemon, next, client);
	json_decref(answer);
	return error;
}

/* Whether that many more descriptors can be opened: a next program that runs out of them takes the
 * NIC down. */
static bool fds_spare(unsigned int wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return true;
	for (int fd = 0; fd < INT_MAX && (rlim_t)fd < limit.rlim_cur && wanted > 0; fd++)
		wanted -= fcntl(fd, F_GETFD) < 0;
	return wanted == 0;
}

/* The program at a path, in reach or not. A new reference: the error. */
static json_t *path_try(struct daemon *daemon, const char *path, uint64_t client)
{
	struct next next = {.path = path, .fd = -1};
	struct ixgbe_why why;
	json_t *error;

	if (rights_other_user(&daemon->rights)) {
		next.fd = maker_open(&daemon->maker, MAKER_KEEPER, path, &why);
		if (next.fd < 0)
			return control_error("%s", why.text);
	}
	error = program_try(daemon, &next, client);
	if (next.fd >= 0)
		close(next.fd);
	return error;
}

json_t *upgrade_run(struct daemon *daemon, const char *program, uint64_t client)
{
	json_t *error;

	if (daemon->warm || daemon->anew)
		error = later(control_error("a driver is being replaced: try again"));
	else if (daemon->iface.astray || !interface_attached(&daemon->iface))
		error = later(
			control_error("the interface was moved or deleted just now: try again"));
	else if (!fds_spare(SPARE_FDS + daemon->options->queues))
		error = control_error("the limit of open files is too low for an upgrade, which "
				      "needs %u more: raise that of process %d (prlimit --nofile)",
				      SPARE_FDS + daemon->options->queues, (int)getpid());
	else if (!maker_answers(&daemon->maker))
		error = control_error(
			"the process that makes others for ixtapd does not answer, and "
			"ixtapd ends");
	else
		error = path_try(daemon, program ? program : daemon->program, client);

	log_error("%s: no upgrade: %s", daemon->iface.tap.name,
		  json_string_value(json_object_get(error, "error")));
	return error;
}

/* ---- In the executed program ---- */

void upgrade_words(int *argc, char ***argv, struct upgrade_order *out)
{
	static const char *const modes[] = {
		[UPGRADE_CHECK] = "check", [UPGRADE_GO] = "go", [UPGRADE_BACK] = "back"};
	char *end = NULL;
	long fd;

	*out = (struct upgrade_order){UPGRADE_NONE, -1};
	if (*argc < 3 || strcmp((*argv)[1], "--handover") != 0)
		return;
	fd = strtol((*argv)[2], &end, 10);
	for (int mode = UPGRADE_CHECK; mode <= UPGRADE_BACK; mode++)
		if (*end == ':' && !strcmp(end + 1, modes[mode]) && fd > 2 && fd < INT_MAX)
			*out = (struct upgrade_order){(enum upgrade_mode)mode, (int)fd};
	if (out->mode == UPGRADE_NONE)
		return;
	(*argv)[2] = (*argv)[0];
	*argv += 2;
	*argc -= 2;
	/* One that is executed by its descriptor has that for its name. */
	prctl(PR_SET_NAME, "ixtapd");
}

static int counts_take_over(struct daemon *daemon, const json_t *from, struct ixgbe_why *why)
{
	json_int_t started, refused, timeouts, irqs, hangs = 0, full = 0, retry = 0,
						     opened = clock_ms();
	int state, recoveries, attempt, rx;
	const char *reason;

	if (json_unpack((json_t *)(uintptr_t)from,
			"{s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:s,s?I,s?I,s?I,s?I}", "started_at_ms",
			&started, "state", &state, "recoveries", &recoveries, "attempt", &attempt,
			"rx_checksum", &rx, "dma_refused", &refused, "dma_timeout", &timeouts,
			"irqs_lost", &irqs, "reason", &reason, "tx_timeouts", &hangs,
			"counters_full", &full, "retry_at_ms", &retry, "opened_at_ms", &opened) ||
	    rx < OPTIONS_RX_CHECKSUM_OFF || rx > OPTIONS_RX_CHECKSUM_ALL || state < STATE_OPENING ||
	    state > STATE_STOPPING)
		return ixgbe_why_fill(why, -EBADMSG, "the running version counts in another way");
	daemon->started_at_ms = started;
	daemon->state = (enum state)state; /* as it was told last */
	daemon->recoveries = (unsigned int)recoveries;
	daemon->attempt = (unsigned int)attempt;
	daemon->rx_checksum = (enum options_rx_checksum)rx;
	daemon->dma_refused.count = (uint64_t)refused;
	daemon->dma_timeout.count = (uint64_t)timeouts;
	daemon->irqs_lost = (uint64_t)irqs;
	daemon->tx_timeouts = (uint64_t)hangs;
	daemon->counters_full = (uint64_t)full;
	daemon->retry_at_ms = retry;
	daemon->opened_at_ms = opened;
	ixgbe_why_fill(&daemon->reason, 0, "%s", reason);
	return 0;
}

int upgrade_maker_take_over(struct daemon *daemon, struct ixgbe_why *why)
{
	int err = maker_take_over(&daemon->maker, json_object_get(daemon->handover, "maker"),
				  daemon->order.mode == UPGRADE_BACK, why);

	rights_take_over(&daemon->rights, json_object_get(daemon->handover, "rights"));
	return err;
}

int upgrade_nic_take_over(struct daemon *daemon, struct ixgbe_why *why)
{
	struct engine *engine = &daemon->engine;
	const json_t *program = json_object_get(daemon->handover, "driver_program");
	int64_t opened_at_ms;
	int err = counts_take_over(daemon, json_object_get(daemon->handover, "daemon"), why);

	if (!err && daemon->order.mode == UPGRADE_BACK) {
		engine->program_fd = (int)json_integer_value(json_object_get(program, "fd"));
		programs_driver(engine->program, NULL);
	}
	if (!err)
		err = engine_take_over(engine, json_object_get(daemon->handover, "engine"),
				       &daemon->former, why);
	if (!err)
		err = heir_nic_take(daemon, why);
	if (err)
		return err;
	interface_enter(&daemon->iface);
	rx_features_start(daemon, daemon->rx_checksum);
	interface_leave(&daemon->iface);
	if (!engine->device)
		return 0;
	opened_at_ms = daemon->opened_at_ms;
	err = nic_life_succeed(daemon, why);
	daemon->opened_at_ms = opened_at_ms;
	if (err && err != -EKEYREJECTED)
		return err;
	engine_spawner_stop(engine, &daemon->former);
	if (err) { /* what was left is not trusted: the NIC is closed, and opened anew */
		nic_life_failed(daemon, why->text);
		return 0;
	}
	if (!engine->seen.resumed)
		engine->starts.cold++;
	else if (daemon->order.mode == UPGRADE_GO)
		engine->starts.upgrade++;
	else
		engine->starts.warm++;
	return 0;
}

void upgrade_undo(struct daemon *daemon, const struct ixgbe_why *why)
{
	struct ixgbe_why ignored;
	json_t *engine;

	if (daemon->engine.device) {
		engine_spawner_stop(&daemon->engine, &daemon->engine.spawner);
		daemon->engine.spawner = daemon->former;
		daemon->former = (struct spawner){.pid = 0};
		maker_own_forget(&daemon->maker);
		engine = engine_hand_over(&daemon->engine, true, &ignored);
		if (!engine) /* a NIC that is gone cannot be handed back */
			return;
		json_object_set_new(daemon->handover, "engine", engine);
	}
	upgrade_go_back(daemon->handover, daemon->argv, why);
}

static json_t *result(const struct daemon *daemon, const char *start)
{
	const struct engine *engine = &daemon->engine;
	const char *previous = json_string_value(json_object_get(daemon->handover, "version"));

	return json_pack("{s:s,s:s,s:s,s:I}", "version", IXTAP_VERSION, "previous",
			 previous ? previous : "", "start", start, "gap_us",
			 daemon->facts.nic_open
				 ? (json_int_t)(engine->seen.running_ns - engine->dead_ns) / 1000
				 : 0);
}

void upgrade_tell(struct daemon *daemon)
{
	const char *name = daemon->iface.tap.name;
	const char *why = json_string_value(json_object_get(daemon->handover, "why"));
	const char *start = daemon->facts.nic_open && daemon->engine.seen.resumed ? "warm" : "cold";
	json_t *json;

	if (why) {
		log_error("%s: no upgrade, %s goes on: %s", name, IXTAP_VERSION, why);
		control_answer_former(daemon->control,
				      control_error("the upgrade failed, and %s goes on: %s",
						    IXTAP_VERSION, why));
	} else {
		json = result(daemon, start);
		log_info("%s: upgraded from %s to %s: %s", name,
			 json_string_value(json_object_get(json, "previous")), IXTAP_VERSION,
			 daemon->facts.nic_open ? "the NIC ran on" : "the NIC starts anew");
		handover_settings_tell(daemon->options, daemon->handover);
		control_answer_former(daemon->control, json_incref(json));
		json_object_set_new(json, "event", json_string("upgrade"));
		publish_event(daemon, json);
	}
	self_forget(daemon->handover);
	maker_former_forget(&daemon->maker);
	if (daemon->order.mode == UPGRADE_GO)
		close((int)json_integer_value(json_object_get(
			json_object_get(daemon->handover, "driver_program"), "fd")));
	json_decref(daemon->handover);
	daemon->handover = NULL;
}

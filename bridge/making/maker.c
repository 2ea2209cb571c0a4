/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/spawn/capability_sets.h"
#include "maker_wire.h"

/* Of an answer. A spawner has three attempts in the worst case; all else is done at once. */
#define ANSWER_MS  2000
#define SPAWNER_MS (3 * SPAWN_START_MS + ANSWER_MS)
#define STOP_MS    5000
#define END_MS     1000

#define NEEDED                                                                                     \
	(CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) |             \
	 CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_KILL))

/* ---- Asking ---- */

static int maker_gone(struct maker *maker, struct ixgbe_why *why)
{
	maker->lost = true;
	return ixgbe_why_fill(why, -EPIPE,
			      "the process that makes others for ixtapd has ended, or does not "
			      "answer");
}

static bool answer_sound(const struct maker_answer *answer, ssize_t got, uint32_t fds,
			 const struct maker_head *asked)
{
	return got == sizeof(*answer) && answer->head.magic == MAKER_MAGIC &&
	       answer->head.kind == asked->kind && answer->head.number == asked->number &&
	       answer->fds == fds && answer->error <= 0 && answer->error > -4096 &&
	       memchr(answer->why, '\0', sizeof(answer->why));
}

/* One message and its answer, whose descriptors go to `out`. */
static int ask(struct maker *maker, const struct maker_head *head, size_t bytes, const int *fd,
	       uint32_t fds, struct maker_answer *answer, int out[MAKER_ANSWER_FDS_MAX],
	       struct ixgbe_why *why)
{
	struct pollfd come = {.fd = maker->sock, .events = POLLIN};
	const int64_t end_ms = clock_ms() + (head->kind == MAKER_SPAWNER ? SPAWNER_MS : ANSWER_MS);
	int64_t left = 0;
	uint32_t got_fds;
	ssize_t got;

	*answer = (struct maker_answer){.fds = 0};
	if (maker->lost || spawn_send(maker->sock, head, bytes, fd, fds))
		return maker_gone(maker, why);
	while ((left = end_ms - clock_ms()) > 0 && poll(&come, 1, (int)left) <= 0)
		;
	if (left <= 0)
		return maker_gone(maker, why);
	got = spawn_receive(maker->sock, answer, sizeof(*answer), out, MAKER_ANSWER_FDS_MAX,
			    &got_fds, MSG_DONTWAIT);
	if (!answer_sound(answer, got, got > 0 ? got_fds : 0, head)) {
		spawn_close_all(out, got > 0 ? got_fds : 0);
		return maker_gone(maker, why);
	}
	return answer->error ? ixgbe_why_fill(why, answer->error, "%s", answer->why) : 0;
}

static void head_fill(struct maker *maker, enum maker_kind kind, struct maker_head *head)
{
	*head = (struct maker_head){
		.magic = MAKER_MAGIC,
		.layout = MAKER_LAYOUT,
		.kind = kind,
		.number = ++maker->requests,
	};
}

/* Whether `fds` descriptors would fit: those of an answer that do not are lost on the way, and what
 * has been made with them. */
static int room_check(const struct maker *maker, uint32_t fds, struct ixgbe_why *why)
{
	int fd[MAKER_ANSWER_FDS_MAX] = {0}, err = 0;
	uint32_t count = 0;

	while (count < fds && !err) {
		fd[count] = fcntl(maker->sock, F_DUPFD_CLOEXEC, 0);
		if (fd[count] < 0)
			err = -errno;
		else
			count++;
	}
	spawn_close_all(fd, count);
	return err ? ixgbe_why_fill(why, err,
				    "cannot have another process made: %s; raise the limit of open "
				    "files (ulimit -n)",
				    strerror(-err))
		   : 0;
}

static int request_ask(struct maker *maker, enum maker_kind kind, struct maker_request *request,
		       const int *fd, struct maker_answer *answer, int out[MAKER_ANSWER_FDS_MAX],
		       struct ixgbe_why *why)
{
	static const uint32_t wanted[MAKER_KINDS] = {
		[MAKER_SPAWNER] = MAKER_SPAWNER_FDS, [MAKER_NIC] = MAKER_NIC_FDS};
	int err = room_check(maker, kind == MAKER_OPEN ? 1 : wanted[kind], why);

	if (err)
		return err;
	head_fill(maker, kind, &request->head);
	err = ask(maker, &request->head, sizeof(*request), fd, request->fds, answer, out, why);
	if (err)
		return err;
	if (answer->fds == wanted[kind] || (kind == MAKER_OPEN && answer->fds == 1))
		return 0;
	spawn_close_all(out, answer->fds);
	return maker_gone(maker, why);
}

/* ---- Start and end ---- */

/* In the child, between fork and exec. */
static _Noreturn void become_maker(int sock, pid_t parent)
{
	static char name[] = "ixtap-maker", word[] = MAKER_WORD;
	char *const words[] = {name, word, NULL};
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || getppid() != parent)
		_exit(127);
	setpgid(0, 0); /* a terminal's Ctrl-C is for the keeper */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (sock == MAKER_SOCKET)
		fcntl(sock, F_SETFD, 0);
	else
		dup2(sock, MAKER_SOCKET);
	close_range(MAKER_SOCKET + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", words);
	_exit(127);
}

static int maker_fork(struct maker *maker)
{
	const pid_t parent = getpid();
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	maker->pid = fork();
	if (maker->pid == 0)
		become_maker(pair[1], parent);
	err = maker->pid < 0 ? -errno : 0;
	close(pair[1]);
	maker->sock = pair[0];
	maker->pidfd = err ? -1 : (int)syscall(SYS_pidfd_open, maker->pid, 0);
	if (!err && maker->pidfd < 0)
		err = -errno;
	if (err)
		close(maker->sock); /* its end */
	return err;
}

static bool text_copy(char *to, size_t room, const char *from)
{
	return snprintf(to, room, "%s", from) < (int)room;
}

/* What is decided once. */
static int maker_hello_say(struct maker *maker, const struct maker_config *config,
			   struct ixgbe_why *why)
{
	static struct maker_hello hello; /* large for a stack */
	struct maker_answer answer;
	int out[MAKER_ANSWER_FDS_MAX], err;

	hello = (struct maker_hello){.isolation = config->isolation,
				     .user = config->user,
				     .outlives = config->words.outlives};
	if (!text_copy(hello.name, sizeof(hello.name), config->name) ||
	    !text_copy(hello.control, sizeof(hello.control), config->control) ||
	    !text_copy(hello.driver, sizeof(hello.driver), config->driver) ||
	    (config->nic &&
	     (!text_copy(hello.nic, sizeof(hello.nic), config->nic) ||
	      !text_copy(hello.wire, sizeof(hello.wire), config->words.wire) ||
	      !text_copy(hello.nic_control, sizeof(hello.nic_control), config->words.control) ||
	      !text_copy(hello.log_level, sizeof(hello.log_level), config->words.log_level))))
		return ixgbe_why_fill(why, -ENAMETOOLONG, "a path of the start is too long");
	head_fill(maker, MAKER_HELLO, &hello.head);
	err = ask(maker, &hello.head, sizeof(hello), NULL, 0, &answer, out, why);
	if (err)
		return err;
	spawn_close_all(out, answer.fds);
	maker->driver = answer.program;
	maker->nic = answer.nic;
	return 0;
}

int maker_start(struct maker *maker, const struct maker_config *config, struct ixgbe_why *why)
{
	int err;

	*maker = (struct maker){.pid = 0};
	if (config->isolation == ISOLATION_OFF || (capability_sets_effective() & NEEDED) != NEEDED)
		return 0;
	err = maker_fork(maker);
	if (err) {
		*maker = (struct maker){.pid = 0};
		return ixgbe_why_fill(why, err, "cannot make the process that makes others: %s",
				      strerror(-err));
	}
	err = maker_hello_say(maker, config, why);
	if (err)
		maker_close(maker);
	return err;
}

void maker_close(struct maker *maker)
{
	struct pollfd dead = {.fd = maker->pidfd, .events = POLLIN};

	if (!maker_there(maker))
		return;
	close(maker->sock);
	(void)poll(&dead, 1, END_MS);
	waitid(P_PIDFD, (id_t)maker->pidfd, NULL, WEXITED | WNOHANG);
	close(maker->pidfd);
	*maker = (struct maker){.pid = 0};
}

/* ---- Programs ---- */

int maker_open(struct maker *maker, enum maker_program what, const char *path,
	       struct ixgbe_why *why)
{
	struct maker_request request = {.program = what};
	struct maker_answer answer;
	int out[MAKER_ANSWER_FDS_MAX], err;

	if (!text_copy(request.path, sizeof(request.path), path))
		return ixgbe_why_fill(why, -ENAMETOOLONG, "the program's path is too long: %s",
				      path);
	err = request_ask(maker, MAKER_OPEN, &request, NULL, &answer, out, why);
	if (err)
		return err;
	if (what == MAKER_DRIVER)
		maker->driver = answer.program;
	else if (what == MAKER_IXNIC)
		maker->nic = answer.program;
	else if (answer.fds == 1)
		return out[0];
	spawn_close_all(out, answer.fds);
	return what == MAKER_KEEPER ? maker_gone(maker, why) : 0;
}

static void program_forget(struct maker *maker, uint32_t *program)
{
	struct maker_request request = {.program = *program};
	struct maker_answer answer;
	int out[MAKER_ANSWER_FDS_MAX];

	if (*program && maker_there(maker))
		(void)request_ask(maker, MAKER_FORGET, &request, NULL, &answer, out, NULL);
	*program = 0;
}

void maker_former_forget(struct maker *maker)
{
	program_forget(maker, &maker->former_driver);
	program_forget(maker, &maker->former_nic);
}

void maker_own_forget(struct maker *maker)
{
	program_forget(maker, &maker->driver);
	program_forget(maker, &maker->nic);
	maker->driver = maker->former_driver;
	maker->nic = maker->former_nic;
	maker->former_driver = maker->former_nic = 0;
}

/* ---- Processes ---- */

int maker_spawner_start(struct maker *maker, struct spawner *out, const struct spawn_config *config,
			struct ixgbe_why *why)
{
	struct maker_request request = {
		.fds = 1 + config->fds, .program = maker->driver, .bytes = config->bytes};
	int fd[MAKER_FDS_MAX] = {config->record}, got[MAKER_ANSWER_FDS_MAX], err;
	struct maker_answer answer;

	if (!maker_there(maker))
		return spawner_start(out, config, why);
	strncpy(request.version, IXTAP_VERSION, sizeof(request.version) - 1);
	if (config->fds > SPAWN_FDS_MAX)
		return ixgbe_why_fill(why, -EINVAL, "too many descriptors for a driver");
	if (config->fds)
		memcpy(fd + 1, config->fd, config->fds * sizeof(*fd));
	err = request_ask(maker, MAKER_SPAWNER, &request, fd, &answer, got, why);
	if (err)
		return err;
	*out = (struct spawner){
		.pid = answer.pid, .pidfd = got[0], .sock = got[1], .report = answer.report};
	if (isolation_report_valid(&out->report))
		return 0;
	maker_spawner_stop(maker, out);
	return maker_gone(maker, why);
}

int maker_nic_start(struct maker *maker, const char *path, const struct nic_words *words,
		    struct nic_process *out, struct ixgbe_why *why)
{
	struct maker_request request = {.program = maker->nic};
	int got[MAKER_ANSWER_FDS_MAX], err;
	struct maker_answer answer;

	if (!maker_there(maker)) {
		err = nic_process_start(-1, path, words, out);
		return err ? ixgbe_why_fill(why, err, "cannot start %s: %s", path, strerror(-err))
			   : 0;
	}
	err = request_ask(maker, MAKER_NIC, &request, NULL, &answer, got, why);
	if (!err)
		*out = (struct nic_process){.pid = answer.pid,
					    .pidfd = got[0],
					    .socket = got[1],
					    .ready = got[2],
					    .output = got[3]};
	return err;
}

int maker_signal(struct maker *maker, int pidfd, int number)
{
	struct maker_request request = {.fds = 1, .signal = number};
	int out[MAKER_ANSWER_FDS_MAX];
	struct maker_answer answer;

	/* What a program before this one made itself is a child of this process. */
	if (!maker_there(maker) ||
	    request_ask(maker, MAKER_SIGNAL, &request, &pidfd, &answer, out, NULL))
		return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) ? -errno : 0;
	return 0;
}

bool maker_answers(struct maker *maker)
{
	struct maker_request nothing = {.program = 0};
	struct maker_answer answer;
	int out[MAKER_ANSWER_FDS_MAX];

	/* A refusal is an answer. */
	if (maker_there(maker))
		(void)request_ask(maker, MAKER_FORGET, &nothing, NULL, &answer, out, NULL);
	return !maker->lost;
}

static bool own_end(int pidfd, bool reap, struct spawn_end *out)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | (reap ? 0 : WNOWAIT)) ||
	    !info.si_pid)
		return false;
	*out = (struct spawn_end){.code = info.si_code, .status = info.si_status};
	return true;
}

bool maker_end(struct maker *maker, int pidfd, bool reap, struct spawn_end *out)
{
	struct maker_request request = {.fds = 1, .reap = reap};
	int got[MAKER_ANSWER_FDS_MAX];
	struct maker_answer answer;

	if (own_end(pidfd, reap, out))
		return true;
	if (!maker_there(maker) ||
	    request_ask(maker, MAKER_END, &request, &pidfd, &answer, got, NULL) || !answer.code)
		return false;
	*out = (struct spawn_end){.code = answer.code, .status = answer.status};
	return true;
}

void maker_spawner_stop(struct maker *maker, struct spawner *spawner)
{
	struct pollfd dead = {.fd = spawner->pidfd, .events = POLLIN};
	struct spawn_end end;

	if (spawner->pid > 0 && maker_there(maker)) {
		/* What cannot be killed dies with the maker, and that with us. */
		if (!maker_signal(maker, spawner->pidfd, SIGKILL))
			while (poll(&dead, 1, STOP_MS) < 0 && errno == EINTR)
				;
		(void)maker_end(maker, spawner->pidfd, true, &end);
	}
	spawner_stop(spawner);
}

/* ---- The control socket ---- */

int maker_unlink(struct maker *maker, dev_t dev, ino_t ino)
{
	struct maker_request request = {.dev = dev, .ino = ino};
	int out[MAKER_ANSWER_FDS_MAX];
	struct maker_answer answer;

	return request_ask(maker, MAKER_UNLINK, &request, NULL, &answer, out, NULL);
}

/* ---- From one program to the next ---- */

json_t *maker_hand_over(const struct maker *maker)
{
	if (!maker_there(maker))
		return json_null();
	return json_pack("{s:i,s:i,s:I,s:i,s:i,s:[i,i]}", "layout", (int)MAKER_LAYOUT, "pid",
			 (int)maker->pid, "requests", (json_int_t)maker->requests, "driver",
			 (int)maker->driver, "nic", (int)maker->nic, "fd", maker->pidfd,
			 maker->sock);
}

int maker_hand_over_check(const json_t *from, struct ixgbe_why *why)
{
	if (!json_is_object(from) ||
	    json_integer_value(json_object_get(from, "layout")) == MAKER_LAYOUT)
		return 0;
	return ixgbe_why_fill(why, -EBADMSG,
			      "the running version makes processes in another way: stop ixtapd and "
			      "start it again");
}

int maker_take_over(struct maker *maker, const json_t *from, bool back, struct ixgbe_why *why)
{
	int pid, pidfd, sock, driver, nic, err = maker_hand_over_check(from, why);
	json_int_t requests;

	*maker = (struct maker){.pid = 0};
	if (err || !json_is_object(from))
		return err;
	if (json_unpack((json_t *)(uintptr_t)from, "{s:i,s:I,s:i,s:i,s:[i,i]}", "pid", &pid,
			"requests", &requests, "driver", &driver, "nic", &nic, "fd", &pidfd, &sock))
		return ixgbe_why_fill(why, -EBADMSG,
				      "the running version speaks of its maker in another way");
	*maker = (struct maker){.pid = pid,
				.pidfd = pidfd,
				.sock = sock,
				.requests = (uint32_t)requests,
				.driver = back ? (uint32_t)driver : 0,
				.nic = back ? (uint32_t)nic : 0,
				.former_driver = back ? 0 : (uint32_t)driver,
				.former_nic = back ? 0 : (uint32_t)nic};
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The program's side: one thread, one loop. It waits in ppoll(2) for an order or for a child's end,
 * with SIGCHLD blocked all the time but there.
 *
 * A spawner that is to linger watches the keeper by its pidfd instead of dying with it. A next
 * keeper kills it; else its time is over some seconds later, or its socket's other end closes
 * before, with the last holder of the keeper's descriptors. Its end is that of its drivers.
 *
 * A driver's descriptors are those that prepare left open, those of its order, and /dev/null three
 * times: descriptors 0 to 2 are taken, so that no queue of the TAP becomes a standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "isolation.h"
#include "spawn_wire.h"

#define CHILDREN_MAX    64u
#define RECORD_MAX      (64u << 20)
#define FILES_LOOKED_AT 4096
#define DRIVER_NAME     "ixtap-driver"
#define USAGE_STATUS    2

static struct spawn_self {
	const struct spawn_program *program;
	char **words;
	int count;
	int sock;
	int keeper; /* a pidfd */
	bool linger;
	int64_t end_ms; /* of its time, once the keeper is dead; 0: that lives */
	enum isolation isolation;
	pid_t pid;
	uint32_t number; /* of the last driver */
	struct {
		pid_t pid; /* 0: free */
		uint32_t number;
	} child[CHILDREN_MAX];
} self;

/* ---- The first messages ---- */

static _Noreturn void spawn_give_up(int error, const struct ixgbe_why *why,
				    const struct isolation_report *report)
{
	struct spawn_word word = {.stage = SPAWN_FAILED, .error = error};

	spawn_head_fill(&word.head, NULL);
	snprintf(word.why, sizeof(word.why), "%s", why->text);
	if (report)
		word.report = *report;
	spawn_send(self.sock, &word, sizeof(word), NULL, 0);
	_exit(1);
}

static bool hello_valid(const struct spawn_hello *hello, ssize_t got, uint32_t fds)
{
	return got == sizeof(*hello) && hello->isolation <= ISOLATION_OFF &&
	       hello->bytes <= RECORD_MAX && hello->fds <= SPAWN_FDS_MAX &&
	       fds == hello->fds + SPAWN_HELLO_FDS && hello->user_namespace <= 1;
}

static void take_hello(struct spawn_hello *hello, int fd[SPAWN_WIRE_FDS_MAX])
{
	uint32_t fds;
	ssize_t got =
		spawn_receive(self.sock, hello, sizeof(*hello), fd, SPAWN_WIRE_FDS_MAX, &fds, 0);
	int err;
	struct ixgbe_why why;

	if (got == 0)
		_exit(1); /* the keeper is gone */
	err = got < 0 ? (int)got : spawn_head_check(&hello->head, NULL, (size_t)got);
	if (!err && !hello_valid(hello, got, fds))
		err = -EPROTO;
	if (!err)
		return;
	ixgbe_why_fill(&why, err, "ixtap-driver, version %s, does not understand the keeper: %s",
		       IXTAP_VERSION,
		       err == -EBADMSG ? "it is of another version" : strerror(-err));
	spawn_give_up(err, &why, NULL);
}

/* The record, which nobody can change any more, and the program's part. */
static void prepare(const struct spawn_hello *hello, const int *fd)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	const size_t bytes = hello->bytes;
	void *record = NULL;
	struct ixgbe_why why = {.text = ""};
	struct stat stat;
	int err, seals;

	seals = fcntl(fd[0], F_GET_SEALS);
	if (seals < 0 || (seals & sealed) != sealed || fstat(fd[0], &stat) ||
	    (uint64_t)stat.st_size != bytes)
		spawn_give_up(-EPROTO, &(struct ixgbe_why){"the keeper's record is not sealed"},
			      NULL);
	if (bytes)
		record = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd[0], 0);
	if (record == MAP_FAILED)
		spawn_give_up(-ENOMEM, &(struct ixgbe_why){"no memory for the keeper's record"},
			      NULL);
	close(fd[0]);
	err = self.program->prepare(record, bytes, fd + SPAWN_HELLO_FDS, hello->fds, &why);
	if (err)
		spawn_give_up(err, &why, NULL);
	if (bytes)
		munmap(record, bytes);
}

/* From here on the keeper's death is this process's. Set now: a change of user takes it back. */
static void follow_keeper(int keeper)
{
	struct pollfd dead = {.fd = keeper, .events = POLLIN};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&dead, 1, 0) != 0)
		_exit(1);
	self.keeper = keeper;
}

/* ---- A driver ---- */

static int highest_file(int below)
{
	int fd = below;

	while (fd > 0 && fcntl(fd - 1, F_GETFD) < 0)
		fd--;
	return fd - 1;
}

/* The name in ps(1): that of the process, and the words it was started with, which have room for it
 * (spawner_exec.c). */
static void rename_self(void)
{
	char *from = self.words[0], *end = strchr(self.words[self.count - 1], '\0');
	char name[64];

	prctl(PR_SET_NAME, DRIVER_NAME);
	if (self.count != 3 || end - from < (ptrdiff_t)sizeof(DRIVER_NAME))
		return;
	snprintf(name, sizeof(name), "%s", self.words[2]);
	memset(from, 0, (size_t)(end - from));
	snprintf(stpcpy(from, DRIVER_NAME) + 1, (size_t)(end - from) - sizeof(DRIVER_NAME) + 1,
		 "%s", name);
}

/* As few descriptors as the program says it needs. */
static void limit_files(void)
{
	struct rlimit limit;

	if (self.isolation == ISOLATION_OFF || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = (rlim_t)highest_file((int)limit.rlim_cur) + 1 + self.program->files;
	if (limit.rlim_cur < limit.rlim_max)
		limit.rlim_max = limit.rlim_cur;
	else
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void become_driver(const int *fd, uint32_t fds)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self.pid)
		_exit(1);
	close(self.sock);
	close(self.keeper);
	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	rename_self();
	limit_files();
	self.program->run(fd, fds);
	_exit(1);
}

/* ---- The spawner ---- */

static void keeper_tell(const struct spawn_news *news, int pidfd)
{
	int err = spawn_send(self.sock, news, sizeof(*news), &pidfd, pidfd >= 0);

	/* Word of an end may be lost: the pidfd says as much. */
	if (err && news->kind == SPAWN_BORN)
		_exit(1);
}

static int child_place(pid_t pid)
{
	for (unsigned int i = 0; i < CHILDREN_MAX; i++)
		if (self.child[i].pid == pid)
			return (int)i;
	return -1;
}

/* A driver, or -errno. The child cannot be reaped before its pidfd is made, so it is this child's.
 */
static int make_driver(const int *fd, uint32_t fds, int *pidfd)
{
	const int place = child_place(0);
	pid_t pid;

	if (place < 0)
		return -EAGAIN;
	pid = fork();
	if (pid == 0)
		become_driver(fd, fds);
	if (pid < 0)
		return -errno;
	self.child[place].pid = pid;
	self.child[place].number = ++self.number;
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd < 0)
		_exit(1); /* a driver that nobody could end */
	return 0;
}

static void driver_ordered(const int *fd, uint32_t fds)
{
	struct spawn_news news = {.magic = SPAWN_MAGIC, .kind = SPAWN_BORN};
	int pidfd = -1;

	news.error = make_driver(fd, fds, &pidfd);
	news.number = self.number;
	spawn_close_all(fd, fds);
	keeper_tell(&news, pidfd);
	if (pidfd >= 0)
		close(pidfd);
}

static void linger_set(bool linger)
{
	struct pollfd dead = {.fd = self.keeper, .events = POLLIN};

	prctl(PR_SET_PDEATHSIG, linger ? 0 : SIGKILL);
	if (!linger && poll(&dead, 1, 0) != 0)
		_exit(1);
	self.linger = linger;
}

static bool order_valid(const struct spawn_order *order, ssize_t got, uint32_t fds)
{
	return got == sizeof(*order) && order->magic == SPAWN_MAGIC && order->fds == fds &&
	       order->kind <= SPAWN_ORDER_FOLLOW && (!fds || order->kind == SPAWN_ORDER_DRIVER);
}

static void take_order(void)
{
	int fd[SPAWN_FDS_MAX];
	struct spawn_order order;
	uint32_t fds;
	ssize_t got = spawn_receive(self.sock, &order, sizeof(order), fd, SPAWN_FDS_MAX, &fds,
				    MSG_DONTWAIT);

	if (got == -EAGAIN)
		return;
	if (!order_valid(&order, got, fds))
		_exit(1); /* the keeper is gone, or speaks nonsense */
	if (order.kind == SPAWN_ORDER_DRIVER)
		driver_ordered(fd, fds);
	else
		linger_set(order.kind == SPAWN_ORDER_LINGER);
}

static void children_reap(void)
{
	siginfo_t info;
	int place;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) || !info.si_pid)
			return;
		place = child_place(info.si_pid);
		if (place < 0)
			continue;
		keeper_tell(&(struct spawn_news){.magic = SPAWN_MAGIC,
						 .kind = SPAWN_ENDED,
						 .number = self.child[place].number,
						 .code = info.si_code,
						 .status = info.si_status},
			    -1);
		self.child[place].pid = 0;
	}
}

static void child_ended(int number)
{
	(void)number; /* it interrupts ppoll */
}

/* Waits for something to do; for the keeper's end only where that is not the end of all. */
static bool order_await(void)
{
	struct pollfd pfd[] = {
		{.fd = self.sock, .events = POLLIN},
		{.fd = self.linger && !self.end_ms ? self.keeper : -1, .events = POLLIN},
	};
	const int64_t left = self.end_ms - clock_ms();
	const struct timespec wait = {left / 1000, left % 1000 * 1000000};
	sigset_t none;

	if (self.end_ms && left <= 0)
		_exit(1); /* no keeper has come */
	sigemptyset(&none);
	if (ppoll(pfd, 2, self.end_ms ? &wait : NULL, &none) <= 0)
		return false;
	if (pfd[1].revents)
		self.end_ms = clock_ms() + SPAWN_LINGER_MS;
	return pfd[0].revents;
}

static _Noreturn void serve(void)
{
	for (;;) {
		bool ordered = order_await();

		children_reap();
		if (ordered)
			take_order();
	}
}

static void signals_set(void)
{
	const struct sigaction action = {.sa_handler = child_ended};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	sigaction(SIGCHLD, &action, NULL);
}

static struct isolation_want wanted(const struct spawn_hello *hello)
{
	const struct spawn_program *program = self.program;

	return (struct isolation_want){
		.mode = self.isolation,
		.user = hello->user,
		.pid_error = hello->pid_error,
		.user_namespace = hello->user_namespace,
		/* An order's descriptors, and a pidfd. */
		.files = (uint32_t)highest_file(FILES_LOOKED_AT) + 1 + SPAWN_FDS_MAX + 1 +
			 program->files,
		/* The last driver may be ending while the next one begins. */
		.tasks = 1 + 2 * program->tasks,
	};
}

/* What the keeper has sent is read without rights, and before the system calls for that go. */
static void isolate(const struct spawn_hello *hello, const int *fd, struct isolation_report *report)
{
	struct isolation_want want = wanted(hello);
	struct ixgbe_why why;
	int err;

	isolation_start(&want);
	prepare(hello, fd);
	want = wanted(hello);
	err = isolation_first(&want, report, &why);
	if (err)
		spawn_give_up(err, &why, report);
}

static bool started_by_keeper(void)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(SPAWN_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

int spawn_main(int argc, char **argv, const struct spawn_program *program)
{
	struct spawn_word word = {.stage = SPAWN_READY};
	int fd[SPAWN_WIRE_FDS_MAX];
	struct spawn_hello hello;

	if (argc < 1 || !started_by_keeper()) {
		fprintf(stderr, "ixtap-driver: ixtapd starts this program; see ixtap-driver(8)\n");
		return USAGE_STATUS;
	}
	prctl(PR_SET_NAME, "ixtap-spawn");
	fcntl(SPAWN_SOCKET, F_SETFD, FD_CLOEXEC);
	close_range(SPAWN_SOCKET + 1, UINT_MAX, 0);
	self = (struct spawn_self){.program = program,
				   .words = argv,
				   .count = argc,
				   .sock = SPAWN_SOCKET,
				   .pid = getpid()};
	take_hello(&hello, fd);
	self.isolation = hello.isolation;
	signals_set();
	isolate(&hello, fd, &word.report);
	follow_keeper(fd[1]);
	spawn_head_fill(&word.head, NULL);
	if (spawn_send(self.sock, &word, sizeof(word), NULL, 0))
		_exit(1);
	serve();
}

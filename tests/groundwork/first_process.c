/* SPDX-License-Identifier: MIT */
/*
 * How process 1 of a PID namespace ends: signals whose action is the default one do not reach it,
 * but for those that the kernel forces, and SIGKILL from outside.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"

#define ENDS_US  3000000
#define LIVES_US 300000

static void filter_personality(uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		fact_broken("a seccomp filter");
}

static void do_abort(void)
{
	abort();
}

static void do_raise_abort(void)
{
	raise(SIGABRT);
}

static void do_raise_term(void)
{
	raise(SIGTERM);
}

static void do_segv(void)
{
	*(volatile int *)mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

static void do_bus(void)
{
	int fd;
	volatile char *page = memory_new("bus", 4096, &fd);

	if (ftruncate(fd, 0) == 0)
		*page = 1;
}

static void do_sys_kill(void)
{
	filter_personality(SECCOMP_RET_KILL_PROCESS);
	syscall(SYS_personality, 0xffffffff);
}

static void do_sys_trap(void)
{
	filter_personality(SECCOMP_RET_TRAP);
	syscall(SYS_personality, 0xffffffff);
}

static void do_exit_group(void)
{
	_exit(7);
}

static const struct way {
	const char *what;
	void (*act)(void);
	int signal;  /* 0: exits by itself, -1: lives on */
	int another; /* may end so, too */
} ways[] = {
	{"raise(SIGTERM)", do_raise_term, -1, -1},
	{"raise(SIGABRT)", do_raise_abort, -1, -1},
	{"abort()", do_abort, SIGSEGV, SIGABRT},
	{"a write to a page without access", do_segv, SIGSEGV, SIGSEGV},
	{"a write behind a file's end", do_bus, SIGBUS, SIGBUS},
	{"seccomp's KILL_PROCESS", do_sys_kill, SIGSYS, SIGSYS},
	{"seccomp's TRAP without a handler", do_sys_trap, SIGSYS, SIGSYS},
	{"_exit(7)", do_exit_group, 0, 0},
};

/* What the first process does; NULL: waits. */
struct first {
	const struct way *way;
};

static void play_first(int sock, void *arg)
{
	const struct first *first = arg;
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	message_send(sock, getpid(), NULL, 0);
	if (first->way)
		first->way->act();
	wait_for_death();
}

/* Starts process 1 of a new PID namespace. */
static void first_start(struct actor *actor, void (*play)(int sock, void *arg), void *arg)
{
	const int home = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (unshare(CLONE_NEWPID) < 0)
		fact_broken("a PID namespace");
	actor_start(actor, play, arg);
	if (setns(home, CLONE_NEWPID) < 0)
		fact_broken("our PID namespace");
	close(home);
	if (actor_says(actor) != 1)
		fact_broken("being process 1");
}

static const char *how(bool dead, int status)
{
	static char text[64];

	if (!dead)
		return "lives on";
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "ends by %s", strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof(text), "ends with status %d", WEXITSTATUS(status));
	return text;
}

static void by_itself(const struct way *way)
{
	struct first first = {.way = way};
	struct actor actor;
	bool dead;
	int status;

	first_start(&actor, play_first, &first);
	dead = actor_dead(&actor, way->signal < 0 ? LIVES_US : ENDS_US);
	if (!dead)
		actor_kill(&actor);
	status = actor_end(&actor);
	if (way->signal < 0)
		fact(!dead, "process 1 after %s: %s", way->what, how(dead, status));
	else if (way->signal == 0)
		fact(dead && WIFEXITED(status), "process 1 after %s: %s", way->what,
		     how(dead, status));
	else
		fact(dead && WIFSIGNALED(status) &&
			     (WTERMSIG(status) == way->signal || WTERMSIG(status) == way->another),
		     "process 1 after %s: %s", way->what, how(dead, status));
}

static void from_outside(int number, bool ends)
{
	struct first first = {.way = NULL};
	struct actor actor;
	bool dead;
	int status;

	first_start(&actor, play_first, &first);
	kill(actor.pid, number);
	dead = actor_dead(&actor, ends ? ENDS_US : LIVES_US);
	if (!dead)
		actor_kill(&actor);
	status = actor_end(&actor);
	fact(dead == ends, "process 1 after %s from outside: %s", strsignal(number),
	     how(dead, status));
}

/* ---- The death of its parent ---- */

static void play_parent(int sock, void *arg)
{
	struct first first = {.way = NULL};
	struct actor child;

	(void)arg;
	first_start(&child, play_first, &first);
	message_send(sock, 0, &child.pidfd, 1);
	wait_for_death();
}

static void orphaned(void)
{
	struct actor parent, child = {.pid = 0};
	bool dead;

	actor_start(&parent, play_parent, NULL);
	message_take(parent.sock, &child.pidfd, 1);
	actor_kill(&parent);
	actor_end(&parent);
	dead = actor_dead(&child, ENDS_US);
	fact(dead, "process 1 with PDEATHSIG SIGKILL, its parent in the outer namespace killed: %s",
	     dead ? "ends" : "lives on");
	close(child.pidfd);
}

static void *forks_and_ends(void *arg)
{
	struct actor *child = arg;

	actor_start(child, play_first, &(struct first){.way = NULL});
	actor_says(child);
	return NULL;
}

static void forking_thread_ends(void)
{
	struct actor child;
	pthread_t thread;
	bool dead;

	errno = pthread_create(&thread, NULL, forks_and_ends, &child);
	if (errno || pthread_join(thread, NULL))
		fact_broken("a thread");
	dead = actor_dead(&child, ENDS_US);
	fact(dead, "a process with PDEATHSIG SIGKILL when the thread that forked it ends: %s",
	     dead ? "ends, though its parent lives" : "lives on");
	if (!dead)
		actor_kill(&child);
	actor_end(&child);
}

/* ---- Who makes them ---- */

/* What a spawner in a PID namespace says: fork's error, or 0. */
static int fork_once(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	waitpid(pid, NULL, 0);
	return 0;
}

/* Stays in the outer namespace; its children are in the new one. */
static void play_spawner_outside(int sock, void *arg)
{
	const int home = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)arg;
	if (unshare(CLONE_NEWPID) < 0)
		fact_broken("a PID namespace");
	say_and_wait(sock, fork_once());
	say_and_wait(sock, fork_once());
	say_and_wait(sock, unshare(CLONE_NEWPID) < 0 ? -errno : 0);
	if (setns(home, CLONE_NEWPID) < 0 || unshare(CLONE_NEWPID) < 0)
		say_and_wait(sock, -errno);
	else
		say_and_wait(sock, fork_once());
}

static void spawner_outside(void)
{
	struct actor spawner;
	int64_t once, twice, anew, back;

	actor_start(&spawner, play_spawner_outside, NULL);
	once = actor_says(&spawner);
	twice = actor_next(&spawner);
	anew = actor_next(&spawner);
	back = actor_next(&spawner);
	fact(once == 0 && twice == -ENOMEM,
	     "a spawner outside the namespace forks process 1: %s; after its death no "
	     "other: %s",
	     strerror((int)-once), strerror((int)-twice));
	fact(anew == -EINVAL && back == 0,
	     "it makes no second namespace: %s; as root, back in its own, it does: %s",
	     strerror((int)-anew), strerror((int)-back));
	actor_kill(&spawner);
	actor_end(&spawner);
}

/* Is process 1; its children are the drivers. */
static void play_spawner_inside(int sock, void *arg)
{
	struct actor driver;
	pid_t pid;
	int status;

	(void)arg;
	message_send(sock, getpid(), NULL, 0);
	pid = fork();
	if (pid == 0)
		abort();
	waitpid(pid, &status, 0);
	say_and_wait(sock, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	pid = fork();
	if (pid == 0)
		wait_for_death();
	driver.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	message_send(sock, 0, &driver.pidfd, 1);
	wait_for_death();
}

static void spawner_inside(void)
{
	struct actor spawner, driver = {.pid = 0};
	int64_t number;
	bool dead;

	first_start(&spawner, play_spawner_inside, NULL);
	number = actor_says(&spawner);
	fact(number == SIGABRT, "a child of process 1 after abort(): ends by signal %lld",
	     (long long)number);
	actor_go(&spawner);
	message_take(spawner.sock, &driver.pidfd, 1);
	fact(!actor_dead(&driver, 0), "a pidfd made inside the namespace is of use outside");
	actor_kill(&spawner);
	dead = actor_dead(&driver, 0);
	fact(dead, "when the pidfd of process 1 says that it is dead, its children %s",
	     dead ? "are, too" : "are not");
	actor_end(&spawner);
	close(driver.pidfd);
}

void facts_first_process(void)
{
	if (geteuid() != 0) {
		fact_skip("process 1 of a PID namespace # SKIP needs root");
		return;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		by_itself(&ways[i]);
	from_outside(SIGTERM, false);
	from_outside(SIGSEGV, false);
	from_outside(SIGKILL, true);
	orphaned();
	forking_thread_ends();
	spawner_outside();
	spawner_inside();
}

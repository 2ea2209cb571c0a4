/* SPDX-License-Identifier: MIT */
/*
 * What an exec keeps: no_new_privs, a seccomp filter, a landlock domain, an ambient capability; and
 * which files can be executed then, and what landlock did not know at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"

#define NOBODY      65534u
#define MARK        ENOTTY /* what our filter lets personality() say */
#define PATH_BYTES  64
#define SAID_KEPT   0x01
#define SAID_NNP    0x02
#define SAID_FILTER 0x04
#define SAID_DOMAIN 0x08
#define SAID_PDEATH 0x10

/* ---- What confines ---- */

static void filter_set(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | MARK),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		fact_broken("a seccomp filter");
}

static int domain_new(uint64_t handled)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs = handled};

	return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static void domain_allow(int domain, int file, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = {.allowed_access = access,
							.parent_fd = file};

	if (syscall(SYS_landlock_add_rule, domain, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		fact_broken("a rule of landlock");
}

static void domain_allow_path(int domain, const char *path, uint64_t access)
{
	int file = open(path, O_PATH | O_CLOEXEC);

	if (file < 0)
		return;
	domain_allow(domain, file, access);
	close(file);
}

static void domain_enter(int domain)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, domain, 0))
		fact_broken("a domain of landlock");
	close(domain);
}

static void become_user_with(uint32_t capability)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	data[0].permitted = data[0].effective = data[0].inheritable = 1u << capability;
	prctl(PR_SET_KEEPCAPS, 1);
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ||
	    syscall(SYS_capset, &head, data) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))
		fact_broken("an ambient capability");
}

/* ---- What is found afterwards ---- */

static uint64_t status_field(const char *name, int base)
{
	char line[256];
	uint64_t value = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

int after_exec_rights(char **words)
{
	const int sock = (int)strtol(words[0], NULL, 10);
	const uint64_t wanted = 1u << CAP_NET_ADMIN;
	int64_t found = 0;
	int signal_number = 0, fd;

	if (status_field("CapEff", 16) == wanted && status_field("CapPrm", 16) == wanted &&
	    status_field("CapAmb", 16) == wanted)
		found |= SAID_KEPT;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		found |= SAID_NNP;
	if (personality(0xffffffff) < 0 && errno == MARK && status_field("Seccomp", 10) == 2)
		found |= SAID_FILTER;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		found |= SAID_DOMAIN;
	prctl(PR_GET_PDEATHSIG, &signal_number);
	if (signal_number == SIGKILL)
		found |= SAID_PDEATH;
	message_send(sock, found, NULL, 0);
	return 0;
}

/* ---- Executing, one way or another ---- */

struct attempt {
	const char *what;
	void (*confine)(struct attempt *attempt);
	bool by_path;
	bool wanted; /* that it executes */
	int program; /* a descriptor of the same */
	char path[PATH_BYTES];
};

static void execute(const struct attempt *attempt, int sock)
{
	char word[16], name[] = "groundwork", part[] = "after-exec-rights";
	char *const words[] = {name, part, word, NULL};
	char *const environment[] = {NULL};

	snprintf(word, sizeof(word), "%d", sock);
	if (attempt->by_path)
		execve(attempt->path, words, environment);
	else
		syscall(SYS_execveat, attempt->program, "", words, environment, AT_EMPTY_PATH);
}

static void play_attempt(int sock, void *arg)
{
	struct attempt *attempt = arg;

	attempt->confine(attempt);
	execute(attempt, sock);
	message_send(sock, -errno, NULL, 0);
}

static int64_t attempted(struct attempt *attempt)
{
	struct actor actor;
	int64_t said;

	actor_start(&actor, play_attempt, attempt);
	said = actor_says(&actor);
	actor_dead(&actor, 1000000);
	actor_end(&actor);
	return said;
}

static void confine_fully(struct attempt *attempt)
{
	int domain = domain_new(LANDLOCK_ACCESS_FS_WRITE_FILE);

	(void)attempt;
	become_user_with(CAP_NET_ADMIN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	domain_enter(domain);
	filter_set();
}

static void confine_user_later(struct attempt *attempt)
{
	(void)attempt;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	become_user_with(CAP_NET_ADMIN);
}

static int copy_to(int to)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat stat;

	if (from < 0 || to < 0 || fstat(from, &stat) < 0 ||
	    sendfile(to, from, NULL, (size_t)stat.st_size) != stat.st_size)
		fact_broken("a copy of this program");
	close(from);
	return to;
}

/* A copy of this program that is executable; leaves a descriptor that cannot be written. */
static void copy_program(struct attempt *attempt)
{
	snprintf(attempt->path, sizeof(attempt->path), "/tmp/groundwork-%d", getpid());
	close(copy_to(open(attempt->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755)));
	attempt->program = open(attempt->path, O_RDONLY | O_CLOEXEC);
}

/* Programs are executed only where a rule is. */
static int execution_domain(void)
{
	int domain = domain_new(LANDLOCK_ACCESS_FS_EXECUTE);

	/* The dynamic loader is executed, too. */
	domain_allow_path(domain, "/lib64/ld-linux-x86-64.so.2", LANDLOCK_ACCESS_FS_EXECUTE);
	return domain;
}

static void confine_execution(struct attempt *attempt)
{
	(void)attempt;
	domain_enter(execution_domain());
}

static void confine_to_file(struct attempt *attempt)
{
	int domain = execution_domain();

	domain_allow(domain, attempt->program, LANDLOCK_ACCESS_FS_EXECUTE);
	domain_enter(domain);
}

static void confine_to_file_deleted(struct attempt *attempt)
{
	int domain = execution_domain();

	unlink(attempt->path);
	domain_allow(domain, attempt->program, LANDLOCK_ACCESS_FS_EXECUTE);
	domain_enter(domain);
}

static void confine_to_file_then_delete(struct attempt *attempt)
{
	confine_to_file(attempt);
	unlink(attempt->path);
}

static void confine_to_file_then_replace(struct attempt *attempt)
{
	confine_to_file(attempt);
	unlink(attempt->path);
	close(copy_to(open(attempt->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755)));
}

static void confine_in_memory(struct attempt *attempt)
{
	attempt->program = copy_to(memfd_create("groundwork", MFD_CLOEXEC));
	domain_enter(execution_domain());
}

static void confine_in_memory_alone(struct attempt *attempt)
{
	attempt->program = copy_to(memfd_create("groundwork", MFD_CLOEXEC));
	domain_enter(domain_new(LANDLOCK_ACCESS_FS_EXECUTE));
}

static void attempt_all(void)
{
	struct attempt attempts[] = {
		{"the path of a program without a rule", confine_execution, .by_path = true},
		{"a descriptor, opened before, of a program without a rule", confine_execution},
		{"a descriptor of a program with a rule of its own", confine_to_file,
		 .wanted = true},
		{"that, the file deleted after the rule", confine_to_file_then_delete,
		 .wanted = true},
		{"that, the file deleted before the rule", confine_to_file_deleted, .wanted = true},
		{"that, another file at its path", confine_to_file_then_replace, .wanted = true},
		{"the path, another file there", confine_to_file_then_replace, .by_path = true},
		{"a memfd with the program, without a rule", confine_in_memory, .wanted = true},
		{"that, without a rule for the dynamic loader", confine_in_memory_alone},
	};

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		struct attempt *attempt = &attempts[i];
		int64_t said;

		copy_program(attempt);
		said = attempted(attempt);
		fact((said >= 0) == attempt->wanted, "under landlock's EXECUTE: %s: %s",
		     attempt->what, said >= 0 ? "executed" : strerror((int)-said));
		unlink(attempt->path);
		close(attempt->program);
	}
}

/* ---- What landlock did not know at first ---- */

#define OPENED           0x01
#define TRUNCATED        0x02
#define OPENED_TRUNCATED 0x04

static void play_truncation(int sock, void *arg)
{
	const uint64_t first = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* all of ABI 1 */
	const uint64_t reads = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
			       LANDLOCK_ACCESS_FS_READ_DIR;
	const char *path = arg;
	int64_t done = 0;

	domain_enter(domain_new(first & ~reads));
	if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
		done |= OPENED;
	if (!truncate(path, 1))
		done |= TRUNCATED;
	if (open(path, O_RDONLY | O_TRUNC | O_CLOEXEC) >= 0)
		done |= OPENED_TRUNCATED;
	message_send(sock, done, NULL, 0);
}

static void truncation(void)
{
	char path[] = "/tmp/groundwork-XXXXXX";
	int file = mkstemp(path);
	struct actor actor;
	int64_t done;

	if (file < 0)
		fact_broken("a file in /tmp");
	actor_start(&actor, play_truncation, path);
	done = actor_says(&actor);
	fact(!(done & OPENED),
	     "a domain of landlock's first ABI lets no file be opened for writing");
	fact(done & TRUNCATED && done & OPENED_TRUNCATED,
	     "it lets one be truncated, by truncate and by O_RDONLY | O_TRUNC: %lld",
	     (long long)done);
	actor_dead(&actor, 1000000);
	actor_end(&actor);
	unlink(path);
	close(file);
}

/* ---- User namespaces ---- */

static void play_user_namespace(int sock, void *arg)
{
	int file, err = 0;

	(void)arg;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		fact_broken("becoming a user");
	prctl(PR_SET_DUMPABLE, 1); /* or /proc/self is root's */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC |
		    CLONE_NEWUTS) < 0)
		err = -errno;
	file = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (!err && write(file, "65534 65534 1", 13) < 0)
		err = -errno;
	message_send(sock, err, NULL, 0);
}

static void user_namespace(void)
{
	struct actor actor;
	int64_t err;

	actor_start(&actor, play_user_namespace, NULL);
	err = actor_says(&actor);
	fact(err == 0 || err == -EPERM || err == -ENOSPC,
	     "a user without capabilities, under no_new_privs, makes all namespaces: %s",
	     strerror((int)-err));
	actor_dead(&actor, 1000000);
	actor_end(&actor);
}

void facts_kept_rights(void)
{
	struct attempt self = {.confine = confine_fully, .by_path = true, .path = "/proc/self/exe"};
	int64_t said;

	if (geteuid() != 0) {
		fact_skip("what an exec keeps # SKIP needs root");
		return;
	}
	if (domain_new(LANDLOCK_ACCESS_FS_EXECUTE) < 0) {
		fact_skip("what an exec keeps # SKIP no landlock: %s", strerror(errno));
		return;
	}
	said = attempted(&self);
	fact(said >= 0 && (said & SAID_KEPT),
	     "an ambient CAP_NET_ADMIN survives exec under no_new_privs, and is all there is: %lld",
	     (long long)said);
	fact(said >= 0 && (said & SAID_NNP), "no_new_privs survives exec");
	fact(said >= 0 && (said & SAID_FILTER), "the seccomp filter survives exec");
	fact(said >= 0 && (said & SAID_DOMAIN), "the landlock domain survives exec");
	fact(said >= 0 && (said & SAID_PDEATH),
	     "PDEATHSIG, set after the change of user, survives exec");
	self.confine = confine_user_later;
	said = attempted(&self);
	fact(said >= 0 && !(said & SAID_PDEATH),
	     "PDEATHSIG, set before the change of user, is lost");
	attempt_all();
	truncation();
	user_namespace();
}

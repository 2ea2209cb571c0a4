/* SPDX-License-Identifier: MIT */
/* What a driver has, and what it is denied. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/spawn/free_user.h"
#include "bridge/spawn/isolation_rights.h"
#include "spawn_rig.h"

#define SKIPPED 77

static bool isolated(void)
{
	return rig_isolation != ISOLATION_OFF;
}

/* What a user's namespaces are made with. Not to be had in a chroot, nor where a setting says so.
 */
static bool user_namespace_had(void)
{
	int status = 0;
	pid_t pid;

	if (!isolated() || !geteuid())
		return true;
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) ? SKIPPED : 0);
	return waitpid(pid, &status, 0) == pid && !status;
}

static void show(const struct isolation_report *report)
{
	static const char *const words[] = {"missing", "in force", "unused", "later"};

	for (unsigned int i = 0; i < ISOLATION_COUNT; i++)
		print_message("# %-18s %-8s %s\n", isolation_name(i), words[report->of[i].state],
			      report->of[i].text);
}

/* As root all is in force; as a user all but a user of its own. */
static enum isolation_state expected(enum isolation_mechanism mechanism, bool last)
{
	if (!isolated())
		return ISOLATION_UNUSED;
	if (mechanism == ISOLATION_SECCOMP_LAST && !last)
		return ISOLATION_LATER;
	if (mechanism == ISOLATION_USER && geteuid())
		return ISOLATION_MISSING;
	if (mechanism == ISOLATION_USER_NAMESPACE && !geteuid())
		return ISOLATION_UNUSED;
	return ISOLATION_IN_FORCE;
}

static void judge(const struct isolation_report *report, bool last)
{
	show(report);
	assert_true(isolation_report_valid(report));
	for (unsigned int i = 0; i < ISOLATION_COUNT; i++) {
		assert_int_equal(report->of[i].state, expected(i, last));
		if (report->of[i].state == ISOLATION_MISSING)
			assert_true(report->of[i].text[0]);
	}
}

static void test_report(void **state)
{
	const struct puppet_record record = {.last = true};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;

	(void)state;
	start(&spawner, &record);
	judge(&spawner.report, false);
	order(&spawner, &driver);
	assert_int_equal(ask(&driver, DEED_REPORT, &answer), 0);
	judge(&answer.report, true);
	spawner_stop(&spawner);
	driver_end(&driver);
}

/* ---- Deeds ---- */

static void do_deed(bool last, enum deed deed)
{
	const struct puppet_record record = {.last = last};
	static struct puppet_answer answer;
	const bool killed = last ? deed > DEED_HARMLESS : deed >= DEED_SOCKET;
	struct spawner spawner;
	struct driver driver;
	struct spawn_end end;

	start(&spawner, &record);
	order(&spawner, &driver);
	if (killed) {
		tell(&driver, deed);
		driver_ended(&spawner, &driver, &end);
		if (end.code != CLD_KILLED || end.status != SIGSYS)
			print_message("# deed %d: code %d, status %d\n", deed, end.code,
				      end.status);
		assert_int_equal(end.code, CLD_KILLED);
		assert_int_equal(end.status, SIGSYS);
	} else {
		ask(&driver, deed, &answer);
		if (deed == DEED_OPEN)
			assert_int_equal(answer.value, -ENOENT);
		else
			assert_true(answer.value >= 0);
	}
	spawner_stop(&spawner);
	if (!killed)
		driver_end(&driver);
}

static void test_deeds(void **state)
{
	(void)state;
	for (int last = 0; last < 2; last++)
		for (enum deed deed = DEED_HARMLESS + 1; deed < DEED_COUNT; deed++)
			do_deed(last, deed);
}

static void test_work(void **state)
{
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;

	(void)state;
	for (unsigned int last = 0; last < 2; last++) {
		const struct puppet_record record = {.last = last};

		start(&spawner, &record);
		order(&spawner, &driver);
		assert_int_equal(ask(&driver, DEED_WORK, &answer), 0);
		assert_int_equal(ask(&driver, DEED_WORK, &answer), 0);
		spawner_stop(&spawner);
		driver_end(&driver);
	}
}

/* ---- Seen from outside ---- */

/* Whether the line NAME of /proc/PID/status has these words. */
static void status_is(const char *status, const char *name, const char *words)
{
	char line[128];

	snprintf(line, sizeof(line), "\n%s:\t%s\n", name, words);
	if (!strstr(status, line))
		print_message("# no '%s: %s' in\n%s\n", name, words, status);
	assert_non_null(strstr(status, line));
}

static void judge_status(pid_t pid)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd",
					   "CapAmb", "SigBlk", "SigIgn"};
	char status[4096];

	file_of(pid, "status", status, sizeof(status));
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		status_is(status, sets[i], "0000000000000000");
#ifndef __SANITIZE_ADDRESS__
	/* Signals 32 and 33 are libc's, of each process with threads. */
	assert_int_equal(strtoull(strstr(status, "SigCgt:") + strlen("SigCgt:"), NULL, 16) &
				 ~0x180000000ull,
			 0);
#endif
	status_is(status, "Groups", " ");
	status_is(status, "NoNewPrivs", "1");
	status_is(status, "Seccomp", "2");
	status_is(status, "Seccomp_filters", "2");
	status_is(status, "Threads", "2");
}

static void judge_namespaces(pid_t pid)
{
	static const char *const names[] = {"pid", "net", "mnt", "ipc", "uts", "cgroup"};
	char path[64], own[64], other[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(own, 0, sizeof(own));
		memset(other, 0, sizeof(other));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		assert_true(readlink(path, own, sizeof(own) - 1) > 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		assert_true(readlink(path, other, sizeof(other) - 1) > 0);
		assert_string_not_equal(own, other);
	}
}

static void judge_root(pid_t pid)
{
	char path[64], mounts[4096];
	struct statvfs fs;
	unsigned int count = 0;
	DIR *all;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	assert_int_equal(statvfs(path, &fs), 0);
	assert_true(fs.f_flag & ST_RDONLY);
	all = opendir(path);
	assert_non_null(all);
	while (readdir(all))
		count++;
	closedir(all);
	assert_int_equal(count, 2);
	file_of(pid, "mounts", mounts, sizeof(mounts));
	assert_ptr_equal(strchr(mounts, '\n'), mounts + strlen(mounts) - 1); /* one line */
}

static void judge_limit(const char *limits, const char *name, unsigned long least,
			unsigned long most)
{
	const char *at = strstr(limits, name);
	unsigned long soft, hard;

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(name), "%lu %lu", &soft, &hard), 2);
	assert_int_equal(soft, hard);
	assert_in_range(soft, least, most);
}

static void judge_limits(pid_t pid)
{
	char limits[4096];

	file_of(pid, "limits", limits, sizeof(limits));
	judge_limit(limits, "Max core file size", 0, 0);
	judge_limit(limits, "Max file size", 0, 0);
	judge_limit(limits, "Max msgqueue size", 0, 0);
	judge_limit(limits, "Max processes", 2, 2000);
	judge_limit(limits, "Max open files", 4, 300);
}

static void test_outside(void **state)
{
	const struct puppet_record record = {.last = true};
	static struct puppet_answer answer;
	const int inherited = dup(STDERR_FILENO); /* without close on exec */
	struct spawner spawner;
	struct driver driver;
	char text[64];

	(void)state;
	start(&spawner, &record);
	close(inherited);
	order(&spawner, &driver);
	ask(&driver, DEED_REPORT, &answer);
	/* A terminal's Ctrl-C is for the keeper. */
	assert_int_not_equal(getpgid(driver.process.pid), getpgid(0));
	judge_status(driver.process.pid);
	judge_limits(driver.process.pid);
	if (geteuid() == 0) { /* nobody else may look: it is not dumpable */
		judge_namespaces(driver.process.pid);
		judge_root(driver.process.pid);
		file_of(driver.process.pid, "environ", text, sizeof(text));
		assert_string_equal(text, "");
		/* ".", "..", three of /dev/null, its socket, a ring, an eventfd */
		assert_int_equal(files_of(driver.process.pid), 8);
	}
	spawner_stop(&spawner);
	driver_end(&driver);
}

/* ---- Users ---- */

static unsigned int user_of(const struct spawner *spawner)
{
	unsigned int user = 0;

	assert_int_equal(
		sscanf(spawner->report.of[ISOLATION_USER].text, "user and group %u", &user), 1);
	return user;
}

static void test_users(void **state)
{
	const struct puppet_record record = {.last = true};
	struct spawner first, second;
	struct ixgbe_why why;

	(void)state;
	if (geteuid()) { /* what cannot be had is not required in vain */
		rig_isolation = ISOLATION_REQUIRE;
		assert_int_equal(start_as(rig_program, &record, NULL, 0, &first, &why), -EPERM);
		assert_non_null(strstr(why.text, "it takes root"));
		rig_isolation = ISOLATION_BEST;
		return;
	}
	start(&first, &record);
	start(&second, &record);
	assert_in_range(user_of(&first), ISOLATION_USER_FIRST, ISOLATION_USER_LAST);
	assert_in_range(user_of(&second), ISOLATION_USER_FIRST, ISOLATION_USER_LAST);
	assert_int_not_equal(user_of(&first), user_of(&second)); /* of the same name */
	spawner_stop(&second);
	spawner_stop(&first);
}

/* Writes which user the interface gets in a PID namespace of its own, and keeps the namespace. */
static _Noreturn void in_container(int out)
{
	struct ixgbe_why why;
	uid_t user = 0;
	int status;

	if (unshare(CLONE_NEWPID))
		_exit(1);
	if (fork() == 0)
		_exit(free_user("tap0", &user, &why) ||
		      write(out, &user, sizeof(user)) != sizeof(user));
	if (wait(&status) > 0 && status == 0)
		pause();
	_exit(1);
}

/* The same interface in two containers: neither sees the other's processes. */
static void test_users_of_containers(void **state)
{
	uid_t user[2];
	pid_t pid[2];
	int ends[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			in_container(ends[1]);
		close(ends[1]); /* one that fails says nothing, and is heard of so */
		assert_int_equal(read(ends[0], &user[i], sizeof(*user)), sizeof(*user));
		close(ends[0]);
		assert_in_range(user[i], ISOLATION_USER_FIRST, ISOLATION_USER_LAST);
	}
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	assert_int_not_equal(user[0], user[1]);
}

/* ---- Where little can be had ---- */

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		_exit(SKIPPED);
	close(fd);
}

/* A user without capabilities, where no namespace can be made. */
static void lose_all(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if ((!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			    setresuid(NOBODY, NOBODY, NOBODY))) ||
	    prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER))
		_exit(SKIPPED);
	write_word("/proc/self/setgroups", "deny");
	write_word("/proc/self/uid_map", "65534 65534 1");
	write_word("/proc/self/gid_map", "65534 65534 1");
	write_word("/proc/sys/user/max_user_namespaces", "0");
	if (syscall(SYS_capset, &head, none))
		_exit(SKIPPED);
}

static void with_little(void)
{
	static const enum isolation_mechanism had[] = {ISOLATION_NO_NEW_PRIVS, ISOLATION_LANDLOCK,
						       ISOLATION_DUMPABLE, ISOLATION_SECCOMP};
	const struct puppet_record record = {.last = true};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;

	lose_all();
	start(&spawner, &record);
	show(&spawner.report);
	for (unsigned int i = 0; i < ISOLATION_COUNT; i++) {
		enum isolation_state state =
			i == ISOLATION_SECCOMP_LAST ? ISOLATION_LATER : ISOLATION_MISSING;

		for (size_t j = 0; j < sizeof(had) / sizeof(had[0]); j++)
			if (had[j] == i)
				state = ISOLATION_IN_FORCE;
		assert_int_equal(spawner.report.of[i].state, state);
		assert_true(state == ISOLATION_IN_FORCE || spawner.report.of[i].text[0]);
	}
	order(&spawner, &driver);
	assert_int_equal(ask(&driver, DEED_WORK, &answer), 0);
	/* Not the PID namespace's end, but PDEATHSIG. */
	spawner_stop(&spawner);
	driver_end(&driver);
	_exit(0);
}

static void test_little(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		rig_isolation = ISOLATION_BEST;
		with_little();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		print_message("# not to be had here\n");
		return;
	}
	assert_int_equal(status, 0);
}

/* ---- landlock by itself ---- */

/* What the other mechanisms deny, too. */
static void landlocked(int stranger, const struct sockaddr_un *address, socklen_t len)
{
	struct isolation_report report = {0};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	isolation_landlock(&report);
	if (report.of[ISOLATION_LANDLOCK].state != ISOLATION_IN_FORCE)
		_exit(SKIPPED);
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		_exit(1);
	if (strcmp(report.of[ISOLATION_LANDLOCK].text, "ABI 6") != 0)
		_exit(0);
	if (connect(sock, (const struct sockaddr *)address, len) == 0 || errno != EPERM)
		_exit(2);
	if (kill(stranger, 0) == 0 || errno != EPERM)
		_exit(3);
	_exit(0);
}

static void test_landlock(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const socklen_t len = sizeof(address);
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	const pid_t stranger = getpid();
	pid_t pid;

	(void)state;
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "test-isolation-%d", stranger);
	assert_int_equal(bind(sock, (const struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(sock, 1), 0);
	pid = fork();
	if (pid == 0)
		landlocked(stranger, &address, len);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(sock);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		print_message("# not to be had here\n");
		return;
	}
	assert_int_equal(status, 0);
}

/* Those that make sense here; why the others do not is said. */
static int run(void)
{
	const char *const off = isolated() ? NULL : "there is no isolation to look at";
	const char *const user = geteuid() ? "needs root" : NULL;
	const char *const lone = user_namespace_had() ? NULL : "no user namespace is to be had";
	const struct {
		struct CMUnitTest test;
		const char *why[2];
	} all[] = {
		{cmocka_unit_test(test_report), {lone}},
		{cmocka_unit_test(test_deeds), {off}},
		{cmocka_unit_test(test_work), {NULL}},
		{cmocka_unit_test(test_outside), {off, lone}},
		{cmocka_unit_test(test_users), {off}},
		{cmocka_unit_test(test_users_of_containers), {user}},
		{cmocka_unit_test(test_little), {off}},
		{cmocka_unit_test(test_landlock), {NULL}},
	};
	struct CMUnitTest tests[sizeof(all) / sizeof(all[0])];
	size_t count = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *why = all[i].why[0] ? all[i].why[0] : all[i].why[1];

		if (why)
			print_error("# without %s: %s\n", all[i].test.name, why);
		else
			tests[count++] = all[i].test;
	}
	return _cmocka_run_group_tests("isolation", tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
	int status = rig_options(argc, argv);

	if (status)
		return status < 0 ? 0 : status;
	return run();
}

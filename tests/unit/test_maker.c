/* SPDX-License-Identifier: MIT */
/* The process that makes others for a keeper, and a keeper that is hostile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/making/maker_wire.h"
#include "bridge/making/trusted_program.h"
#include "spawn_rig.h"

#define KERNEL_FDS_MAX 253
#define CHILDREN_MOST  8

static char folder[] = "/tmp/test-maker-XXXXXX";
static char control[64];

static int maker_try(struct maker *maker)
{
	const struct maker_config config = {
		.isolation = ISOLATION_BEST,
		.user = ISOLATION_USER_FREE,
		.name = "tap-test",
		.control = control,
		.driver = rig_program,
		.nic = "/bin/cat",
		.words = {.wire = "tap:w", .control = "/nowhere/nic", .log_level = "info"},
	};
	struct ixgbe_why why = {""};

	return maker_start(maker, &config, &why);
}

static void maker_begin(struct maker *maker)
{
	assert_int_equal(maker_try(maker), 0);
	assert_true(maker_there(maker));
}

static int spawner_from(struct maker *maker, struct spawner *spawner)
{
	const struct puppet_record record = {.prepare = PREPARE_WELL};
	const struct spawn_config config = {.record = spawner_record_new(&record, sizeof(record)),
					    .bytes = sizeof(record)};
	struct ixgbe_why why = {""};
	int err;

	assert_true(config.record >= 0);
	err = maker_spawner_start(maker, spawner, &config, &why);
	close(config.record);
	return err;
}

/* A driver comes, and ends. */
static void drives(struct spawner *spawner)
{
	struct driver driver;

	order(spawner, &driver);
	assert_int_equal(kill(driver.process.pid, SIGKILL), 0);
	driver_end(&driver);
}

static void test_makes(void **state)
{
	struct nic_process nic;
	struct spawner spawner;
	struct spawn_end end;
	struct maker maker;
	struct ixgbe_why why;
	unsigned int files;

	(void)state;
	maker_begin(&maker);
	files = files_of(maker.pid);
	assert_int_equal(spawner_from(&maker, &spawner), 0);
	drives(&spawner);
	maker_spawner_stop(&maker, &spawner);
	assert_int_equal(spawner.pid, 0);
	assert_int_equal(maker_nic_start(&maker, "", &(struct nic_words){0}, &nic, &why), 0);
	maker_signal(&maker, nic.pidfd, SIGKILL);
	wait_readable(nic.pidfd);
	assert_true(maker_end(&maker, nic.pidfd, false, &end));
	assert_true(maker_end(&maker, nic.pidfd, true, &end));
	assert_false(maker_end(&maker, nic.pidfd, false, &end));
	spawn_close_all((const int[]){nic.pidfd, nic.socket, nic.ready, nic.output}, 4);
	assert_int_equal(files_of(maker.pid), files);
	maker_close(&maker);
	assert_false(maker_there(&maker));
}

/* What it makes dies with it, and it with the socket. */
static void test_ends(void **state)
{
	struct spawner spawner;
	struct driver driver;
	struct maker maker;

	(void)state;
	maker_begin(&maker);
	assert_int_equal(spawner_from(&maker, &spawner), 0);
	order(&spawner, &driver);
	close(maker.sock);
	wait_readable(maker.pidfd);
	wait_readable(spawner.pidfd);
	driver_end(&driver);
	spawner_stop(&spawner);
	waitid(P_PID, (id_t)maker.pid, NULL, WEXITED);
	close(maker.pidfd);
}

/* One that lingers lives on, and the keeper of the next maker ends it. */
static void test_leaves_who_lingers(void **state)
{
	static struct puppet_answer answer;
	struct maker maker, next_maker;
	struct driver driver, next;
	struct spawner spawner;

	(void)state;
	maker_begin(&maker);
	assert_int_equal(spawner_from(&maker, &spawner), 0);
	order(&spawner, &driver);
	assert_int_equal(spawner_linger(&spawner, true), 0);
	order(&spawner, &next); /* behind that */
	close(maker.sock);
	wait_readable(maker.pidfd);
	waitid(P_PID, (id_t)maker.pid, NULL, WEXITED);
	close(maker.pidfd);
	maker_begin(&next_maker);
	assert_true(ask(&driver, DEED_PID, &answer) > 0);
	assert_true(ask(&next, DEED_PID, &answer) > 0);
	maker_spawner_stop(&next_maker, &spawner);
	driver_end(&driver);
	driver_end(&next);
	maker_close(&next_maker);
}

static void test_children_are_few(void **state)
{
	struct spawner spawner[CHILDREN_MOST + 1];
	struct maker maker;

	(void)state;
	maker_begin(&maker);
	for (int i = 0; i < CHILDREN_MOST; i++)
		assert_int_equal(spawner_from(&maker, &spawner[i]), 0);
	assert_int_equal(spawner_from(&maker, &spawner[CHILDREN_MOST]), -EAGAIN);
	/* One that has ended leaves its place, whether its end is asked for or not. */
	assert_int_equal(kill(spawner[0].pid, SIGKILL), 0);
	wait_readable(spawner[0].pidfd);
	assert_int_equal(spawner_from(&maker, &spawner[CHILDREN_MOST]), 0);
	for (int i = 0; i <= CHILDREN_MOST; i++)
		maker_spawner_stop(&maker, &spawner[i]);
	assert_int_equal(spawner_from(&maker, &spawner[0]), 0);
	maker_spawner_stop(&maker, &spawner[0]);
	maker_close(&maker);
}

/* ---- Nonsense ---- */

static struct maker_request request_of(enum maker_kind kind)
{
	return (struct maker_request){.head = {MAKER_MAGIC, MAKER_LAYOUT, kind, 77}};
}

/* Sends, and returns the error of the answer. */
static int says(const struct maker *maker, const void *message, size_t bytes, const int *fd,
		uint32_t fds)
{
	int got_fd[MAKER_ANSWER_FDS_MAX];
	struct maker_answer answer;
	uint32_t got_fds;

	assert_int_equal(spawn_send(maker->sock, message, bytes, fd, fds), 0);
	wait_readable(maker->sock);
	assert_int_equal(spawn_receive(maker->sock, &answer, sizeof(answer), got_fd,
				       MAKER_ANSWER_FDS_MAX, &got_fds, 0),
			 sizeof(answer));
	spawn_close_all(got_fd, got_fds);
	assert_true(!answer.error || !got_fds);
	assert_true(!answer.error || *answer.why);
	return answer.error;
}

static int says_request(const struct maker *maker, struct maker_request request, const int *fd)
{
	return says(maker, &request, sizeof(request), fd, request.fds);
}

static void other_shapes(const struct maker *maker)
{
	struct maker_request request = request_of(MAKER_FORGET);
	static struct maker_hello hello;
	static char long_one[2 * sizeof(request)];
	int fd[KERNEL_FDS_MAX];

	for (int i = 0; i < KERNEL_FDS_MAX; i++)
		fd[i] = STDERR_FILENO;
	assert_int_equal(says(maker, &request, sizeof(request) - 1, NULL, 0), -EPROTO);
	assert_int_equal(says(maker, &request, 1, NULL, 0), -EPROTO);
	assert_int_equal(says(maker, long_one, sizeof(long_one), NULL, 0), -EPROTO);
	assert_int_equal(says(maker, &request, sizeof(request), fd, 1), -EPROTO);
	assert_int_equal(says(maker, &request, sizeof(request), fd, SPAWN_WIRE_FDS_MAX), -EPROTO);
	hello.head = (struct maker_head){MAKER_MAGIC, MAKER_LAYOUT, MAKER_HELLO, 1};
	assert_int_equal(says(maker, &hello, sizeof(hello), NULL, 0), -EPROTO);
	request.head.magic++;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	request = request_of(MAKER_FORGET);
	request.head.layout++;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	request = request_of(MAKER_FORGET);
	memset(request.path, 'x', sizeof(request.path));
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	for (uint32_t kind = MAKER_KINDS; kind < MAKER_KINDS + 3; kind++)
		assert_int_equal(says_request(maker, request_of((enum maker_kind)kind), NULL),
				 -EPROTO);
	assert_int_equal(says_request(maker, request_of(MAKER_HELLO), NULL), -EPROTO);
}

static void other_spawners(const struct maker *maker)
{
	const struct puppet_record record = {.prepare = PREPARE_WELL};
	struct maker_request good = request_of(MAKER_SPAWNER), request;
	const int sealed = spawner_record_new(&record, sizeof(record));
	const int open_one = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int pipes[2];

	assert_true(sealed >= 0 && open_one >= 0 && !pipe2(pipes, O_CLOEXEC));
	assert_int_equal(ftruncate(open_one, sizeof(record)), 0);
	good.fds = 1;
	good.bytes = sizeof(record);
	good.program = maker->driver;
	strcpy(good.version, IXTAP_VERSION);
	request = good;
	request.program = maker->nic;
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	request.program = 0;
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	request.program = 4711;
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	request = good;
	request.bytes++;
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	request.bytes = UINT64_MAX;
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	request = good;
	request.fds = 2;
	assert_int_equal(says(maker, &request, sizeof(request), &sealed, 1), -EPROTO);
	request = good;
	memset(request.version, '0', sizeof(request.version));
	assert_int_equal(says_request(maker, request, &sealed), -EPROTO);
	assert_int_equal(says_request(maker, good, &open_one), -EPROTO);
	assert_int_equal(says_request(maker, good, &pipes[0]), -EPROTO);
	good.fds = 0;
	assert_int_equal(says_request(maker, good, NULL), -EPROTO);
	spawn_close_all((const int[]){sealed, open_one, pipes[0], pipes[1]}, 4);
}

static void other_nics_and_programs(const struct maker *maker)
{
	struct maker_request request = request_of(MAKER_NIC);
	const int fd = STDERR_FILENO;

	request.program = maker->driver;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	request.program = maker->nic;
	assert_int_equal(says(maker, &request, sizeof(request), &fd, 1), -EPROTO);
	request.fds = 1;
	assert_int_equal(says_request(maker, request, &fd), -EPROTO);
	request = request_of(MAKER_OPEN);
	request.program = MAKER_PROGRAMS;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	request.program = MAKER_DRIVER;
	strcpy(request.path, "/bin/true");
	assert_int_equal(says_request(maker, request, NULL), -EPERM);
	strcpy(request.path, "bin/true");
	assert_int_equal(says_request(maker, request, NULL), -EINVAL);
	strcpy(request.path, "");
	assert_int_equal(says_request(maker, request, NULL), -EINVAL);
	request.program = MAKER_KEEPER;
	strcpy(request.path, "/etc/passwd");
	assert_int_equal(says_request(maker, request, NULL), -ENOEXEC);
	request = request_of(MAKER_FORGET);
	request.program = 4711;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
}

/* Whom it may signal: what it has made, and not this process, nor another child of this one. */
static void other_signals(const struct maker *maker)
{
	struct maker_request request = request_of(MAKER_SIGNAL);
	const int self = (int)syscall(SYS_pidfd_open, getpid(), 0), none = STDERR_FILENO;
	const pid_t child = fork();
	int pidfd;

	assert_true(child >= 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(self >= 0 && pidfd >= 0);
	request.fds = 1;
	request.signal = SIGKILL;
	assert_int_equal(says_request(maker, request, &self), -EPERM);
	assert_int_equal(says_request(maker, request, &pidfd), -EPERM);
	assert_int_equal(says_request(maker, request, &maker->pidfd), -EPERM);
	assert_int_equal(says_request(maker, request, &none), -EPROTO);
	request.signal = SIGSTOP;
	assert_int_equal(says_request(maker, request, &pidfd), -EPROTO);
	request = request_of(MAKER_SIGNAL);
	request.signal = SIGKILL;
	assert_int_equal(says_request(maker, request, NULL), -EPROTO);
	request = request_of(MAKER_END);
	request.fds = 1;
	assert_int_equal(says_request(maker, request, &pidfd), -EPROTO);
	request.reap = 2;
	assert_int_equal(says_request(maker, request, &pidfd), -EPROTO);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	spawn_close_all((const int[]){self, pidfd}, 2);
}

static void test_nonsense_is_refused(void **state)
{
	struct spawner spawner;
	struct maker maker;
	unsigned int files;

	(void)state;
	maker_begin(&maker);
	files = files_of(maker.pid);
	other_shapes(&maker);
	other_spawners(&maker);
	other_nics_and_programs(&maker);
	other_signals(&maker);
	assert_int_equal(files_of(maker.pid), files);
	/* And it goes on. */
	assert_int_equal(spawner_from(&maker, &spawner), 0);
	drives(&spawner);
	maker_spawner_stop(&maker, &spawner);
	maker_close(&maker);
}

/* Random bytes, with the right head or not. */
static void test_random_bytes(void **state)
{
	struct maker_request request;
	struct maker maker;
	unsigned int files;

	(void)state;
	maker_begin(&maker);
	files = files_of(maker.pid);
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		for (size_t b = 0; b < sizeof(request); b++)
			((uint8_t *)&request)[b] = (uint8_t)random();
		if (i % 4) {
			request.head = (struct maker_head){MAKER_MAGIC, MAKER_LAYOUT,
							   (uint32_t)i % (MAKER_KINDS + 1), 1};
			request.fds = 0;
			request.path[sizeof(request.path) - 1] = '\0';
			request.version[sizeof(request.version) - 1] = '\0';
		}
		assert_true(says(&maker, &request, sizeof(request), NULL, 0) < 0);
	}
	assert_int_equal(files_of(maker.pid), files);
	maker_close(&maker);
}

/* ---- The control socket ---- */

static void test_unlink(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct maker maker;
	struct stat stat;

	(void)state;
	maker_begin(&maker);
	assert_int_equal(maker_unlink(&maker, 0, 0), -ENOENT);
	strcpy(address.sun_path, control);
	assert_int_equal(bind(sock, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(lstat(control, &stat), 0);
	assert_int_equal(maker_unlink(&maker, stat.st_dev, stat.st_ino + 1), -ENOENT);
	assert_int_equal(maker_unlink(&maker, stat.st_dev, stat.st_ino), 0);
	assert_int_equal(access(control, F_OK), -1);
	close(sock);
	/* Another file there is none of its business. */
	sock = open(control, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(fstat(sock, &stat), 0);
	assert_int_equal(maker_unlink(&maker, stat.st_dev, stat.st_ino), -ENOENT);
	assert_int_equal(unlink(control), 0);
	close(sock);
	maker_close(&maker);
}

/* ---- Programs that root has put there ---- */

static struct ixgbe_why refusal;

static int trusted(const char *path, const char *name)
{
	int fd = trusted_program_open(path, name, &refusal);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void says_why(const char *text)
{
	if (!strstr(refusal.text, text))
		print_message("# %s\n", refusal.text);
	assert_non_null(strstr(refusal.text, text));
}

static void program_copy(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "cp /bin/true %s", path);
	assert_int_equal(system(command), 0);
}

static void test_trusted_programs(void **state)
{
	char below[64], program[80], link[80], deeper[80], inside[96];

	(void)state;
	snprintf(below, sizeof(below), "%s/below", folder);
	snprintf(program, sizeof(program), "%s/ixnic", below);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(mkdir(below, 0755), 0);
	program_copy(program);
	assert_int_equal(symlink(program, link), 0);
	assert_int_equal(trusted(program, "ixnic"), 0);
	assert_int_equal(trusted(program, NULL), 0);
	assert_int_equal(trusted(link, "ixnic"), 0);
	assert_int_equal(trusted(program, "ixtap-driver"), -EPERM);
	says_why("it is no ixtap-driver");
	assert_int_equal(chmod(program, 0775), 0);
	assert_int_equal(trusted(program, "ixnic"), -EPERM);
	says_why("its group, or users of its access list, may write to it");
	assert_int_equal(chmod(program, 0755), 0);
	assert_int_equal(chown(program, NOBODY, 0), 0);
	assert_int_equal(trusted(program, "ixnic"), -EPERM);
	says_why("it belongs to another user");
	assert_int_equal(chown(program, 0, 0), 0);
	assert_int_equal(chmod(below, 0757), 0);
	assert_int_equal(trusted(link, "ixnic"), -EPERM);
	says_why("everybody may write to it");
	/* Others may not replace what root has put there, but give any of root's files a name. */
	assert_int_equal(chmod(below, 01777), 0);
	assert_int_equal(trusted(program, "ixnic"), -EPERM);
	assert_int_equal(trusted(link, "ixnic"), -EPERM);
	says_why("others may put a file there");
	snprintf(deeper, sizeof(deeper), "%s/deeper", below);
	snprintf(inside, sizeof(inside), "%s/ixnic", deeper);
	assert_int_equal(mkdir(deeper, 0755), 0);
	assert_int_equal(rename(program, inside), 0);
	assert_int_equal(trusted(inside, "ixnic"), 0);
	assert_int_equal(rename(inside, program), 0);
	assert_int_equal(rmdir(deeper), 0);
	assert_int_equal(chown(below, NOBODY, 0), 0);
	assert_int_equal(trusted(program, "ixnic"), -EPERM);
	says_why("it belongs to another user");
	assert_int_equal(trusted("/nowhere/ixnic", "ixnic"), -ENOENT);
	says_why("No such file");
	assert_int_equal(trusted("/bin", NULL), -EISDIR);
	assert_int_equal(trusted("/proc/self/exe", NULL), -EPERM);
	assert_int_equal(trusted("bin/true", NULL), -EINVAL);
	assert_int_equal(unlink(program), 0);
	assert_int_equal(chown(below, 0, 0), 0);
	assert_int_equal(chmod(below, 0755), 0);
	assert_int_equal(mkfifo(program, 0600), 0);
	assert_int_equal(trusted(program, "ixnic"), -ENOEXEC);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(program), 0);
	assert_int_equal(rmdir(below), 0);
}

static int folder_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(control, sizeof(control), "%s/control", folder);
	return 0;
}

static int folder_remove(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Who is not root, or has not all its capabilities, has none. */
static bool maker_had(void)
{
	struct maker maker = {.pid = 0};
	const bool had = !maker_try(&maker) && maker_there(&maker);

	maker_close(&maker);
	return had;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_leaves_who_lingers),
		cmocka_unit_test(test_children_are_few),
		cmocka_unit_test(test_nonsense_is_refused),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_unlink),
		cmocka_unit_test(test_trusted_programs),
	};
	int status;

	if (maker_is(argc, argv))
		maker_main();
	status = rig_options(argc, argv);
	if (!status && !maker_had()) {
		printf("1..0 # SKIP needs root's capabilities\n");
		status = -1;
	}
	if (status)
		return status < 0 ? 0 : status;
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}

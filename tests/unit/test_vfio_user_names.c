/* SPDX-License-Identifier: MIT */
/* Names of NICs over vfio-user that lead nowhere: a reason in words, and nothing left open. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ixgbe/backends/backend.h"
#include "fds_open.h"

static void refuse_name(const struct ixgbe_backend_ops *ops, const char *arg, int want,
			const char *words)
{
	struct ixgbe_backend *backend = NULL;
	struct ixgbe_why why = {{0}};
	int before = fds_open();
	int err = ops->open(arg, NULL, &backend, &why);

	if (err != want || !strstr(why.text, words))
		fail_msg("'%s': %d, %s", arg, err, why.text);
	assert_null(backend);
	assert_int_equal(fds_open(), before);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(sock, 1), 0);
	return sock;
}

static void test_names(void **state)
{
	(void)state;
	const struct ixgbe_backend_ops *path = &ixgbe_backend_vfio_user;
	const struct ixgbe_backend_ops *fd = &ixgbe_backend_vfio_user_fd;
	char dir[] = "/tmp/vfio-user-XXXXXX", name[64], longest[200];

	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/socket", dir);
	refuse_name(path, name, -ENODEV, "is not there; start the server");
	close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refuse_name(path, name, -EINVAL, "is not a socket");
	unlink(name);
	int sock = listen_at(name, SOCK_SEQPACKET);

	refuse_name(path, name, -EPROTO, "no stream socket");
	close(sock);
	unlink(name);
	close(listen_at(name, SOCK_STREAM));
	refuse_name(path, name, -ENODEV, "nobody listens");
	unlink(name);
	rmdir(dir);
	refuse_name(path, "", -EINVAL, "path");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	refuse_name(path, longest, -EINVAL, "path");

	refuse_name(fd, "", -EINVAL, "number");
	refuse_name(fd, "3x", -EINVAL, "number");
	refuse_name(fd, "-1", -EINVAL, "number");
	refuse_name(fd, "99999999999999999999", -EINVAL, "number");
	refuse_name(fd, "2", -EINVAL, "not a stream socket");
	refuse_name(fd, "777", -EINVAL, "not a stream socket");
}

/* As another user, in a child. */
static void test_no_permission(void **state)
{
	(void)state;
	char dir[] = "/tmp/vfio-user-XXXXXX", name[64];
	int status;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(name, sizeof(name), "%s/socket", dir);
	int sock = listen_at(name, SOCK_STREAM);

	assert_int_equal(chmod(name, 0600), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct ixgbe_backend *backend;
		struct ixgbe_why why;

		if (setresuid(65534, 65534, 65534))
			_exit(2);
		_exit(ixgbe_backend_vfio_user.open(name, NULL, &backend, &why) != -EACCES ||
		      !strstr(why.text, "no permission"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(sock);
	unlink(name);
	rmdir(dir);
	assert_int_equal(status, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

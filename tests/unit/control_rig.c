/* SPDX-License-Identifier: MIT */
#include "control_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int rig_open(void **state, const struct control_command *commands)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct ixgbe_why why;

	assert_non_null(rig);
	strcpy(rig->directory, "/tmp/ixtap-control-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	snprintf(rig->path, sizeof(rig->path), "%s/c.sock", rig->directory);
	assert_int_equal(control_open(rig->path, commands, NULL, &rig->control, &why), 0);
	*state = rig;
	return 0;
}

int rig_close(void **state)
{
	struct rig *rig = *state;

	control_close(rig->control);
	assert_int_equal(access(rig->path, F_OK), -1);
	assert_int_equal(rmdir(rig->directory), 0);
	free(rig);
	return 0;
}

void settle(struct rig *rig)
{
	struct pollfd ready = {.fd = control_fd(rig->control), .events = POLLIN};

	for (int i = 0; poll(&ready, 1, 0) == 1; i++) {
		assert_true(i < 10000);
		control_dispatch(rig->control);
	}
}

int dial(struct rig *rig)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, rig->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	settle(rig);
	return fd;
}

/* SPDX-License-Identifier: MIT */
/* A driver that tries what it is told to. Its order's only descriptor is the socket of
 * test_spawn.c. */
#include "spawn_puppet.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/spawn/spawn.h"
#include "bridge/spawn/spawn_wire.h"

static struct puppet_record record;
static int shared = -1; /* prepare's only descriptor, or -1 */

static void speak(enum puppet_prepare what)
{
	struct spawn_word word = {.stage = SPAWN_READY};

	spawn_head_fill(&word.head);
	if (what == PREPARE_VERSION)
		strcpy(word.head.version, "99.9");
	spawn_send(SPAWN_SOCKET, &word, what == PREPARE_VERSION ? sizeof(word) : sizeof(word) - 1,
		   NULL, 0);
	pause();
}

int driver_prepare(const void *from, size_t bytes, const int *fd, uint32_t fds,
		   struct ixgbe_why *why)
{
	if (bytes != sizeof(record))
		return ixgbe_why_fill(why, -EBADMSG, "a record of %zu bytes", bytes);
	memcpy(&record, from, bytes);
	shared = fds ? fd[0] : -1;
	switch (record.prepare) {
	case PREPARE_FAIL:
		return ixgbe_why_fill(why, -ENODEV, "no: %.60s", record.text);
	case PREPARE_EXIT:
		_exit(7);
	case PREPARE_HANG:
		pause();
		break;
	case PREPARE_NONSENSE:
	case PREPARE_VERSION:
		speak(record.prepare);
		break;
	default:
		break;
	}
	return 0;
}

static int64_t deed(char letter, struct puppet_answer *answer)
{
	switch (letter) {
	case 'p':
		return getpid();
	case 's':
		return shared < 0 ? -EBADF : write(shared, "shared", 6);
	case 'r':
		strcpy(answer->text, record.text);
		return 0;
	case 'x':
		_exit(9);
	default:
		return -EINVAL;
	}
}

_Noreturn void driver_main(const int *fd, uint32_t fds)
{
	static struct puppet_answer answer;
	char letter;

	if (fds != 1)
		_exit(2);
	if (record.last && isolation_last(NULL))
		_exit(3);
	while (read(fd[0], &letter, 1) == 1) {
		memset(&answer, 0, sizeof(answer));
		answer.value = deed(letter, &answer);
		if (write(fd[0], &answer, sizeof(answer)) < 0)
			break;
	}
	_exit(0);
}

/* SPDX-License-Identifier: MIT */
/* What keeper and driver tell each other: copies are whole, messages of another shape are refused.
 */
#include "bridge/driver/board.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NUMBERS 512u

struct shared {
	board_sequence sequence;
	atomic_bool end;
	uint32_t number[NUMBERS];
};

static void *write_on(void *arg)
{
	struct shared *shared = arg;
	uint32_t next[NUMBERS];

	for (uint32_t n = 1; !atomic_load(&shared->end); n++) {
		for (uint32_t i = 0; i < NUMBERS; i++)
			next[i] = n;
		board_write(&shared->sequence, shared->number, next, sizeof(next));
	}
	return NULL;
}

/* A copy that was taken beside a writer has the numbers of one write. */
static void a_copy_is_whole(void **state)
{
	struct shared shared = {0};
	uint32_t copy[NUMBERS], taken = 0, last = 0;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_on, &shared), 0);
	for (uint32_t looks = 0; looks < 20000 || last == 0; looks++) {
		if (!board_copy(&shared.sequence, copy, shared.number, sizeof(copy)))
			continue;
		taken++;
		for (uint32_t i = 0; i < NUMBERS; i++)
			assert_int_equal(copy[i], copy[0]);
		assert_true(copy[0] >= last);
		last = copy[0];
	}
	atomic_store(&shared.end, true);
	pthread_join(writer, NULL);
	assert_true(taken > 0);
}

/* A writer that died within a write leaves nothing that can be taken; its successor does. */
static void half_a_write_is_not_taken(void **state)
{
	board_sequence sequence = 7;
	uint32_t number = 1, copy = 2, next = 3;

	(void)state;
	assert_false(board_copy(&sequence, &copy, &number, sizeof(copy)));
	board_write(&sequence, &number, &next, sizeof(next));
	assert_true(board_copy(&sequence, &copy, &number, sizeof(copy)));
	assert_int_equal(copy, 3);
}

static void messages(void **state)
{
	struct board_message message = {.version = BOARD_VERSION, .kind = BOARD_LOG}, got;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(board_receive(pair[1], &got), -EAGAIN);
	memset(message.text, 'x', sizeof(message.text)); /* no end */
	assert_int_equal(board_send(pair[0], &message), 0);
	assert_int_equal(board_receive(pair[1], &got), 0);
	assert_int_equal(strlen(got.text), sizeof(got.text) - 1);

	/* Too short, too long, and each field with a value that it cannot have. */
	assert_int_equal(send(pair[0], &message, sizeof(message) - 1, 0), sizeof(message) - 1);
	assert_int_equal(board_receive(pair[1], &got), -EPROTO);
	{
		char more[sizeof(message) + 1] = {0};

		memcpy(more, &message, sizeof(message));
		assert_int_equal(send(pair[0], more, sizeof(more), 0), sizeof(more));
		assert_int_equal(board_receive(pair[1], &got), -EPROTO);
	}
	for (int field = 0; field < 3; field++) {
		struct board_message wrong = message;

		*(&wrong.version + field) = 99;
		assert_int_equal(board_send(pair[0], &wrong), 0);
		assert_int_equal(board_receive(pair[1], &got), -EPROTO);
	}
	/* A reader that reads nothing is not waited for, and one that is gone is told. */
	while (board_send(pair[0], &message) == 0)
		;
	assert_int_equal(board_send(pair[0], &message), -EAGAIN);
	close(pair[1]);
	assert_int_equal(board_send(pair[0], &message), -EPIPE);
	close(pair[0]);
}

/* Settings that another process wrote are used only if each count is within its array. */
static void a_mirror_is_checked(void **state)
{
	struct mirror mirror = {0};

	(void)state;
	assert_true(mirror_valid(&mirror));
	mirror.groups = MIRROR_GROUPS_MAX;
	mirror.others = IXGBE_UNICAST_MAX;
	assert_true(mirror_valid(&mirror));
	mirror.groups++;
	assert_false(mirror_valid(&mirror));
	mirror.groups = 0;
	mirror.others++;
	assert_false(mirror_valid(&mirror));
	mirror.others = 0;
	memset(&mirror.promiscuous, 2, 1);
	assert_false(mirror_valid(&mirror));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_whole),
		cmocka_unit_test(half_a_write_is_not_taken),
		cmocka_unit_test(messages),
		cmocka_unit_test(a_mirror_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The control socket of ixtapd, through real sockets: good clients, slow ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "control_rig.h"

static json_t *echo(void *ctx, struct control_request *request)
{
	(void)ctx;
	return json_pack("{s:s,s:i}", "echo", request->count > 1 ? request->words[1] : "", "words",
			 (int)request->count);
}

static json_t *monitor(void *ctx, struct control_request *request)
{
	(void)ctx;
	request->monitor = true;
	return json_pack("{s:s}", "event", "start");
}

static json_t *text_of_length(size_t len)
{
	char *text = malloc(len + 1);
	json_t *json;

	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\0';
	json = json_pack("{s:s}", "text", text);
	free(text);
	return json;
}

/* Almost the longest reply. */
static json_t *big(void *ctx, struct control_request *request)
{
	(void)ctx;
	(void)request;
	return text_of_length(CONTROL_REPLY_MAX - 100);
}

static json_t *huge(void *ctx, struct control_request *request)
{
	(void)ctx;
	(void)request;
	return text_of_length(CONTROL_REPLY_MAX + 1);
}

/* Answered by control_reply. */
static uint64_t late_client;
static json_t *late(void *ctx, struct control_request *request)
{
	(void)ctx;
	late_client = request->client;
	request->late = true;
	return NULL;
}

/* An answer that takes long; `meanwhile` is what happens then. */
static struct rig *slow_rig;
static void (*meanwhile)(struct rig *rig);

static json_t *slow(void *ctx, struct control_request *request)
{
	(void)ctx;
	(void)request;
	for (int i = 0; i < 3; i++) {
		if (meanwhile)
			meanwhile(slow_rig);
		control_meanwhile(slow_rig->control, "not now");
	}
	return json_pack("{s:s}", "slow", "x");
}

/* Text that JSON cannot hold. */
static json_t *latin1(void *ctx, struct control_request *request)
{
	(void)ctx;
	(void)request;
	return json_pack("{s:s}", "text", "b\xfcro");
}

static const struct control_command commands[] = {
	{"echo", 2, echo, true},  {"monitor", 0, monitor, true},
	{"big", 0, big, false},   {"huge", 0, huge, false},
	{"late", 0, late, false}, {"latin1", 0, latin1, false},
	{"slow", 0, slow, false}, {0},
};

static int setup(void **state)
{
	return rig_open(state, commands);
}

/* One packet as JSON; NULL: the connection is closed. It must be there already. */
static json_t *receive(int fd)
{
	static char buffer[CONTROL_REPLY_MAX + 1];
	ssize_t len = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	json_t *json;

	assert_true(len >= 0 || errno == ECONNRESET);
	if (len <= 0)
		return NULL;
	json = json_loadb(buffer, (size_t)len, 0, NULL);
	assert_non_null(json);
	return json;
}

static json_t *ask(struct rig *rig, int fd, const void *request, size_t len)
{
	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	settle(rig);
	return receive(fd);
}

static const char *text(const json_t *json, const char *member)
{
	const char *value = json_string_value(json_object_get(json, member));

	return value ? value : "";
}

static void requests_are_answered_in_order(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig);
	json_t *json = ask(rig, fd, "echo one", 8);

	assert_string_equal(text(json, "echo"), "one");
	json_decref(json);
	json = ask(rig, fd, "  echo  two \n", 13);
	assert_string_equal(text(json, "echo"), "two");
	assert_int_equal(json_integer_value(json_object_get(json, "words")), 2);
	json_decref(json);
	assert_int_equal(send(fd, "echo a", 6, 0), 6);
	assert_int_equal(send(fd, "echo b", 6, 0), 6);
	settle(rig);
	for (int i = 0; i < 2; i++) {
		json = receive(fd);
		assert_string_equal(text(json, "echo"), i ? "b" : "a");
		json_decref(json);
	}
	close(fd);
	settle(rig);
}

static void bad_requests_get_an_error(void **state)
{
	static const char long_request[CONTROL_REQUEST_MAX + 2] = "echo";
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} bad[] = {
		{"frobnicate", 10, "no request 'frobnicate'"},
		{"\n", 1, "empty"},
		{"   ", 3, "empty"},
		{"echo a b c", 10, "at most 2 words"},
		{"echo a b c d e", 14, "words"},
		{"echo \x01", 6, "printable"},
		{"echo\0x", 6, "printable"},
		{"echo \xff", 6, "printable"},
		{long_request, sizeof(long_request), "longer"},
		{"huge", 4, "does not fit"},
		{"latin1", 6, "cannot be told"},
	};
	struct rig *rig = *state;
	int fd = dial(rig);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *json = ask(rig, fd, bad[i].bytes, bad[i].len);

		if (!json || !strstr(text(json, "error"), bad[i].words))
			fail_msg("%zu: %s", i, json ? text(json, "error") : "closed");
		json_decref(json);
	}
	close(fd);
}

static void an_empty_packet_ends_the_connection(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig);

	assert_int_equal(send(fd, "", 0, MSG_NOSIGNAL), 0);
	settle(rig);
	assert_null(receive(fd));
	close(fd);
}

static void the_longest_reply_fits(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig);
	json_t *json = ask(rig, fd, "big", 3);

	if (geteuid() == 0)
		assert_int_equal(strlen(text(json, "text")), CONTROL_REPLY_MAX - 100);
	json_decref(json);
	close(fd);
}

static void a_client_that_reads_nothing_is_closed(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig), other = dial(rig), sent = 0;
	json_t *json;

	while (sent < 10000 && send(fd, "big", 3, MSG_NOSIGNAL | MSG_DONTWAIT) == 3) {
		settle(rig);
		sent++;
	}
	assert_true(sent < 10000);
	json = ask(rig, other, "echo still", 10);
	assert_string_equal(text(json, "echo"), "still");
	json_decref(json);
	close(fd);
	close(other);
}

static void publish(struct rig *rig, int number)
{
	control_publish(rig->control, json_pack("{s:s,s:i}", "event", "number", "n", number));
}

static void monitors_get_events(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig);
	json_t *json;

	publish(rig, 0);
	json = ask(rig, fd, "monitor", 7);
	assert_string_equal(text(json, "event"), "start");
	json_decref(json);
	publish(rig, 1);
	json = receive(fd);
	assert_int_equal(json_integer_value(json_object_get(json, "n")), 1);
	assert_true(json_real_value(json_object_get(json, "time")) > 1e9);
	json_decref(json);
	/* A monitor that talks breaks the protocol. */
	assert_null(ask(rig, fd, "echo a", 6));
	publish(rig, 2);
	close(fd);
}

static void a_slow_monitor_is_told_what_it_missed(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig), got = 0, missed = 0, published = 20000, last = -1;
	json_t *json = ask(rig, fd, "monitor", 7);
	double time, before = 0;

	json_decref(json);
	for (int i = 0; i < published; i++)
		publish(rig, i);
	/* What it reads makes room for the news and one more event. */
	for (bool all = false; !all;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		if (poll(&readable, 1, 0) == 1) {
			json = receive(fd);
			time = json_real_value(json_object_get(json, "time"));
			assert_true(time >= before);
			before = time;
			if (!strcmp(text(json, "event"), "missed"))
				missed += (int)json_integer_value(json_object_get(json, "count"));
			else {
				int n = (int)json_integer_value(json_object_get(json, "n"));

				assert_true(n > last);
				last = n;
				got++;
			}
			json_decref(json);
		} else if (last != published) {
			assert_int_not_equal(last, published);
			publish(rig, published);
		} else {
			all = true;
		}
	}
	assert_true(missed > 0);
	assert_int_equal(got + missed, published + 1);
	close(fd);
}

/* Without another event, too: a monitor of a quiet interface would have a wrong picture for ever.
 */
static void what_was_missed_is_told_when_there_is_room(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig), got = 0, missed = 0, published = 20000;
	json_t *json = ask(rig, fd, "monitor", 7);
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	json_decref(json);
	for (int i = 0; i < published; i++)
		publish(rig, i);
	while (poll(&readable, 1, 0) == 1) {
		json = receive(fd);
		if (!strcmp(text(json, "event"), "missed"))
			missed += (int)json_integer_value(json_object_get(json, "count"));
		else
			got++;
		json_decref(json);
		settle(rig);
	}
	assert_true(got < published);
	assert_int_equal(got + missed, published);
	close(fd);
}

static void a_late_answer_reaches_who_asked(void **state)
{
	struct rig *rig = *state;
	int fd = dial(rig), other = dial(rig);
	json_t *json;

	assert_int_equal(send(fd, "late", 4, 0), 4);
	/* What it asks meanwhile is heard after the answer; others are served. */
	assert_int_equal(send(fd, "echo b", 6, 0), 6);
	settle(rig);
	json_decref(ask(rig, other, "echo a", 6));
	control_reply(rig->control, late_client, json_pack("{s:s}", "late", "x"));
	json = receive(fd);
	assert_string_equal(text(json, "late"), "x");
	json_decref(json);
	settle(rig);
	json = receive(fd);
	assert_string_equal(text(json, "echo"), "b");
	json_decref(json);

	/* One that leaves gets none; nor does who comes in its place. */
	assert_int_equal(send(fd, "late", 4, 0), 4);
	settle(rig);
	close(fd);
	settle(rig);
	fd = dial(rig);
	control_reply(rig->control, late_client, json_pack("{s:s}", "late", "y"));
	json = ask(rig, fd, "echo c", 6);
	assert_string_equal(text(json, "echo"), "c");
	json_decref(json);
	close(fd);
	close(other);
	settle(rig);
}

static int other_fd, first_fd, meanwhile_turn;

/* One asks what is answered, and what is not; who waits for the slow answer asks again. */
static void others_ask(struct rig *rig)
{
	static const char *const words[] = {"echo a", "big", "slow"};

	(void)rig;
	assert_int_equal(send(other_fd, words[meanwhile_turn], strlen(words[meanwhile_turn]), 0),
			 (ssize_t)strlen(words[meanwhile_turn]));
	meanwhile_turn++;
	assert_int_equal(send(first_fd, "echo b", 6, 0), 6);
}

static void others_are_served_during_a_slow_answer(void **state)
{
	struct rig *rig = *state;
	json_t *json;

	slow_rig = rig;
	meanwhile = others_ask;
	meanwhile_turn = 0;
	first_fd = dial(rig);
	other_fd = dial(rig);
	assert_int_equal(send(first_fd, "slow", 4, 0), 4);
	control_dispatch(rig->control);
	meanwhile = NULL;
	json = receive(other_fd);
	assert_string_equal(text(json, "echo"), "a");
	json_decref(json);
	for (int i = 0; i < 2; i++) {
		json = receive(other_fd);
		assert_string_equal(text(json, "error"), "not now");
		json_decref(json);
	}
	settle(rig);
	json = receive(first_fd);
	assert_string_equal(text(json, "slow"), "x");
	json_decref(json);
	for (int i = 0; i < 3; i++) {
		json = receive(first_fd);
		assert_string_equal(text(json, "echo"), "b");
		json_decref(json);
	}
	json = ask(rig, other_fd, "big", 3); /* no longer refused */
	assert_string_not_equal(text(json, "text"), "");
	json_decref(json);
	close(first_fd);
	close(other_fd);
	settle(rig);
}

/* Who waits for the slow answer leaves, and so many come that its place is taken. */
static void others_come(struct rig *rig)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (meanwhile_turn++ == 0) {
		close(first_fd);
		return;
	}
	strcpy(address.sun_path, rig->path);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		control_meanwhile(rig->control, "not now");
		if (i)
			close(fd);
		else
			other_fd = fd;
	}
}

static void who_leaves_during_a_slow_answer_gets_none(void **state)
{
	struct rig *rig = *state;
	json_t *json;

	slow_rig = rig;
	meanwhile = others_come;
	meanwhile_turn = 0;
	first_fd = dial(rig);
	assert_int_equal(send(first_fd, "slow", 4, 0), 4);
	settle(rig);
	meanwhile = NULL;
	json = ask(rig, other_fd, "echo c", 6);
	assert_string_equal(text(json, "echo"), "c");
	json_decref(json);
	close(other_fd);
	settle(rig);
}

static void the_silent_make_room(void **state)
{
	struct rig *rig = *state;
	int fd[CONTROL_CLIENTS_MAX], more;
	json_t *json;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fd[i] = dial(rig);
	/* The first spoke last, so the second is the one silent longest. */
	json_decref(ask(rig, fd[0], "echo a", 6));
	more = dial(rig);
	json = receive(fd[1]);
	assert_non_null(strstr(text(json, "error"), "silent longest"));
	json_decref(json);
	assert_null(receive(fd[1]));
	json = ask(rig, more, "echo b", 6);
	assert_string_equal(text(json, "echo"), "b");
	json_decref(json);
	json = ask(rig, fd[0], "echo c", 6);
	assert_string_equal(text(json, "echo"), "c");
	json_decref(json);
	close(more);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fd[i]);
	settle(rig);
}

/* Those that monitor leave places to those that ask; who is turned away is told. */
static void monitors_leave_places(void **state)
{
	struct rig *rig = *state;
	int fd[CONTROL_MONITORS_MAX], more, asking;
	json_t *json;

	for (size_t i = 0; i < CONTROL_MONITORS_MAX; i++) {
		fd[i] = dial(rig);
		json_decref(ask(rig, fd[i], "monitor", 7));
	}
	more = dial(rig);
	json = ask(rig, more, "monitor", 7);
	assert_non_null(strstr(text(json, "error"), "monitor already"));
	json_decref(json);
	publish(rig, 1);
	for (size_t i = 0; i < CONTROL_MONITORS_MAX; i++)
		json_decref(receive(fd[i]));
	json = ask(rig, more, "echo a", 6); /* it may ask, and hears no event */
	assert_string_equal(text(json, "echo"), "a");
	json_decref(json);
	close(fd[0]);
	settle(rig);
	json = ask(rig, more, "monitor", 7);
	assert_string_equal(text(json, "event"), "start");
	json_decref(json);
	/* Others come, twice as many as there are places; each is answered. */
	for (size_t i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++) {
		asking = dial(rig);
		json = ask(rig, asking, "echo b", 6);
		assert_string_equal(text(json, "echo"), "b");
		json_decref(json);
		if (i % 2)
			close(asking);
	}
	close(more);
	for (size_t i = 1; i < CONTROL_MONITORS_MAX; i++)
		close(fd[i]);
	settle(rig);
}

/* The last word reaches who has asked and was not answered yet, too. */
static void who_is_turned_away_is_told(void **state)
{
	struct rig *rig = *state;
	int fd[CONTROL_CLIENTS_MAX], more;
	json_t *json;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fd[i] = dial(rig);
		assert_int_equal(send(fd[i], "late", 4, 0), 4);
		settle(rig);
		assert_int_equal(send(fd[i], "echo c", 6, 0), 6);
	}
	more = dial(rig);
	json = receive(fd[0]);
	assert_non_null(strstr(text(json, "error"), "ask again"));
	json_decref(json);
	assert_null(receive(fd[0]));
	close(more);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fd[i]);
	settle(rig);
}

static void drain(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	while (poll(&readable, 1, 0) == 1)
		json_decref(receive(fd));
}

/* One monitor reads nothing, one a little now and then, one all that there is. */
static void a_silent_monitor_is_ended(void **state)
{
	struct rig *rig = *state;
	int silent = dial(rig), slow = dial(rig), good = dial(rig), full = dial(rig), last = 0;
	int all[] = {silent, slow, good, full};
	int64_t now_ms = clock_ms();
	json_t *json;

	for (int i = 0; i < 4; i++)
		json_decref(ask(rig, all[i], "monitor", 7));
	control_end_silent(rig->control, now_ms + 10 * CONTROL_SILENT_MS); /* nothing to read */
	for (int i = 0; i < 20000; i++) {
		publish(rig, i);
		drain(good);
		if (i > 10)
			drain(silent);
	}
	publish(rig, 1);
	publish(rig, 2);
	for (int i = 0; i < 4; i++) {
		now_ms = clock_ms() + i * CONTROL_SILENT_MS / 2;
		control_end_silent(rig->control, now_ms);
		json_decref(receive(slow));
		drain(good);
	}
	while ((json = receive(silent))) {
		last = !strcmp(text(json, "error"), "") ? 0 : 1;
		json_decref(json);
	}
	assert_int_equal(last, 1); /* had room for the last word */
	while ((json = receive(full)))
		json_decref(json);
	publish(rig, 3);
	drain(good);
	drain(slow);
	for (int i = 0; i < 4; i++)
		close(all[i]);
	settle(rig);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_close)
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered_in_order),
		TEST(bad_requests_get_an_error),
		TEST(an_empty_packet_ends_the_connection),
		TEST(the_longest_reply_fits),
		TEST(a_client_that_reads_nothing_is_closed),
		TEST(monitors_get_events),
		TEST(a_slow_monitor_is_told_what_it_missed),
		TEST(what_was_missed_is_told_when_there_is_room),
		TEST(a_late_answer_reaches_who_asked),
		TEST(others_are_served_during_a_slow_answer),
		TEST(who_leaves_during_a_slow_answer_gets_none),
		TEST(the_silent_make_room),
		TEST(monitors_leave_places),
		TEST(who_is_turned_away_is_told),
		TEST(a_silent_monitor_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

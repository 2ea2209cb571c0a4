/* SPDX-License-Identifier: MIT */
/* What a driver has, and what it is denied. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spawn_rig.h"

static bool isolated(void)
{
	return rig_isolation != ISOLATION_OFF;
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
	if (!isolated())
		skip();
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

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_deeds),
		cmocka_unit_test(test_work),
	};
	int status = rig_options(argc, argv);

	return status ? status : cmocka_run_group_tests(tests, NULL, NULL);
}

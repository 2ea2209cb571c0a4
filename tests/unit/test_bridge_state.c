/* SPDX-License-Identifier: MIT */
/* The bridge's decisions: states from facts, delays of a recovery, what reaches the NIC and the
 * monitors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "bridge/driver/mirror.h"
#include "bridge/service/notice.h"
#include "bridge/engine/patience.h"
#include "bridge/keeper/publish.h"
#include "bridge/keeper/state.h"

/* ---- The NIC's side of mirror.c: it notes who is called, in order. ---- */

static char calls[64];
static char failing; /* the call that fails */

static int note(char call)
{
	size_t len = strlen(calls);

	assert_true(len + 1 < sizeof(calls));
	calls[len] = call;
	calls[len + 1] = '\0';
	return call == failing ? -EIO : 0;
}

int ixgbe_mac_set(struct ixgbe *nic, const uint8_t mac[IXGBE_MAC_BYTES])
{
	(void)nic;
	(void)mac;
	return note('m');
}

int ixgbe_mtu_set(struct ixgbe *nic, uint16_t mtu)
{
	(void)nic;
	(void)mtu;
	return note('u');
}

int ixgbe_promiscuous_set(struct ixgbe *nic, bool on)
{
	(void)nic;
	return note(on ? 'P' : 'p');
}

int ixgbe_allmulticast_set(struct ixgbe *nic, bool on)
{
	(void)nic;
	return note(on ? 'A' : 'a');
}

int ixgbe_multicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES], size_t count)
{
	(void)nic;
	(void)mac;
	(void)count;
	return note('g');
}

int ixgbe_unicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES], size_t count)
{
	(void)nic;
	(void)mac;
	(void)count;
	return note('o');
}

int ixgbe_link_set_admin(struct ixgbe *nic, bool up)
{
	(void)nic;
	return note(up ? 'L' : 'l');
}

static void apply(const struct mirror *wanted, struct mirror *applied, uint32_t force, int result,
		  const char *expected)
{
	calls[0] = '\0';
	assert_int_equal(mirror_apply(NULL, wanted, applied, force), result);
	assert_string_equal(calls, expected);
}

static void only_what_differs_is_applied(void **state)
{
	struct mirror wanted = {.mtu = 1500}, applied = {.mtu = 1500};

	(void)state;
	failing = 0;
	apply(&wanted, &applied, 0, 0, "");
	wanted.promiscuous = true;
	apply(&wanted, &applied, 0, 0, "P");
	apply(&wanted, &applied, 0, 0, "");
	wanted.group[0][5] = 1;
	wanted.groups = 1;
	apply(&wanted, &applied, 0, 0, "g");
	wanted.group[0][5] = 2;
	apply(&wanted, &applied, 0, 0, "g");
	wanted.groups = 0;
	apply(&wanted, &applied, 0, 0, "g");
	/* More than fit in the filter: their number is known all the same. */
	wanted.groups_there = 600;
	apply(&wanted, &applied, 0, 0, "g");
	assert_int_equal(applied.groups_there, 600);
	apply(&wanted, &applied, 0, 0, "");
	wanted.others_there = 200;
	apply(&wanted, &applied, 0, 0, "o");
	assert_int_equal(applied.others_there, 200);
	/* What lies behind the last group means nothing. */
	wanted.group[0][5] = 3;
	apply(&wanted, &applied, 0, 0, "");
	wanted.other[0][5] = 1;
	wanted.others = 1;
	wanted.promiscuous = false;
	/* The address is received before the others are not. */
	apply(&wanted, &applied, 0, 0, "op");
	wanted.mac[0] = 2;
	wanted.mtu = 9000;
	wanted.allmulticast = true;
	apply(&wanted, &applied, 0, 0, "muA");
}

static void a_new_nic_gets_everything_and_the_laser_last(void **state)
{
	struct mirror wanted = {.mtu = 1500, .admin_up = true}, applied = wanted;

	(void)state;
	failing = 0;
	apply(&wanted, &applied, MIRROR_ALL, 0, "muopagL");
}

static void what_failed_is_tried_again(void **state)
{
	struct mirror wanted = {.mtu = 9000, .promiscuous = true}, applied = {.mtu = 1500};

	(void)state;
	failing = 'u';
	apply(&wanted, &applied, 0, -EIO, "uP");
	assert_int_equal(applied.mtu, 1500);
	assert_true(applied.promiscuous);
	assert_int_equal(mirror_difference(&wanted, &applied), MIRROR_MTU);
	failing = 0;
	apply(&wanted, &applied, 0, 0, "u");
	assert_int_equal(mirror_difference(&wanted, &applied), 0);
}

static void facts_make_the_state(void **state)
{
	static const struct {
		bool started, stopping, nic_open, admin_up, link_up;
		enum state state;
	} rows[] = {
		{0, 0, 0, 0, 0, STATE_OPENING},    {0, 0, 1, 1, 1, STATE_OPENING},
		{0, 1, 0, 0, 0, STATE_STOPPING},   {1, 0, 1, 0, 0, STATE_DOWN},
		{1, 0, 1, 0, 1, STATE_DOWN},       {1, 0, 1, 1, 0, STATE_WAITING},
		{1, 0, 1, 1, 1, STATE_RUNNING},    {1, 0, 0, 1, 1, STATE_RECOVERING},
		{1, 0, 0, 0, 0, STATE_RECOVERING}, {1, 1, 1, 1, 1, STATE_STOPPING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct state_facts facts = {
			.started = rows[i].started,
			.stopping = rows[i].stopping,
			.nic_open = rows[i].nic_open,
			.admin_up = rows[i].admin_up,
			.link_up = rows[i].link_up,
		};

		assert_string_equal(state_name(state_of(&facts)), state_name(rows[i].state));
		assert_true(strlen(state_text(rows[i].state)) > 0);
	}
}

static void recovery_is_bounded(void **state)
{
	int delay_ms, last_ms = 0, total_ms = 0;
	unsigned int attempt = 0;

	(void)state;
	assert_int_equal(state_retry_delay_ms(0), STATE_RETRY_FIRST_MS);
	for (; (delay_ms = state_retry_delay_ms(attempt)) >= 0; attempt++) {
		assert_true(delay_ms >= last_ms);
		assert_true(delay_ms <= STATE_RETRY_MOST_MS);
		last_ms = delay_ms;
		total_ms += delay_ms;
	}
	assert_int_equal(attempt, STATE_RETRIES);
	assert_in_range(total_ms, 20000, 40000);
	assert_int_equal(state_retry_delay_ms(1000), -1);
}

/* Counted each time, told at the first and after a minute of quiet. */
static void notices_are_told_once_per_burst(void **state)
{
	struct notice notice = {0};

	(void)state;
	assert_true(notice_add(&notice, 5));
	for (int64_t ms = 1005; ms < 200000; ms += 1000)
		assert_false(notice_add(&notice, ms));
	assert_false(notice_add(&notice, 199005 + NOTICE_QUIET_MS - 1));
	assert_true(notice_add(&notice, 199005 + 2 * NOTICE_QUIET_MS - 1));
	assert_int_equal(notice.count, 202);
}

/* The monitors: the last event. */
static json_t *told;

void control_publish(struct control *control, json_t *event)
{
	(void)control;
	json_decref(told);
	told = event;
}

static void a_module_change_is_told(void **state)
{
	static const char *const names[] = {"none", "sr", "lr", "da", "other"};
	static struct daemon daemon;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *wanted = json_pack("{s:s,s:s}", "event", "module", "sfp", names[i]);

		publish_module(&daemon, (enum ixgbe_sfp)i);
		assert_true(json_equal(told, wanted));
		json_decref(wanted);
	}
	json_decref(told);
	told = NULL;
}

static void patience_ends_an_operation_and_a_signal_cuts_it(void **state)
{
	struct patience patience = {0};
	struct ixgbe_why why = {"slow"};
	int64_t end_ms;
	int signals[2]; /* a pipe in place of a signalfd */

	(void)state;
	assert_int_equal(pipe(signals), 0);
	patience_init(&patience, signals[0]);
	assert_false(patience_over(&patience)); /* no operation has no end */

	patience_begin(&patience, PATIENCE_START_MS);
	assert_false(patience_over(&patience));
	patience_explain(&patience, &why);
	assert_string_equal(why.text, "slow");
	end_ms = patience.end_ms;
	assert_int_equal(write(signals[1], "x", 1), 1);
	assert_true(patience_signalled(&patience));
	while (patience.end_ms == end_ms)
		assert_false(patience_over(&patience));
	assert_true(patience.end_ms < end_ms - PATIENCE_START_MS / 2);
	end_ms = patience.end_ms;
	assert_false(patience_over(&patience));
	assert_int_equal(patience.end_ms, end_ms); /* cut once */

	/* The signal, not the NIC, is why it ends. */
	patience.end_ms = 1;
	assert_true(patience_over(&patience));
	patience_begin(&patience, PATIENCE_STOP_MS); /* told later all the same */
	patience.spent_ms = 2000;
	patience_explain(&patience, &why);
	assert_string_equal(why.text, "slow (given up after 2 s: ixtapd was told to stop)");

	strcpy(why.text, "slow");
	patience_begin(&patience, 0);
	assert_true(patience_over(&patience));
	patience_begin(&patience, PATIENCE_STOP_MS);
	patience.spent_ms = 3000;
	patience_explain(&patience, &why);
	assert_string_equal(why.text, "slow (given up after 3 s: the NIC answers too slowly)");
	close(signals[0]);
	close(signals[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs_is_applied),
		cmocka_unit_test(a_new_nic_gets_everything_and_the_laser_last),
		cmocka_unit_test(what_failed_is_tried_again),
		cmocka_unit_test(facts_make_the_state),
		cmocka_unit_test(recovery_is_bounded),
		cmocka_unit_test(notices_are_told_once_per_burst),
		cmocka_unit_test(patience_ends_an_operation_and_a_signal_cuts_it),
		cmocka_unit_test(a_module_change_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

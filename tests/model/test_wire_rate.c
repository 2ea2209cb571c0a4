/* SPDX-License-Identifier: MIT */
/* A wire that is held to a rate, by the control socket. */
#include "model_rings.h"

/* No frame comes sooner than the rate allows, but for the burst of 5 ms; when the last one comes is
 * the machine's matter. */
static void a_rate_holds_both_ways(void **state)
{
	enum {
		FRAMES = 20,
		LEN = 1476,
		MBIT = 4,
		LEAST_MS = FRAMES * 1500 * 8 / (MBIT * 1000) - 10
	};
	struct model *m = *state;
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint64_t start;

	rings_start(m, &rx, &tx);
	assert_int_equal(model_control_int(m, "status", "rate_mbit"), 0);
	assert_int_equal(model_control_int(m, "rate 4", "rate_mbit"), MBIT);
	frame_raw(&f, NULL, LEN);
	start = model_now_ms();
	for (uint32_t i = 0; i < FRAMES; i++)
		tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	for (uint32_t i = 0; i < FRAMES; i++)
		(void)model_wire_recv(m, got.data, sizeof(got.data));
	assert_true(model_now_ms() - start >= LEAST_MS);
	start = model_now_ms();
	for (uint32_t i = 0; i < FRAMES; i++)
		model_wire_send(m, f.data, f.len);
	for (uint32_t i = 0; i < FRAMES; i++)
		rx_take(&rx, &got);
	assert_true(model_now_ms() - start >= LEAST_MS);
	/* A wire that is busy is no partner that pauses. */
	assert_int_equal(model_read(m, IXGBE_LXOFFRXCNT), 0);
	assert_int_equal(model_control_int(m, "rate off", "rate_mbit"), 0);
	model_wire_send(m, f.data, f.len);
	rx_take(&rx, &got);
	rings_end(m, 0);
}

static void a_rate_is_checked(void **state)
{
	static const char *const wrong[] = {"rate",      "rate 0",      "rate -1",
					    "rate fast", "rate 100001", "rate 4294967297",
					    "rate 0x10"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *reply = model_control(*state, wrong[i]);

		assert_non_null(json_object_get(reply, "error"));
		json_decref(reply);
	}
	assert_int_equal(model_control_int(*state, "status", "rate_mbit"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(a_rate_holds_both_ways),
		T(a_rate_is_checked),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

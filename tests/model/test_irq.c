/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: causes, masks, automatic clear and mask, mapping, throttling, timers. Causes come
 * by EICS, and through IVAR from the only cause that needs no rings: the link's and the timer's.
 */
#include "harness.h"
#include "model_rings.h"

#define MSIX (IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT)

static int setup(void **state)
{
	const struct model_options options = {.link_down = true};

	return model_start(state, &options);
}

static uint32_t other_on(uint32_t vector)
{
	return IXGBE_FIELD_PREP(IXGBE_IVAR_MISC_OTHER, vector) | IXGBE_IVAR_MISC_OTHER_VALID;
}

static uint32_t timer_on(uint32_t vector)
{
	return IXGBE_FIELD_PREP(IXGBE_IVAR_MISC_TCP_TIMER, vector) |
	       IXGBE_IVAR_MISC_TCP_TIMER_VALID;
}

/* ---- EICR, EICS ---- */

static void eicr_clears_by_read_and_by_write(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_EICS, 0x0000ffff | IXGBE_EICR_LSC | IXGBE_EICR_ECC);
	model_write(m, IXGBE_EICR, 0x000000ff | IXGBE_EICR_LSC);
	assert_int_equal(model_read(m, IXGBE_EICS), 0x0000ff00 | IXGBE_EICR_ECC); /* clears not */
	assert_int_equal(model_read(m, IXGBE_EICR), 0x0000ff00 | IXGBE_EICR_ECC);
	assert_int_equal(model_read(m, IXGBE_EICR), 0);
}

static void with_ocd_a_read_clears_no_queue_cause(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, IXGBE_GPIE_OCD);
	model_write(m, IXGBE_EICS, 0x00000001 | IXGBE_EICR_LSC);
	assert_int_equal(model_read(m, IXGBE_EICR), 0x00000001 | IXGBE_EICR_LSC);
	assert_int_equal(model_read(m, IXGBE_EICR), 0x00000001);
	model_write(m, IXGBE_EICR, 1);
	assert_int_equal(model_read(m, IXGBE_EICR), 0);
}

/* ---- One vector for all: INTx, MSI ---- */

static void without_msix_everything_is_vector_0(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_IVAR_MISC, other_on(9));
	model_write(m, IXGBE_EIMS, 0x00000008 | IXGBE_EICR_LSC);
	model_write(m, IXGBE_EICS, 0x00000004); /* masked */
	assert_false(model_irq_pending(m, 0));
	model_write(m, IXGBE_EICS, 0x00000008);
	assert_true(model_irq_pending(m, 0));
	assert_int_equal(model_read(m, IXGBE_EICR), 0x0000000c);
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC);
	assert_true(model_irq_pending(m, 0));
	assert_false(model_irq_pending(m, 9));
}

static void without_eiame_reading_eicr_masks(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_EIAM, 0x0000ffff);
	model_write(m, IXGBE_EIMS, 0x00000003 | IXGBE_EICR_LSC);
	assert_int_equal(model_read(m, IXGBE_EICR), 0);
	assert_int_equal(model_read(m, IXGBE_EIMS), IXGBE_EICR_LSC);
	/* and EICS unmasks what it sets */
	model_write(m, IXGBE_EICS, 0x00000002);
	assert_int_equal(model_read(m, IXGBE_EIMS), IXGBE_EICR_LSC | 0x00000002);
	assert_true(model_irq_pending(m, 0));
}

/* ---- MSI-X ---- */

static void each_vector_by_itself(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0xffffffff);
	model_write(m, IXGBE_AT(EIMS_EX, 1), 0xffffffff);
	for (uint32_t v = 0; v < MODEL_VECTORS; v++) {
		model_write(m, IXGBE_AT(EICS_EX, v / 32), 1u << (v % 32));
		for (uint32_t other = 0; other < MODEL_VECTORS; other++)
			assert_int_equal(model_irq_pending(m, other), other == v);
	}
}

static void masks_have_two_names(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_EIMS, 0x00001234);
	assert_int_equal(model_read(m, IXGBE_AT(EIMS_EX, 0)), 0x00001234);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0x80008000);
	assert_int_equal(model_read(m, IXGBE_EIMS), 0x00009234);
	assert_int_equal(model_read(m, IXGBE_AT(EIMS_EX, 0)), 0x80009234);
	model_write(m, IXGBE_AT(EIMC_EX, 0), 0x80001000);
	assert_int_equal(model_read(m, IXGBE_AT(EIMS_EX, 0)), 0x00008234);
	model_write(m, IXGBE_EIMC, 0x7fffffff);
	assert_int_equal(model_read(m, IXGBE_AT(EIMS_EX, 0)), 0);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
	model_write(m, IXGBE_EIMC, 0xffffffff);
	assert_int_equal(model_control_int(m, "violations", "counts.EIMC_RESERVED"), 1);
}

static void eiac_clears_when_the_message_goes(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIAC, 0x00000001);
	model_write(m, IXGBE_EIMS, 0x00000003);
	model_write(m, IXGBE_EICS, 0x00000003);
	assert_true(model_irq_pending(m, 0));
	assert_true(model_irq_pending(m, 1));
	assert_int_equal(model_read(m, IXGBE_EICS), 0x00000002);
	/* A cleared cause fires anew, one that is still pending does not. */
	model_write(m, IXGBE_EICS, 0x00000003);
	assert_true(model_irq_pending(m, 0));
	assert_false(model_irq_pending(m, 1));
}

/* Erratum 1 takes all three: no PBA support, automatic clear, no automatic mask; and EICS. */
static void a_cause_of_eics_may_stay(void **state)
{
	static const struct {
		uint32_t gpie, eiam;
		bool stays;
	} modes[] = {
		{IXGBE_GPIE_MULTIPLE_MSIX, 0, true},
		{IXGBE_GPIE_MULTIPLE_MSIX, 1, true}, /* EIAM counts with EIAME only */
		{IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_EIAME, 1, false},
		{IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT, 0, false},
	};
	struct model *m = *state;

	model_write(m, IXGBE_EIAC, 0x0000ffff);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		model_write(m, IXGBE_GPIE, modes[i].gpie);
		model_write(m, IXGBE_EIAM, modes[i].eiam);
		model_write(m, IXGBE_EIMS, 1);
		model_write(m, IXGBE_EICS, 1);
		assert_true(model_irq_pending(m, 0));
		assert_int_equal(model_read(m, IXGBE_EICS), modes[i].stays);
		model_write(m, IXGBE_EIMS, 1);
		model_write(m, IXGBE_EICS, 1);
		assert_int_equal(model_irq_pending(m, 0), !modes[i].stays);
		/* The way out: the driver clears the cause itself. */
		model_write(m, IXGBE_EICR, 1);
		assert_int_equal(model_read(m, IXGBE_EICS), 0);
		model_write(m, IXGBE_EIMS, 1);
		model_write(m, IXGBE_EICS, 1);
		assert_true(model_irq_pending(m, 0));
		model_write(m, IXGBE_EICR, 1);
		model_write(m, IXGBE_EIMC, 1);
	}
}

static void eiam_masks_when_the_message_goes(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX | IXGBE_GPIE_EIAME);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_AT(EIAM_EX, 0), 0x00010001);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0x00030003);
	model_write(m, IXGBE_AT(EICS_EX, 0), 0x00030003);
	assert_int_equal(model_read(m, IXGBE_AT(EIMS_EX, 0)), 0x00020002);
	assert_true(model_irq_pending(m, 0));
	/* While masked, causes wait; unmasking fires once. */
	model_write(m, IXGBE_AT(EICS_EX, 0), 0x00010001);
	assert_false(model_irq_pending(m, 0));
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0x00010001);
	assert_true(model_irq_pending(m, 0));
	assert_true(model_irq_pending(m, 16));
	assert_false(model_irq_pending(m, 0));
}

static void arming_with_a_pending_cause_fires(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_IVAR_MISC, other_on(3));
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC);
	assert_false(model_irq_pending(m, 3));
	model_write(m, IXGBE_EIMS, IXGBE_EICR_LSC);
	assert_true(model_irq_pending(m, 3));
}

static void what_is_left_after_a_clear_fires_again(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_IVAR_MISC, other_on(3));
	model_write(m, IXGBE_EIMS, IXGBE_EICR_LSC | IXGBE_EICR_ECC);
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC | IXGBE_EICR_ECC);
	assert_true(model_irq_pending(m, 3));
	model_write(m, IXGBE_EICR, IXGBE_EICR_LSC);
	assert_true(model_irq_pending(m, 3));
	model_write(m, IXGBE_EICR, IXGBE_EICR_ECC);
	assert_false(model_irq_pending(m, 3));
}

static void misc_causes_follow_ivar_misc(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIMS, IXGBE_EICR_LSC | IXGBE_EICR_TCP_TIMER);
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC); /* mapped to nothing */
	for (uint32_t v = 0; v < MODEL_VECTORS; v++)
		assert_false(model_irq_pending(m, v));
	model_write(m, IXGBE_IVAR_MISC, other_on(63) | timer_on(17)); /* mapping it raises it */
	assert_true(model_irq_pending(m, 63));
	model_write(m, IXGBE_EICS, IXGBE_EICR_TCP_TIMER);
	assert_true(model_irq_pending(m, 17));
	assert_false(model_irq_pending(m, 63));
	model_write(m, IXGBE_EICR, 0x7fffffff);
	model_write(m, IXGBE_IVAR_MISC, other_on(64) | timer_on(127)); /* no such vectors */
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC | IXGBE_EICR_TCP_TIMER);
	assert_int_equal(model_read(m, IXGBE_EICS), IXGBE_EICR_LSC | IXGBE_EICR_TCP_TIMER);
}

/* The byte of IVAR that belongs to a queue, to a vector (MSI-X) or an EICR bit (else). */
static void ivar_set(struct model *m, uint32_t queue, bool tx, uint32_t vector)
{
	uint32_t at = IXGBE_AT(IVAR, queue / 2), shift = (queue % 2 * 2 + tx) * 8;

	model_write(m, at,
		    (model_read(m, at) & ~(0xffu << shift)) | (vector | IXGBE_IVAR_ALLOC0_VALID)
								      << shift);
}

static void send_and_receive(struct model *m, struct ring *rx, struct ring *tx)
{
	static struct built frame;
	static struct received got;
	uint8_t sent[128];

	frame_raw(&frame, NULL, 64);
	if (tx) {
		uint32_t index = tx_frame(tx, frame.data, frame.len, TX_LAST, 0);

		tx_kick(tx);
		tx_wait(tx, index);
		model_wire_recv(m, sent, sizeof(sent));
	} else {
		model_wire_send(m, frame.data, frame.len);
		rx_take(rx, &got);
	}
}

static void queue_causes_follow_ivar(void **state)
{
	struct model *m = *state;
	static const uint32_t vector[] = {60, 15, 16};
	struct ring rx, tx[2];

	json_decref(model_control(m, "link up"));
	rings_begin(m);
	rx_open(&rx, m, 0, 64, 2, 0);
	tx_open(&tx[0], m, 0, 64);
	tx_open(&tx[1], m, 1, 64);
	rings_go(m);
	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	ivar_set(m, 0, false, vector[0]);
	ivar_set(m, 0, true, vector[1]);
	ivar_set(m, 1, true, vector[2]);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0xffffffff);
	model_write(m, IXGBE_AT(EIMS_EX, 1), 0xffffffff);
	for (int cause = 0; cause < 3; cause++) {
		send_and_receive(m, &rx, cause == 0 ? NULL : &tx[cause - 1]);
		assert_true(model_irq_wait(m, vector[cause]));
		for (uint32_t v = 0; v < MODEL_VECTORS; v++)
			assert_false(model_irq_pending(m, v));
	}
	/* In the other modes the low 4 bits choose an EICR bit, and all are vector 0. */
	model_write(m, IXGBE_GPIE, 0);
	model_read(m, IXGBE_EICR);
	send_and_receive(m, &rx, NULL);
	assert_true(model_irq_wait(m, 0));
	assert_int_equal(model_read(m, IXGBE_EICR) & 0xffff, 1u << (vector[0] % 16));
	/* Not valid: no cause. */
	model_write(m, IXGBE_IVAR, 0);
	send_and_receive(m, &rx, NULL);
	assert_int_equal(model_read(m, IXGBE_EICR) & 0xffff, 0);
}

/* ---- EITR ---- */

/*
 * Causes come as fast as they can, until there were 20 messages. That many lie at least 19
 * intervals apart, however slow the machine; unthrottled they take a fraction of one.
 */
static void eitr_holds_messages_back(void **state)
{
	struct model *m = *state;
	uint32_t messages = 0;
	uint64_t start;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_EIMS, 0x00000001);
	model_write(m, ixgbe_eitr_reg(0), IXGBE_EITR_ITR_INTERVAL); /* the longest: 1.022 ms */
	start = model_now_ms();
	while (messages < 20) {
		assert_true(model_now_ms() < start + MODEL_DEADLINE_MS);
		model_write(m, IXGBE_EICS, 0x00000001);
		messages += model_irq_pending(m, 0);
	}
	assert_true(model_now_ms() - start >= 19);
	/* The last cause is not lost: its message comes when the interval is over. */
	model_write(m, IXGBE_EICS, 0x00000001);
	assert_true(model_irq_wait(m, 0));
	assert_int_equal(model_read(m, IXGBE_EICR), 0);
}

/* The counter alone, as written without CNT_WDIS, holds one message back; with a cleared
 * counter it goes at once. CNT_WDIS leaves the counter as it is. */
static void eitr_counter_can_be_written(void **state)
{
	struct model *m = *state;
	const uint32_t eitr = ixgbe_eitr_reg(0);

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_EIMS, 0x00000001);
	model_write(m, eitr, IXGBE_EITR_ITR_INTERVAL | IXGBE_EITR_ITR_COUNTER);
	assert_int_equal(model_read(m, eitr), IXGBE_EITR_ITR_INTERVAL | IXGBE_EITR_ITR_COUNTER);
	model_write(m, IXGBE_EICS, 0x00000001);
	model_write(m, eitr, IXGBE_EITR_CNT_WDIS | 0x100);
	assert_int_equal(model_read(m, eitr), 0x100 | IXGBE_EITR_ITR_COUNTER);
	model_write(m, eitr, 0);
	assert_true(model_irq_pending(m, 0));
}

/* Interval 0 is no moderation: what is held back goes, though the counter was not at 0. */
static void no_interval_lets_go(void **state)
{
	struct model *m = *state;
	const uint32_t eitr = ixgbe_eitr_reg(0);

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_EIMS, 0x00000001);
	for (int i = 0; i < 500; i++) { /* once in a while the machine is too slow to tell */
		uint64_t start = model_now_ms();
		bool held;

		model_write(m, eitr, IXGBE_EITR_ITR_INTERVAL | IXGBE_EITR_ITR_COUNTER);
		model_write(m, IXGBE_EICS, 0x00000001);
		held = !model_irq_pending(m, 0);
		model_write(m, eitr, IXGBE_EITR_CNT_WDIS);
		assert_int_equal(model_irq_pending(m, 0), held);
		assert_int_equal(model_read(m, eitr), IXGBE_EITR_ITR_COUNTER);
		if (held && model_now_ms() == start)
			return;
	}
	fail_msg("the machine is too slow: 500 tries took a millisecond or more each");
}

/* With EIMEN the causes of EICS do not wait; those of the queues still do. */
static void eimen_sends_eics_at_once(void **state)
{
	struct model *m = *state;
	uint64_t start = model_now_ms();

	model_write(m, IXGBE_GPIE, MSIX | IXGBE_GPIE_EIMEN);
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0xffffffff);
	model_write(m, ixgbe_eitr_reg(0), IXGBE_EITR_ITR_INTERVAL);
	model_write(m, ixgbe_eitr_reg(20), IXGBE_EITR_ITR_INTERVAL);
	for (int i = 0; i < 100; i++) { /* each waits for none */
		assert_true(model_now_ms() < start + MODEL_DEADLINE_MS);
		model_write(m, IXGBE_EICS, 0x00000001);
		assert_true(model_irq_pending(m, 0));
		model_write(m, IXGBE_AT(EICS_EX, 0), 1u << 20);
		assert_true(model_irq_pending(m, 20));
	}
}

/* A driver that masks while the message waits gets none. */
static void masking_takes_a_held_message_back(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_EIMS, 0x00000001);
	model_write(m, ixgbe_eitr_reg(0), IXGBE_EITR_ITR_INTERVAL);
	model_write(m, IXGBE_EICS, 0x00000001);
	assert_true(model_irq_wait(m, 0));
	model_write(m, IXGBE_EICR, 0x00000001);
	model_write(m, ixgbe_eitr_reg(0), IXGBE_EITR_ITR_INTERVAL | IXGBE_EITR_ITR_COUNTER);
	model_write(m, IXGBE_EICS, 0x00000001);
	model_write(m, IXGBE_EIMC, 0x00000001);
	model_irq_pending(m, 0); /* if the machine was slow it went before the mask */
	assert_true(model_irq_quiet(m, 0));
	model_write(m, IXGBE_EIMS, 0x00000001);
	assert_true(model_irq_wait(m, 0));
}

/* ---- Timers ---- */

static void tcp_timer_fires_once_or_in_a_loop(void **state)
{
	struct model *m = *state;
	const uint32_t once = IXGBE_FIELD_PREP(IXGBE_TCPTIMER_DURATION, 2) |
			      IXGBE_TCPTIMER_COUNT_ENABLE | IXGBE_TCPTIMER_KICKSTART;

	model_write(m, IXGBE_GPIE, MSIX);
	model_write(m, IXGBE_IVAR_MISC, timer_on(2));
	model_write(m, IXGBE_EIAC, IXGBE_EICR_TCP_TIMER);
	model_write(m, IXGBE_EIMS, IXGBE_EICR_TCP_TIMER);
	model_write(m, IXGBE_TCPTIMER, once);
	assert_int_equal(model_read(m, IXGBE_TCPTIMER) & IXGBE_TCPTIMER_KICKSTART, 0);
	assert_true(model_irq_wait(m, 2));
	assert_true(model_irq_quiet(m, 2));
	model_write(m, IXGBE_TCPTIMER, once | IXGBE_TCPTIMER_LOOP);
	for (int i = 0; i < 5; i++)
		assert_true(model_irq_wait(m, 2));
	model_write(m, IXGBE_TCPTIMER, 0);
	model_irq_pending(m, 2);
	assert_true(model_irq_quiet(m, 2));
}

static void free_running_timer_runs(void **state)
{
	uint32_t before = model_read(*state, IXGBE_FRTIMER);
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (model_read(*state, IXGBE_FRTIMER) == before)
		assert_true(model_now_ms() < end);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(eicr_clears_by_read_and_by_write),
		TEST(with_ocd_a_read_clears_no_queue_cause),
		TEST(without_msix_everything_is_vector_0),
		TEST(without_eiame_reading_eicr_masks),
		TEST(each_vector_by_itself),
		TEST(masks_have_two_names),
		TEST(eiac_clears_when_the_message_goes),
		TEST(a_cause_of_eics_may_stay),
		TEST(eiam_masks_when_the_message_goes),
		TEST(arming_with_a_pending_cause_fires),
		TEST(what_is_left_after_a_clear_fires_again),
		TEST(misc_causes_follow_ivar_misc),
		TEST(queue_causes_follow_ivar),
		TEST(eitr_holds_messages_back),
		TEST(eitr_counter_can_be_written),
		TEST(no_interval_lets_go),
		TEST(eimen_sends_eics_at_once),
		TEST(masking_takes_a_held_message_back),
		TEST(tcp_timer_fires_once_or_in_a_loop),
		TEST(free_running_timer_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

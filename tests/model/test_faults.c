/* SPDX-License-Identifier: MIT */
/*
 * Faults of the hardware, as the operator orders them: what the driver sees, and what cures them.
 * Those of EEPROM and module are with the tests of these.
 */
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>

#include "harness.h"
#include "model_rings.h"

static void fault(struct model *m, const char *request)
{
	json_t *reply = model_control(m, request);

	assert_null(json_object_get(reply, "error"));
	json_decref(reply);
}

static bool refused(struct model *m, const char *request)
{
	json_t *reply = model_control(m, request);
	bool error = json_is_string(json_object_get(reply, "error"));

	json_decref(reply);
	return error;
}

/* What `fault list` says of a fault. */
static void is(struct model *m, const char *name, const char *wanted)
{
	json_t *reply = model_control(m, "fault list");
	const json_t *text = json_object_get(json_object_get(reply, "faults"), name);

	assert_string_equal(json_string_value(text), wanted);
	json_decref(reply);
}

static void wait_over(struct model *m, const char *name)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	for (;;) {
		json_t *reply = model_control(m, "fault list");
		const char *text =
			json_string_value(json_object_get(json_object_get(reply, "faults"), name));
		bool over = strcmp(text, "off") == 0;

		json_decref(reply);
		if (over)
			return;
		assert_true(model_now_ms() < end);
	}
}

/* ---- Words ---- */

static void words_are_checked(void **state)
{
	static const char *const wrong[] = {
		"fault",
		"fault nonsense",
		"fault tx-hang",
		"fault tx-hang prayer",
		"fault tx-hang queue 128",
		"fault rx-stuck queue x",
		"fault irq-lost 0",
		"fault irq-lost 4294967296",
		"fault irq-lost -1",
		"fault irq-storm",
		"fault irq-storm 0",
		"fault irq-storm 100001",
		"fault irq-storm 10 64",
		"fault ones 0",
		"fault gone 3600001",
		"fault link-flap 10",
		"fault link-flap 0 10",
		"fault dd 1",
		"fault ecc 1",
		"fault clear nonsense",
		"fault clear ecc",
		"fault list all",
	};
	struct model *m = *state;
	json_t *reply;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_true(refused(m, wrong[i]));
	reply = model_control(m, "status");
	assert_string_equal(json_string_value(json_object_get(reply, "faults")), "none");
	json_decref(reply);
	fault(m, "fault tx-hang reset 3");
	fault(m, "fault irq-lost 7");
	is(m, "tx-hang", "reset, 1 queue");
	is(m, "irq-lost", "7");
	is(m, "dd", "off");
	reply = model_control(m, "fault clear irq-lost");
	assert_string_equal(json_string_value(json_object_get(reply, "faults")), "tx-hang");
	json_decref(reply);
	fault(m, "fault clear");
	is(m, "tx-hang", "off");
}

/* ---- Rings ---- */

static uint32_t send_one(struct ring *tx)
{
	struct built frame;
	uint32_t index;

	frame_raw(&frame, frame_mac, 60);
	index = tx_frame(tx, frame.data, frame.len, 0, 0);
	tx_kick(tx);
	return index;
}

static void receive_one(struct model *m)
{
	struct built frame;

	frame_raw(&frame, NULL, 60);
	model_wire_send(m, frame.data, frame.len);
}

/* As 4.6.8.1 has it: off, head and tail anew, on. */
static void tx_again(struct ring *tx)
{
	struct model *m = tx->m;
	const uint32_t txdctl = ixgbe_txq_reg(IXGBE_TXDCTL, tx->queue);

	model_write(m, txdctl, IXGBE_TXDCTL_SWFLSH);
	model_wait(m, txdctl, IXGBE_TXDCTL_ENABLE, 0);
	model_write(m, ixgbe_txq_reg(IXGBE_TDH, tx->queue), 0);
	model_write(m, ixgbe_txq_reg(IXGBE_TDT, tx->queue), 0);
	tx->next = tx->tail = 0;
	memset(tx->desc.addr, 0, tx->desc.len);
	model_write(m, txdctl, IXGBE_TXDCTL_ENABLE);
	model_wait(m, txdctl, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
}

static void a_queue_that_hangs_is_cured_by_off_and_on(void **state)
{
	struct model *m = *state;
	struct ring rx, tx, other;
	uint8_t data[64];

	rings_begin(m);
	rx_open(&rx, m, 0, 64, 2, 0);
	tx_open(&tx, m, 0, 64);
	tx_open(&other, m, 1, 64);
	rings_go(m);
	fault(m, "fault tx-hang queue 0");
	send_one(&tx);
	assert_true(model_wire_quiet(m));
	assert_int_equal(model_read(m, IXGBE_TDH), 0);
	tx_wait(&other, send_one(&other)); /* the others go on */
	model_wire_recv(m, data, sizeof(data));
	tx_again(&tx);
	is(m, "tx-hang", "off");
	tx_wait(&tx, send_one(&tx));
	model_wire_recv(m, data, sizeof(data));
	rings_end(m, 0);
}

static void a_hang_that_wants_a_reset_gets_one(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;

	rings_start(m, &rx, &tx);
	fault(m, "fault tx-hang reset");
	is(m, "tx-hang", "reset, 128 queues");
	send_one(&tx);
	tx_again(&tx);
	send_one(&tx);
	assert_true(model_wire_quiet(m));
	model_write(m, IXGBE_CTRL, IXGBE_CTRL_RST);
	is(m, "tx-hang", "off");
}

static void a_hang_that_wants_the_function_s_reset_gets_that(void **state)
{
	struct model *m = *state;

	fault(m, "fault tx-hang function");
	fault(m, "fault rx-stuck function");
	model_write(m, IXGBE_CTRL, IXGBE_CTRL_RST);
	model_read(m, IXGBE_STATUS);
	is(m, "tx-hang", "function, 128 queues");
	is(m, "rx-stuck", "function, 128 queues");
	model_reset(m);
	is(m, "tx-hang", "off");
	is(m, "rx-stuck", "off");
}

/* The operator takes the fault away: what waited goes on. */
static void a_hang_that_is_cleared_goes_on(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;
	struct received got;
	uint8_t data[64];
	uint32_t index;

	rings_start(m, &rx, &tx);
	fault(m, "fault tx-hang reset");
	fault(m, "fault rx-stuck reset");
	index = send_one(&tx);
	receive_one(m);
	assert_true(rx_silent(&rx));
	assert_false(tx_done(&tx, index));
	fault(m, "fault clear");
	tx_wait(&tx, index);
	model_wire_recv(m, data, sizeof(data));
	rx_take(&rx, &got);
	assert_int_equal(got.len, 60);
	rings_end(m, 0);
}

/* The packet buffer fills, then frames are missed: the wire is not held up. */
static void a_receiver_that_is_stuck_misses_frames(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;
	struct received got;
	struct built frame;

	rings_begin(m);
	model_write(m, IXGBE_RXPBSIZE, IXGBE_FIELD_PREP(IXGBE_RXPBSIZE_SIZE, 40));
	rx_open(&rx, m, 0, 64, 2, 0);
	tx_open(&tx, m, 0, 64);
	rings_go(m);
	fault(m, "fault rx-stuck queue 0");
	frame_raw(&frame, NULL, 1400);
	for (int i = 0; i < 64; i++)
		model_wire_send(m, frame.data, frame.len);
	model_control_wait(m, "counters", "counters.rx_frames", 64);
	assert_true(model_read(m, IXGBE_RXMPC) > 0);
	assert_true(rx_silent(&rx));
	model_clear(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_set(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	is(m, "rx-stuck", "off");
	rx_take(&rx, &got);
	assert_int_equal(got.len, 1400);
}

static void dd_is_in_every_descriptor(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;

	rings_start(m, &rx, &tx);
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
	model_write(m, IXGBE_IVAR,
		    IXGBE_FIELD_PREP(IXGBE_IVAR_ALLOC0, 1) | IXGBE_IVAR_ALLOC0_VALID |
			    IXGBE_FIELD_PREP(IXGBE_IVAR_ALLOC1, 2) | IXGBE_IVAR_ALLOC1_VALID);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 0x6);
	fault(m, "fault dd");
	/* The reply comes before the turn that the request is in has ended. */
	assert_true(model_irq_wait(m, 1));
	assert_true(model_irq_wait(m, 2));
	for (uint32_t i = 0; i < 64; i++) {
		const union ixgbe_desc *desc = (const void *)(rx.desc.addr + 16 * (size_t)i);

		assert_true(desc->dword[2] & IXGBE_RXD_STAT_DD);
		assert_true(tx_done(&tx, i));
	}
	assert_int_equal(model_read(m, IXGBE_RDH), 0);
	assert_int_equal(model_read(m, IXGBE_TDH), 0);
}

/* Both tails past their heads: a driver that believes DD does that. */
static void tails_too_far(struct model *m)
{
	model_write(m, IXGBE_RDT, 63);
	model_write(m, IXGBE_RDT, 0);
	model_write(m, IXGBE_TDT, 63);
	model_write(m, IXGBE_TDT, 0);
}

static void what_the_nic_made_up_is_no_offence(void **state)
{
	const uint32_t on = IXGBE_TXDCTL_ENABLE;
	struct model *m = *state;
	struct ring rx, tx;
	struct built f;

	rings_start(m, &rx, &tx);
	model_set(m, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS); /* the head stands */
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	fault(m, "fault dd");
	while (!tx_done(&tx, 0) || !tx_done(&tx, 63))
		model_read(m, IXGBE_STATUS);
	tails_too_far(m);
	model_write(m, IXGBE_RDT, 10);
	tx_kick(&tx);
	model_wire_send(m, f.data, f.len);
	model_control_wait(m, "counters", "counters.rx_delivered", 1);
	model_clear(m, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS);
	model_control_wait(m, "counters", "counters.tx_sent", 1);
	model_set(m, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS);
	fault(m, "fault clear");
	tails_too_far(m);
	rings_end(m, 0);
	/* A ring that is set up anew is judged again. */
	model_write(m, IXGBE_TXDCTL, 0);
	model_write(m, IXGBE_RXDCTL, 0);
	model_wait(m, IXGBE_TXDCTL, on, 0);
	model_wait(m, IXGBE_RXDCTL, on, 0);
	model_write(m, IXGBE_TXDCTL, on);
	model_write(m, IXGBE_RXDCTL, on);
	model_wait(m, IXGBE_TXDCTL, on, on);
	model_wait(m, IXGBE_RXDCTL, on, on);
	rings_end(m, 0);
	tails_too_far(m);
	rings_end(m, 2);
}

/* ---- Interrupts ---- */

static void other_causes_on(struct model *m, uint32_t vector)
{
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
	model_write(m, IXGBE_IVAR_MISC,
		    IXGBE_FIELD_PREP(IXGBE_IVAR_MISC_OTHER, vector) | IXGBE_IVAR_MISC_OTHER_VALID);
	model_write(m, IXGBE_EIMS, IXGBE_EICR_LSC | IXGBE_EICR_ECC);
}

static void so_many_interrupts_are_lost(void **state)
{
	struct model *m = *state;

	other_causes_on(m, 5);
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	model_read(m, IXGBE_EICR);
	(void)model_irq_pending(m, 5);
	fault(m, "fault irq-lost 2");
	for (int i = 0; i < 2; i++) {
		model_write(m, IXGBE_EICS, IXGBE_EICR_LSC);
		assert_false(model_irq_pending(m, 5));
		assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_LSC); /* the cause is there */
	}
	is(m, "irq-lost", "off");
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC);
	assert_true(model_irq_pending(m, 5));
	fault(m, "fault irq-lost");
	is(m, "irq-lost", "on");
	model_read(m, IXGBE_EICR);
	model_write(m, IXGBE_EICS, IXGBE_EICR_LSC);
	assert_false(model_irq_pending(m, 5));
}

static void a_storm_has_no_cause_and_no_mask(void **state)
{
	struct model *m = *state;

	other_causes_on(m, 5);
	model_write(m, IXGBE_EIMC, IXGBE_EICR_LSC | IXGBE_EICR_ECC);
	(void)model_irq_pending(m, 5);
	fault(m, "fault irq-storm 1000");
	for (int i = 0; i < 20; i++)
		assert_true(model_irq_wait(m, 5));
	fault(m, "fault irq-storm 1000 9");
	assert_true(model_irq_wait(m, 9));
	assert_true(model_irq_wait(m, 9));
	fault(m, "fault clear irq-storm");
	(void)model_irq_pending(m, 9);
	assert_true(model_irq_quiet(m, 9));
}

/* ---- The bus ---- */

static void registers_read_ones_and_keep_what_they_have(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_AT(MTA, 3), 0x12345678);
	model_read(m, IXGBE_STATUS);
	fault(m, "fault ones");
	assert_int_equal(model_read(m, IXGBE_STATUS), UINT32_MAX);
	model_write(m, IXGBE_AT(MTA, 3), 0);
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 3)), UINT32_MAX);
	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 2), 0x8086);
	fault(m, "fault clear ones");
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 3)), 0x12345678);
	fault(m, "fault ones 100");
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 3)), UINT32_MAX);
	wait_over(m, "ones");
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 3)), 0x12345678);
}

static void a_card_that_is_gone_comes_back_as_at_power_on(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;

	rings_start(m, &rx, &tx);
	other_causes_on(m, 5);
	model_write(m, IXGBE_AT(MTA, 3), 0x12345678);
	model_write(m, IXGBE_SW_FW_SYNC, 1); /* lives through other resets */
	(void)model_irq_pending(m, 5);
	fault(m, "fault gone");
	assert_int_equal(model_read(m, IXGBE_STATUS), UINT32_MAX);
	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 2), 0xffff);
	model_config_write(m, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(model_control_int(m, "registers RXCTRL", "registers.RXCTRL"), 0);
	receive_one(m);
	assert_true(rx_silent(&rx));
	assert_true(model_irq_quiet(m, 5));
	fault(m, "fault clear gone");
	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 2), 0x8086);
	assert_int_equal(model_config_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 3)), 0);
	assert_int_equal(model_read(m, IXGBE_SW_FW_SYNC), 0);
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	fault(m, "fault gone 50");
	wait_over(m, "gone");
	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 2), 0x8086);
}

static void the_far_end_loses_light_of_a_card_that_is_gone(void **state)
{
	struct model *m = *state;
	json_t *reply;

	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	fault(m, "fault gone");
	reply = model_control(m, "status");
	assert_false(json_is_true(json_object_get(reply, "laser")));
	assert_string_equal(json_string_value(json_object_get(reply, "link")), "down");
	json_decref(reply);
}

static void mastering_the_bus_can_be_taken_away(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;
	uint32_t index;

	rings_start(m, &rx, &tx);
	assert_true(model_config_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	fault(m, "fault master-off");
	assert_false(model_config_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	assert_true(model_config_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	index = send_one(&tx);
	assert_true(model_wire_quiet(m));
	assert_false(tx_done(&tx, index));
}

/* ---- Link and statistics ---- */

static void the_link_flaps_so_often(void **state)
{
	struct model *m = *state;
	uint32_t changes = 0;

	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	model_read(m, IXGBE_EICR);
	fault(m, "fault link-flap 5 300");
	for (uint64_t end = model_now_ms() + MODEL_DEADLINE_MS; changes < 10;) {
		changes += (model_read(m, IXGBE_EICR) & IXGBE_EICR_LSC) != 0;
		assert_true(model_now_ms() < end);
	}
	wait_over(m, "link-flap");
	assert_true(model_read(m, IXGBE_LINKS) & IXGBE_LINKS_UP);
	assert_true(changes == 10);
	fault(m, "fault link-flap 1 3600000");
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	is(m, "link-flap", "1");
	fault(m, "fault clear link-flap");
	assert_true(model_read(m, IXGBE_LINKS) & IXGBE_LINKS_UP);
}

static void statistics_stick_at_their_maximum(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;
	struct received got;

	rings_start(m, &rx, &tx);
	fault(m, "fault stats-max");
	receive_one(m);
	rx_take(&rx, &got);
	assert_int_equal(model_read(m, IXGBE_GPRC), UINT32_MAX);
	assert_int_equal(model_read(m, IXGBE_GPRC), 0);
	assert_int_equal(model_read(m, IXGBE_GORCL), UINT32_MAX);
	assert_int_equal(model_read(m, IXGBE_GORCH), 0xf);
	assert_int_equal(model_read(m, IXGBE_AT(QPRC, 15)), UINT32_MAX);
	assert_int_equal(model_read(m, IXGBE_FDIRMATCH), 0);
	receive_one(m);
	rx_take(&rx, &got);
	assert_int_equal(model_read(m, IXGBE_GPRC), 1);
	rings_end(m, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(words_are_checked),
		TEST(a_queue_that_hangs_is_cured_by_off_and_on),
		TEST(a_hang_that_wants_a_reset_gets_one),
		TEST(a_hang_that_wants_the_function_s_reset_gets_that),
		TEST(a_hang_that_is_cleared_goes_on),
		TEST(a_receiver_that_is_stuck_misses_frames),
		TEST(dd_is_in_every_descriptor),
		TEST(what_the_nic_made_up_is_no_offence),
		TEST(so_many_interrupts_are_lost),
		TEST(a_storm_has_no_cause_and_no_mask),
		TEST(registers_read_ones_and_keep_what_they_have),
		TEST(a_card_that_is_gone_comes_back_as_at_power_on),
		TEST(the_far_end_loses_light_of_a_card_that_is_gone),
		TEST(mastering_the_bus_can_be_taken_away),
		TEST(the_link_flaps_so_often),
		TEST(statistics_stick_at_their_maximum),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}

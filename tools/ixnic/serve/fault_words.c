/* SPDX-License-Identifier: MIT */
/*
 * The request "fault": its words, for each fault. Those that happen once are over with the reply;
 * the others last until their time, a cure or "fault clear".
 */
#include "fault_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/service/control.h"
#include "tools/ixnic/chip/fault_play.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"

#define MS_MAX    3600000u /* an hour */
#define STORM_MAX 100000u  /* messages a second */
#define FLAPS_MAX 1000000u

/* A number in decimal digits, from `least` to `most`. */
static bool number(const char *word, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long value;

	if (!word || !*word || word[strspn(word, "0123456789")])
		return false;
	errno = 0;
	value = strtoul(word, NULL, 10);
	if (errno || value < least || value > most)
		return false;
	*out = (uint32_t)value;
	return true;
}

static void act_at(struct nic *nic, uint32_t which, uint64_t in_ns)
{
	nic->faults->at_ns[__builtin_ctz(which)] = in_ns ? loop_now_ns() + in_ns : 0;
}

/* ---- The words of each; false: they are wrong ---- */

static bool hang(struct nic *nic, uint32_t which, char *const words[])
{
	static const char *const cures[] = {
		[FAULT_CURE_QUEUE] = "queue",
		[FAULT_CURE_RESET] = "reset",
		[FAULT_CURE_FUNCTION] = "function",
	};
	struct fault_hang next = {.queue = {UINT64_MAX, UINT64_MAX}};
	uint32_t queue, cure = 0;

	while (cure < sizeof(cures) / sizeof(cures[0]) &&
	       (!words[0] || strcmp(cures[cure], words[0])))
		cure++;
	if (cure == sizeof(cures) / sizeof(cures[0]))
		return false;
	next.cure = (enum fault_cure)cure;
	if (words[1]) {
		if (!number(words[1], 0, IXGBE_RXQ_COUNT - 1, &queue))
			return false;
		memset(next.queue, 0, sizeof(next.queue));
		bit_set(next.queue, queue);
	}
	*(which == FAULT_TX_HANG ? &nic->faults->tx : &nic->faults->rx) = next;
	return true;
}

static bool irq_lost(struct nic *nic, uint32_t which, char *const words[])
{
	uint32_t count = 0;

	(void)which;
	if (words[0] && !number(words[0], 1, UINT32_MAX, &count))
		return false;
	nic->faults->irqs_left = count;
	return true;
}

static bool irq_storm(struct nic *nic, uint32_t which, char *const words[])
{
	uint32_t per_s, vector = NIC_VECTORS;

	if (!number(words[0], 1, STORM_MAX, &per_s) ||
	    (words[1] && !number(words[1], 0, NIC_VECTORS - 1, &vector)))
		return false;
	nic->faults->storm_per_s = per_s;
	nic->faults->storm_vector = vector;
	act_at(nic, which, 1000000000u / per_s);
	return true;
}

static bool for_a_while(struct nic *nic, uint32_t which, char *const words[])
{
	uint32_t ms = 0;

	if (words[0] && !number(words[0], 1, MS_MAX, &ms))
		return false;
	act_at(nic, which, ms * 1000000ull);
	return true;
}

static bool link_flap(struct nic *nic, uint32_t which, char *const words[])
{
	uint32_t count, ms;

	if (!number(words[0], 1, FLAPS_MAX, &count) || !number(words[1], 1, MS_MAX, &ms))
		return false;
	nic->faults->flap_changes = 2 * count;
	nic->faults->flap_step_ns = ms * 1000000ull / nic->faults->flap_changes;
	act_at(nic, which, 1);
	return true;
}

static bool timeout(struct nic *nic, uint32_t which, char *const words[])
{
	(void)which, (void)words;
	interrupt_pci_exception(nic, IXGBE_PIENA_TO);
	return true;
}

static bool ecc(struct nic *nic, uint32_t which, char *const words[])
{
	(void)which, (void)words;
	interrupt_raise(nic, IXGBE_EICR_ECC);
	return true;
}

static bool stats_max(struct nic *nic, uint32_t which, char *const words[])
{
	(void)which, (void)words;
	statistics_max(nic);
	return true;
}

static bool master_off(struct nic *nic, uint32_t which, char *const words[])
{
	(void)which, (void)words;
	if (nic->faults->bus)
		nic->faults->bus(nic->faults->bus_ctx, FAULT_BUS_MASTER_OFF);
	return true;
}

/* `take` is NULL for faults without words; `usage` is what may follow the name. */
static const struct fault_row {
	const char *name;
	bool (*take)(struct nic *nic, uint32_t which, char *const words[]);
	uint32_t words_max;
	const char *usage;
} rows[] = {
	{"tx-hang", hang, 2, " queue|reset|function [QUEUE], of queues 0 to 127"},
	{"rx-stuck", hang, 2, " queue|reset|function [QUEUE], of queues 0 to 127"},
	{"irq-lost", irq_lost, 1, " [COUNT], at least 1"},
	{"irq-storm", irq_storm, 2, " RATE [VECTOR], 1 to 100000 a second, of vectors 0 to 63"},
	{"ones", for_a_while, 1, " [MS], 1 to 3600000"},
	{"gone", for_a_while, 1, " [MS], 1 to 3600000"},
	{"link-flap", link_flap, 2, " COUNT MS, up to 1000000 times within 1 to 3600000 ms"},
	{"module-code", NULL, 0, ""},
	{"module-sum", NULL, 0, ""},
	{"eeprom-sum", NULL, 0, ""},
	{"dd", NULL, 0, ""},
	{"timeout", timeout, 0, ""},
	{"ecc", ecc, 0, ""},
	{"stats-max", stats_max, 0, ""},
	{"master-off", master_off, 0, ""},
};

static json_t *begin(struct nic *nic, const struct fault_row *row, char *const words[])
{
	uint32_t which = faults_find(row->name), given = 0;

	while (words[given])
		given++;
	if (given > row->words_max || (row->take && !row->take(nic, which, words)))
		return control_error("fault: not understood; try: fault %s%s", row->name,
				     row->usage);
	if (which)
		fault_play_begin(nic, which);
	return NULL;
}

/* All of them, or the one that is named. */
static json_t *clear(struct nic *nic, const char *name)
{
	uint32_t which = name ? faults_find(name) : UINT32_MAX;

	if (!which)
		return control_error("fault: no fault of that name lasts; try: fault list");
	fault_play_end(nic, which);
	if (which & FAULT_TX_HANG)
		transmit_again(nic);
	return NULL;
}

json_t *fault_words(struct nic *nic, char *const words[])
{
	if (words[0] && strcmp(words[0], "clear") == 0)
		return clear(nic, words[1]);
	for (size_t i = 0; words[0] && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, words[0]) == 0)
			return begin(nic, &rows[i], words + 1);
	}
	return control_error("fault: %s; try: fault list, or see ixnic(8)",
			     words[0] ? "no fault has that name" : "the name is missing");
}

json_t *fault_words_list(const struct nic *nic)
{
	json_t *list = json_object();
	char text[FAULT_TEXT];

	for (uint32_t i = 0; i < FAULTS; i++)
		json_object_set_new(list, faults_name(1u << i),
				    json_string(faults_text(nic, 1u << i, text)));
	return json_pack("{s:o}", "faults", list);
}

const char *fault_words_on(const struct nic *nic, char text[FAULT_NAMES])
{
	size_t used = 0;

	snprintf(text, FAULT_NAMES, "none");
	for (uint32_t left = nic->fault_bits; left; left &= left - 1)
		used += (size_t)snprintf(text + used, FAULT_NAMES - used, "%s%s", used ? ", " : "",
					 faults_name(left & -left));
	return text;
}

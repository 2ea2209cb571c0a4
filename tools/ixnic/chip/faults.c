/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ixnic/loop.h"

/* Bytes of a module's identity (SFF-8472 table 4-1). */
enum { CODES_FIRST = 3, CODES_LAST = 10, SUM_AT = 63 };

static const char *const names[FAULTS] = {
	"tx-hang",   "rx-stuck",    "irq-lost",   "irq-storm",  "ones", "gone",
	"link-flap", "module-code", "module-sum", "eeprom-sum", "dd",
};

static const char *const cures[] = {
	[FAULT_CURE_QUEUE] = "queue",
	[FAULT_CURE_RESET] = "reset",
	[FAULT_CURE_FUNCTION] = "function",
};

int faults_new(struct nic *nic)
{
	nic->faults = calloc(1, sizeof(*nic->faults));
	return nic->faults ? 0 : -ENOMEM;
}

void faults_free(struct nic *nic)
{
	free(nic->faults);
	nic->faults = NULL;
}

void faults_bus_set(struct nic *nic, fault_bus_fn bus, void *ctx)
{
	nic->faults->bus = bus;
	nic->faults->bus_ctx = ctx;
}

uint32_t faults_find(const char *name)
{
	for (uint32_t i = 0; i < FAULTS; i++) {
		if (strcmp(names[i], name) == 0)
			return 1u << i;
	}
	return 0;
}

const char *faults_name(uint32_t which)
{
	return names[__builtin_ctz(which)];
}

/* ---- What is left ---- */

static void hang_text(const struct fault_hang *hang, char text[FAULT_TEXT])
{
	int queues = __builtin_popcountll(hang->queue[0]) + __builtin_popcountll(hang->queue[1]);

	snprintf(text, FAULT_TEXT, "%s, %d queue%s", cures[hang->cure], queues,
		 queues == 1 ? "" : "s");
}

static void until_text(uint64_t at_ns, char text[FAULT_TEXT])
{
	uint64_t now = loop_now_ns();

	if (at_ns)
		snprintf(text, FAULT_TEXT, "%llu ms",
			 at_ns > now ? (unsigned long long)(at_ns - now) / 1000000 : 0);
}

const char *faults_text(const struct nic *nic, uint32_t which, char text[FAULT_TEXT])
{
	const struct faults *faults = nic->faults;

	snprintf(text, FAULT_TEXT, "%s", fault_on(nic, which) ? "on" : "off");
	if (!fault_on(nic, which))
		return text;
	if (which == FAULT_TX_HANG || which == FAULT_RX_STUCK)
		hang_text(which == FAULT_TX_HANG ? &faults->tx : &faults->rx, text);
	else if (which == FAULT_IRQ_LOST && faults->irqs_left)
		snprintf(text, FAULT_TEXT, "%u", faults->irqs_left);
	else if (which == FAULT_IRQ_STORM)
		snprintf(text, FAULT_TEXT, "%u a second", faults->storm_per_s);
	else if (which == FAULT_LINK_FLAP)
		snprintf(text, FAULT_TEXT, "%u", (faults->flap_changes + 1) / 2);
	else if (which == FAULT_ONES || which == FAULT_GONE)
		until_text(faults->at_ns[__builtin_ctz(which)], text);
	return text;
}

/* ---- Where faults show ---- */

static struct fault_hang *hang_of(struct nic *nic, uint32_t which)
{
	return which == FAULT_TX_HANG ? &nic->faults->tx : &nic->faults->rx;
}

bool faults_hung(const struct nic *nic, uint32_t which, uint32_t queue)
{
	const struct fault_hang *hang =
		which == FAULT_TX_HANG ? &nic->faults->tx : &nic->faults->rx;

	return fault_on(nic, which) && hang->queue[queue / 64] >> queue % 64 & 1;
}

void faults_queue_on(struct nic *nic, uint32_t which, uint32_t queue)
{
	struct fault_hang *hang = hang_of(nic, which);

	if (hang->cure != FAULT_CURE_QUEUE)
		return;
	hang->queue[queue / 64] &= ~(1ull << queue % 64);
	if (!hang->queue[0] && !hang->queue[1])
		nic->fault_bits &= ~which;
}

void faults_reset(struct nic *nic, enum nic_reset kind)
{
	bool by_driver = kind == NIC_RESET_CTRL_RST || kind == NIC_RESET_LINK;

	if (!by_driver || nic->faults->tx.cure != FAULT_CURE_FUNCTION)
		nic->fault_bits &= ~(uint32_t)FAULT_TX_HANG;
	if (!by_driver || nic->faults->rx.cure != FAULT_CURE_FUNCTION)
		nic->fault_bits &= ~(uint32_t)FAULT_RX_STUCK;
}

bool faults_message_lost(struct nic *nic)
{
	struct faults *faults = nic->faults;

	if (fault_on(nic, FAULT_IRQ_LOST) && faults->irqs_left > 0 && --faults->irqs_left == 0)
		nic->fault_bits &= ~(uint32_t)FAULT_IRQ_LOST;
	return true;
}

uint8_t faults_module_byte(const struct nic *nic, const uint8_t *page, uint8_t at)
{
	uint8_t value = page[at];

	if (fault_on(nic, FAULT_MODULE_CODE)) {
		if (at >= CODES_FIRST && at <= CODES_LAST)
			value = 0;
		for (int i = CODES_FIRST; at == SUM_AT && i <= CODES_LAST; i++)
			value = (uint8_t)(value - page[i]);
	}
	return fault_on(nic, FAULT_MODULE_SUM) && at == SUM_AT ? (uint8_t)~value : value;
}

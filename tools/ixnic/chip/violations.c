/* SPDX-License-Identifier: MIT */
/*
 * Every case is counted, for all clients together and for the one that is there. The first few of
 * each rule are kept and logged with their details, which is enough to find the cause. After those
 * a case costs three additions, even a million times a second.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/service/log.h"
#include "violations.h"

#define DETAIL_BYTES 120

struct of_client {
	uint64_t total, count[VIOLATIONS];
};

struct violations {
	uint64_t total;
	uint32_t clients;                           /* how many came so far */
	struct of_client client[VIOLATION_CLIENTS]; /* client n is at n % VIOLATION_CLIENTS */
	bool forgiven[VIOLATIONS];
	bool paused;
	struct {
		uint64_t count;
		char first[NIC_VIOLATION_FIRST][DETAIL_BYTES];
	} rule[VIOLATIONS];
};

static const struct {
	const char *name, *section, *text;
} rules[VIOLATIONS] = {
#define R(name, section, text) {#name, section, text},
	NIC_VIOLATIONS(R)
#undef R
};

int violations_new(struct nic *nic)
{
	nic->violations = calloc(1, sizeof(*nic->violations));
	return nic->violations ? 0 : -ENOMEM;
}

void violations_free(struct nic *nic)
{
	free(nic->violations);
	nic->violations = NULL;
}

/* --strict: as a DMA unit that hangs. Registers answer, the link stays, and a reset helps. */
static void stop(struct nic *nic, enum nic_violation rule)
{
	if (!nic->strict || nic->stopped || nic->violations->forgiven[rule])
		return;
	nic->stopped = true;
	log_line(IXGBE_LOG_WARNING, "%s ends all DMA until the next reset", rules[rule].name);
}

void violation(struct nic *nic, enum nic_violation rule, const char *format, ...)
{
	struct violations *violations = nic->violations;
	struct of_client *client = &violations->client[violations->clients % VIOLATION_CLIENTS];
	uint64_t n;
	char *detail;
	va_list args;

	if (violations->paused)
		return;
	n = violations->rule[rule].count++;
	violations->total++;
	client->total++;
	client->count[rule]++;
	stop(nic, rule);
	if (n >= NIC_VIOLATION_FIRST)
		return;
	detail = violations->rule[rule].first[n];
	va_start(args, format);
	ixgbe_text_fit(detail, DETAIL_BYTES, format, args);
	va_end(args);
	log_line(IXGBE_LOG_WARNING, "the driver broke %s (82599 datasheet %s: %s): %s",
		 rules[rule].name, rules[rule].section, rules[rule].text, detail);
}

bool violations_pause(struct nic *nic, bool paused)
{
	bool before = nic->violations->paused;

	nic->violations->paused = paused;
	return before;
}

void violations_client(struct nic *nic)
{
	struct violations *violations = nic->violations;

	violations->clients++;
	violations->client[violations->clients % VIOLATION_CLIENTS] = (struct of_client){0};
}

void violations_zero(struct nic *nic)
{
	struct violations *violations = nic->violations;

	violations->total = 0;
	memset(violations->client, 0, sizeof(violations->client));
	memset(violations->rule, 0, sizeof(violations->rule));
}

/* The rule with that name; VIOLATIONS: none. */
static enum nic_violation rule_find(const char *name, size_t len)
{
	for (uint32_t i = 0; i < VIOLATIONS; i++)
		if (strlen(rules[i].name) == len && memcmp(rules[i].name, name, len) == 0)
			return (enum nic_violation)i;
	return VIOLATIONS;
}

int violations_forgive(struct nic *nic, const char *names)
{
	bool forgiven[VIOLATIONS + 1] = {false};

	while (names) {
		size_t len = strcspn(names, ",");

		forgiven[rule_find(names, len)] = true;
		names = names[len] ? names + len + 1 : NULL;
	}
	if (forgiven[VIOLATIONS])
		return -ENOENT;
	memcpy(nic->violations->forgiven, forgiven, sizeof(nic->violations->forgiven));
	return 0;
}

uint32_t violation_clients(const struct nic *nic)
{
	return nic->violations->clients;
}

uint64_t violation_of_client(const struct nic *nic, uint32_t client, enum nic_violation rule)
{
	return nic->violations->client[client % VIOLATION_CLIENTS].count[rule];
}

uint64_t violation_total(const struct nic *nic)
{
	return nic->violations->total;
}

struct violation_info violation_info(const struct nic *nic, enum nic_violation rule)
{
	struct violation_info info = {
		.name = rules[rule].name,
		.section = rules[rule].section,
		.text = rules[rule].text,
		.count = nic->violations->rule[rule].count,
	};

	for (uint32_t i = 0; i < NIC_VIOLATION_FIRST && i < info.count; i++)
		info.first[i] = nic->violations->rule[rule].first[i];
	return info;
}

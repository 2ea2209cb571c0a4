/* SPDX-License-Identifier: MIT */
#include "state.h"

static const struct {
	const char *name, *text;
} names[] = {
	[STATE_OPENING] = {"opening", "Opening the NIC"},
	[STATE_DOWN] = {"down", "Down by the administrator"},
	[STATE_WAITING] = {"waiting", "Waiting for link"},
	[STATE_RUNNING] = {"running", "Running, link is up"},
	[STATE_RECOVERING] = {"recovering", "The NIC failed, bringing it back"},
	[STATE_STOPPING] = {"stopping", "Stopping"},
};

enum state state_of(const struct state_facts *facts)
{
	if (facts->stopping)
		return STATE_STOPPING;
	if (!facts->started)
		return STATE_OPENING;
	if (!facts->nic_open)
		return STATE_RECOVERING;
	if (!facts->admin_up)
		return STATE_DOWN;
	return facts->link_up ? STATE_RUNNING : STATE_WAITING;
}

const char *state_name(enum state state)
{
	return names[state].name;
}

const char *state_text(enum state state)
{
	return names[state].text;
}

int state_retry_delay_ms(unsigned int attempt)
{
	if (attempt >= STATE_RETRIES)
		return -1;
	int delay_ms = STATE_RETRY_FIRST_MS << attempt;

	return delay_ms < STATE_RETRY_MOST_MS ? delay_ms : STATE_RETRY_MOST_MS;
}

/* SPDX-License-Identifier: MIT */
/*
 * The state of the bridge is a pure function of what is known: nothing in here acts.
 *
 *     state       known                      NIC       workers  laser  TAP's carrier
 *     ----------  -------------------------  --------  -------  -----  -------------
 *     opening     the start is not over      -         -        -      off
 *     down        the administrator: down    rings on  run      off    off
 *     waiting     up, but the link is not    rings on  run      on     off
 *     running     up, and the link too       rings on  run      on     on
 *     recovering  the NIC failed             reset     -        -      off
 *                                            or closed
 *     stopping    a signal, or no way on     closing   -        -      off
 *
 * The first that holds decides: stopping, not started, NIC failed, administrator, link. A
 * worker without frames rests as --poll says, whatever the state.
 */
#pragma once

#include <stdbool.h>

enum state {
	STATE_OPENING,
	STATE_DOWN,
	STATE_WAITING,
	STATE_RUNNING,
	STATE_RECOVERING,
	STATE_STOPPING,
};

struct state_facts {
	bool started; /* the first start is over */
	bool stopping;
	bool nic_open;
	bool admin_up;
	bool link_up;
};

enum state state_of(const struct state_facts *facts);
const char *state_name(enum state state);
/* For sd_notify and people. */
const char *state_text(enum state state);

/*
 * The wait before attempt `attempt` (0, 1, ...) to bring the NIC back: it doubles from
 * STATE_RETRY_FIRST_MS to STATE_RETRY_MOST_MS. -1: after STATE_RETRIES attempts it is time to give
 * up.
 */
#define STATE_RETRIES        8u
#define STATE_RETRY_FIRST_MS 250
#define STATE_RETRY_MOST_MS  8000
/* A NIC that worked for so long before it failed starts with attempt 0 again. */
#define STATE_STABLE_MS 60000
int state_retry_delay_ms(unsigned int attempt);

/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <signal.h>
#include <stddef.h>

#include "tools/ixlat/sink.h"

static volatile sig_atomic_t asked;

static void ask(int number)
{
	(void)number;
	asked = 1;
	sinks_hurry();
}

void stop_on_signals(void)
{
	/* Without SA_RESTART a signal ends a system call that waits. Writes go on for a
	 * while, see sink.h. A second signal ends the program. */
	struct sigaction action = {.sa_handler = ask, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void stop_by_default(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

bool stop_asked(void)
{
	return asked;
}

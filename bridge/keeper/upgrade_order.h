/* SPDX-License-Identifier: MIT */
#pragma once

/* What the words "--handover FD:MODE", first on the command line, say: this program was executed by
 * another ixtapd, or is asked by one. */
enum upgrade_mode {
	UPGRADE_NONE,
	UPGRADE_CHECK,  /* could it take over? */
	UPGRADE_GO,     /* it takes over */
	UPGRADE_BACK,   /* it was there before, and takes over again */
	UPGRADE_INHERIT /* no word: another process was killed, and left all open (heir.c) */
};

struct upgrade_order {
	enum upgrade_mode mode;
	int fd; /* of the handover */
};

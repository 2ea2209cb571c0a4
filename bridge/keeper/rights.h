/* SPDX-License-Identifier: MIT */
/* What the keeper itself gives up, once it has started. */
#pragma once

#include <jansson.h>

#include "bridge/making/maker.h"
#include "bridge/start/options.h"

/* In the order in which they come into force: symbol, name. */
#define RIGHTS_MECHANISMS(M)                                                                       \
	M(MAKER, "maker")               /* another process makes drivers, and may do so alone */   \
	M(USER, "user")                 /* no file is its own */                                   \
	M(CAPABILITIES, "capabilities") /* the text says which are left */                         \
	M(NO_NEW_PRIVS, "no-new-privs") /* no program that is executed gets more */                \
	M(LANDLOCK, "landlock")         /* writes devices alone; no TCP port, no signal */         \
	M(SECCOMP, "seccomp")           /* system calls that no keeper needs */

enum rights_mechanism {
#define M(symbol, name) RIGHTS_##symbol,
	RIGHTS_MECHANISMS(M)
#undef M
		RIGHTS_COUNT
};

struct rights {
	struct isolation_fact of[RIGHTS_COUNT];
};

/* "user" */
const char *rights_name(enum rights_mechanism mechanism);
/*
 * Gives up, for this process and all that it executes from here on, what neither the keeper nor its
 * children need. What is in force already, by the program before, stays. -EPERM with `why` filled:
 * something is missing, and all is required.
 */
int rights_give_up(struct rights *rights, const struct options *options, const struct maker *maker,
		   struct ixgbe_why *why);
/* Whether all that can be had is in force. */
bool rights_whole(const struct rights *rights);
/* Whether this process has another user than it was started with: files of the start may be out of
 * reach. */
bool rights_other_user(const struct rights *rights);
/* Whether a NIC of this kind, once closed, can be opened again: a device, or the socket of a
 * server, is out of another user's reach. */
bool rights_open_nic(const struct rights *rights, enum options_nic_kind kind);

/* For the next program, which has them already. */
json_t *rights_hand_over(const struct rights *rights);
void rights_take_over(struct rights *rights, const json_t *from);

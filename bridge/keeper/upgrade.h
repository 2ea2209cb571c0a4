/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Takes the two words away. Those that make no sense are left, and refused as any others. */
void upgrade_words(int *argc, char ***argv, struct upgrade_order *out);
/* UPGRADE_CHECK: answers on standard output. Returns the status to exit with. */
int upgrade_answer(const struct options *options, int fd);
/* The others: the handover, whose descriptors exec does not pass on; NULL: `why` is filled. */
json_t *upgrade_take(int fd, struct ixgbe_why *why);
/* The former program goes on with `handover`, since this one cannot: returns if that cannot be. */
void upgrade_go_back(json_t *handover, char *const *argv, const struct ixgbe_why *why);

/* In the executed program, first: the former's maker, and what the process has given up. */
int upgrade_maker_take_over(struct daemon *daemon, struct ixgbe_why *why);
/* With control socket and interface taken over: the NIC, and counts. */
int upgrade_nic_take_over(struct daemon *daemon, struct ixgbe_why *why);
/* The same could not be: the former program goes on. Returns if that cannot be. */
void upgrade_undo(struct daemon *daemon, const struct ixgbe_why *why);
/* All is taken over: whoever asked hears of that, the log and monitors too. */
void upgrade_tell(struct daemon *daemon);

/* Executes `program`, NULL: our own file, in place. Returns only if that failed: the error, which
 * is logged, and has "again" where another attempt may do better. `client` of the control socket
 * has asked, 0: none. */
json_t *upgrade_run(struct daemon *daemon, const char *program, uint64_t client);

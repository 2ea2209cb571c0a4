/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Before the start: what a killed keeper has left in the service manager's store. A handover, for
 * daemon_run, with UPGRADE_INHERIT; NULL: none, or none that fits, which is logged and removed. */
json_t *heir_take(const struct options *options);
/* The same of a program that this process has executed before. */
void heir_continue(const json_t *handover);
/* Once the NIC of either is taken over. -EBADMSG: it is of no use. */
int heir_nic_take(struct daemon *daemon, struct ixgbe_why *why);
/* It cannot be taken over: nobody drives it any more. */
void heir_nic_drop(struct daemon *daemon);
/* Nothing can be taken over: the start is as any other. */
void heir_drop(struct daemon *daemon);
/* All is taken over: the log hears of it. */
void heir_tell(struct daemon *daemon);

/* Whether this process provides for the next one. */
bool heir_wanted(void);
/* Behind each event: stores what has changed. */
void heir_provide(struct daemon *daemon);

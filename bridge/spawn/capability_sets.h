/* SPDX-License-Identifier: MIT */
/* Capabilities of the calling thread that are given up, for all that it executes, too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* Those in effect. */
uint64_t capability_sets_effective(void);
/* Of the bounding set, `keep` stays. -EPERM: others stay, too, since that takes CAP_SETPCAP; who
 * has no capability in the other sets gets none from exec without it. */
int capability_sets_bounding(uint64_t keep);
/* Gives up all but `keep`: permitted, effective, inheritable, and so ambient. Returns in *left what
 * is there still. -errno; -EPERM: more than `keep` is. */
int capability_sets_reduce(uint64_t keep, uint64_t *left);
/* The same across a change of user that loses all: keep before, and take after. */
int capability_sets_across(bool begin);
/* `keep`, and nothing else, is permitted, effective, inheritable and ambient. -errno. */
int capability_sets_ambient(uint64_t keep);
/* "net_admin, kill". */
void capability_sets_text(uint64_t set, char *text, size_t bytes);

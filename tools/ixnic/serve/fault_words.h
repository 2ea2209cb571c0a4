/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "tools/ixnic/nic.h"

/* `words` are those behind "fault", NULL behind the last. NULL: it is done; else an error reply. */
json_t *fault_words(struct nic *nic, char *const words[]);
/* Each fault that lasts, with what is left of it or "off". A new reference. */
json_t *fault_words_list(const struct nic *nic);
/* The names of those that are on, with commas between; "none". */
#define FAULT_NAMES 160
const char *fault_words_on(const struct nic *nic, char text[FAULT_NAMES]);

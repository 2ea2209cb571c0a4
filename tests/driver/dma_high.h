/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* Whether ports that are opened from now on have IOVAs above 4 GiB, up to the last that fits 39
 * bits. */
void dma_high_set(bool wanted);
bool dma_high_wanted(void);

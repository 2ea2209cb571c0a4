/* SPDX-License-Identifier: MIT */
/*
 * A histogram as text: HdrHistogram's compressed encoding, version 2, in base64. Tools in other
 * languages read it (Histogram.decodeFromCompressedByteBuffer in Java).
 */
#pragma once

#include "histogram.h"

/* The text (free it), or NULL: no memory. */
char *encoding_write(const struct histogram *histogram);
/*
 * Makes the histogram that `text` holds, whatever it is. 0; -EINVAL: it holds none; -E2BIG: one
 * with more counters than HISTOGRAM_COUNTERS_MAX; -ENOMEM.
 */
int encoding_read(const char *text, struct histogram *out);

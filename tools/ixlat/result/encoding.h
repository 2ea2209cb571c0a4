/* SPDX-License-Identifier: MIT */
/*
 * A histogram as text: HdrHistogram's compressed encoding, version 2, in base64. Tools in other
 * languages read it (Histogram.decodeFromCompressedByteBuffer in Java).
 */
#pragma once

#include "histogram.h"

/* The text, to be freed; NULL: no memory. */
char *encoding_write(const struct histogram *histogram);
/*
 * Makes the histogram that `text` holds; `text` may be anything. -EINVAL: it holds none; -E2BIG:
 * more than HISTOGRAM_COUNTERS_MAX counters; -ENOMEM.
 */
int encoding_read(const char *text, struct histogram *out);

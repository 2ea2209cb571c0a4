/* SPDX-License-Identifier: MIT */
/* Percentiles as a picture, drawn by gnuplot. */
#pragma once

#include <stddef.h>

#include "histogram.h"
#include "outfile.h"

struct plot_line {
	const char *label;
	const struct histogram *histogram;
};

/* Whether gnuplot is there: 0, or -1 after a line on standard error. */
int plot_check(void);
/*
 * Draws into the file, PNG or SVG as its name says: 0, or -1 after a line on standard error; then
 * the file is as it was.
 */
int plot_write(struct outfile *outfile, const char *title, const struct plot_line *lines,
	       size_t count);

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

/* 0: gnuplot is installed. -1 after a line on standard error. */
int plot_check(void);
/*
 * Draws a line for each histogram into the file, PNG or SVG as its name ends: 0, or -1 after a line
 * on standard error. The file is emptied only when there is a picture.
 */
int plot_write(struct outfile *outfile, const char *title, const struct plot_line *lines,
	       size_t count);

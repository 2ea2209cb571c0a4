/* SPDX-License-Identifier: MIT */
/*
 * A command line as a table: each option is a row with its name, what --help says, and a function
 * that checks and stores a value. Every program of the project reads its command line by this; the
 * reading itself is argp's (libc).
 *
 * -h, --help and -V, --version are in every table: they print and exit with 0, or with 1 if that
 * cannot be written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define OPTION_ROWS_MAX   32u
#define EXIT_STATUS_USAGE 2 /* of all programs, for a command line that makes no sense */

struct option_row {
	const char *name; /* the long name, without dashes */
	/* Stores `value` in what the command line is for (`ctx`), which is NULL for a flag without
	 * value. 0, or -EINVAL with `why` filled, without the option's name. */
	int (*set)(void *ctx, const char *value, struct ixgbe_why *why);
	char letter;     /* the short name, or 0 */
	const char *arg; /* the value's name in --help; NULL: a flag */
	const char *doc;
	int mark; /* for whoever made the table; not read here */
};

struct option_table {
	const struct option_row *row; /* at most OPTION_ROWS_MAX; the last has no name */
	const char *words;            /* in the line of usage; NULL: every word is refused */
	const char *doc;              /* before the options; behind a '\v': after them */
	/* One word that is no option; `index` counts from 0. As option_row.set. */
	int (*word)(void *ctx, unsigned int index, const char *word, struct ixgbe_why *why);
	/* Whether what begins as a number below 0 is a word, too, behind what was read so far.
	 * NULL: it never is. With it words and options are read in their order. */
	bool (*numbers)(const void *ctx);
};

/*
 * Reads the command line; to be called first (streams_keep). `given` gets a bit for each row that
 * was given, in the order of the table. 0, or -EINVAL with `why` filled: one line without the
 * program's name, which option_usage_exit makes printable.
 */
int option_table_parse(const struct option_table *table, void *ctx, int argc, char *argv[],
		       uint32_t *given, struct ixgbe_why *why);

/* Prints `why` as a line of standard error, and exits with EXIT_STATUS_USAGE. */
void option_usage_exit(const struct ixgbe_why *why) __attribute__((noreturn));

/* ---- Values ---- */

/* A word and what it stands for; the last row of a list has no name. */
struct option_word {
	const char *name;
	int value;
};

/* These return 0, or -EINVAL and leave *out as it was. */
int option_word(const struct option_word *words, const char *text, int *out);
/* Decimal digits only: no sign, no space, no other base. */
int option_number(const char *text, uint32_t least, uint32_t most, uint32_t *out);
/* DIGITS[.DIGITS][e[+|-]DIGITS]: no sign in front, no blanks, no hexadecimal digits, no words. */
int option_real(const char *text, double least, double most, double *out);

/* The name of `value`, "?" if it has none. */
const char *option_word_name(const struct option_word *words, int value);

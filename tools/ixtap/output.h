/* SPDX-License-Identifier: MIT */
/* Text and JSON on the terminal, for ixtap and ixlat. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_HEAD, COLOUR_DIM };

/*
 * To be called once, first. Colours are used if standard output is a terminal, unless NO_COLOR is
 * set or TERM is "dumb".
 */
void output_init(void);
/* One line on standard error, after the program's name. The text is raw: names as they are. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same of text that a daemon has written as bridge/service/printable.h says. */
void fail_told(const char *text);
/* Prints formatted text in a colour. The text is our own, a daemon's, or a file's. */
void put(enum colour colour, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints raw text, such as a name or a path, and fills `columns` with blanks. */
void put_raw(enum colour colour, int columns, const char *text);
/* The columns of the terminal on standard output; INT_MAX if it is none. */
int output_columns(void);
/*
 * Prints two blanks, and `text` from column `at` on, where it is then. On a terminal it continues
 * below itself; one that has hardly any columns left gets nothing.
 */
void put_beside(enum colour colour, int at, const char *text);
/* Writes the object, and a line's end; `flags` are jansson's. */
void json_write(const json_t *object, FILE *file, size_t flags);
/* Prints the object on one line, its members in their order. */
void put_json(const json_t *object);

#define FORMAT_BYTES 32
/* 1,234,567 */
const char *format_count(char out[FORMAT_BYTES], uint64_t value);
/* 1.23 G, with three significant digits and `unit`. */
const char *format_rate(char out[FORMAT_BYTES], double per_second, const char *unit);
/* 12:34:56 here, of seconds since the epoch */
const char *format_time(char out[FORMAT_BYTES], double seconds);
/* 2 d 3 h, 3 h 12 min, 12 min 5 s, 5.3 s */
const char *format_duration(char out[FORMAT_BYTES], double seconds);

/*
 * Members of an object, by a path with dots ("nic.soft.pid"). A member that is missing or of
 * another type is NULL, "", 0 or false.
 */
const json_t *member(const json_t *object, const char *path);
const char *member_text(const json_t *object, const char *path);
int64_t member_int(const json_t *object, const char *path);
double member_number(const json_t *object, const char *path);
bool member_true(const json_t *object, const char *path);

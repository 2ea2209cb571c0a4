/* SPDX-License-Identifier: MIT */
/*
 * A file to write results to. It is tried before the run, so that a name that can't be
 * written fails at once and not after an hour, and until there is something new it keeps what is in
 * it, or is not there.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct outfile {
	const char *path; /* NULL: not asked for */
	FILE *file;       /* of one that is new: only from outfile_begin() on */
	bool made;        /* there was none before */
};

/* Opens `path`, "-" for standard output; NULL does nothing. 0, or -1 after a line on standard
 * error. */
int outfile_open(struct outfile *outfile, const char *path);
/* Makes or empties it, before it is written: 0, or -1 after a line on standard error. */
int outfile_begin(struct outfile *outfile);
/*
 * Closes it: 0, or -1 after a line on standard error; then it is gone if there was none before, for
 * half a result is none.
 */
int outfile_commit(struct outfile *outfile);
/* All of that for an object, which it takes; NULL: no memory. */
int outfile_json(struct outfile *outfile, json_t *object);
/* Closes it as it was before, if that has not been done. */
void outfile_abandon(struct outfile *outfile);

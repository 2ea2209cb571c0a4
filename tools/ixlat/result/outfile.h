/* SPDX-License-Identifier: MIT */
/*
 * A file for results. It is opened before the run: a name that can't be written should fail at
 * once, not after an hour. Until there is a result the file stays as it was, or is not there. Its
 * folder is held open meanwhile: what others put on the way there changes nothing.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "bridge/service/path_walk.h"

struct outfile {
	const char *path; /* NULL: not asked for */
	FILE *file;       /* NULL for a new file until outfile_begin() */
	bool made;        /* the file is new */
	/* Where the new file will be; open, as `placed` says, until the file is written or
	 * abandoned.
	 */
	struct path_end place;
	bool placed;
};

/* Opens `path`, "-" for standard output; NULL does nothing. 0, or -1 after a line on standard
 * error. */
int outfile_open(struct outfile *outfile, const char *path);
/* Makes or empties the file, before writing: 0, or -1 after a line on standard error. */
int outfile_begin(struct outfile *outfile);
/*
 * Closes the file after writing: 0, or -1 after a line on standard error. After a failure a new
 * file is removed, since half a result is none.
 */
int outfile_commit(struct outfile *outfile);
/*
 * Begins, writes the object and commits; the reference is taken. NULL counts as "out of memory". 0,
 * or -1 after a line on standard error.
 */
int outfile_json(struct outfile *outfile, json_t *object);
/* Closes a file that was not committed, and removes a new one. */
void outfile_abandon(struct outfile *outfile);

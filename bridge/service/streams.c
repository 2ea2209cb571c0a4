/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed; /* the errno of the first failure */

void streams_keep(void)
{
	/* For the wrong direction: a read or write of such a descriptor still fails. */
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	/* From the lowest on: open(2) takes the lowest number that is free. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags[fd]) < 0)
			return;
}

bool streams_ok(void)
{
	if (!failed && ferror(stdout))
		failed = errno ? errno : EIO;
	return !failed;
}

int streams_end(void)
{
	bool ok = streams_ok();

	/* A file's server may refuse at the closing only. */
	if (fclose(stdout) && ok)
		failed = errno;
	if (!failed)
		return 0;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", program_invocation_short_name,
		strerror(failed));
	return -1;
}

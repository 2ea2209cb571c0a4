/* SPDX-License-Identifier: MIT */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ixtap/output.h"

int outfile_open(struct outfile *outfile, const char *path)
{
	struct outfile opened = {.path = path};
	int fd;

	*outfile = (struct outfile){0};
	if (!path)
		return 0;
	if (!strcmp(path, "-")) {
		opened.file = stdout;
		*outfile = opened;
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	opened.made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		opened.file = fdopen(fd, "w");
	if (!opened.file) {
		fail("cannot write to %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*outfile = opened;
	return 0;
}

int outfile_begin(struct outfile *outfile)
{
	struct stat status;
	int fd = fileno(outfile->file);

	/* A pipe or a device has no length; nor does standard output when it is appended to. */
	if (outfile->file == stdout || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    ftruncate(fd, 0) == 0)
		return 0;
	fail("cannot write to %s: %s", outfile->path, strerror(errno));
	return -1;
}

int outfile_commit(struct outfile *outfile)
{
	FILE *file = outfile->file;
	bool bad = fflush(file) != 0 || ferror(file);
	int err = errno;

	outfile->file = NULL;
	if (file != stdout && fclose(file) != 0) {
		bad = true;
		err = errno;
	}
	if (bad)
		fail("cannot write to %s: %s", outfile->path, strerror(err));
	return bad ? -1 : 0;
}

void outfile_abandon(struct outfile *outfile)
{
	if (!outfile->file || outfile->file == stdout)
		return;
	fclose(outfile->file);
	if (outfile->made)
		unlink(outfile->path);
	outfile->file = NULL;
}

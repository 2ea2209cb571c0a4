/* SPDX-License-Identifier: MIT */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ixtap/output.h"

static int refuse(const char *path)
{
	fail("cannot write to %s: %s", path,
	     errno == ENXIO ? "no program reads this pipe" : strerror(errno));
	return -1;
}

/* Opens what is there. The opening of a pipe does not wait for a reader; writing waits for it. */
static int open_there(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

int outfile_open(struct outfile *outfile, const char *path)
{
	int fd;

	*outfile = (struct outfile){.path = path};
	if (!path)
		return 0;
	if (!strcmp(path, "-")) {
		outfile->file = stdout;
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0) {
		/* The file can be made, and is not there until it is written. */
		outfile->made = true;
		close(fd);
		unlink(path);
		return 0;
	}
	if (errno == EEXIST)
		fd = open_there(path);
	if (fd < 0)
		return refuse(path);
	outfile->file = fdopen(fd, "w");
	if (outfile->file)
		return 0;
	close(fd);
	return refuse(path);
}

int outfile_begin(struct outfile *outfile)
{
	struct stat status;

	if (!outfile->file) {
		outfile->file = fopen(outfile->path, "we");
		return outfile->file ? 0 : refuse(outfile->path);
	}
	/* A pipe or a device cannot be emptied; standard output must not be, it may be appended to.
	 */
	if (outfile->file == stdout || fstat(fileno(outfile->file), &status) < 0 ||
	    !S_ISREG(status.st_mode) || ftruncate(fileno(outfile->file), 0) == 0)
		return 0;
	return refuse(outfile->path);
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
	if (!bad)
		return 0;
	fail("cannot write to %s: %s", outfile->path, strerror(err));
	if (outfile->made)
		unlink(outfile->path);
	return -1;
}

int outfile_json(struct outfile *outfile, json_t *object)
{
	int err = -1;

	if (!object)
		fail("out of memory");
	else if (outfile_begin(outfile) == 0) {
		/* outfile_commit() notices errors. */
		json_write(object, outfile->file, JSON_INDENT(2));
		err = outfile_commit(outfile);
	}
	json_decref(object);
	return err;
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

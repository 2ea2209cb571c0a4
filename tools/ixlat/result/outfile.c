/* SPDX-License-Identifier: MIT */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ixlat/sink.h"
#include "tools/ixtap/output.h"

static int refuse(const char *path, int err, const char *reason)
{
	fail("cannot write to %s: %s", path, err == -ENXIO ? "no program reads this pipe" : reason);
	return -1;
}

static int make_new(const struct outfile *outfile, struct ixgbe_why *why)
{
	return path_open(&outfile->place, O_WRONLY | O_CREAT | O_EXCL, 0666, why);
}

static void remove_new(const struct outfile *outfile)
{
	unlinkat(outfile->place.folder, outfile->place.name, 0);
}

/* Opens what is there. The opening of a pipe does not wait for a reader; writing waits for it. */
static int open_there(const struct outfile *outfile, struct ixgbe_why *why)
{
	int fd = path_open(&outfile->place, O_WRONLY | O_NONBLOCK, 0, why);

	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static void leave(struct outfile *outfile)
{
	if (outfile->placed)
		close(outfile->place.folder);
	outfile->placed = false;
}

/* A sink has no descriptor that fileno() would tell: only a regular file is asked for that. */
static FILE *stream_new(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "w") : sink_new(fd);
}

static int stream(struct outfile *outfile, int fd, const char *reason)
{
	outfile->file = fd >= 0 ? stream_new(fd) : NULL;
	if (outfile->file)
		return 0;
	if (fd >= 0)
		close(fd);
	return refuse(outfile->path, fd, reason);
}

int outfile_open(struct outfile *outfile, const char *path)
{
	struct ixgbe_why why = {"out of memory"};
	int fd;

	*outfile = (struct outfile){.path = path};
	if (!path)
		return 0;
	if (!strcmp(path, "-")) {
		outfile->file = stdout;
		return 0;
	}
	fd = path_walk(path, PATH_WRITE, &outfile->place, &why);
	if (fd < 0)
		return refuse(path, fd, why.text);
	outfile->placed = true;
	fd = make_new(outfile, &why);
	if (fd >= 0) {
		/* The file can be made, and is not there until it is written. */
		outfile->made = true;
		close(fd);
		remove_new(outfile);
		return 0;
	}
	return stream(outfile, fd == -EEXIST ? open_there(outfile, &why) : fd, why.text);
}

int outfile_begin(struct outfile *outfile)
{
	struct ixgbe_why why = {"out of memory"};
	int fd;

	if (!outfile->file) {
		fd = make_new(outfile, &why);
		outfile->made = fd >= 0;
		/* Ours again, or what somebody else has made meanwhile. */
		if (fd == -EEXIST)
			fd = open_there(outfile, &why);
		if (stream(outfile, fd, why.text))
			return -1;
	}
	/* A pipe or a device cannot be emptied; standard output must not be, it may be appended to.
	 */
	if (fileno(outfile->file) < 0 || ftruncate(fileno(outfile->file), 0) == 0)
		return 0;
	return refuse(outfile->path, -errno, strerror(errno));
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
	if (bad) {
		fail("cannot write to %s: %s", outfile->path, strerror(err));
		if (outfile->made)
			remove_new(outfile);
	}
	leave(outfile);
	return bad ? -1 : 0;
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
	if (outfile->file && outfile->file != stdout) {
		fclose(outfile->file);
		if (outfile->made)
			remove_new(outfile);
		outfile->file = NULL;
	}
	leave(outfile);
}

/* SPDX-License-Identifier: MIT */
/*
 * The reader is our own. The libraries that Debian has read a line in pieces of a fixed size and
 * take the rest for another line (inih 55: 200 bytes, libeconf 0.5.1: 8192), or keep one value of a
 * name that is repeated, as `address` may be (libeconf, libconfuse 3.3).
 */
#include "config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/service/path_walk.h"
#include "bridge/service/printable.h"

#define BLANKS  " \t"
#define BOM     "\xef\xbb\xbf"
#define DROP_IN ".conf"

/* Nobody writes so much by hand. Bounds the memory for one line. */
#define FILE_BYTES_MAX (1 << 20)
#define TOO_LARGE      "it is larger than 1 MiB"
#define PATH_SHOWN     80u /* bytes, before a line's number and fault */

/* ---- One line ---- */

/* Without blanks at both ends. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len && strchr(BLANKS, text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

static void cut_comment(char *text)
{
	for (char *c = text; *c; c++) {
		if (strchr("#;", *c) && (c == text || strchr(BLANKS, c[-1]))) {
			*c = '\0';
			return;
		}
	}
}

static bool has_control_character(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return true;
	return false;
}

static int take_line(struct options *options, char *text, struct ixgbe_why *why)
{
	char *value;

	cut_comment(text);
	text = trim(text);
	if (!*text)
		return 0;
	if (has_control_character(text))
		return ixgbe_why_fill(why, -EINVAL, "a control character is in this line");
	if (*text == '[')
		return ixgbe_why_fill(why, -EINVAL, "there are no sections: remove %s", text);
	value = strchr(text, '=');
	if (!value || value == text)
		return ixgbe_why_fill(why, -EINVAL,
				      "this is not a line of the form 'name = value'");
	*value++ = '\0';
	return options_set(options, trim(text), trim(value), why);
}

/* ---- One file ---- */

static int cannot_read(const char *path, int error, const char *reason, struct ixgbe_why *why)
{
	return ixgbe_why_fill(why, error, "cannot read the configuration %s: %s", path, reason);
}

/*
 * What stands in the file is done with the rights of ixtapd. So nobody but root and the user who
 * starts it may write there, or put another file there, as sudo and ssh have it. Nothing here
 * waits, as the opening of a pipe might. A descriptor, or -errno.
 */
static int open_guarded(const char *path, int flags, struct stat *st, struct ixgbe_why *why)
{
	struct ixgbe_why reason;
	struct path_end end;
	const char *fault;
	int fd, err = path_walk(path, PATH_READ, &end, &reason);

	if (err)
		return cannot_read(path, err, reason.text, why);
	fd = path_open(&end, O_RDONLY | O_NONBLOCK | flags, 0, &reason);
	close(end.folder);
	if (fd < 0)
		return cannot_read(path, fd, reason.text, why);
	if (fstat(fd, st))
		err = cannot_read(path, -errno, strerror(errno), why);
	else if ((S_ISREG(st->st_mode) || flags & O_DIRECTORY) && (fault = path_loose(st)))
		err = cannot_read(path, -EPERM, fault, why);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_regular(const char *path, FILE **out, struct ixgbe_why *why)
{
	struct stat st = {0};
	int err = 0, fd = open_guarded(path, 0, &st, why);

	if (fd < 0)
		return fd;
	if (!S_ISREG(st.st_mode)) /* a directory would read as empty, a terminal would wait */
		err = cannot_read(path, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
				  S_ISDIR(st.st_mode) ? strerror(EISDIR) : "it is no regular file",
				  why);
	else if (st.st_size > FILE_BYTES_MAX)
		err = cannot_read(path, -EFBIG, TOO_LARGE, why);
	*out = err ? NULL : fdopen(fd, "r");
	if (*out)
		return 0;
	close(fd);
	return err ? err : cannot_read(path, -ENOMEM, "out of memory", why);
}

/* Takes a line of `len` bytes as getline(3) has it. */
static int take_read(struct options *options, char *line, size_t len, struct ixgbe_why *why)
{
	if (strlen(line) != len)
		return ixgbe_why_fill(why, -EINVAL, "a zero byte: this is no text file");
	if (line[len - 1] == '\n')
		line[--len] = '\0';
	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	return take_line(options, line, why);
}

static int take_lines(struct options *options, FILE *file, const char *path, struct ixgbe_why *why)
{
	struct ixgbe_why fault;
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&line, &room, file)) > 0) {
		size_t skip = !number && !strncmp(line, BOM, strlen(BOM)) ? strlen(BOM) : 0;

		number++;
		if ((size_t)len > skip)
			err = take_read(options, line + skip, (size_t)len - skip, &fault);
	}
	if (err)
		ixgbe_why_fill(why, err, "%.*s:%u: %s", (int)printable_bytes(path, PATH_SHOWN),
			       path, number, fault.text);
	else if (!feof(file))
		err = cannot_read(path, -errno, strerror(errno), why);
	free(line);
	return err;
}

/* Takes what stands in an open file, and closes it. */
static int load_open(struct options *options, FILE *file, const char *path, struct ixgbe_why *why)
{
	int err;

	options_set_begin(options);
	err = take_lines(options, file, path, why);
	fclose(file);
	return err;
}

static int load_file(struct options *options, const char *path, struct ixgbe_why *why)
{
	FILE *file = NULL;
	int err = open_regular(path, &file, why);

	return err ? err : load_open(options, file, path, why);
}

/* ---- The folder beside it ---- */

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(DROP_IN);

	return *entry->d_name != '.' && len > suffix &&
	       !strcmp(entry->d_name + len - suffix, DROP_IN);
}

/* A drop-in that is a link to /dev/null is switched off, as those of systemd are. */
static bool masked(const char *path)
{
	struct stat null, st;

	return !stat("/dev/null", &null) && S_ISCHR(null.st_mode) && !stat(path, &st) &&
	       S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev;
}

/* The number of drop-ins in the folder, 0 if there is no folder, or -errno. */
static int list_folder(const char *folder, struct dirent ***entries, struct ixgbe_why *why)
{
	struct stat st;
	int count, fd;

	if (access(folder, F_OK) && errno == ENOENT)
		return 0;
	fd = open_guarded(folder, O_DIRECTORY, &st, why);
	if (fd < 0)
		return fd;
	count = scandirat(fd, ".", entries, is_drop_in, alphasort);
	if (count < 0)
		count = cannot_read(folder, -errno, strerror(errno), why);
	close(fd);
	return count;
}

/* From the last file to the first: each file yields to those before it. */
static int load_folder(struct options *options, const char *folder, struct ixgbe_why *why)
{
	struct dirent **entries = NULL;
	int count = list_folder(folder, &entries, why), err = 0;

	if (count < 0)
		return count;
	assert(count == 0 || entries);
	while (count > 0) {
		char path[PATH_MAX + sizeof(entries[0]->d_name) + 4];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[--count]->d_name);
		if (!err && !masked(path))
			err = load_file(options, path, why);
		free(entries[count]);
	}
	free(entries);
	return err;
}

int config_load(struct options *options, const char *path, struct ixgbe_why *why)
{
	char folder[PATH_MAX + 2];
	FILE *file = NULL;
	int err;

	assert(strlen(path) < PATH_MAX);
	snprintf(folder, sizeof(folder), "%s.d", path);
	/* First of all, so that what is wrong with its own place is said of the file. */
	err = open_regular(path, &file, why);
	if (err)
		return err;
	err = load_folder(options, folder, why);
	if (!err)
		return load_open(options, file, path, why);
	fclose(file);
	return err;
}

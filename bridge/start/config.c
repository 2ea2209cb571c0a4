/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct load {
	struct options *options;
	struct ixgbe_why why; /* of the first error, whose line inih returns */
	int err;
};

/* An ini_handler: 0 is failure. inih goes on after one. */
static int line(void *ctx, const char *section, const char *name, const char *value)
{
	struct load *load = ctx;

	if (load->err)
		return 0;
	if (*section) {
		load->err = ixgbe_why_fill(&load->why, -EINVAL,
					   "there are no sections: remove [%s]", section);
	} else {
		load->err = options_set(load->options, name, value, &load->why);
	}
	return !load->err;
}

static FILE *open_regular(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;

	if (!file || fstat(fileno(file), &st))
		return file;
	/* A directory would read as empty, a terminal would wait. */
	if (S_ISREG(st.st_mode))
		return file;
	fclose(file);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return NULL;
}

/* inih would take it for the end of its line. */
static bool has_nul(FILE *file)
{
	int c;

	do
		c = getc(file);
	while (c != EOF && c != '\0');
	rewind(file);
	return c == '\0';
}

int config_load(struct options *options, const char *path, struct ixgbe_why *why)
{
	struct load load = {.options = options};
	FILE *file = open_regular(path);
	int at;

	if (!file)
		return ixgbe_why_fill(why, -errno, "cannot read the configuration file %.150s: %s",
				      path, strerror(errno));
	if (has_nul(file)) {
		fclose(file);
		return ixgbe_why_fill(why, -EINVAL, "%.150s is no text file: it has a zero byte",
				      path);
	}
	at = ini_parse_file(file, line, &load);
	fclose(file);
	if (!at)
		return 0;
	if (at < 0)
		return ixgbe_why_fill(why, -ENOMEM, "%.150s: out of memory", path);
	return ixgbe_why_fill(why, load.err ? load.err : -EINVAL, "%.100s:%d: %.190s", path, at,
			      load.err ? load.why.text
				       : "this is not a line of the form 'name = value'");
}

/* SPDX-License-Identifier: MIT */
/*
 * gnuplot reads its commands and the data from one temporary file, as standard input, and draws
 * into another. So no pipe can fill up, no name of a file stands in the commands, and the user's
 * file is written only when there is a picture. Labels are the only foreign text in the commands;
 * characters that could end a string are replaced in them.
 *
 * The horizontal axis is 1 / (1 - percentile) on a logarithmic scale. The distance from 99 % to
 * 99.9 % is then that from 0 to 90 %.
 */
#include "plot.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/ixlat/ixlat.h"
#include "tools/ixtap/output.h"

#define GNUPLOT "gnuplot"

enum {
	GNUPLOT_TIMEOUT_MS = 60000,
	/* If the largest value is more than so many times the smallest, the axis is logarithmic. */
	LINEAR_RATIO_MAX = 10,
};

static bool is_png(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".png") == 0;
}

int plot_check(void)
{
	const char *folders = getenv("PATH");
	char path[4096];

	while (folders && *folders) {
		size_t length = strcspn(folders, ":");

		if (length > 0 &&
		    snprintf(path, sizeof(path), "%.*s/" GNUPLOT, (int)length, folders) <
			    (int)sizeof(path) &&
		    access(path, X_OK) == 0)
			return 0;
		folders += length;
		folders += *folders == ':';
	}
	fail("--plot needs gnuplot, which is not in PATH: install gnuplot-nox");
	return -1;
}

/* ---- What gnuplot is told ---- */

static void write_text(FILE *script, const char *text)
{
	fputc('\'', script);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		fputc(c < 0x20 || c == 0x7f || strchr("'\"`\\@", c) ? ' ' : c, script);
	}
	fputc('\'', script);
}

static void write_data(FILE *script, size_t number, const struct plot_line *line)
{
	struct histogram_step step = {0};

	fprintf(script, "$line%zu << END\n", number);
	while (histogram_next(line->histogram, &step)) {
		/* 100 % would be at infinity: the last value stands at the end of the curve. */
		double share = step.last ? (double)line->histogram->total
					 : 1 / (1 - step.percentile / 100);

		if (share <= (double)line->histogram->total)
			fprintf(script, "%.6g %.6g\n", share, (double)step.value / 1000);
	}
	fputs("END\n", script);
}

static void write_axes(FILE *script, const struct plot_line *lines, size_t count)
{
	int64_t least = INT64_MAX, most = 0;
	uint64_t samples = 10;

	for (size_t i = 0; i < count; i++) {
		int64_t min = histogram_min(lines[i].histogram);
		int64_t max = histogram_max(lines[i].histogram);

		least = min < least ? min : least;
		most = max > most ? max : most;
		if (lines[i].histogram->total > samples)
			samples = lines[i].histogram->total;
	}
	fprintf(script,
		"set logscale x\nset xrange [1:%lu]\n"
		"set xtics ('0' 1, '50' 2, '90' 10, '99' 100, '99.9' 1e3, '99.99' 1e4, "
		"'99.999' 1e5, '99.9999' 1e6, '99.99999' 1e7)\n"
		"set xlabel 'percentile'\nset ylabel 'microseconds'\nset format y '%%.9g'\n",
		(unsigned long)samples);
	if (most / LINEAR_RATIO_MAX > least)
		fputs("set logscale y\n", script);
	else
		fputs("set yrange [0:*]\n", script);
}

static void write_script(FILE *script, bool png, const char *title, const struct plot_line *lines,
			 size_t count)
{
	static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
					      "#e69f00", "#56b4e9", "#000000", "#999999"};

	fprintf(script, "set terminal %s size 900,560 noenhanced%s\nset encoding utf8\n",
		png ? "pngcairo" : "svg",
		png ? " font 'Sans,11'" : " font 'Sans,13' background 'white'");
	fputs("set title ", script);
	write_text(script, title);
	fputs("\nset grid lc rgb '#dddddd' lt 1\nset key top left Left reverse\nset border 3\n"
	      "set tics nomirror out\n",
	      script);
	write_axes(script, lines, count);
	for (size_t i = 0; i < count; i++)
		write_data(script, i, &lines[i]);
	for (size_t i = 0; i < count; i++) {
		fprintf(script, "%s $line%zu with lines lw 2 lc rgb '%s' title ", i ? "," : "plot",
			i, colours[i % (sizeof(colours) / sizeof(*colours))]);
		write_text(script, lines[i].label);
	}
	fputc('\n', script);
}

/* ---- Running it ---- */

/* Waits for the child and kills it if it takes too long. Its exit status; -1: it has none. */
static int reap(pid_t pid)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd waiting = {.fd = pid_fd, .events = POLLIN};
	int status, ready = -1;

	if (pid_fd >= 0) {
		do
			ready = poll(&waiting, 1, GNUPLOT_TIMEOUT_MS);
		while (ready < 0 && errno == EINTR);
		close(pid_fd);
	}
	if (ready <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* gnuplot's exit status; -1: gnuplot could not be run, or did not end by itself. */
static int run_gnuplot(FILE *script, FILE *picture, FILE *said)
{
	char name[] = GNUPLOT, defaults[] = "-d", from_input[] = "-";
	char *const words[] = {name, defaults, from_input, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(picture), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(said), STDERR_FILENO);
	err = posix_spawnp(&pid, GNUPLOT, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err ? -1 : reap(pid);
}

static void complain(FILE *said)
{
	char line[2048] = ""; /* fail() shows less of a long one */
	size_t length;

	rewind(said);
	length = fread(line, 1, sizeof(line) - 1, said);
	line[length] = '\0';
	for (char *end; (end = strchr(line, '\n'));)
		*end = ' ';
	fail("gnuplot did not draw: %s", length ? line : "it said nothing");
}

static int copy(FILE *from, FILE *to)
{
	char part[4096];
	size_t bytes;

	rewind(from);
	while ((bytes = fread(part, 1, sizeof(part), from)) > 0)
		if (fwrite(part, 1, bytes, to) != bytes)
			break;
	return ferror(from) ? -1 : 0;
}

int plot_write(struct outfile *outfile, const char *title, const struct plot_line *lines,
	       size_t count)
{
	FILE *script = tmpfile(), *picture = tmpfile(), *said = tmpfile();
	int err = -1;

	if (script && picture && said) {
		write_script(script, is_png(outfile->path), title, lines, count);
		if (fflush(script) == 0 && !ferror(script)) {
			rewind(script);
			err = run_gnuplot(script, picture, said);
		}
		/* gnuplot exits with 0 after an error in a command that it read from a file. */
		if (err || fseek(picture, 0, SEEK_END) < 0 || ftell(picture) == 0) {
			complain(said);
			err = -1;
		}
	} else {
		fail("--plot: cannot make a temporary file: %s", strerror(errno));
	}
	/* outfile_commit() notices errors of writing. */
	if (!err && outfile_begin(outfile) == 0)
		err = copy(picture, outfile->file);
	else
		err = -1;
	if (script)
		fclose(script);
	if (picture)
		fclose(picture);
	if (said)
		fclose(said);
	return err;
}

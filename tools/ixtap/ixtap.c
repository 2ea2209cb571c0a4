/* SPDX-License-Identifier: MIT */
/* The command line of ixtap. */
#include <argp.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ixtap.h"

struct object {
	const char *name;
	int (*run)(const struct ixtap *cli);
};

static const struct object objects[] = {
	{"status", ixtap_status},
	{"stats", ixtap_stats},
	{"monitor", ixtap_monitor},
};

#define OBJECTS        (sizeof(objects) / sizeof(objects[0]))
#define INTERVAL_MAX_S 86400.0
#define USAGE          2

struct arguments {
	struct ixtap cli;
	const struct object *object;
};

/* The C library looks for it: the one symbol that is not hidden. */
__attribute__((visibility("default"))) const char *argp_program_version = "ixtap " IXTAP_VERSION;

static const char doc[] =
	"Show what a running ixtapd does."
	"\vOBJECT is one of these, or as much of it as tells it apart:\n"
	"  status   state, link, interface, NIC\n"
	"  stats    counters that are not zero; with -i, rates\n"
	"  monitor  events as they happen, until interrupted\n\n"
	"NAME is the --tap that ixtapd was started with; it may be left out while only "
	"one runs.\n\nExit status: 0, 1 (failed), 2 (usage).";

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "JSON, one object a line", 0},
	{"statistics", 's', NULL, 0, "All counters, those that are zero too", 0},
	{"interval", 'i', "SEC", 0, "Repeat stats every SEC seconds, as rates", 0},
	{"control", 'c', "PATH", 0, "Control socket, instead of " IXTAP_RUN_DIR "/NAME.sock", 0},
	{0},
};

/* One line, as for every other failure: argp's own goes on about --help. */
static void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void usage_error(const char *format, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fail("%s", line);
	exit(USAGE);
}

/* As iproute2 does, but what fits several is refused rather than guessed. */
static const struct object *find_object(const char *word)
{
	const struct object *found = NULL;
	char choices[64] = "";

	for (size_t i = 0; i < OBJECTS; i++) {
		if (strcmp(word, objects[i].name) == 0)
			return &objects[i];
		if (strncmp(word, objects[i].name, strlen(word)) != 0)
			continue;
		found = &objects[i];
		if (choices[0])
			strcat(choices, ", ");
		strcat(choices, objects[i].name);
	}
	if (word[0] && found && strcmp(choices, found->name) == 0)
		return found;
	if (word[0] && found)
		usage_error("'%s' could be any of: %s", word, choices);
	else
		usage_error("unknown object '%s': it is one of status, stats, monitor", word);
}

static double parse_interval(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < 0.01 || value > INTERVAL_MAX_S)
		usage_error("'%s' is not an interval: seconds from 0.01 to 86400", text);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL; /* see usage_error; getopt's own line remains */
		return 0;
	case 'j':
		args->cli.json = true;
		return 0;
	case 's':
		args->cli.all = true;
		return 0;
	case 'i':
		args->cli.interval_s = parse_interval(arg);
		return 0;
	case 'c':
		args->cli.control = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			args->object = find_object(arg);
		else if (state->arg_num == 1)
			args->cli.name = arg;
		else
			usage_error("'%s' is one word too many", arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->object)
			usage_error("say what to show: status, stats or monitor");
		if (args->cli.interval_s > 0 && args->object->run != ixtap_stats)
			usage_error("-i goes with stats only");
		if (args->cli.name && args->cli.control)
			usage_error("give a name or --control, not both");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char *argv[])
{
	static const struct argp argp = {options, parse, "OBJECT [NAME]", doc, NULL, NULL, NULL};
	struct arguments args = {0};
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return USAGE;
	output_init();
	status = args.object->run(&args.cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fail("cannot write to standard output");
		return 1;
	}
	return status;
}

/* SPDX-License-Identifier: MIT */
/* The command line of ixtap. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bridge/service/option_table.h"
#include "bridge/service/streams.h"
#include "ixtap.h"

struct object {
	const char *name;
	int (*run)(const struct ixtap *cli);
};

static const struct object objects[] = {
	{"list", ixtap_list},       {"status", ixtap_status},     {"stats", ixtap_stats},
	{"monitor", ixtap_monitor}, {"features", ixtap_features}, {"nic", ixtap_nic},
	{"upgrade", ixtap_upgrade},
};

#define OBJECTS        (sizeof(objects) / sizeof(objects[0]))
#define INTERVAL_MAX_S 86400.0
#define WORDS_MAX      IXTAP_NIC_WORDS /* behind the object; NAME FEATURE VALUE are fewer */

struct arguments {
	struct ixtap cli;
	const struct object *object;
	const char *word[WORDS_MAX];
	unsigned int words;
};

/* ---- Words ---- */

/* As iproute2 does, but what fits several is refused rather than guessed. */
static int find_object(const char *word, const struct object **out, struct ixgbe_why *why)
{
	const struct object *found = NULL;
	char choices[64] = "";
	size_t fits = 0;

	for (size_t i = 0; i < OBJECTS; i++) {
		if (strncmp(word, objects[i].name, strlen(word)) != 0)
			continue;
		found = &objects[i];
		snprintf(choices + strlen(choices), sizeof(choices) - strlen(choices), "%s%s",
			 fits++ ? ", " : "", found->name);
		if (strcmp(word, found->name) == 0) {
			fits = 1;
			break;
		}
	}
	if (!word[0] || fits == 0)
		return ixgbe_why_fill(
			why, -EINVAL,
			"unknown object '%s': it is one of list, status, stats, monitor, features, "
			"nic, upgrade",
			word);
	if (fits > 1)
		return ixgbe_why_fill(why, -EINVAL, "'%s' could be any of: %s", word, choices);
	*out = found;
	return 0;
}

/* How many words may stand behind the object. */
static unsigned int words_max(const struct object *object)
{
	if (object->run == ixtap_nic)
		return IXTAP_NIC_WORDS;
	if (object->run == ixtap_upgrade)
		return 2;
	return object->run == ixtap_features ? 3 : 1;
}

static int set_word(void *ctx, unsigned int index, const char *word, struct ixgbe_why *why)
{
	struct arguments *args = ctx;

	if (index == 0)
		return find_object(word, &args->object, why);
	if (args->words == words_max(args->object))
		return ixgbe_why_fill(why, -EINVAL, "'%s' is one word too many", word);
	args->word[args->words++] = word;
	return 0;
}

/* A request may have numbers; ixnic says which it takes. */
static bool takes_numbers(const void *ctx)
{
	const struct arguments *args = ctx;

	return args->object && args->object->run == ixtap_nic;
}

/* Of one or three words the first is a name; a feature and its value are two. A program has a slash
 * in its path, or a name before it. All words behind "nic" are for the NIC. */
static void share_words(struct arguments *args)
{
	unsigned int at = 0;

	if (args->object && args->object->run == ixtap_nic) {
		memcpy(args->cli.request, args->word, sizeof(args->cli.request));
		return;
	}
	if (args->object && args->object->run == ixtap_upgrade) {
		/* No interface has a slash in its name. */
		if (args->words == 2 || (args->words == 1 && !strchr(args->word[0], '/')))
			args->cli.name = args->word[at++];
		args->cli.program = args->word[at];
		return;
	}
	if (args->words % 2 == 1)
		args->cli.name = args->word[at++];
	if (args->words < 2)
		return;
	args->cli.feature = args->word[at++];
	args->cli.value = args->word[at];
}

/* ---- Options ---- */

static int set_json(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value;
	(void)why;
	((struct arguments *)ctx)->cli.json = true;
	return 0;
}

static int set_statistics(void *ctx, const char *value, struct ixgbe_why *why)
{
	(void)value;
	(void)why;
	((struct arguments *)ctx)->cli.all = true;
	return 0;
}

static int set_interval(void *ctx, const char *value, struct ixgbe_why *why)
{
	struct arguments *args = ctx;

	if (option_real(value, 0.01, INTERVAL_MAX_S, &args->cli.interval_s))
		return ixgbe_why_fill(why, -EINVAL,
				      "'%s' is not an interval: seconds from 0.01 to 86400", value);
	return 0;
}

static int set_control(void *ctx, const char *value, struct ixgbe_why *why)
{
	((struct arguments *)ctx)->cli.control = value;
	return *value ? 0 : ixgbe_why_fill(why, -EINVAL, "an empty path; name a socket");
}

static const struct option_row rows[] = {
	{"json", set_json, 'j', NULL, "JSON, one object a line"},
	{"statistics", set_statistics, 's', NULL, "All counters, those that are zero too"},
	{"interval", set_interval, 'i', "SEC", "Repeat stats every SEC seconds, as rates"},
	{"control", set_control, 'c', "PATH",
	 "Control socket, instead of " IXTAP_RUN_DIR "/NAME.sock"},
	{0},
};

static const struct option_table table = {
	.row = rows,
	.words = "OBJECT [NAME] [FEATURE VALUE]\nupgrade [NAME] [PROGRAM]\nnic [REQUEST...]",
	.word = set_word,
	.numbers = takes_numbers,
	.doc = "Show what a running ixtapd does, and set it."
	       "\vOBJECT is one of these, or as much of it as tells it apart:\n"
	       "  list      every ixtapd that runs\n"
	       "  status    state, link, interface, NIC\n"
	       "  stats     counters that are not zero; with -i, rates\n"
	       "  monitor   events as they happen, until interrupted\n"
	       "  features  what is done to received frames; 'rx on|off|all' behind it sets that\n"
	       "  upgrade   executes PROGRAM, or the installed ixtapd, in its place; frames flow on\n"
	       "  nic       asks ixnic(8), whose socket --control names: status, violations...\n\n"
	       "NAME is the --tap that ixtapd was started with; it may be left out while only "
	       "one runs.\n\nExit status: 0, 1 (failed), 2 (usage).",
};

static bool is_rx(const char *word)
{
	return strcmp(word, "rx") == 0;
}

/* A feature that cannot be set; or rx with too many words, or too few. */
static int check_feature(const struct arguments *args, struct ixgbe_why *why)
{
	if (!args->cli.feature || is_rx(args->cli.feature))
		return 0;
	if (args->words == 3 && is_rx(args->word[0]))
		return ixgbe_why_fill(why, -EINVAL, "'%s' is one word too many", args->word[2]);
	if (args->words == 2 && is_rx(args->word[1]))
		return ixgbe_why_fill(why, -EINVAL, "rx is set to on, off or all: say which");
	return ixgbe_why_fill(why, -EINVAL,
			      "'%s' can't be set here: only rx can, to on, off or all; "
			      "see ethtool -K for the others",
			      args->cli.feature);
}

/* What one option or word cannot know of the others. */
static int check(struct arguments *args, struct ixgbe_why *why)
{
	share_words(args);
	if (check_feature(args, why))
		return -EINVAL;
	if (!args->object)
		return ixgbe_why_fill(why, -EINVAL,
				      "say what to do: list, status, stats, monitor, features, "
				      "upgrade or nic");
	if (args->cli.interval_s > 0 && args->object->run != ixtap_stats)
		return ixgbe_why_fill(why, -EINVAL, "-i goes with stats only");
	if (args->cli.all && args->object->run != ixtap_stats)
		return ixgbe_why_fill(why, -EINVAL, "-s goes with stats only");
	if (args->object->run == ixtap_list && (args->cli.name || args->cli.control))
		return ixgbe_why_fill(why, -EINVAL, "list takes neither a name nor --control");
	if (args->object->run == ixtap_nic && !args->cli.control)
		return ixgbe_why_fill(why, -EINVAL,
				      "nic needs --control with the PATH that ixnic was started "
				      "with");
	if (args->cli.name && args->cli.control)
		return ixgbe_why_fill(why, -EINVAL, "give a name or --control, not both");
	return 0;
}

int main(int argc, char *argv[])
{
	struct arguments args = {0};
	struct ixgbe_why why;
	uint32_t given;
	int status;

	if (option_table_parse(&table, &args, argc, argv, &given, &why) || check(&args, &why))
		option_usage_exit(&why);
	output_init();
	status = args.object->run(&args.cli);
	return streams_end() ? 1 : status;
}

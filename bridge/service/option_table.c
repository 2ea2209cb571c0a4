/* SPDX-License-Identifier: MIT */
#include "option_table.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "printable.h"
#include "streams.h"

/* Keys of rows without a letter; above every character. */
#define KEY_BASE 0x100

struct parse {
	const struct option_table *table;
	void *ctx;
	uint32_t given;
	int wish; /* 'h', 'V', or 0 */
	struct ixgbe_why *why;
};

static int key_of(const struct option_table *table, size_t row)
{
	return table->row[row].letter ? table->row[row].letter : KEY_BASE + (int)row;
}

static error_t set_row(struct parse *parse, size_t i, const char *value)
{
	const struct option_row *row = &parse->table->row[i];
	struct ixgbe_why why;

	parse->given |= 1u << i;
	if (!row->set(parse->ctx, value, &why))
		return 0;
	return -ixgbe_why_fill(parse->why, -EINVAL, "--%s: %s", row->name, why.text);
}

static error_t set_word(struct parse *parse, unsigned int index, const char *word)
{
	if (parse->table->word)
		return -parse->table->word(parse->ctx, index, word, parse->why);
	return -ixgbe_why_fill(parse->why, -EINVAL, "'%s' is not an option: see --help", word);
}

/* Takes the numbers that are next, before getopt sees options in them. */
static error_t take_numbers(struct parse *parse, struct argp_state *state)
{
	error_t err = 0;

	while (!err && parse->table->numbers && parse->table->numbers(parse->ctx) &&
	       state->next < state->argc) {
		const char *word = state->argv[state->next];

		if (word[0] != '-' || word[1] < '0' || word[1] > '9')
			break;
		state->next++;
		err = set_word(parse, ++state->arg_num, word);
	}
	return err;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	const struct option_table *table = parse->table;
	error_t err = ARGP_ERR_UNKNOWN;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL; /* argp would add lines about --help to each error */
		return 0;
	case ARGP_KEY_ARG:
		err = set_word(parse, state->arg_num, arg);
		break;
	case 'h':
	case 'V':
		parse->wish = key;
		return ECANCELED;
	default:
		for (size_t i = 0; table->row[i].name; i++)
			if (key == key_of(table, i))
				err = set_row(parse, i, arg);
	}
	return err ? err : take_numbers(parse, state);
}

/* getopt's line begins with argv[0]. */
static void explain(const char *line, struct ixgbe_why *why)
{
	const char *text = line + strlen(program_invocation_short_name) + strlen(": ");

	ixgbe_why_fill(why, -EINVAL, "%.*s; see --help", (int)strcspn(text, "\n"), text);
}

/* What getopt says of an option is caught: it quotes bytes that a terminal would obey. */
static error_t parse_caught(const struct argp *argp, struct parse *parse, int argc, char *argv[])
{
	FILE *before = stderr, *caught;
	char *said = NULL;
	size_t len = 0;
	error_t err;

	argv[0] = program_invocation_short_name;
	caught = open_memstream(&said, &len);
	if (caught)
		stderr = caught;
	err = argp_parse(argp, argc, argv,
			 ARGP_NO_HELP | (parse->table->numbers ? ARGP_IN_ORDER : 0), NULL, parse);
	stderr = before;
	if (caught)
		fclose(caught);
	if (len > strlen(argv[0]) + strlen(": "))
		explain(said, parse->why);
	free(said);
	return err;
}

static void show_and_exit(const struct argp *argp, int wish)
{
	if (wish == 'h')
		argp_help(argp, stdout, ARGP_HELP_STD_HELP, program_invocation_short_name);
	else
		printf("%s %s\n", program_invocation_short_name, IXTAP_VERSION);
	exit(streams_end() ? EXIT_FAILURE : EXIT_SUCCESS);
}

int option_table_parse(const struct option_table *table, void *ctx, int argc, char *argv[],
		       uint32_t *given, struct ixgbe_why *why)
{
	struct parse parse = {table, ctx, 0, 0, why};
	struct argp_option option[OPTION_ROWS_MAX + 3] = {0};
	const struct argp argp = {
		.options = option,
		.parser = parse_one,
		.args_doc = table->words,
		.doc = table->doc,
	};
	size_t rows = 0;
	error_t err;

	for (; table->row[rows].name; rows++)
		option[rows] = (struct argp_option){
			.name = table->row[rows].name,
			.key = key_of(table, rows),
			.arg = table->row[rows].arg,
			.doc = table->row[rows].doc,
		};
	option[rows] = (struct argp_option){"help", 'h', NULL, 0, "Show this, and exit", -1};
	option[rows + 1] = (struct argp_option){"version", 'V', NULL, 0, "Show it, and exit", -1};
	why->text[0] = '\0';
	streams_keep();
	err = parse_caught(&argp, &parse, argc, argv);
	if (parse.wish)
		show_and_exit(&argp, parse.wish);
	*given = parse.given;
	return err ? -EINVAL : 0;
}

void option_usage_exit(const struct ixgbe_why *why)
{
	char shown[4 * sizeof(why->text)];

	strcpy(shown, why->text);
	printable(shown, sizeof(shown)); /* it may quote a file */
	fprintf(stderr, "%s%s: %s\n", log_priority(IXGBE_LOG_ERROR), program_invocation_short_name,
		shown);
	exit(EXIT_STATUS_USAGE);
}

/* ---- Values ---- */

int option_word(const struct option_word *words, const char *text, int *out)
{
	for (; words->name; words++)
		if (!strcmp(words->name, text)) {
			*out = words->value;
			return 0;
		}
	return -EINVAL;
}

const char *option_word_name(const struct option_word *words, int value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return "?";
}

/* How many digits; strtoull and strtod take much else. */
static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

int option_number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long long value;

	if (!*text || text[digits(text)])
		return -EINVAL;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno || value < least || value > most)
		return -EINVAL;
	*out = (uint32_t)value;
	return 0;
}

/* Whether it is DIGITS[.DIGITS][e[+|-]DIGITS], and nothing else. */
static bool is_decimal(const char *text)
{
	size_t some = digits(text);

	text += some;
	if (some && *text == '.') {
		some = digits(++text);
		text += some;
	}
	if (some && (*text == 'e' || *text == 'E')) {
		text++;
		text += *text == '+' || *text == '-';
		some = digits(text);
		text += some;
	}
	return some && !*text;
}

int option_real(const char *text, double least, double most, double *out)
{
	double value = is_decimal(text) ? strtod(text, NULL) : NAN;

	if (!(value >= least && value <= most))
		return -EINVAL;
	*out = value;
	return 0;
}

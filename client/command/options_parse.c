/* SPDX-License-Identifier: MIT */
#include "client/command/options_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/suggestion.h"
#include "common/clock.h"
#include "common/failed.h"
#include "common/quantity.h"

/* More than a command or a group has, including the options of memtun itself. */
#define OPTIONS_MAX 20

/* For an option's name, getopt_long() returns this plus the option's index. */
#define LONG_OPTION 256

/* The longest time of an option, nanoseconds: 1,000,000 seconds, which are an int of milliseconds. */
#define TIME_MAX (UINT64_C(1000000) * CLOCK_SECOND)

struct parser {
	const struct command_option *known[OPTIONS_MAX];
	int count;
	struct option names[OPTIONS_MAX + 1];
	int name_count;
	char letters[2 * OPTIONS_MAX + 3];
};

static const struct command_option memtun_options[] = {
	TAKES_STATISTICS,
	TAKES_JSON("print JSON"),
	{0},
};

const struct command memtun_itself = {
	.name = "memtun",
	.options = memtun_options,
	.stops_at_word = true,
};

const struct command_option common_options[] = {
	{"--socket", 0, "ADDRESS", "the broker's control socket: a path, or @NAME"},
	{"--reply-timeout", 0, "T", "the time for the broker to answer; default 10s"},
	{"--help", 'h', NULL, "print the help of memtun or of the command"},
	{"--version", 'V', NULL, "print the version"},
	{0},
};

/* ------------------------------------------------------------------------------ known options */

static const struct command_option *option_find(const struct command_option *options,
						const char *name)
{
	for (; options && options->name; options++) {
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

static bool option_is_long(const struct command_option *option)
{
	return option->name[1] == '-';
}

static char option_letter(const struct command_option *option)
{
	return option_is_long(option) ? option->letter : option->name[1];
}

static void parser_add_option(struct parser *parser, const struct command_option *option)
{
	char letter[2] = {option_letter(option)};

	if (option_is_long(option))
		parser->names[parser->name_count++] = (struct option){
			.name = option->name + 2,
			.has_arg = option->argument ? required_argument : no_argument,
			.val = LONG_OPTION + parser->count,
		};
	strlcat(parser->letters, letter, sizeof(parser->letters));
	if (letter[0] && option->argument)
		strlcat(parser->letters, ":", sizeof(parser->letters));
	parser->known[parser->count++] = option;
}

/* Add the options that the parser doesn't know yet. */
static void parser_add(struct parser *parser, const struct command_option *options)
{
	for (; options && options->name; options++) {
		bool is_known = false;

		for (int i = 0; i < parser->count; i++)
			is_known |= strcmp(parser->known[i]->name, options->name) == 0;
		if (!is_known)
			parser_add_option(parser, options);
	}
}

static void parser_init(struct parser *parser, const struct command *command)
{
	*parser = (struct parser){0};
	/*
	 * With '-' getopt_long() returns each word where it stands, also with POSIXLY_CORRECT in
	 * the environment; with ':' it tells a missing value from an unknown option.
	 */
	strlcpy(parser->letters, "-:", sizeof(parser->letters));
	parser_add(parser, command->options);
	for (size_t i = 0; command->group && command->group[i]; i++)
		parser_add(parser, command->group[i]->options);
	parser_add(parser, common_options);
	parser_add(parser, memtun_options);
}

static const struct command_option *parser_find(const struct parser *parser, int value)
{
	if (value >= LONG_OPTION)
		return parser->known[value - LONG_OPTION];
	for (int i = 0; i < parser->count; i++) {
		if (option_letter(parser->known[i]) == value)
			return parser->known[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------------------ parsing */

/* Print what is wrong with the word. getopt_long() returned the value and set optopt. Return -1. */
static int parser_fail(const struct parser *parser, const struct command *command, int value,
		       const char *word)
{
	const struct command_option *option = optopt ? parser_find(parser, optopt) : NULL;
	char unknown[64] = {'-', (char)optopt};
	struct suggestion suggestion = {.given = unknown};
	char hint[SUGGESTION_SIZE];

	if (option && value == ':')
		command_fail(0, "%s needs a value: %s", option->name, option->argument);
	else if (option)
		command_fail(0, "%s takes no value", option->name);
	if (option)
		return -1;
	if (!optopt) {
		strlcpy(unknown, word, sizeof(unknown));
		unknown[strcspn(unknown, "=")] = '\0';
		for (int i = 0; i < parser->count; i++)
			suggestion_consider(&suggestion, parser->known[i]->name);
	}
	suggestion_hint(&suggestion, command == &memtun_itself ? NULL : command->name, hint);
	command_fail(0, "%s has no option '%s'%s", command->name, unknown,
		     command->usage_status && !suggestion.nearest
			     ? "; a program's name that begins with '-' goes behind --"
			     : hint);
	return -1;
}

/* Return whether the word is a negative number, such as -5ms, rather than an option, such as -4 of
 * ping. */
static bool is_negative(const struct parser *parser, const char *word)
{
	return word && word[0] == '-' && word[1] >= '0' && word[1] <= '9' &&
	       !parser_find(parser, word[1]);
}

/* Take the next words if they are negative numbers, before getopt_long() takes them for options. */
static void negatives_take(const struct parser *parser, struct invocation *invocation, int count,
			   char **words)
{
	/* Before its first call, optind is 0. */
	while (optind && optind < count && is_negative(parser, words[optind]))
		invocation->words[invocation->count++] = words[optind++];
}

int options_parse(struct invocation *invocation, int count, char **words)
{
	const struct command *command = invocation->command;
	struct parser parser;
	int value;

	parser_init(&parser, command);
	invocation->count = 0;
	optind = 0; /* makes glibc's getopt_long() start anew */
	opterr = 0;
	while ((value = getopt_long(count, words, parser.letters, parser.names, NULL)) != -1) {
		if (value == '?' || value == ':')
			return parser_fail(&parser, command, value, words[optind - 1]);
		if (value != 1) {
			invocation->given[invocation->given_count++] =
				(struct given_option){parser_find(&parser, value), optarg};
			continue;
		}
		if (command->stops_at_word) {
			optind--;
			break;
		}
		invocation->words[invocation->count++] = optarg;
		negatives_take(&parser, invocation, count, words);
	}
	while (optind < count)
		invocation->words[invocation->count++] = words[optind++];
	invocation->words[invocation->count] = NULL;
	return 0;
}

int options_check(const struct invocation *invocation)
{
	const struct command *command = invocation->command;

	for (int i = 0; i < invocation->given_count; i++) {
		const struct command_option *option = invocation->given[i].option;
		char letter[] = {'-', option_letter(option), '\0'};

		if (option_find(command->options, option->name) ||
		    option_find(common_options, option->name))
			continue;
		command_fail(0, "%s takes no %s; see memtun help %s", command->name,
			     letter[1] ? letter : option->name, command->name);
		return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ values */

static const struct given_option *given_find(const struct invocation *invocation, const char *name)
{
	for (int i = invocation->given_count; i > 0; i--) {
		if (strcmp(invocation->given[i - 1].option->name, name) == 0)
			return &invocation->given[i - 1];
	}
	return NULL;
}

bool options_has(const struct invocation *invocation, const char *name)
{
	return given_find(invocation, name) != NULL;
}

const char *options_value(const struct invocation *invocation, const char *name)
{
	const struct given_option *given = given_find(invocation, name);

	return given ? given->value : NULL;
}

int options_number(const struct invocation *invocation, const char *name, uint64_t min,
		   uint64_t max, uint64_t *number)
{
	const char *value = options_value(invocation, name);
	char *end;

	if (!value)
		return 0;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 && *number >= min &&
	    *number <= max)
		return 0;
	return command_fail(EXIT_USAGE,
			    "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", name,
			    min, max, value);
}

/* Read a time with its unit, or seconds as strtod(3) does. -1 with EINVAL or ERANGE. */
static int time_parse(const char *text, uint64_t *nanoseconds)
{
	double seconds;
	char *end;

	if (quantity_parse_time(text, nanoseconds) == 0)
		return *nanoseconds <= TIME_MAX ? 0 : failed(ERANGE);
	seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !(seconds >= 0))
		return -1;
	if (seconds * (double)CLOCK_SECOND > (double)TIME_MAX)
		return failed(ERANGE);
	*nanoseconds = (uint64_t)(seconds * (double)CLOCK_SECOND + 0.5);
	return 0;
}

int options_time(const struct invocation *invocation, const char *name, uint64_t *nanoseconds)
{
	const char *value = options_value(invocation, name);

	if (!value || time_parse(value, nanoseconds) == 0)
		return 0;
	if (errno == ERANGE)
		return command_fail(
			EXIT_USAGE,
			"%s takes at most 1000000 seconds, in whole nanoseconds, not '%s'", name,
			value);
	return command_fail(EXIT_USAGE,
			    "%s takes seconds, or a time with its unit (" QUANTITY_TIME_UNITS
			    "), not '%s'",
			    name, value);
}

int options_milliseconds(const struct invocation *invocation, const char *name, int *milliseconds)
{
	uint64_t nanoseconds = 0;

	if (!options_has(invocation, name))
		return 0;
	if (options_time(invocation, name, &nanoseconds))
		return EXIT_USAGE;
	*milliseconds = (int)((nanoseconds + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND);
	return 0;
}

int options_ready_fd(const struct invocation *invocation, int *fd)
{
	uint64_t number = UINT64_MAX;

	if (options_number(invocation, "--ready-fd", 0, 1 << 20, &number))
		return EXIT_USAGE;
	if (number == UINT64_MAX)
		return 0;
	/* Check it now, because memtun itself may open a descriptor with this number later. */
	if (fcntl((int)number, F_GETFD) < 0)
		return command_fail(EXIT_USAGE, "--ready-fd %d: %s", (int)number, strerror(errno));
	*fd = (int)number;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * memtun clock: shows and moves the clock that delays, ageing and neighbour timers follow.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/listing.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "common/clock.h"
#include "common/quantity.h"
#include "memtun.h"

/* How much longer than --timeout the command waits for the broker to say what is not quiet,
 * milliseconds. */
#define ANSWER_MARGIN 5000

struct move {
	uint64_t time;
	int timeout; /* milliseconds, -1: none */
};

/* Print by how much the clock has moved, and what it shows. */
static void moved_record(const struct memtun_record *record, void *context)
{
	char moved_text[32], time_text[32];
	uint64_t moved = 0, time = 0;

	(void)context;
	memtun_record_number(record, "move", &moved);
	memtun_record_number(record, "clock-time", &time);
	quantity_format_seconds(moved, moved_text, sizeof(moved_text));
	quantity_format_seconds(time, time_text, sizeof(time_text));
	fprintf(output, "moved %s to %s\n", moved_text, time_text);
}

/* ------------------------------------------------------------------------------ advance */

static int clock_ask_advance(struct memtun *memtun, void *context)
{
	const struct move *move = context;

	return memtun_clock_advance(memtun, move->time, moved_record, NULL);
}

static int clock_advance(const struct invocation *invocation)
{
	const char *word = invocation->words[0];
	struct move move = {0};

	if (quantity_parse_time(word, &move.time) < 0)
		return command_fail(EXIT_USAGE,
				    "clock advance takes a time with its unit (" QUANTITY_TIME_UNITS
				    "), such as 20ms, not '%s'%s",
				    word, errno == ERANGE ? ": it has too many digits" : "");
	return command_connected(invocation, clock_ask_advance, &move);
}

static const struct command command_clock_advance = {
	.name = "clock advance",
	.summary = "move the manual clock by a time",
	.usage = "TIME",
	.about = "TIME has a unit: ns, us, ms, s, min or h. Events that are due until\n"
		 "then run at their times.",
	.example = "memtun clock advance 20ms",
	.needs = "a TIME",
	.words_min = 1,
	.words_max = 1,
	.run = clock_advance,
};

/* ------------------------------------------------------------------------------ next */

static int clock_ask_next(struct memtun *memtun, void *context)
{
	const struct move *move = context;

	/* The broker answers when all is quiet. */
	memtun_set_timeout(memtun, move->timeout < 0 ? -1 : move->timeout + ANSWER_MARGIN);
	if (memtun_clock_next(memtun, move->timeout, moved_record, NULL) == 0)
		return 0;
	return errno == ETIMEDOUT ? command_fail(EXIT_TIMEOUT, "%s", memtun_error(memtun)) : -1;
}

static int clock_next(const struct invocation *invocation)
{
	struct move move = {.timeout = -1};

	if (options_milliseconds(invocation, "--timeout", &move.timeout))
		return EXIT_USAGE;
	return command_connected(invocation, clock_ask_next, &move);
}

static const struct command_option next_options[] = {
	{"--timeout", 0, "TIME", "wait this long for quiet ports; default: no limit"},
	{0},
};

static const struct command command_clock_next = {
	.name = "clock next",
	.summary = "wait until all is quiet, and move the manual clock to the next event",
	.usage = "",
	.example = "memtun clock next",
	.options = next_options,
	.run = clock_next,
};

/* ------------------------------------------------------------------------------ show */

static int clock_ask_show(struct memtun *memtun, const char *name, bool statistics,
			  memtun_record_function *function, void *context)
{
	(void)name;
	(void)statistics;
	return memtun_clock_show(memtun, function, context);
}

static int clock_show(const struct invocation *invocation)
{
	static const char *const columns[] = {"clock", "clock-time", "clock-next", "due", NULL};

	return listing_run(invocation, clock_ask_show, columns);
}

static const struct command_option show_options[] = {
	TAKES_JSON("print a JSON array of one object"),
	{0},
};

static const struct command command_clock_show = {
	.name = "clock show",
	.aliases = SHOW_ALIASES,
	.summary = "show the clock, and when the next event is due",
	.usage = "",
	.example = "memtun clock show",
	.options = show_options,
	.run = clock_show,
};

static const struct command *const group[] = {
	&command_clock_show,
	&command_clock_advance,
	&command_clock_next,
	NULL,
};

const struct command command_clock = {
	.name = "clock",
	.summary = "show and move the clock of memtund --clock manual",
	.group = group,
};

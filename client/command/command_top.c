/* SPDX-License-Identifier: MIT */
/*
 * memtun top: the frames, bytes and drops per second of each port, repeatedly: on the screen or,
 * with -b, as tables.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/rates.h"
#include "client/command/stop.h"
#include "client/command/table.h"
#include "client/command/top.h"
#include "common/clock.h"
#include "memtun.h"

/* Milliseconds between two samples. */
#define INTERVAL_MIN 100

struct top {
	struct memtun *memtun;
	struct rates rates;
	enum rates_order order;
	int64_t interval;
	uint64_t max; /* how many times rates are shown, 0: no limit */
	uint64_t shown;
	bool batch;
	bool json;
	char failure[256]; /* printed once the screen is closed */
};

/* ------------------------------------------------------------------------------ cells */

const struct top_column top_columns[TOP_COLUMNS] = {
	{"name", "NAME", true},
	{"bridge", "BRIDGE", true},
	{"from-client-frames-rate", "FROM/S", false},
	{"from-client-bytes-rate", "BYTES/S", false},
	{"to-client-frames-rate", "TO/S", false},
	{"to-client-bytes-rate", "BYTES/S", false},
	{"to-client-queued", "QUEUED", false},
	{"from-client-dropped-rate", "DROPS-FROM/S", true},
	{"to-client-dropped-rate", "DROPS-TO/S", true},
	{"from-client-faults-rate", "FAULTS-FROM/S", true},
	{"to-client-faults-rate", "FAULTS-TO/S", true},
};

/*
 * Write the number with at most four digits and a letter for a power of 1000; below 10, with one
 * decimal.
 */
static void number_format(char cell[TOP_CELL_SIZE], double number)
{
	static const char powers[] = " kMGTPE";
	int power = 0;

	while (number >= 9999.5 && power < 6) {
		number /= 1000;
		power++;
	}
	if (number > 0 && number < 9.95)
		snprintf(cell, TOP_CELL_SIZE, "%.1f", number);
	else
		snprintf(cell, TOP_CELL_SIZE, "%.0f", number);
	if (power)
		strncat(cell, &powers[power], 1);
}

/* Write a rate of drops or faults, and the most frequent kind of them. */
static void kind_format(char cell[TOP_CELL_SIZE], double rate, const char *kind)
{
	number_format(cell, rate);
	if (kind[0]) {
		strlcat(cell, " ", TOP_CELL_SIZE);
		strlcat(cell, kind, TOP_CELL_SIZE);
	}
}

void top_format(const struct rates_row *row, char cells[TOP_COLUMNS][TOP_CELL_SIZE])
{
	strlcpy(cells[0], row->name, TOP_CELL_SIZE);
	strlcpy(cells[1], row->bridge, TOP_CELL_SIZE);
	number_format(cells[2], row->from.frames);
	number_format(cells[3], row->from.bytes);
	number_format(cells[4], row->to.frames);
	number_format(cells[5], row->to.bytes);
	number_format(cells[6], (double)row->queued);
	kind_format(cells[7], row->from.drops, row->from.reason);
	kind_format(cells[8], row->to.drops, row->to.reason);
	kind_format(cells[TOP_FAULTS_FROM], row->from.faults, row->from.fault);
	kind_format(cells[TOP_FAULTS_TO], row->to.faults, row->to.fault);
}

/* ------------------------------------------------------------------------------ tables */

static int set_number(struct table *table, struct table_row *row, const char *key, double number)
{
	char text[TOP_CELL_SIZE];

	snprintf(text, sizeof(text), "%.1f", number);
	return table_set(table, row, key, text);
}

static int set_direction(struct table *table, struct table_row *row,
			 const struct rates_direction *direction, const char *const keys[6])
{
	return set_number(table, row, keys[0], direction->frames) |
	       set_number(table, row, keys[1], direction->bytes) |
	       set_number(table, row, keys[2], direction->drops) |
	       (direction->reason[0] ? table_set(table, row, keys[3], direction->reason) : 0) |
	       set_number(table, row, keys[4], direction->faults) |
	       (direction->fault[0] ? table_set(table, row, keys[5], direction->fault) : 0);
}

/* Fill a row of JSON: plain numbers, and the reason as a key of its own. */
static int row_put_json(struct table *table, struct table_row *row, const struct rates_row *rates)
{
	static const char *const from_keys[] = {
		"from-client-frames-rate",    "from-client-bytes-rate",  "from-client-dropped-rate",
		"from-client-dropped-reason", "from-client-faults-rate", "from-client-fault",
	};
	static const char *const to_keys[] = {
		"to-client-frames-rate",    "to-client-bytes-rate",  "to-client-dropped-rate",
		"to-client-dropped-reason", "to-client-faults-rate", "to-client-fault",
	};
	char queued[24];

	snprintf(queued, sizeof(queued), "%" PRIu64, rates->queued);
	return table_set(table, row, "name", rates->name) |
	       (rates->bridge[0] ? table_set(table, row, "bridge", rates->bridge) : 0) |
	       set_direction(table, row, &rates->from, from_keys) |
	       set_direction(table, row, &rates->to, to_keys) |
	       table_set(table, row, "to-client-queued", queued);
}

static int row_put(struct table *table, struct table_row *row, const struct rates_row *rates)
{
	char cells[TOP_COLUMNS][TOP_CELL_SIZE];
	int result = 0;

	top_format(rates, cells);
	for (int i = 0; i < TOP_COLUMNS; i++)
		result |= table_set(table, row, top_columns[i].key, cells[i]);
	return result;
}

static struct table *top_table(bool json)
{
	struct table *table = table_new(NULL, json);
	int result = 0;

	for (int i = 0; table && i < TOP_COLUMNS; i++)
		result |= table_add_column(table, top_columns[i].key, top_columns[i].heading,
					   json ? i > 1 : !top_columns[i].is_text);
	if (result == 0)
		return table;
	table_free(table);
	return NULL;
}

/* -1 with errno. */
static int top_print(const struct top *top)
{
	struct table *table = top_table(top->json);
	int result = table ? 0 : -1;

	for (size_t i = 0; i < top->rates.row_count && result == 0; i++) {
		struct table_row *row = table_add_row(table, NULL);

		if (!row)
			result = -1;
		else
			result = (top->json ? row_put_json : row_put)(table, row,
								      &top->rates.rows[i]);
	}
	if (result == 0 && top->json)
		result = table_print_array_line(table);
	else if (result == 0)
		result = table_print(table);
	/* A reader sees the end of a table by an empty line. */
	if (result == 0 && !top->json)
		fputc('\n', output);
	table_free(table);
	return result;
}

/* ------------------------------------------------------------------------------ running */

static int top_fail(struct top *top, const char *what, const char *why)
{
	snprintf(top->failure, sizeof(top->failure), "%s%s", what, why);
	return -1;
}

/* Show the rates of a new sample. 1: the output can't be written, which main() reports. */
static int top_sampled(struct top *top)
{
	if (top->rates.failed)
		return top_fail(top, "", top->rates.fault.text);
	if (top->rates.samples < 2)
		return 0;
	top->shown++;
	rates_sort(&top->rates, top->order);
	if (!top->batch)
		top_screen_draw(&top->rates, top->order, top->interval);
	else if (top_print(top) < 0)
		return top_fail(top, "cannot print the table: ", strerror(errno));
	return output_flush() < 0 ? 1 : 0;
}

/* Handle the keys that were pressed. 1: quit. */
static int top_read_keys(struct top *top)
{
	switch (top_screen_read(&top->rates, &top->order, top->interval)) {
	case TOP_QUIT:
		return 1;
	case TOP_SORT:
		rates_sort(&top->rates, top->order);
		top_screen_draw(&top->rates, top->order, top->interval);
		break;
	case TOP_GO_ON:
		break;
	}
	return 0;
}

/* Wait for the broker, a key, a signal or the due time, and handle it. 1: quit. */
static int top_wait(struct top *top, int64_t due)
{
	struct pollfd fds[3] = {
		{.fd = memtun_fd(top->memtun), .events = memtun_events(top->memtun)},
		{.fd = top->batch ? -1 : STDIN_FILENO, .events = POLLIN},
		output_watch(),
	};
	bool asked = top->rates.asked > 0;
	int result = 0;
	int64_t until = clock_earlier(asked ? -1 : due, memtun_deadline(top->memtun));

	if (stop_poll(fds, 3, until) < 0 && errno != EINTR)
		return top_fail(top, "cannot wait: ", strerror(errno));
	if (stop_requested())
		return 1;
	if (top->batch && output_has_no_reader(&fds[2])) {
		output_break();
		return 1;
	}
	if (memtun_dispatch(top->memtun) < 0)
		return top_fail(top, "", memtun_error(top->memtun));
	if (asked && top->rates.asked == 0)
		result = top_sampled(top);
	if (top->batch || result != 0)
		return result;
	/* A terminal that has hung up stays readable without a key. */
	return fds[1].revents & (POLLHUP | POLLERR | POLLNVAL) ? 1 : top_read_keys(top);
}

static int top_loop(struct top *top)
{
	int64_t due = clock_now();
	int result = 0;

	while (result == 0 && (!top->max || top->shown < top->max)) {
		if (top->rates.asked == 0 && clock_now() >= due) {
			if (rates_ask(&top->rates, top->memtun) < 0)
				return top_fail(top, "", memtun_error(top->memtun));
			/* If the broker is slower than the interval, ask again at once. */
			due += top->interval;
			if (due < clock_now())
				due = clock_now();
		}
		result = top_wait(top, due);
	}
	return result;
}

/* ------------------------------------------------------------------------------ the command */

static int top_parse(struct top *top, const struct invocation *invocation)
{
	int milliseconds = 1000;

	*top = (struct top){
		.order = RATES_BY_RATE,
		.batch = options_has(invocation, "-b"),
		.json = options_has(invocation, "--json"),
	};
	if (options_number(invocation, "-n", 1, UINT64_MAX / 2, &top->max) ||
	    options_milliseconds(invocation, "-d", &milliseconds))
		return EXIT_USAGE;
	if (milliseconds < INTERVAL_MIN)
		return command_fail(EXIT_USAGE, "-d takes 0.1 seconds or more");
	if (top->json && !top->batch)
		return command_fail(EXIT_USAGE, "-j goes with top -b");
	top->interval = milliseconds * CLOCK_MILLISECOND;
	return top->batch ? table_check(top->json) : 0;
}

/* Run with the screen open, or with -b without one. */
static int top_show(struct top *top)
{
	const char *why = "";

	stop_prepare(false);
	if (!top->batch) {
		if (top_screen_open(&why) < 0)
			return command_fail(EXIT_REFUSED,
					    "%s; use memtun top -b, or memtun -j top -b", why);
		top_screen_draw(&top->rates, top->order, top->interval);
	}
	if (top_loop(top) < 0) {
		top_screen_close();
		return command_fail(EXIT_REFUSED, "%s", top->failure);
	}
	top_screen_close();
	return 0;
}

static int top_connected(struct memtun *memtun, void *context)
{
	struct top *top = context;

	top->memtun = memtun;
	if (rates_init(&top->rates) < 0)
		return command_fail(EXIT_REFUSED, "out of memory");
	return top_show(top);
}

static int top_run(const struct invocation *invocation)
{
	struct top top;
	int status = top_parse(&top, invocation);

	if (status != 0)
		return status;
	status = command_connected(invocation, top_connected, &top);
	/* Only now, because answers call back into rates until the connection is closed. */
	rates_free(&top.rates);
	return status;
}

static const struct command_option top_options[] = {
	{"-b", 0, NULL, "print tables, for a file or a pipe"},
	{"-n", 0, "TIMES", "end after this many tables or screens"},
	{"-d", 0, "TIME", "the time from one to the next, at least 0.1; default 1s"},
	TAKES_JSON("with -b: print each table as a JSON array on one line"),
	{0},
};

const struct command command_top = {
	.name = "top",
	.summary = "show the traffic of each port, live",
	.usage = "",
	.example = "memtun top -b -n 1",
	.options = top_options,
	.run = top_run,
};

/* SPDX-License-Identifier: MIT */
#include "client/command/inject_timing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/command/command.h"
#include "client/command/options_parse.h"
#include "common/clock.h"

#define FACTOR_MIN 0.000001
#define FACTOR_MAX 1000000.0

static int timing_parse(struct inject_timing *timing, const char *value)
{
	char *end;

	if (strcmp(value, "clock") == 0) {
		timing->by_clock = true;
		return 0;
	}
	if (strcmp(value, "original") == 0) {
		timing->factor = 1;
		return 0;
	}
	timing->factor = strtod(value, &end);
	if (end != value && *end == '\0' && timing->factor >= FACTOR_MIN &&
	    timing->factor <= FACTOR_MAX)
		return 0;
	return command_fail(EXIT_USAGE,
			    "--timing takes original, clock or a factor from 0.000001 to 1000000, "
			    "not '%s'",
			    value);
}

int inject_timing_parse(struct inject_timing *timing, const struct invocation *invocation)
{
	const char *value = options_value(invocation, "--timing");
	bool has_file = options_has(invocation, "--pcap");

	*timing = (struct inject_timing){0};
	if (options_has(invocation, "--rate") && !has_file)
		return command_fail(EXIT_USAGE, "--rate goes with --pcap");
	if (value && !has_file)
		return command_fail(EXIT_USAGE, "--timing goes with --pcap");
	if (value && options_has(invocation, "--rate"))
		return command_fail(EXIT_USAGE, "inject takes --rate or --timing, not both");
	if (value)
		return timing_parse(timing, value);
	return options_number(invocation, "--rate", 1, 100000000, &timing->rate);
}

static void sleep_until(int64_t due)
{
	struct timespec until = {due / CLOCK_SECOND, due % CLOCK_SECOND};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Have all programs read the frames so far, and move the clock by that time. */
static int clock_move(struct memtun *memtun, int64_t time)
{
	/* There is no time limit, because programs may take any time to read. */
	memtun_set_timeout(memtun, -1);
	if (memtun_wait_quiet(memtun, NULL, 0, -1, NULL, NULL) < 0)
		return -1;
	return memtun_clock_advance(memtun, (uint64_t)time, NULL, NULL);
}

int inject_timing_wait(struct inject_timing *timing, struct memtun *memtun, int64_t recorded)
{
	uint64_t number = timing->frames++;
	int64_t before = timing->last;

	if (number == 0) {
		timing->started = clock_now();
		timing->first = timing->last = before = recorded;
	}
	/* A frame whose recorded time is before that of the previous frame follows it at once. */
	if (recorded > timing->last)
		timing->last = recorded;
	if (timing->rate)
		sleep_until(timing->started +
			    (int64_t)((double)number * 1e9 / (double)timing->rate));
	else if (timing->factor > 0)
		sleep_until(timing->started +
			    (int64_t)((double)(timing->last - timing->first) / timing->factor));
	/* The first frame moves the clock by nothing, which fails if it is not manual. */
	else if (timing->by_clock && (number == 0 || timing->last > before))
		return clock_move(memtun, timing->last - before);
	return 0;
}

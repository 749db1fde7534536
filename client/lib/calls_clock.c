/* SPDX-License-Identifier: MIT */
/* The blocking calls about the broker's time: its clock, and waiting until all is quiet. */
#include <errno.h>
#include <string.h>

#include "client/lib/connection.h"
#include "client/lib/options.h"
#include "common/clock.h"
#include "memtun.h"

int memtun_clock_show(struct memtun *memtun, memtun_record_function *function, void *context)
{
	return call_simple(memtun, MEMTUN_CMD_CLOCK_SHOW, NULL, NULL, function, context);
}

int memtun_clock_advance(struct memtun *memtun, uint64_t nanoseconds,
			 memtun_record_function *function, void *context)
{
	struct memtun_options options = {0};

	attribute_set_put_number(&options.set, MEMTUN_A_MOVE, nanoseconds);
	return call_simple(memtun, MEMTUN_CMD_CLOCK_ADVANCE, NULL, &options, function, context);
}

/* Put a time limit of that many milliseconds into the set, unless it is negative: no limit. */
static void set_put_limit(struct attribute_set *set, int timeout)
{
	if (timeout >= 0)
		attribute_set_put_number(set, MEMTUN_A_TIME_LIMIT,
					 (uint64_t)timeout * CLOCK_MILLISECOND);
}

int memtun_clock_next(struct memtun *memtun, int timeout, memtun_record_function *function,
		      void *context)
{
	struct memtun_options options = {0};

	set_put_limit(&options.set, timeout);
	return call_simple(memtun, MEMTUN_CMD_CLOCK_NEXT, NULL, &options, function, context);
}

int memtun_wait_quiet(struct memtun *memtun, const char *names, uint64_t idle, int timeout,
		      memtun_record_function *function, void *context)
{
	struct memtun_options options = {0};

	if (names && strlen(names) >= MEMTUN_TEXT_SIZE)
		return fault_set(&memtun->fault, EINVAL,
				 "the names are longer than %d bytes together: name their bridge",
				 MEMTUN_TEXT_SIZE - 1);
	if (names)
		attribute_set_put_string(&options.set, MEMTUN_A_NAMES, names);
	if (idle)
		attribute_set_put_number(&options.set, MEMTUN_A_IDLE, idle);
	set_put_limit(&options.set, timeout);
	return call_simple(memtun, MEMTUN_CMD_QUIET, NULL, &options, function, context);
}

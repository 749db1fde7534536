/* SPDX-License-Identifier: MIT */
/*
* libev without memory: the first realloc() fails, and the reserve serves the request.
 */
#include "broker/system/loop_reserve.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/runner.h"

void *__real_realloc(void *pointer, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static int failures;
static int calls;

void *__wrap_realloc(void *pointer, size_t size)
{
	calls++;
	if (failures) {
		failures--;
		return NULL;
	}
	return __real_realloc(pointer, size);
}

static void never(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)io;
	(void)events;
	fail();
}

/* Grow libev's table of descriptors, for which it allocates. */
static void loop_grow(struct ev_loop *loop, int fd)
{
	ev_io io;

	ev_io_init(&io, never, fd, EV_READ);
	ev_io_start(loop, &io);
	ev_io_stop(loop, &io);
}

/* Grow a loop while the first realloc() fails. Without a reserve libev would abort. */
static void loop_grow_short_of_memory(void)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int ends[2];

	assert_non_null(loop);
	assert_int_equal(pipe(ends), 0);
	calls = 0;
	failures = 1;
	loop_grow(loop, ends[0]);
	assert_true(calls >= 2);
	assert_int_equal(failures, 0);
	close(ends[0]);
	close(ends[1]);
	ev_loop_destroy(loop);
}

static void a_loop_grows_where_memory_is_short(void **state)
{
	(void)state;
	loop_grow_short_of_memory();
}

static void the_reserve_is_there_again_afterwards(void **state)
{
	(void)state;
	loop_grow_short_of_memory();
	loop_grow_short_of_memory();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_grows_where_memory_is_short),
		cmocka_unit_test(the_reserve_is_there_again_afterwards),
	};

	log_open("test", LOG_LEVEL_ERROR);
	loop_reserve_prepare();
	return RUN_TESTS(tests);
}

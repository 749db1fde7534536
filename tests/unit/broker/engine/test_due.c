/* SPDX-License-Identifier: MIT */
/*
 * The queue of what is due: the order of entries, exact times on the manual clock, the timer of the
 * real one, and a timer that fails.
 */
#include "broker/engine/due.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/container_of.h"
#include "common/log.h"
#include "tests/unit/runner.h"

#define ALL UINT32_MAX

/* ------------------------------------------------------------------------------ the world */

struct item {
	struct due due;
	struct due_queue *queue;
	unsigned int number;
	int64_t ran_at; /* by due_now(); -1: it has not run */
};

static struct due_queue *queue;
static unsigned int order[100000]; /* the numbers of the items that have run */
static unsigned int ran;

static int timer_error;

int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);

int __wrap_timerfd_create(int clock, int flags)
{
	if (!timer_error)
		return __real_timerfd_create(clock, flags);
	errno = timer_error;
	return -1;
}

static int set_up(void **state)
{
	(void)state;
	queue = calloc(1, sizeof(*queue));
	ran = 0;
	return queue && due_init(queue, ev_loop_new(EVFLAG_AUTO)) == 0 ? 0 : -1;
}

static int set_up_manual(void **state)
{
	if (set_up(state) < 0)
		return -1;
	due_use_manual_clock(queue);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	due_end(queue);
	ev_loop_destroy(queue->loop);
	free(queue);
	return 0;
}

#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_MANUAL_CLOCK(test) cmocka_unit_test_setup_teardown(test, set_up_manual, tear_down)

static void item_ran(struct due *due)
{
	struct item *item = container_of(due, struct item, due);

	assert_false(due_is_set(due));
	item->ran_at = due_now(queue);
	order[ran++] = item->number;
}

static void items_set(struct item *items, const int64_t *times, unsigned int count)
{
	memset(items, 0, count * sizeof(*items));
	for (unsigned int i = 0; i < count; i++) {
		items[i].number = i;
		items[i].ran_at = -1;
		due_set(queue, &items[i].due, times[i], item_ran);
	}
}

static void assert_order(const unsigned int *expected, unsigned int count)
{
	assert_int_equal(ran, count);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(order[i], expected[i]);
}

/* ------------------------------------------------------------------------------ order */

static void entries_run_in_the_order_of_their_times(void **state)
{
	const int64_t times[] = {4096, 1, INT64_MAX, 63, 64, 3600 * CLOCK_SECOND, 65, 0};
	struct item items[8];

	(void)state;
	items_set(items, times, 8);
	assert_int_equal(due_count(queue), 8);
	assert_int_equal(due_next(queue), 0);
	assert_true(due_advance(queue, INT64_MAX, ALL));
	assert_order((const unsigned int[]){7, 1, 3, 4, 6, 0, 5, 2}, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(items[i].ran_at, times[i]);
	assert_int_equal(due_count(queue), 0);
	assert_int_equal(due_next(queue), -1);
}

static void entries_of_one_time_run_in_the_order_in_which_they_were_set(void **state)
{
	const int64_t times[] = {5000000, 7, 5000000, 7, 5000000};
	struct item items[5], late = {.number = 5};

	(void)state;
	items_set(items, times, 5);
	/* One more is set when the others are close, and on another level of the wheel by then. */
	assert_true(due_advance(queue, 4999999, ALL));
	assert_int_equal(ran, 2);
	due_set(queue, &late.due, 5000000, item_ran);
	assert_true(due_advance(queue, 5000000, ALL));
	assert_order((const unsigned int[]){1, 3, 0, 2, 4, 5}, 6);
}

static int compare_items(const void *one, const void *other)
{
	const struct item *a = one, *b = other;

	if (a->due.time != b->due.time)
		return a->due.time < b->due.time ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Many entries, with times on every level of the wheel and many ties; some are moved or canceled,
 * and others are set while the clock advances. */
static void a_hundred_thousand_entries_keep_the_order(void **state)
{
	enum {
		COUNT = 100000
	};
	struct item *items = calloc(COUNT, sizeof(*items));
	uint64_t random = 1;
	unsigned int left = 0;

	(void)state;
	assert_non_null(items);
	for (unsigned int i = 0; i < COUNT; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		items[i].number = i;
		due_set(queue, &items[i].due, (int64_t)(random >> (20 + i % 40)) & ~INT64_C(15),
			item_ran);
	}
	for (unsigned int i = 0; i < COUNT; i += 10)
		due_cancel(queue, &items[i].due);
	for (unsigned int i = 0; i < COUNT; i++)
		left += due_is_set(&items[i].due);
	assert_int_equal(due_count(queue), left);
	for (int i = 0; i < 40; i++)
		due_advance(queue, INT64_C(1) << i, ALL);
	due_advance(queue, INT64_MAX, ALL);
	assert_int_equal(ran, left);
	qsort(items, COUNT, sizeof(*items), compare_items);
	for (unsigned int i = 0, k = 0; i < COUNT; i++) {
		if (items[i].number % 10 == 0)
			continue;
		assert_int_equal(order[k++], items[i].number);
	}
	free(items);
}

/* ------------------------------------------------------------------------------ cancel and set */

static void a_canceled_entry_does_not_run(void **state)
{
	const int64_t times[] = {100, 5000, 5001};
	struct item items[3];

	(void)state;
	items_set(items, times, 3);
	due_cancel(queue, &items[0].due);
	due_cancel(queue, &items[0].due);
	due_cancel(queue, &items[1].due);
	assert_false(due_is_set(&items[0].due));
	assert_int_equal(due_next(queue), 5001);
	assert_true(due_advance(queue, 10000, ALL));
	assert_order((const unsigned int[]){2}, 1);
	due_cancel(queue, &items[2].due);
}

static void setting_an_entry_again_moves_it(void **state)
{
	const int64_t times[] = {100, 200};
	struct item items[2];

	(void)state;
	items_set(items, times, 2);
	due_set(queue, &items[0].due, 300, item_ran);
	assert_int_equal(due_count(queue), 2);
	assert_true(due_advance(queue, 1000, ALL));
	assert_order((const unsigned int[]){1, 0}, 2);
}

static struct item victims[3];

static void item_cancels(struct due *due)
{
	item_ran(due);
	due_cancel(queue, &victims[1].due); /* of the same time */
	due_cancel(queue, &victims[2].due);
	due_set(queue, due, due_now(queue), item_ran);
}

static void an_entry_cancels_others_and_sets_itself(void **state)
{
	const int64_t times[] = {100, 100, 9000};

	(void)state;
	items_set(victims, times, 3);
	due_set(queue, &victims[0].due, 100, item_cancels);
	due_set(queue, &victims[1].due, 100, item_ran);
	assert_true(due_advance(queue, 20000, ALL));
	/* The entry has run twice, the second time in the same nanosecond. */
	assert_order((const unsigned int[]){0, 0}, 2);
	assert_int_equal(victims[0].ran_at, 100);
}

static void item_frees_itself(struct due *due)
{
	item_ran(due);
	free(container_of(due, struct item, due));
}

static void an_entry_may_free_its_owner(void **state)
{
	struct item *item = calloc(1, sizeof(*item));

	(void)state;
	assert_non_null(item);
	due_set(queue, &item->due, 1, item_frees_itself);
	assert_true(due_advance(queue, 1, ALL));
	assert_int_equal(ran, 1);
}

/* ------------------------------------------------------------------------------ the manual clock */

static void item_repeats(struct due *due)
{
	item_ran(due);
	due_set(queue, due, due_now(queue) + CLOCK_SECOND, item_repeats);
}

static void the_manual_clock_is_exact(void **state)
{
	struct item items[2] = {{.number = 0}, {.number = 1}};
	const int64_t hour = 3600 * CLOCK_SECOND;

	(void)state;
	assert_int_equal(due_now(queue), 0);
	due_set(queue, &items[0].due, hour, item_ran);
	due_set(queue, &items[1].due, CLOCK_SECOND, item_repeats);
	assert_true(due_advance(queue, hour - 1, ALL));
	assert_int_equal(ran, 3599);
	assert_int_equal(items[1].ran_at, 3599 * CLOCK_SECOND);
	assert_int_equal(due_now(queue), hour - 1);
	assert_int_equal(due_next(queue), hour);
	due_cancel(queue, &items[1].due);
	assert_true(due_advance(queue, hour, ALL));
	assert_int_equal(items[0].ran_at, hour);
	/* Advancing to where the clock has been changes nothing. */
	assert_true(due_advance(queue, 5, ALL));
	assert_int_equal(due_now(queue), hour);
}

static void an_advance_stops_at_its_limit_and_goes_on(void **state)
{
	const int64_t times[] = {10, 20, 100000};
	struct item items[3], between = {.number = 3};

	(void)state;
	items_set(items, times, 3);
	assert_false(due_advance(queue, 200000, 2));
	assert_int_equal(ran, 2);
	assert_int_equal(due_now(queue), 20);
	due_set(queue, &between.due, 21, item_ran);
	assert_true(due_advance(queue, 200000, ALL));
	assert_int_equal(between.ran_at, 21);
	assert_int_equal(items[2].ran_at, 100000);
	assert_int_equal(due_now(queue), 200000);
}

static void a_time_that_has_passed_runs_in_the_next_iteration(void **state)
{
	struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};

	(void)state;
	assert_true(due_advance(queue, 1000, ALL));
	due_set(queue, &items[0].due, 1000, item_ran);
	due_set(queue, &items[1].due, 1, item_ran);
	due_set(queue, &items[2].due, 1001, item_ran);
	assert_int_equal(ran, 0);
	ev_run(queue->loop, EVRUN_ONCE);
	assert_int_equal(ran, 2);
	assert_int_equal(items[0].ran_at, 1000);
	assert_int_equal(items[1].ran_at, 1000);
	/* The manual clock stands still, so the timer does not expire again. */
	ev_run(queue->loop, EVRUN_NOWAIT);
	assert_int_equal(ran, 2);
	due_cancel(queue, &items[2].due);
}

/* ------------------------------------------------------------------------------ the real clock */

static void the_timer_runs_entries_when_they_are_due(void **state)
{
	struct item last = {.number = 3}, items[3];
	int64_t now, times[3];

	(void)state;
	/* With an entry in it, the queue keeps the order of times that have passed when they are set. */
	due_set(queue, &last.due, INT64_MAX, item_ran);
	now = due_now(queue);
	times[0] = now + 3 * CLOCK_MILLISECOND;
	times[1] = now + CLOCK_MILLISECOND;
	times[2] = 1;
	items_set(items, times, 3);
	while (ran < 3)
		ev_run(queue->loop, EVRUN_ONCE);
	assert_order((const unsigned int[]){2, 1, 0}, 3);
	for (int i = 0; i < 3; i++)
		assert_true(items[i].ran_at >= times[i]);
	due_cancel(queue, &last.due);
}

static void the_timer_expires_earlier_for_an_earlier_entry(void **state)
{
	const int64_t now = due_now(queue);
	struct item items[2] = {{.number = 0}, {.number = 1}};

	(void)state;
	due_set(queue, &items[0].due, now + 3600 * CLOCK_SECOND, item_ran);
	due_set(queue, &items[1].due, now + CLOCK_MILLISECOND, item_ran);
	while (ran < 1)
		ev_run(queue->loop, EVRUN_ONCE);
	assert_order((const unsigned int[]){1}, 1);
	due_cancel(queue, &items[0].due);
}

static void other_watchers_run_between_many_entries(void **state)
{
	static struct item items[1000];
	static int64_t times[1000];

	(void)state;
	items_set(items, times, 1000);
	ev_run(queue->loop, EVRUN_ONCE);
	assert_in_range(ran, 1, 999);
	while (ran < 1000)
		ev_run(queue->loop, EVRUN_ONCE);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(order[i], i);
}

/* ------------------------------------------------------------------------------ failures */

static void a_timer_that_cannot_be_made_is_an_error(void **state)
{
	struct due_queue *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	(void)state;
	timer_error = EMFILE;
	assert_int_equal(due_init(other, queue->loop), -1);
	assert_int_equal(errno, EMFILE);
	timer_error = 0;
	due_end(other);
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MANUAL_CLOCK(entries_run_in_the_order_of_their_times),
		WITH_MANUAL_CLOCK(entries_of_one_time_run_in_the_order_in_which_they_were_set),
		WITH_MANUAL_CLOCK(a_hundred_thousand_entries_keep_the_order),
		WITH_MANUAL_CLOCK(a_canceled_entry_does_not_run),
		WITH_MANUAL_CLOCK(setting_an_entry_again_moves_it),
		WITH_MANUAL_CLOCK(an_entry_cancels_others_and_sets_itself),
		WITH_MANUAL_CLOCK(an_entry_may_free_its_owner),
		WITH_MANUAL_CLOCK(the_manual_clock_is_exact),
		WITH_MANUAL_CLOCK(an_advance_stops_at_its_limit_and_goes_on),
		WITH_MANUAL_CLOCK(a_time_that_has_passed_runs_in_the_next_iteration),
		WITH_QUEUE(the_timer_runs_entries_when_they_are_due),
		WITH_QUEUE(the_timer_expires_earlier_for_an_earlier_entry),
		WITH_QUEUE(other_watchers_run_between_many_entries),
		WITH_QUEUE(a_timer_that_cannot_be_made_is_an_error),
	};

	return RUN_TESTS(tests);
}

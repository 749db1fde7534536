/* SPDX-License-Identifier: MIT */
/* The requests of the client library, whose answers come to functions, and its events. */
#include "tests/unit/client/lib/library_fixture.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "memtun.h"
#include "client/lib/options.h"

/* Dispatch until *done, or fail after a time that no test takes. */
static void run_until(struct memtun *memtun, const bool *done)
{
	while (!*done)
		assert_int_equal(memtun_wait(memtun, 10000), 1);
}

/* ------------------------------------------------------------------------------ requests */

static void answers_come_in_the_order_of_requests(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 99};
	for (intptr_t i = 0; i < 100; i++)
		assert_int_equal(
			memtun_request(other->memtun,
				       i & 1 ? MEMTUN_CMD_TUNNEL_ADD : MEMTUN_CMD_TUNNEL_SHOW,
				       "tap%d", NULL, reply_noted, (void *)i),
			0);
	assert_int_equal(replies.ends, 0); /* never from inside the request */
	run_until(other->memtun, &replies.done);
	assert_int_equal(replies.ends, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(replies.order[i], i);
}

static void a_batch_brings_its_descriptors_one_by_one(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_options_set_number(options, "count", 10), 0);
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_QUEUE_OPEN, "vm%d", options,
					reply_noted, (void *)1),
			 0);
	run_until(other->memtun, &replies.done);
	assert_int_equal(replies.count, 10);
	assert_int_equal(replies.fd_count, 10);
	for (int i = 0; i < 10; i++)
		close(replies.fds[i]);
	memtun_options_free(options);
}

static void a_request_without_a_function_leaves_no_descriptor(void **state)
{
	struct other *other = *state;

	assert_int_equal(
		memtun_request(other->memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL, NULL, NULL), 0);
	/* The runner checks that no descriptor is left, and the tunnel is deleted. */
	assert_int_equal(memtun_add(other->memtun, "later", NULL), 0);
	while (memtun_show(other->memtun, "it", false, NULL, NULL) == 0)
		;
	assert_int_equal(errno, ENOENT);
}

static void a_blocking_call_waits_behind_requests(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_ADD, "it", NULL,
					reply_noted, (void *)1),
			 0);
	assert_int_equal(memtun_delete(other->memtun, "it"), 0);
	assert_true(replies.done);
	assert_int_equal(replies.error, 0);
}

static int inner_result, inner_errno;

static void reply_calls(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	if (reply->record)
		return;
	inner_result = memtun_add(memtun, "inner", NULL);
	inner_errno = errno;
	/* A function may make a request. */
	assert_int_equal(
		memtun_request(memtun, MEMTUN_CMD_TUNNEL_ADD, "next", NULL, reply_noted, context),
		0);
}

static void a_blocking_call_from_inside_a_callback_is_refused(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_ADD, "it", NULL,
					reply_calls, (void *)1),
			 0);
	run_until(other->memtun, &replies.done);
	assert_int_equal(inner_result, -1);
	assert_int_equal(inner_errno, EDEADLK);
	assert_int_equal(memtun_delete(other->memtun, "next"), 0);
}

static void requests_beyond_a_full_queue_are_to_be_tried_again(void **state)
{
	struct other *other = *state;
	int made = 0;

	replies = (struct replies){.last = -1};
	/* The broker is stopped and doesn't read its socket. */
	assert_int_equal(kill(other->child, SIGSTOP), 0);
	while (memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_SHOW, "nobody", NULL, NULL, NULL) ==
	       0) {
		memtun_dispatch(other->memtun);
		assert_true(++made < 100000);
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(kill(other->child, SIGCONT), 0);
	/* A blocking call waits for room. */
	assert_int_equal(memtun_add(other->memtun, "it", NULL), 0);
}

/* ------------------------------------------------------------------------------ events */

static void events_come_by_dispatch(void **state)
{
	struct other *other = *state;
	struct seen seen = {0};

	assert_int_equal(memtun_subscribe(other->memtun, seen_note, &seen), 0);
	assert_int_equal(memtun_add(other->memtun, "it", NULL), 0);
	assert_int_equal(memtun_delete(other->memtun, "it"), 0);
	/* Queued while the calls blocked. */
	assert_int_equal(seen.count, 0);
	assert_int_equal(memtun_deadline(other->memtun), 0);
	while (seen.count < 2)
		assert_int_equal(memtun_wait(other->memtun, 10000), 1);
	assert_string_equal(seen.event[0], "added");
	assert_string_equal(seen.event[1], "deleted");
	assert_string_equal(seen.name[1], "it");
	assert_int_equal(memtun_deadline(other->memtun), -1);
	assert_int_equal(memtun_wait(other->memtun, 0), 0);
	assert_int_equal(seen.count, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_OTHER(answers_come_in_the_order_of_requests),
		WITH_OTHER(a_batch_brings_its_descriptors_one_by_one),
		WITH_OTHER(a_request_without_a_function_leaves_no_descriptor),
		WITH_OTHER(a_blocking_call_waits_behind_requests),
		WITH_OTHER(a_blocking_call_from_inside_a_callback_is_refused),
		WITH_OTHER(requests_beyond_a_full_queue_are_to_be_tried_again),
		WITH_OTHER(events_come_by_dispatch),
	};

	return RUN_TESTS(tests);
}

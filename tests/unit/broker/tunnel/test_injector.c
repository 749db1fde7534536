/* SPDX-License-Identifier: MIT */
/* Injected frames: where they go, how they count, and that a full backlog pauses the injector. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/engine/frame.h"

/* More frames than fit into two sockets and a short backlog. */
#define MANY 2000

/* Rounds after which a test must have made progress. */
#define ROUNDS_MAX 10000

/* Send frames from host 1 to host 2, numbered from `first` up to `end`, until there is no room.
 * Return the next number. */
static uint32_t frames_send(struct broker_fixture *fixture, int fd, uint32_t first, uint32_t end)
{
	uint32_t number = first;
	uint32_t before;

	do {
		before = number;
		while (number < end && frame_send(fd, 1, 2, number))
			number++;
		broker_quiesce(fixture);
	} while (number > before && number < end);
	return number;
}

/* Receive all frames, whose numbers must begin with `first`. Return the next number. */
static uint32_t frames_receive(struct broker_fixture *fixture, int fd, uint32_t first)
{
	int64_t number;

	while ((number = frame_receive(fd)) >= 0) {
		assert_int_equal(number, first);
		first++;
	}
	assert_int_equal(number, -1);
	broker_quiesce(fixture);
	return first;
}

/* ------------------------------------------------------------------------------ to the client */

static void injected_frames_reach_the_client(void **state)
{
	int fd = tunnel_opened(*state, "name=vm");
	int injector = injector_opened(*state, "name=vm,direction=to-client");

	assert_int_equal(frames_send(*state, injector, 0, 50), 50);
	assert_int_equal(frames_receive(*state, fd, 0), 50);
	assert_int_equal(shown(*state, "vm", "to-client-frames"), 50);
	assert_int_equal(shown(*state, "vm", "from-client-frames"), 0);
	assert_accounted(*state, "vm");
	close(fd);
	close(injector);
}

static void frames_injected_into_a_tunnel_without_a_client_count_as_dropped(void **state)
{
	int injector;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm");
	injector = injector_opened(*state, "name=vm,direction=to-client");
	assert_int_equal(frames_send(*state, injector, 0, MANY), MANY);
	assert_int_equal(shown(*state, "vm", "to-client-dropped-no-client"), MANY);
	assert_accounted(*state, "vm");
	close(injector);
}

/* Send many frames through a backlog of ten, and assert that all arrive with that policy. */
static void pause_and_deliver(struct broker_fixture *fixture, const char *overflow)
{
	uint32_t sent = 0, received = 0;
	char options[64];
	int fd, injector;

	snprintf(options, sizeof(options), "name=vm,queue=10,overflow=%s", overflow);
	fd = tunnel_opened(fixture, options);
	injector = injector_opened(fixture, "name=vm,direction=to-client");
	sent = frames_send(fixture, injector, 0, MANY);
	assert_true(sent < MANY);
	assert_in_range(shown(fixture, "vm", "to-client-queued"), 10, 10 + BATCH_READ_MAX);
	for (int i = 0; received < MANY && i < ROUNDS_MAX; i++) {
		assert_true(shown(fixture, "vm", "to-client-unread") > 0);
		received = frames_receive(fixture, fd, received);
		sent = frames_send(fixture, injector, sent, MANY);
	}
	assert_int_equal(received, MANY);
	assert_int_equal(shown(fixture, "vm", "to-client-unread"), 0);
	assert_int_equal(dropped(fixture, "vm"), 0);
	assert_accounted(fixture, "vm");
	close(fd);
	close(injector);
	broker_quiesce(fixture);
}

static void a_full_backlog_pauses_an_injector_and_drops_nothing(void **state)
{
	pause_and_deliver(*state, "block");
	pause_and_deliver(*state, "drop-tail");
	pause_and_deliver(*state, "drop-head");
}

static void an_injector_resumes_at_half_of_the_backlog(void **state)
{
	int fd = tunnel_opened(*state, "name=vm,queue=1000");
	int injector = injector_opened(*state, "name=vm,direction=to-client");
	uint64_t full, queued, offered;
	bool was_less_and_held = false;

	assert_true(frames_send(*state, injector, 0, 2 * MANY) < 2 * MANY);
	full = shown(*state, "vm", "to-client-queued");
	offered = shown(*state, "vm", "to-client-offered");
	assert_in_range(full, 1000, 1000 + BATCH_READ_MAX);
	for (int i = 0; i < ROUNDS_MAX && shown(*state, "vm", "to-client-offered") == offered;
	     i++) {
		queued = shown(*state, "vm", "to-client-queued");
		was_less_and_held |= queued < full;
		assert_true(queued > 500);
		assert_true(frame_receive(fd) >= 0);
		broker_quiesce(*state);
	}
	assert_true(was_less_and_held);
	assert_true(shown(*state, "vm", "to-client-offered") > offered);
	close(fd);
	close(injector);
}

static void frames_that_an_injector_has_not_read_are_shown_as_unread(void **state)
{
	int fd = tunnel_opened(*state, "name=vm,queue=10");
	int injector = injector_opened(*state, "name=vm,direction=to-client");
	uint64_t offered, unread;

	do {
		offered = shown(*state, "vm", "to-client-offered");
		assert_true(frame_send(injector, 1, 2, 0));
		broker_quiesce(*state);
	} while (shown(*state, "vm", "to-client-offered") > offered);
	unread = shown(*state, "vm", "to-client-unread");
	assert_true(frame_send(injector, 1, 2, 0));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "vm", "to-client-unread"), unread + FRAME_SIZE);
	close(fd);
	close(injector);
}

static void a_source_that_is_not_lossless_is_not_paused_by_an_injector(void **state)
{
	int vm = tunnel_opened(*state, "name=vm,bridge=b,queue=10");
	int other = tunnel_opened(*state, "name=other,bridge=b");
	int injector = injector_opened(*state, "name=vm,direction=to-client");

	frames_send(*state, injector, 0, MANY);
	assert_true(frame_send(other, 3, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "other", "from-client-frames"), 1);
	assert_int_equal(shown(*state, "vm", "to-client-dropped-full"), 1);
	assert_accounted(*state, "vm");
	close(vm);
	close(other);
	close(injector);
}

/* ------------------------------------------------------------------------------ as the client */

static void frames_injected_as_the_clients_are_learned_and_counted(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	int three = tunnel_opened(*state, "name=vm3,bridge=b");
	int injector = injector_opened(*state, "name=vm1,direction=from-client");

	assert_int_equal(frames_send(*state, injector, 7, 8), 8);
	assert_int_equal(frame_receive(two), 7);
	assert_int_equal(frame_receive(three), 7);
	assert_int_equal(frame_receive(one), -1);
	assert_int_equal(shown(*state, "vm1", "from-client-frames"), 1);
	assert_int_equal(shown(*state, "vm1", "from-client-bytes"), FRAME_SIZE);
	assert_true(frame_send(two, 2, 1, 8));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(one), 8);
	assert_int_equal(frame_receive(three), -1);
	close(one);
	close(two);
	close(three);
	close(injector);
}

/* The source of vm1 is paused, as vm2 is lossless. vm1 has no client. */
static void an_injector_is_paused_with_its_tunnel(void **state)
{
	uint32_t sent, received = 0;
	int injectors[2], two;
	uint64_t offered;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm1,bridge=b");
	two = tunnel_opened(*state, "name=vm2,bridge=b,queue=10,overflow=block");
	injectors[0] = injector_opened(*state, "name=vm1,direction=from-client");
	sent = frames_send(*state, injectors[0], 0, MANY);
	assert_true(sent < MANY);
	offered = shown(*state, "vm2", "to-client-offered");
	/* An injector that is opened while its tunnel is paused is paused too. */
	injectors[1] = injector_opened(*state, "name=vm1,direction=from-client");
	assert_int_equal(frames_send(*state, injectors[1], MANY, MANY + 1), MANY + 1);
	assert_int_equal(shown(*state, "vm2", "to-client-offered"), offered);
	assert_in_range(shown(*state, "vm2", "to-client-queued"), 10, 10 + BATCH_READ_MAX);
	close(injectors[0]);
	for (int i = 0; received < sent && i < ROUNDS_MAX; i++) {
		int64_t number = frame_receive(two);

		/* The other injector's frame arrives somewhere between. */
		if (number >= 0 && number != MANY)
			assert_int_equal(number, received++);
		if (number == -1)
			broker_quiesce(*state);
	}
	assert_int_equal(received, sent);
	broker_quiesce(*state);
	assert_int_equal(dropped(*state, "vm2"), 0);
	assert_int_equal(shown(*state, "vm2", "to-client-offered"), sent + 1);
	assert_accounted(*state, "vm2");
	close(injectors[1]);
	close(two);
}

/* ------------------------------------------------------------------------------ broken frames */

static void broken_frames_of_a_client_are_counted_as_such(void **state)
{
	static unsigned char bytes[FRAME_MAX + 1];
	int injector, two;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm1,bridge=b");
	two = tunnel_opened(*state, "name=vm2,bridge=b");
	injector = injector_opened(*state, "name=vm1,direction=from-client");
	bytes_send(injector, bytes, 0);
	bytes_send(injector, bytes, 13);
	bytes_send(injector, bytes, sizeof(bytes));
	bytes_send(injector, bytes, 0);
	assert_int_equal(frames_send(*state, injector, 3, 4), 4);
	assert_int_equal(frame_receive(two), 3);
	assert_int_equal(frame_receive(two), -1);
	assert_int_equal(shown(*state, "vm1", "from-client-frames"), 1);
	assert_int_equal(shown(*state, "vm1", "from-client-dropped-empty"), 2);
	assert_int_equal(shown(*state, "vm1", "from-client-dropped-runt"), 1);
	assert_int_equal(shown(*state, "vm1", "from-client-dropped-oversize"), 1);
	close(injector);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=ip,mode=tun");
	injector = injector_opened(*state, "name=ip,direction=from-client");
	bytes_send(injector, bytes, 40); /* version 0 */
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "ip", "from-client-dropped-malformed"), 1);
	close(injector);
	close(two);
}

static void broken_frames_for_a_client_are_refused(void **state)
{
	static unsigned char bytes[FRAME_MAX + 1];
	int fd = tunnel_opened(*state, "name=vm");
	int injector = injector_opened(*state, "name=vm,direction=to-client");

	bytes_send(injector, bytes, 0);
	bytes_send(injector, bytes, 13);
	bytes_send(injector, bytes, sizeof(bytes));
	assert_int_equal(frames_send(*state, injector, 3, 4), 4);
	assert_int_equal(frames_receive(*state, fd, 3), 4);
	assert_int_equal(shown(*state, "vm", "to-client-dropped-refused"), 3);
	assert_accounted(*state, "vm");
	close(fd);
	close(injector);
}

/* ------------------------------------------------------------------------------ the end */

static void frames_of_a_writer_that_closed_all_arrive(void **state)
{
	int fd = tunnel_opened(*state, "name=vm,queue=10");
	int before = descriptors_count();
	int injector = injector_opened(*state, "name=vm,direction=to-client");
	uint32_t sent = frames_send(*state, injector, 0, MANY), received = 0;

	assert_true(sent < MANY);
	close(injector);
	broker_quiesce(*state);
	/* The injector is paused: the broker's end waits for room. */
	assert_int_equal(descriptors_count(), before + 1);
	for (int i = 0; received < sent && i < ROUNDS_MAX; i++)
		received = frames_receive(*state, fd, received);
	assert_int_equal(received, sent);
	assert_int_equal(dropped(*state, "vm"), 0);
	assert_int_equal(descriptors_count(), before);
	close(fd);
}

static void a_paused_injector_ends_with_its_tunnel(void **state)
{
	static const char *const options[] = {
		"name=vm1,direction=to-client",
		"name=vm1,direction=from-client",
	};
	int before = descriptors_count();

	for (int i = 0; i < 2; i++) {
		int one = tunnel_opened(*state, "name=vm1,bridge=b,queue=10");
		int two = tunnel_opened(*state, "name=vm2,bridge=b,queue=10,overflow=block");
		int injector = injector_opened(*state, options[i]);

		assert_true(frames_send(*state, injector, 0, MANY) < MANY);
		done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=vm1");
		assert_true(fd_ended(injector));
		assert_false(frame_send(injector, 1, 2, 0));
		assert_int_equal(errno, ECONNRESET); /* as some of its frames were not read */
		close(injector);
		close(one);
		close(two);
		broker_quiesce(*state);
		assert_int_equal(descriptors_count(), before);
	}
}

static void a_paused_injector_resumes_when_the_full_queue_closes(void **state)
{
	int fd, injector;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm,queue=10");
	fd = tunnel_opened(*state, "name=vm");
	injector = injector_opened(*state, "name=vm,direction=to-client");
	assert_true(frames_send(*state, injector, 0, MANY) < MANY);
	close(fd);
	broker_quiesce(*state);
	/* The injector goes on, and its frames are dropped. */
	assert_int_equal(frames_send(*state, injector, 0, MANY), MANY);
	assert_int_equal(shown(*state, "vm", "to-client-queued"), 0);
	assert_accounted(*state, "vm");
	close(injector);
}

/* ------------------------------------------------------------------------------ refusals */

static void invalid_injections_are_refused(void **state)
{
	struct answer answer;
	struct client other;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm");
	assert_int_equal(refused(*state, MEMTUN_CMD_INJECT, "name=left,direction=to-client"),
			 EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_INJECT, "name=none,direction=to-client"),
			 ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_INJECT, "name=vm"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_INJECT, "direction=to-client"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_INJECT, "name=vm,direction=to-client,plain"),
			 EINVAL);
	client_open(&other, *state, FIXTURE_UID + 1, true);
	assert_int_equal(
		client_ask(&other, &answer, MEMTUN_CMD_INJECT, "name=vm,direction=to-client"),
		EPERM);
	client_close(&other);
}

static const struct CMUnitTest tests[] = {
	WITH_BROKER(injected_frames_reach_the_client),
	WITH_BROKER(frames_injected_into_a_tunnel_without_a_client_count_as_dropped),
	WITH_BROKER(a_full_backlog_pauses_an_injector_and_drops_nothing),
	WITH_BROKER(an_injector_resumes_at_half_of_the_backlog),
	WITH_BROKER(frames_that_an_injector_has_not_read_are_shown_as_unread),
	WITH_BROKER(a_source_that_is_not_lossless_is_not_paused_by_an_injector),
	WITH_BROKER(frames_injected_as_the_clients_are_learned_and_counted),
	WITH_BROKER(an_injector_is_paused_with_its_tunnel),
	WITH_BROKER(broken_frames_of_a_client_are_counted_as_such),
	WITH_BROKER(broken_frames_for_a_client_are_refused),
	WITH_BROKER(frames_of_a_writer_that_closed_all_arrive),
	WITH_BROKER(a_paused_injector_ends_with_its_tunnel),
	WITH_BROKER(a_paused_injector_resumes_when_the_full_queue_closes),
	WITH_BROKER(invalid_injections_are_refused),
};

int main(void)
{
	return RUN_TESTS(tests);
}

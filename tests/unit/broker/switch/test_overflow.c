/* SPDX-License-Identifier: MIT */
/*
* Frames for a client that does not read: its full backlog drops new frames (drop-tail), drops its
 * oldest frames (drop-head), or pauses the senders (block).
 */
#include "tests/unit/broker/broker_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/switch/port.h"
#include "broker/tunnel/tunnel.h"

static void a_full_backlog_drops_new_frames(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		uint32_t sent = 2000, next = 0;
		char options[100];
		int64_t number;
		int to;

		snprintf(options, sizeof(options), "name=to,bridge=b,queue=50,socket=%s",
			 socket_names[type]);
		to = tunnel_opened(*state, options);
		for (uint32_t i = 0; i < sent; i++) {
			assert_true(frame_send(from, 1, 0xff, i));
			if (i % 32 == 0)
				broker_quiesce(*state);
		}
		broker_quiesce(*state);
		assert_accounted(*state, "to");
		assert_int_equal(shown(*state, "to", "to-client-queued"), 50);
		assert_true(shown(*state, "to", "to-client-dropped-full") > 0);
		/* The client receives the first frames, whole and in order. */
		do {
			while ((number = typed_frame_receive(type, to)) >= 0)
				assert_int_equal(number, next++);
			broker_quiesce(*state);
		} while (shown(*state, "to", "to-client-queued"));
		while ((number = typed_frame_receive(type, to)) >= 0)
			assert_int_equal(number, next++);
		assert_int_equal(next, shown(*state, "to", "to-client-frames"));
		assert_int_equal(next + shown(*state, "to", "to-client-dropped-full"), sent);
		assert_accounted(*state, "to");
		close(from);
		close(to);
		/* Have the broker detect that a datagram client has closed. */
		close(tunnel_opened(*state, "name=to"));
		broker_quiesce(*state);
	}
}

static void with_drop_head_a_full_backlog_drops_its_oldest_frames(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		uint32_t sent = 2000, last = 0, count = 0;
		char options[100];
		int64_t number;
		int to;

		snprintf(options, sizeof(options),
			 "name=to,bridge=b,queue=50,overflow=drop-head,socket=%s",
			 socket_names[type]);
		to = tunnel_opened(*state, options);
		for (uint32_t i = 1; i <= sent; i++) {
			assert_true(frame_send(from, 1, 0xff, i));
			if (i % 32 == 0)
				broker_quiesce(*state);
		}
		broker_quiesce(*state);
		assert_accounted(*state, "to");
		assert_int_equal(shown(*state, "to", "to-client-queued"), 50);
		for (int i = 0; i < 20; i++) {
			while ((number = typed_frame_receive(type, to)) >= 0) {
				assert_true((uint32_t)number > last);
				last = (uint32_t)number;
				count++;
			}
			broker_quiesce(*state);
		}
		/* The newest frames were kept. */
		assert_int_equal(last, sent);
		assert_int_equal(count + shown(*state, "to", "to-client-dropped-full"), sent);
		assert_accounted(*state, "to");
		close(from);
		close(to);
		close(tunnel_opened(*state, "name=to"));
		broker_quiesce(*state);
	}
}

/* Send more large frames than may wait. Assert that bytes bound the backlog, not frames. */
static void assert_bytes_are_bounded(struct broker_fixture *fixture, int from)
{
	unsigned char bytes[60000];

	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(send(from, bytes, sizeof(bytes), 0), sizeof(bytes));
		broker_quiesce(fixture);
	}
	assert_in_range(shown(fixture, "to", "to-client-queued"), 60,
			4 * 1024 * 1024 / sizeof(bytes) + 1);
	assert_accounted(fixture, "to");
}

static void the_backlog_is_bounded_in_bytes_too(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state, "name=to,bridge=b,mtu=65535,queue=1000000");

	assert_bytes_are_bounded(*state, from);
	close(from);
	close(to);
}

/* The backlog has many small frames before. */
static void with_drop_head_a_large_frame_drops_as_many_bytes_as_it_needs(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state,
			       "name=to,bridge=b,mtu=65535,queue=1000000,overflow=drop-head");

	for (uint32_t i = 0; i < 3000; i++) {
		assert_true(frame_send(from, 1, 0xff, i));
		if (i % 32 == 0)
			broker_quiesce(*state);
	}
	assert_bytes_are_bounded(*state, from);
	close(from);
	close(to);
}

static void a_stopped_reader_slows_no_other_port(void **state)
{
	int fds[3];

	three_open(*state, ",queue=10", fds);
	for (uint32_t i = 0; i < 3000; i++) {
		assert_true(frame_send(fds[0], 1, 0xff, i)); /* the second never reads */
		broker_quiesce(*state);
		assert_int_equal(frame_receive(fds[2]), i);
	}
	assert_int_equal(shown(*state, "vm2", "to-client-dropped-full"), 0);
	assert_true(shown(*state, "vm1", "to-client-dropped-full") > 0);
	three_close(fds);
}

/* Send until the socket is full because the broker has paused it. Return the next number. */
static uint32_t send_all(struct broker_fixture *fixture, int fd, unsigned char from,
			 unsigned char to, uint32_t number)
{
	while (frame_send(fd, from, to, number)) {
		number++;
		if (number % 16 == 0)
			broker_quiesce(fixture);
		assert_true(number < 100000);
	}
	broker_quiesce(fixture);
	return number;
}

static void blocking_pauses_the_sender_and_drops_nothing(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		char options[100];
		uint32_t sent, next = 0;
		int64_t number;
		int fds[3], slow;

		three_open(*state, "", fds);
		snprintf(options, sizeof(options),
			 "name=slow,bridge=b,overflow=block,queue=40,socket=%s",
			 socket_names[type]);
		slow = tunnel_opened(*state, options);
		/* Learn the hosts at 1 and 2, so that only frames of 0 go to the slow port. */
		assert_true(frame_send(fds[1], 2, 0xff, 0));
		assert_true(frame_send(fds[2], 3, 0xff, 0));
		assert_true(typed_frame_send(type, slow, 99, 0xff, 0));
		three_reached(*state, fds);
		sent = send_all(*state, fds[0], 1, 99, 10);
		assert_in_range(shown(*state, "slow", "to-client-queued"), 40, 40 + 32);
		/* The others' traffic goes on. */
		for (uint32_t i = 0; i < 200; i++) {
			assert_true(frame_send(fds[1], 2, 3, i));
			broker_quiesce(*state);
			assert_int_equal(frame_receive(fds[2]), i);
		}
		/* The paused port is read again once half of the backlog is sent, not before. */
		assert_false(frame_send(fds[0], 1, 99, sent));
		assert_int_equal(typed_frame_receive(type, slow), 0);
		assert_int_equal(typed_frame_receive(type, slow), 0);
		next = 10;
		for (int round = 0; next < sent && round < 100000; round++) {
			number = typed_frame_receive(type, slow);
			if (number >= 0)
				assert_int_equal(number, next++);
			else
				broker_quiesce(*state);
		}
		assert_int_equal(next, sent);
		assert_int_equal(dropped(*state, "slow"), 0);
		assert_true(frame_send(fds[0], 1, 99, sent));
		broker_quiesce(*state);
		assert_int_equal(typed_frame_receive(type, slow), sent);
		assert_accounted(*state, "slow");
		three_close(fds);
		close(slow);
		close(tunnel_opened(*state, "name=slow"));
		broker_quiesce(*state);
	}
}

static void a_paused_source_resumes_at_half(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
	uint64_t before;

	send_all(*state, from, 1, 0xff, 0);
	for (;;) {
		uint64_t queued = shown(*state, "slow", "to-client-queued");
		bool paused =
			tunnel_find(((struct broker_fixture *)*state)->broker->tunnels, "from")
				->port.source.pause_count;

		before = shown(*state, "from", "from-client-frames");
		if (!paused)
			break;
		assert_true(queued > 20);
		/* Reading one frame makes room in the socket only sometimes. */
		assert_true(frame_receive(slow) >= 0);
		broker_quiesce(*state);
		if (shown(*state, "from", "from-client-frames") != before)
			break;
	}
	close(from);
	close(slow);
}

static void a_flood_pauses_its_source_too(void **state)
{
	int fds[3], slow;
	uint32_t sent;

	three_open(*state, "", fds);
	slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
	sent = send_all(*state, fds[0], 1, 0xff, 0);
	assert_int_equal(dropped(*state, "slow"), 0);
	assert_true(sent > shown(*state, "slow", "to-client-offered"));
	close(slow);
	broker_quiesce(*state);
	/* The blocking port is closed, so its source is read again. */
	assert_int_equal(shown(*state, "vm0", "from-client-frames"), sent);
	three_close(fds);
}

static void a_queue_that_no_longer_blocks_resumes_its_sources(void **state)
{
	static const char *const ways[] = {
		"name=slow,overflow=drop-tail", "name=slow,overflow=drop-head",
		"name=slow,queue=100000",       "name=slow,bridge=",
		"name=slow,bridge=other",       "name=from,bridge=other",
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		int slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
		uint32_t sent = send_all(*state, from, 1, 0xff, 0);

		assert_true(shown(*state, "from", "from-client-frames") < sent);
		done(*state, MEMTUN_CMD_TUNNEL_SET, ways[i]);
		broker_quiesce(*state);
		if (shown(*state, "from", "from-client-frames") != sent)
			fail_msg("after %s its source is still paused", ways[i]);
		close(from);
		close(slow);
		broker_quiesce(*state);
	}
}

static void two_queues_that_block_each_other_do_not_block_the_broker(void **state)
{
	int one = tunnel_opened(*state, "name=one,bridge=b,overflow=block,queue=10");
	int two = tunnel_opened(*state, "name=two,bridge=b,overflow=block,queue=10");
	uint32_t sent[2];
	uint32_t got[2] = {0};

	sent[0] = send_all(*state, one, 1, 2, 0);
	sent[1] = send_all(*state, two, 2, 1, 0);
	assert_true(exists(*state, "one"));
	for (int round = 0; round < 100000 && (got[0] < sent[1] || got[1] < sent[0]); round++) {
		int64_t number = frame_receive(one);

		if (number >= 0)
			assert_int_equal(number, got[0]++);
		number = frame_receive(two);
		if (number >= 0)
			assert_int_equal(number, got[1]++);
		else
			broker_quiesce(*state);
	}
	assert_int_equal(got[0], sent[1]);
	assert_int_equal(got[1], sent[0]);
	close(one);
	close(two);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_full_backlog_drops_new_frames),
		WITH_BROKER(with_drop_head_a_full_backlog_drops_its_oldest_frames),
		WITH_BROKER(the_backlog_is_bounded_in_bytes_too),
		WITH_BROKER(with_drop_head_a_large_frame_drops_as_many_bytes_as_it_needs),
		WITH_BROKER(a_stopped_reader_slows_no_other_port),
		WITH_BROKER(blocking_pauses_the_sender_and_drops_nothing),
		WITH_BROKER(a_paused_source_resumes_at_half),
		WITH_BROKER(a_flood_pauses_its_source_too),
		WITH_BROKER(a_queue_that_no_longer_blocks_resumes_its_sources),
		WITH_BROKER(two_queues_that_block_each_other_do_not_block_the_broker),
	};

	return RUN_TESTS(tests);
}

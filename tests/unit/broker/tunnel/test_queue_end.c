/* SPDX-License-Identifier: MIT */
/* How a queue ends: which frames of the client still arrive, and when the tunnel is deleted. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/tunnel/tunnel.h"

/* Seconds to wait: ten times the interval of the broker's liveness poll. */
#define LOOKED 10.

/* A tunnel `from` of that socket type, and a tunnel that receives its frames. */
struct wire {
	struct broker_fixture *fixture;
	enum socket_type type;
	int from;
	int to;
};

static void wire_open(struct wire *wire, struct broker_fixture *fixture, enum socket_type type)
{
	char options[64];

	wire->fixture = fixture;
	wire->type = type;
	snprintf(options, sizeof(options), "name=from,bridge=b,socket=%s", socket_names[type]);
	wire->from = tunnel_opened(fixture, options);
	wire->to = tunnel_opened(fixture, "name=to,bridge=b");
}

static bool wire_send(struct wire *wire, uint32_t number)
{
	return typed_frame_send(wire->type, wire->from, 1, 0xff, number);
}

static void wire_close(struct wire *wire)
{
	close(wire->from);
	close(wire->to);
	broker_quiesce(wire->fixture);
}

static bool from_is_deleted(void *context)
{
	struct broker_fixture *fixture = context;

	return !tunnel_find(fixture->broker->tunnels, "from");
}

/* Assert that `from` is deleted: for dgram after the liveness poll, else by readiness alone. */
static void assert_from_is_deleted(struct wire *wire)
{
	if (wire->type == SOCKET_DGRAM)
		assert_true(broker_wait(wire->fixture, from_is_deleted, wire->fixture, LOOKED));
	broker_quiesce(wire->fixture);
	assert_true(from_is_deleted(wire->fixture));
}

static void assert_arrived(struct wire *wire, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(frame_receive(wire->to), first + i);
	assert_int_equal(frame_receive(wire->to), -1);
}

static void frames_that_were_sent_before_the_close_arrive(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;

		wire_open(&wire, *state, type);
		for (uint32_t i = 0; i < 50; i++)
			assert_true(wire_send(&wire, i));
		close(wire.from);
		assert_from_is_deleted(&wire);
		assert_arrived(&wire, 0, 50);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void frames_arrive_though_the_client_left_some_unread(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;

		wire_open(&wire, *state, type);
		assert_true(frame_send(wire.to, 2, 0xff, 7));
		broker_quiesce(*state);
		for (uint32_t i = 0; i < 50; i++)
			assert_true(wire_send(&wire, i));
		close(wire.from);
		assert_from_is_deleted(&wire);
		assert_arrived(&wire, 0, 50);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void a_close_does_not_count_as_empty_frames(void **state)
{
	int persistent;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=stays");
	persistent = tunnel_opened(*state, "name=stays");
	/* Fill batches first, so that the broker asks for a whole one next. */
	for (uint32_t i = 0; i < 40; i++)
		assert_true(frame_send(persistent, 1, 2, i));
	broker_quiesce(*state);
	assert_true(frame_send(persistent, 1, 2, 40));
	close(persistent);
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "stays", "state"), MEMTUN_CLOSED);
	assert_int_equal(shown(*state, "stays", "from-client-dropped-empty"), 0);
	assert_int_equal(shown(*state, "stays", "from-client-frames"), 41);
}

static void an_empty_frame_is_dropped_and_counted(void **state)
{
	for (int type = 0; type < SOCKET_STREAM; type++) {
		struct wire wire;

		wire_open(&wire, *state, type);
		for (int i = 0; i < 3; i++)
			assert_int_equal(send(wire.from, "", 0, 0), 0);
		assert_true(wire_send(&wire, 1));
		broker_quiesce(*state);
		assert_int_equal(shown(*state, "from", "from-client-dropped-empty"), 3);
		assert_int_equal(shown(*state, "from", "state"), MEMTUN_OPEN);
		assert_arrived(&wire, 1, 1);
		close(wire.from);
		assert_from_is_deleted(&wire);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void an_empty_frame_of_a_stream_is_counted(void **state)
{
	struct wire wire;

	wire_open(&wire, *state, SOCKET_STREAM);
	assert_int_equal(send(wire.from, "\0\0\0\0", 4, 0), 4);
	assert_true(wire_send(&wire, 1));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "from", "from-client-dropped-empty"), 1);
	assert_arrived(&wire, 1, 1);
	close(wire.from);
	close(wire.to);
}

static void frames_after_an_empty_one_arrive_after_the_close(void **state)
{
	for (int type = 0; type < SOCKET_STREAM; type++) {
		/* At each position in a batch. */
		for (uint32_t before = 0; before < 40; before += 3) {
			struct wire wire;

			wire_open(&wire, *state, type);
			for (uint32_t i = 0; i < before; i++)
				assert_true(wire_send(&wire, i));
			assert_int_equal(send(wire.from, "", 0, 0), 0);
			assert_int_equal(send(wire.from, "", 0, 0), 0);
			for (uint32_t i = before; i < before + 5; i++)
				assert_true(wire_send(&wire, i));
			close(wire.from);
			if (type == SOCKET_DGRAM)
				assert_int_equal(
					refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=to,bridge=b"),
					EBUSY);
			/* For dgram, an open of the same tunnel detects the close. */
			close(tunnel_opened(*state, "name=from,bridge=b"));
			assert_arrived(&wire, 0, before + 5);
			close(wire.to);
			broker_quiesce(*state);
		}
	}
}

/* The types of sockets that have a connection, which shutdown(2) ends. */
static const enum socket_type connected[] = {SOCKET_SEQPACKET, SOCKET_STREAM};

static void wire_shut_down(struct wire *wire, struct broker_fixture *fixture, enum socket_type type,
			   int how)
{
	wire_open(wire, fixture, type);
	assert_true(wire_send(wire, 5));
	assert_int_equal(shutdown(wire->from, how), 0);
}

static void shutting_down_the_sending_side_ends_a_queue_once(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct wire wire;

		wire_shut_down(&wire, *state, connected[i], SHUT_WR);
		/* This fails if the broker's descriptor stays ready for ever. */
		broker_quiesce(*state);
		assert_true(from_is_deleted(*state));
		assert_true(fd_ended(wire.from));
		assert_arrived(&wire, 5, 1);
		wire_close(&wire);
	}
}

static void shutting_down_the_receiving_side_ends_a_queue_at_the_next_frame(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct wire wire;

		wire_shut_down(&wire, *state, connected[i], SHUT_RD);
		assert_true(frame_send(wire.to, 2, 0xff, 6));
		broker_quiesce(*state);
		assert_true(from_is_deleted(*state));
		assert_arrived(&wire, 5, 1);
		wire_close(&wire);
	}
}

/* Send frames to `from`, which does not read, until some wait in the broker. */
static void fill(struct wire *wire)
{
	uint32_t number = 0;

	while (shown(wire->fixture, "from", "to-client-queued") == 0) {
		for (int i = 0; i < 50; i++)
			assert_true(frame_send(wire->to, 2, 0xff, number++));
		broker_quiesce(wire->fixture);
	}
}

static void a_queue_with_a_backlog_ends_when_its_client_stops_reading(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct wire wire;
		unsigned char bytes[4096];

		wire_open(&wire, *state, connected[i]);
		fill(&wire);
		assert_int_equal(shutdown(wire.from, SHUT_RD), 0);
		while (recv(wire.from, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
		broker_quiesce(*state);
		assert_true(from_is_deleted(*state));
		wire_close(&wire);
	}
}

static void a_queue_with_a_backlog_ends_with_its_client(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;

		wire_open(&wire, *state, type);
		fill(&wire);
		assert_true(wire_send(&wire, 3));
		close(wire.from);
		assert_from_is_deleted(&wire);
		assert_arrived(&wire, 3, 1);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void a_closed_datagram_client_is_detected_before_an_open_is_busy(void **state)
{
	struct wire wire;

	wire_open(&wire, *state, SOCKET_DGRAM);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=from,bridge=b,socket=dgram"),
			 EBUSY);
	assert_true(wire_send(&wire, 9));
	close(wire.from);
	wire.from = tunnel_opened(*state, "name=from,bridge=b,socket=dgram");
	assert_arrived(&wire, 9, 1);
	/* The same before an add, and before an open with other options. */
	close(wire.from);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=from");
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=from");
	wire.from = tunnel_opened(*state, "name=from,bridge=b,socket=dgram");
	close(wire.from);
	wire.from = tunnel_opened(*state, "name=from,mode=tun,exclusive");
	close(wire.from);
	close(wire.to);
}

static void a_closed_datagram_client_is_detected_at_the_next_frame(void **state)
{
	struct wire wire;

	wire_open(&wire, *state, SOCKET_DGRAM);
	/* Frames of the client would be lost here, as the kernel discards them at the broker's
	 * send. */
	close(wire.from);
	assert_true(frame_send(wire.to, 2, 0xff, 6));
	broker_quiesce(*state);
	assert_true(from_is_deleted(*state));
	close(wire.to);
}

static void a_datagram_tunnel_shows_that_a_close_is_detected(void **state)
{
	struct wire wire;

	wire_open(&wire, *state, SOCKET_DGRAM);
	assert_int_equal(shown(*state, "from", "hangup-seen"), 1);
	close(wire.from);
	close(wire.to);
}

/* Pause `from` by filling the backlog of `slow`, which blocks. */
static void pause_edge(struct wire *wire, int *slow)
{
	struct broker_fixture *fixture = wire->fixture;
	uint32_t number = 0;

	*slow = tunnel_opened(fixture, "name=slow,bridge=b,overflow=block,queue=10");
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=to,bridge=");
	while (wire_send(wire, number++))
		broker_quiesce(fixture);
	assert_true(shown(fixture, "slow", "to-client-queued") >= 10);
}

static void a_paused_source_ends_with_its_client(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;
		uint64_t queued;
		int slow;

		wire_open(&wire, *state, type);
		pause_edge(&wire, &slow);
		queued = shown(*state, "slow", "to-client-queued");
		close(wire.from);
		assert_true(broker_wait(*state, from_is_deleted, *state, LOOKED));
		/* The frames that it had sent were not dropped. */
		assert_true(shown(*state, "slow", "to-client-queued") > queued);
		assert_int_equal(shown(*state, "slow", "to-client-dropped-full"), 0);
		close(slow);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void a_closed_paused_source_is_detected_before_an_open_is_busy(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;
		int slow;

		wire_open(&wire, *state, type);
		pause_edge(&wire, &slow);
		close(wire.from);
		close(tunnel_opened(*state, "name=from"));
		close(slow);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void closing_and_reopening_at_once_is_never_busy(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct broker_fixture *fixture = *state;
		char options[64];

		snprintf(options, sizeof(options), "name=again,socket=%s", socket_names[type]);
		for (int i = 0; i < 10000; i++) {
			struct answer answer;

			/* The broker sees the close and the next request in one iteration. */
			client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, options);
			if (answer.error)
				fail_msg("open %d of %s: %s", i, socket_names[type],
					 answer.fault.text);
			close(answer.fd);
		}
		broker_quiesce(fixture);
		if (type != SOCKET_DGRAM)
			assert_false(exists(fixture, "again"));
		close(tunnel_opened(*state, "name=again"));
		broker_quiesce(*state);
	}
}

static void a_persistent_tunnel_reopens_at_once(void **state)
{
	struct broker_fixture *fixture = *state;

	for (int type = 0; type < SOCKET_TYPES; type++) {
		char options[64];

		snprintf(options, sizeof(options), "name=again%d,socket=%s", type,
			 socket_names[type]);
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, options);
		for (int i = 0; i < 100; i++)
			close(tunnel_opened(fixture, options));
		broker_quiesce(fixture);
		assert_true(exists(fixture, type == 0 ? "again0" : "again1"));
	}
}

/* ------------------------------------------------------------------------------ killed */

/* Start a child that has the only copy of `fd` and calls `run` until it is killed. */
static pid_t child_start(int fd, void (*run)(int fd))
{
	pid_t parent = getpid();
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The child must not keep the broker's ends open. */
		for (int other = 3; other < 256; other++) {
			if (other != fd && other != ready[1])
				close(other);
		}
		if (getppid() != parent)
			_exit(1);
		if (run)
			run(fd);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fd);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void child_kill(pid_t child)
{
	int status;

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void child_sends(int fd)
{
	for (uint32_t i = 0; i < 20; i++)
		frame_send(fd, 1, 0xff, i);
}

static void child_sends_stream(int fd)
{
	for (uint32_t i = 0; i < 20; i++)
		stream_frame_send(fd, 1, 0xff, i);
	(void)!write(fd, "\0\0", 2); /* and is killed within a length */
}

static void the_tunnels_of_a_killed_client_are_deleted_and_its_frames_arrive(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;
		pid_t child;

		wire_open(&wire, *state, type);
		child = child_start(wire.from,
				    type == SOCKET_STREAM ? child_sends_stream : child_sends);
		assert_false(from_is_deleted(*state));
		child_kill(child);
		assert_from_is_deleted(&wire);
		assert_arrived(&wire, 0, 20);
		close(wire.to);
		broker_quiesce(*state);
	}
}

static void a_client_that_is_killed_without_reading_its_answers_leaves_nothing(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	pid_t child;

	/* The descriptors are in its socket's receive queue when it is killed. */
	client_open(&other, fixture, FIXTURE_UID, true);
	for (int i = 0; i < SOCKET_TYPES; i++) {
		char options[64];

		snprintf(options, sizeof(options), "name=tap%%d,socket=%s,bridge=b,count=5",
			 socket_names[i]);
		client_send(&other, MEMTUN_CMD_QUEUE_OPEN, 0, options);
	}
	broker_quiesce(fixture);
	assert_true(exists(fixture, "tap14"));
	child = child_start(other.fd, NULL);
	other.fd = -1;
	assert_true(exists(fixture, "tap14"));
	child_kill(child);
	broker_quiesce(fixture);
	/* Only datagram tunnels may still exist. */
	for (struct tunnel *tunnel = tunnel_next(fixture->broker->tunnels, 0); tunnel;
	     tunnel = tunnel_next(fixture->broker->tunnels, tunnel->port.id))
		assert_int_equal(tunnel->socket, MEMTUN_DGRAM);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=tap5");
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=tap5");
}

static void a_client_that_is_killed_while_paused_leaves_nothing(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		struct wire wire;
		pid_t child;
		int slow;

		wire_open(&wire, *state, type);
		pause_edge(&wire, &slow);
		child = child_start(wire.from, NULL);
		child_kill(child);
		assert_true(broker_wait(*state, from_is_deleted, *state, LOOKED));
		close(slow);
		close(wire.to);
		broker_quiesce(*state);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(frames_that_were_sent_before_the_close_arrive),
		WITH_BROKER(frames_arrive_though_the_client_left_some_unread),
		WITH_BROKER(a_close_does_not_count_as_empty_frames),
		WITH_BROKER(an_empty_frame_is_dropped_and_counted),
		WITH_BROKER(an_empty_frame_of_a_stream_is_counted),
		WITH_BROKER(frames_after_an_empty_one_arrive_after_the_close),
		WITH_BROKER(shutting_down_the_sending_side_ends_a_queue_once),
		WITH_BROKER(shutting_down_the_receiving_side_ends_a_queue_at_the_next_frame),
		WITH_BROKER(a_queue_with_a_backlog_ends_when_its_client_stops_reading),
		WITH_BROKER(a_queue_with_a_backlog_ends_with_its_client),
		WITH_BROKER(a_closed_datagram_client_is_detected_before_an_open_is_busy),
		WITH_BROKER(a_closed_datagram_client_is_detected_at_the_next_frame),
		WITH_BROKER(a_datagram_tunnel_shows_that_a_close_is_detected),
		WITH_BROKER(a_paused_source_ends_with_its_client),
		WITH_BROKER(a_closed_paused_source_is_detected_before_an_open_is_busy),
		WITH_BROKER(closing_and_reopening_at_once_is_never_busy),
		WITH_BROKER(a_persistent_tunnel_reopens_at_once),
		WITH_BROKER(the_tunnels_of_a_killed_client_are_deleted_and_its_frames_arrive),
		WITH_BROKER(a_client_that_is_killed_without_reading_its_answers_leaves_nothing),
		WITH_BROKER(a_client_that_is_killed_while_paused_leaves_nothing),
	};

	return RUN_TESTS(tests);
}

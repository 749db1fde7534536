/* SPDX-License-Identifier: MIT */
/* A connection of which one direction has ended: by the peer's shutdown, or by one's own. */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Read all that is there. Return how many bytes came, and whether the end came too. */
static size_t peer_drain(struct fixture *fixture, bool *ended)
{
	char data[4096];
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	size_t count, total = 0;
	ssize_t length;

	while ((length = peer_receive(fixture->peer, data, sizeof(data), fds, &count)) > 0) {
		total += (size_t)length;
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
	*ended = length == 0;
	return total;
}

/* Read and dispatch in turn until the transport has nothing queued. */
static size_t peer_drain_all(struct fixture *fixture)
{
	size_t total = 0;
	bool ended;

	while (memtun_transport_queued_bytes(fixture->transport)) {
		total += peer_drain(fixture, &ended);
		assert_false(ended);
		fixture_wait(fixture);
	}
	return total + peer_drain(fixture, &ended);
}

static void what_is_queued_is_sent_after_the_peers_half_close(void **state)
{
	struct fixture *fixture = *state;
	size_t sent = fixture_stall(fixture);
	int file = file_new();

	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(peer_drain_all(fixture), sent + 1);
	fixture_run(fixture);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void a_queue_that_a_closed_peer_will_not_read_is_an_error(void **state)
{
	struct fixture *fixture = *state;

	fixture_stall(fixture);
	fixture_close_peer(fixture);
	/* Reading reports the end first, before a write meets EPIPE. */
	memtun_transport_dispatch(fixture->transport, POLLIN);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_true(fixture->end_error == EPIPE || fixture->end_error == ECONNRESET);
}

static void a_peer_that_closes_after_its_half_close_with_data_queued_is_an_error(void **state)
{
	struct fixture *fixture = *state;

	fixture_stall(fixture);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_true(fixture->end_error == EPIPE || fixture->end_error == ECONNRESET);
}

static void half_closed_leaves_the_connection_open_for_sending(void **state)
{
	struct fixture *fixture = *state;
	bool ended;

	fixture_count_half_closes(fixture);
	assert_int_equal(peer_send(fixture->peer, "last", 4, NULL, 0), 4);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	memtun_transport_dispatch(fixture->transport, POLLIN | POLLHUP);
	assert_int_equal(fixture->length, 4);
	assert_int_equal(fixture->half_closes, 1);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(memtun_transport_send(fixture->transport, "answer", 6, NULL, 0), 0);
	assert_int_equal(peer_drain(fixture, &ended), 6);
	memtun_transport_close(fixture->transport);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void a_peer_that_closes_is_not_half_closed(void **state)
{
	struct fixture *fixture = *state;

	fixture_count_half_closes(fixture);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->half_closes, 0);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void a_peer_that_closes_after_half_closed_is_found_by_the_next_send(void **state)
{
	struct fixture *fixture = *state;

	fixture_count_half_closes(fixture);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	fixture_close_peer(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "late", 4, NULL, 0), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, EPIPE);
}

static void a_transport_freed_by_half_closed_calls_no_other_handler(void **state)
{
	struct fixture *fixture = *state;

	fixture_count_half_closes(fixture);
	fixture->free_in = HANDLER_HALF_CLOSED;
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->half_closes, 1);
	assert_int_equal(fixture->ends, 0);
}

static void shutdown_ends_ones_own_direction_after_what_is_queued(void **state)
{
	struct fixture *fixture = *state;
	size_t sent = fixture_stall(fixture);
	bool ended;

	memtun_transport_shutdown(fixture->transport);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(peer_drain_all(fixture), sent);
	peer_drain(fixture, &ended);
	assert_true(ended);
	assert_int_equal(fixture->ends, 0);

	/* The other direction still works, and its end ends the connection. */
	assert_int_equal(peer_send(fixture->peer, "last", 4, NULL, 0), 4);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 4);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void shutdown_with_nothing_queued_is_seen_by_the_peer_at_once(void **state)
{
	struct fixture *fixture = *state;
	bool ended;

	memtun_transport_shutdown(fixture->transport);
	peer_drain(fixture, &ended);
	assert_true(ended);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
}

static void shutdown_after_the_peers_half_close_ends_the_connection(void **state)
{
	struct fixture *fixture = *state;

	fixture_count_half_closes(fixture);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->half_closes, 1);
	memtun_transport_shutdown(fixture->transport);
	assert_int_equal(memtun_transport_deadline(fixture->transport), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void close_sends_what_is_queued_and_then_ends(void **state)
{
	struct fixture *fixture = *state;
	size_t sent = fixture_stall(fixture);
	int file = file_new();

	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	memtun_transport_close(fixture->transport);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(peer_drain_all(fixture), sent + 1);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void close_with_nothing_queued_ends_in_the_next_dispatch(void **state)
{
	struct fixture *fixture = *state;

	memtun_transport_close(fixture->transport);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(memtun_transport_deadline(fixture->transport), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void a_close_whose_peer_dies_first_is_an_error(void **state)
{
	struct fixture *fixture = *state;

	fixture_stall(fixture);
	memtun_transport_close(fixture->transport);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_not_equal(fixture->end_error, 0);
}

static void drained_is_called_once_when_the_queue_has_become_empty(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(memtun_transport_send(fixture->transport, "s", 1, NULL, 0), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->drains, 0);
	fixture_stall(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->drains, 0);
	peer_drain_all(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->drains, 1);
}

static void a_transport_freed_by_drained_calls_no_other_handler(void **state)
{
	struct fixture *fixture = *state;
	bool ended;

	fixture_stall(fixture);
	fixture->free_in = HANDLER_DRAINED;
	peer_drain(fixture, &ended);
	assert_int_equal(peer_send(fixture->peer, "last", 4, NULL, 0), 4);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->drains, 1);
	assert_int_equal(fixture->piece_count, 0);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(what_is_queued_is_sent_after_the_peers_half_close),
	ON_BOTH(a_queue_that_a_closed_peer_will_not_read_is_an_error),
	ON_BOTH(a_peer_that_closes_after_its_half_close_with_data_queued_is_an_error),
	ON_BOTH(half_closed_leaves_the_connection_open_for_sending),
	ON_BOTH(a_peer_that_closes_is_not_half_closed),
	ON_BOTH(a_peer_that_closes_after_half_closed_is_found_by_the_next_send),
	ON_BOTH(a_transport_freed_by_half_closed_calls_no_other_handler),
	ON_BOTH(shutdown_ends_ones_own_direction_after_what_is_queued),
	ON_BOTH(shutdown_with_nothing_queued_is_seen_by_the_peer_at_once),
	ON_BOTH(shutdown_after_the_peers_half_close_ends_the_connection),
	ON_BOTH(close_sends_what_is_queued_and_then_ends),
	ON_BOTH(close_with_nothing_queued_ends_in_the_next_dispatch),
	ON_BOTH(a_close_whose_peer_dies_first_is_an_error),
	ON_BOTH(drained_is_called_once_when_the_queue_has_become_empty),
	ON_BOTH(a_transport_freed_by_drained_calls_no_other_handler),
};

int main(void)
{
	return RUN_TESTS(tests);
}

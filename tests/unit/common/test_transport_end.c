/* SPDX-License-Identifier: MIT */
/* The end of a transport: received data, closed descriptors, the error, and freeing by handlers. */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* asm-generic/socket.h of Linux 6.16. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static void assert_ended(struct fixture *fixture, int error)
{
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, error);
	assert_int_equal(memtun_transport_events(fixture->transport), 0);
	assert_int_equal(memtun_transport_deadline(fixture->transport), -1);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
}

static void send_file(int socket, const char *text)
{
	int file = file_new();

	assert_int_equal(peer_send(socket, text, strlen(text), &file, 1), strlen(text));
	close(file);
}

static void what_was_sent_before_the_close_arrives_before_the_end(void **state)
{
	struct fixture *fixture = *state;

	send_file(fixture->peer, "last");
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_memory_equal(fixture->data, "last", 4);
	assert_ended(fixture, 0);
}

static void much_that_was_sent_before_the_close_arrives_whole(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 200; i++)
		send_file(fixture->peer, "f");
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 200);
	assert_int_equal(fixture->length, 200);
	assert_ended(fixture, 0);
}

static void the_end_is_told_once(void **state)
{
	struct fixture *fixture = *state;

	fixture_close_peer(fixture);
	for (size_t i = 0; i < 3; i++)
		memtun_transport_dispatch(fixture->transport, POLLIN | POLLHUP);
	assert_ended(fixture, 0);
}

static void after_the_end_sending_is_refused_and_the_caller_still_owns(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();

	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(close(file), 0);
}

static void a_peer_that_shuts_its_sending_side_ends_it(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(peer_send(fixture->peer, "last", 4, NULL, 0), 4);
	assert_int_equal(shutdown(fixture->peer, SHUT_WR), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 4);
	assert_ended(fixture, 0);
}

static void a_peer_that_reads_no_more_is_read_before_the_end(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();

	send_file(fixture->peer, "last");
	assert_int_equal(shutdown(fixture->peer, SHUT_RD), 0);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_equal(fixture->ends, 0);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_int_equal(fixture->length, 4);
	assert_ended(fixture, EPIPE);
}

static void a_write_to_a_dead_peer_lets_what_it_sent_be_read(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 100; i++)
		send_file(fixture->peer, "f");
	fixture_close_peer(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "late", 4, NULL, 0), 0);
	assert_int_equal(fixture->ends, 0);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 100);
	assert_int_equal(fixture->length, 100);
	assert_ended(fixture, EPIPE);
}

static void a_reset_is_followed_by_what_the_peer_had_sent(void **state)
{
	struct fixture *fixture = *state;

	/* Closing with unread data makes it a reset. */
	assert_int_equal(memtun_transport_send(fixture->transport, "unread", 6, NULL, 0), 0);
	send_file(fixture->peer, "last");
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_memory_equal(fixture->data, "last", 4);
	assert_ended(fixture, ECONNRESET);
}

static void a_reset_found_by_writing_is_followed_by_what_the_peer_had_sent(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(memtun_transport_send(fixture->transport, "unread", 6, NULL, 0), 0);
	send_file(fixture->peer, "last");
	fixture_close_peer(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "late", 4, NULL, 0), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_memory_equal(fixture->data, "last", 4);
	assert_int_equal(fixture->ends, 1);
	assert_true(fixture->end_error == ECONNRESET || fixture->end_error == EPIPE);
}

static void descriptors_queued_for_a_peer_that_dies_are_closed(void **state)
{
	struct fixture *fixture = *state;
	int files[70];

	fixture_stall(fixture);
	for (size_t i = 0; i < 70; i++) {
		files[i] = file_new();
		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &files[i], 1),
				 0);
	}
	assert_int_equal(fixture->pauses, 1);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	for (size_t i = 0; i < 70; i++)
		assert_int_equal(fcntl(files[i], F_GETFD), -1);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
	/* resume is not called on the dead connection. */
	assert_int_equal(fixture->resumes, 0);
}

static void a_peer_that_dies_while_it_is_not_read_loses_nothing(void **state)
{
	struct fixture *fixture = *state;

	memtun_transport_set_reading(fixture->transport, false);
	send_file(fixture->peer, "last");
	fixture_close_peer(fixture);
	fixture_run(fixture);
	memtun_transport_dispatch(fixture->transport, POLLHUP);
	assert_int_equal(fixture->ends, 0);
	memtun_transport_set_reading(fixture->transport, true);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_memory_equal(fixture->data, "last", 4);
	assert_ended(fixture, 0);
}

static void a_peer_that_dies_stalled_and_not_read_ends_it(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();

	fixture_stall(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	memtun_transport_set_reading(fixture->transport, false);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_int_equal(fixture->ends, 1);
	assert_int_not_equal(fixture->end_error, 0);
}

static void a_write_to_a_dead_peer_ends_it_though_it_is_not_read(void **state)
{
	struct fixture *fixture = *state;

	memtun_transport_set_reading(fixture->transport, false);
	fixture_close_peer(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "late", 4, NULL, 0), 0);
	fixture_run(fixture);
	assert_ended(fixture, EPIPE);
}

static void a_peer_that_refuses_descriptors_ends_it_with_eperm(void **state)
{
	struct fixture *fixture = *state;
	int off = 0, file;

	if (setsockopt(fixture->peer, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0)
		test_skip("this kernel has no SO_PASSRIGHTS");
	assert_int_equal(peer_send(fixture->peer, "last", 4, NULL, 0), 4);
	file = file_new();
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 4);
	assert_ended(fixture, EPERM);
}

/* What a child does with the peer's socket before it is killed. */
static void run_and_kill(struct fixture *fixture, void (*script)(int socket))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		close(memtun_transport_fd(fixture->transport));
		script(fixture->peer);
		raise(SIGKILL);
	}
	fixture_close_peer(fixture);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void send_announcement_only(int socket)
{
	peer_send(socket, "a descriptor follows", 20, NULL, 0);
}

static void send_half_a_message(int socket)
{
	int file = file_new();

	peer_send(socket, "hal", 3, &file, 1);
}

static void a_peer_killed_between_message_and_descriptor_leaves_the_message(void **state)
{
	struct fixture *fixture = *state;

	run_and_kill(fixture, send_announcement_only);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 20);
	assert_int_equal(fixture->fd_count, 0);
	assert_ended(fixture, 0);
}

static void a_peer_killed_in_mid_message_leaves_half_and_the_descriptor(void **state)
{
	struct fixture *fixture = *state;

	run_and_kill(fixture, send_half_a_message);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 3);
	assert_int_equal(fixture->fd_count, 1);
	assert_ended(fixture, 0);
}

static void a_peer_killed_with_descriptors_on_their_way_leaks_none(void **state)
{
	struct fixture *fixture = *state;
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &ends[1], 1), 0);
	assert_int_equal(read(ends[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	run_and_kill(fixture, send_half_a_message);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 1);
	assert_ended(fixture, ECONNRESET);
	/* No process has the pipe's other end any more. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

/* Three messages of two descriptors each, then the end: all of it comes after the free. */
static void send_plenty(struct fixture *fixture)
{
	for (size_t i = 0; i < 3; i++) {
		int files[2] = {file_new(), file_new()};

		assert_int_equal(peer_send(fixture->peer, "f", 1, files, 2), 1);
		close(files[0]);
		close(files[1]);
	}
}

static void a_transport_freed_by_fd_received_closes_the_other_descriptors(void **state)
{
	struct fixture *fixture = *state;

	fixture->free_in = HANDLER_FD_RECEIVED;
	send_plenty(fixture);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->fd_count, 1);
	assert_int_equal(fixture->piece_count, 0);
}

static void a_transport_freed_by_data_received_calls_no_handler(void **state)
{
	struct fixture *fixture = *state;

	fixture->free_in = HANDLER_DATA_RECEIVED;
	send_plenty(fixture);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->piece_count, 1);
	assert_int_equal(fixture->ends, 0);
}

static void a_transport_freed_by_resume_calls_no_handler(void **state)
{
	struct fixture *fixture = *state;
	const struct memtun_transport_bounds bounds = {1, 1, 8, 8};
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	char data[16];
	size_t count;

	fixture->free_in = HANDLER_RESUME;
	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &bounds), 0);
	fixture_stall(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "s", 1, NULL, 0), 0);
	assert_int_equal(fixture->pauses, 1);
	while (peer_receive(fixture->peer, data, sizeof(data), fds, &count) > 0)
		;
	send_plenty(fixture);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->resumes, 1);
	assert_int_equal(fixture->piece_count, 0);
}

static void a_transport_may_be_freed_by_closed(void **state)
{
	struct fixture *fixture = *state;

	fixture->free_in = HANDLER_CLOSED;
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_null(fixture->transport);
	assert_int_equal(fixture->ends, 1);
}

static void nothing_is_freed_by_freeing_null(void **state)
{
	(void)state;
	memtun_transport_free(NULL);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(what_was_sent_before_the_close_arrives_before_the_end),
	ON_BOTH(much_that_was_sent_before_the_close_arrives_whole),
	ON_BOTH(the_end_is_told_once),
	ON_BOTH(after_the_end_sending_is_refused_and_the_caller_still_owns),
	ON_BOTH(a_peer_that_shuts_its_sending_side_ends_it),
	ON_BOTH(a_peer_that_reads_no_more_is_read_before_the_end),
	ON_BOTH(a_write_to_a_dead_peer_lets_what_it_sent_be_read),
	ON_BOTH(a_reset_is_followed_by_what_the_peer_had_sent),
	ON_BOTH(a_reset_found_by_writing_is_followed_by_what_the_peer_had_sent),
	ON_BOTH(descriptors_queued_for_a_peer_that_dies_are_closed),
	ON_BOTH(a_peer_that_dies_while_it_is_not_read_loses_nothing),
	ON_BOTH(a_peer_that_dies_stalled_and_not_read_ends_it),
	ON_BOTH(a_write_to_a_dead_peer_ends_it_though_it_is_not_read),
	ON_BOTH(a_peer_that_refuses_descriptors_ends_it_with_eperm),
	ON_BOTH(a_peer_killed_between_message_and_descriptor_leaves_the_message),
	ON_BOTH(a_peer_killed_in_mid_message_leaves_half_and_the_descriptor),
	ON_BOTH(a_peer_killed_with_descriptors_on_their_way_leaks_none),
	ON_BOTH(a_transport_freed_by_fd_received_closes_the_other_descriptors),
	ON_BOTH(a_transport_freed_by_data_received_calls_no_handler),
	ON_BOTH(a_transport_freed_by_resume_calls_no_handler),
	ON_BOTH(a_transport_may_be_freed_by_closed),
	cmocka_unit_test(nothing_is_freed_by_freeing_null),
};

int main(void)
{
	return RUN_TESTS(tests);
}

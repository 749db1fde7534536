/* SPDX-License-Identifier: MIT */
/* The send queue: ownership, order, bounds, and what it refuses. */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Is this number an open descriptor? */
static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int send_new_file(struct fixture *fixture)
{
	int file = file_new();

	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	return file;
}

/* Read at the peer, and let the transport send its queue. Return the inodes of the received files,
 * in order. */
static size_t drain(struct fixture *fixture, ino_t *inodes, size_t room)
{
	unsigned char data[4096];
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	size_t count, total = 0;

	do {
		while (peer_receive(fixture->peer, data, sizeof(data), fds, &count) > 0) {
			for (size_t i = 0; i < count; i++) {
				assert_true(total < room);
				inodes[total++] = file_inode(fds[i]);
				close(fds[i]);
			}
		}
		fixture_run(fixture);
	} while (memtun_transport_queued_bytes(fixture->transport) > 0 ||
		 poll(&(struct pollfd){.fd = fixture->peer, .events = POLLIN}, 1, 0) > 0);
	return total;
}

static void a_message_arrives_with_its_descriptors_in_order(void **state)
{
	struct fixture *fixture = *state;
	int files[3] = {file_new(), file_new(), file_new()};
	ino_t inodes[3] = {file_inode(files[0]), file_inode(files[1]), file_inode(files[2])};
	int received[MEMTUN_TRANSPORT_FDS_MAX + 1];
	char data[16];
	size_t count;

	assert_int_equal(memtun_transport_send(fixture->transport, "three", 5, files, 3), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
	assert_int_equal(peer_receive(fixture->peer, data, sizeof(data), received, &count), 5);
	assert_memory_equal(data, "three", 5);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(file_inode(received[i]), inodes[i]);
		close(received[i]);
	}
}

static void a_sent_descriptor_is_closed_here(void **state)
{
	struct fixture *fixture = *state;
	int file = send_new_file(fixture);

	assert_false(is_open(file));
}

static void a_queued_descriptor_keeps_its_number_from_being_reused(void **state)
{
	struct fixture *fixture = *state;
	int foreign[8], queued = file_new();
	ino_t wanted = file_inode(queued), arrived[4];

	fixture_stall(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &queued, 1), 0);
	for (size_t i = 0; i < 8; i++) {
		foreign[i] = file_new();
		assert_int_not_equal(foreign[i], queued);
	}
	assert_int_equal(drain(fixture, arrived, 4), 1);
	assert_int_equal(arrived[0], wanted);
	for (size_t i = 0; i < 8; i++)
		close(foreign[i]);
}

/* Queue, close and accept in one turn: the queued descriptor's number is reused. */
static void a_number_reused_while_queued_never_sends_the_foreign_file(void **state)
{
	struct fixture *fixture = *state;
	int mine = file_new(), number = mine, foreign;
	ino_t wanted = file_inode(mine), arrived[4];

	fixture_stall(fixture);
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, &mine, 1), 0);
	close(mine);
	foreign = file_new();
	assert_int_equal(foreign, number);
	assert_int_equal(drain(fixture, arrived, 4), 1);
	assert_int_equal(arrived[0], wanted);
	close(foreign);
}

static void freeing_closes_all_that_is_queued(void **state)
{
	struct fixture *fixture = *state;
	int files[10];

	fixture_stall(fixture);
	for (size_t i = 0; i < 10; i++)
		files[i] = send_new_file(fixture);
	memtun_transport_free(fixture->transport);
	fixture->transport = NULL;
	for (size_t i = 0; i < 10; i++)
		assert_false(is_open(files[i]));
}

static void queued_messages_keep_their_order(void **state)
{
	struct fixture *fixture = *state;
	ino_t sent[20], arrived[20];

	fixture_stall(fixture);
	for (size_t i = 0; i < 20; i++) {
		int file = file_new();

		sent[i] = file_inode(file);
		assert_int_equal(memtun_transport_send(fixture->transport, "p", 1, NULL, 0), 0);
		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	}
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 20);
	assert_int_equal(drain(fixture, arrived, 20), 20);
	assert_memory_equal(sent, arrived, sizeof(sent));
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
}

static void the_64th_descriptor_does_not_pause_and_the_65th_does(void **state)
{
	struct fixture *fixture = *state;

	fixture_stall(fixture);
	for (size_t i = 0; i < 64; i++)
		send_new_file(fixture);
	assert_int_equal(fixture->pauses, 0);
	assert_false(memtun_transport_is_paused(fixture->transport));
	send_new_file(fixture);
	assert_int_equal(fixture->pauses, 1);
	assert_true(memtun_transport_is_paused(fixture->transport));
	send_new_file(fixture);
	assert_int_equal(fixture->pauses, 1);
}

static void as_many_bytes_as_the_bound_do_not_pause_and_one_more_does(void **state)
{
	struct fixture *fixture = *state;
	char block[1024] = {0};
	size_t left;

	fixture_stall(fixture);
	while ((left = 65536 - memtun_transport_queued_bytes(fixture->transport)) > 0)
		assert_int_equal(memtun_transport_send(fixture->transport, block,
						       left < sizeof(block) ? left : sizeof(block),
						       NULL, 0),
				 0);
	assert_int_equal(fixture->pauses, 0);
	assert_int_equal(memtun_transport_send(fixture->transport, block, 1, NULL, 0), 0);
	assert_int_equal(fixture->pauses, 1);
}

/* Read message by message at the peer, and dispatch the transport after each. */
static void let_peer_take_one(struct fixture *fixture)
{
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	char data[1];
	size_t count;

	assert_int_equal(peer_receive(fixture->peer, data, 1, fds, &count), 1);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	memtun_transport_dispatch(fixture->transport, POLLOUT);
}

static void descriptors_at_half_the_bound_resume_and_one_more_does_not(void **state)
{
	struct fixture *fixture = *state;
	size_t queued;

	fixture_stall(fixture);
	while (!fixture->pauses)
		send_new_file(fixture);
	while ((queued = memtun_transport_queued_fds(fixture->transport)) > 33) {
		assert_int_equal(fixture->resumes, 0);
		let_peer_take_one(fixture);
	}
	assert_int_equal(queued, 33);
	assert_int_equal(fixture->resumes, 0);
	while (memtun_transport_queued_fds(fixture->transport) == 33)
		let_peer_take_one(fixture);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 32);
	assert_int_equal(fixture->resumes, 1);
	assert_false(memtun_transport_is_paused(fixture->transport));
}

static void bytes_at_half_the_bound_resume_and_one_more_does_not(void **state)
{
	struct fixture *fixture = *state;
	const struct memtun_transport_bounds bounds = {64, 20, 64, 100};
	size_t queued;

	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &bounds), 0);
	fixture_stall(fixture);
	while (!fixture->pauses)
		assert_int_equal(memtun_transport_send(fixture->transport, "s", 1, NULL, 0), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 21);
	while ((queued = memtun_transport_queued_bytes(fixture->transport)) > 11)
		let_peer_take_one(fixture);
	assert_int_equal(queued, 11);
	assert_int_equal(fixture->resumes, 0);
	while (memtun_transport_queued_bytes(fixture->transport) == 11)
		let_peer_take_one(fixture);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 10);
	assert_int_equal(fixture->resumes, 1);
}

static void descriptors_past_the_hard_bound_are_refused_and_none_is_lost(void **state)
{
	struct fixture *fixture = *state;
	const struct memtun_transport_bounds bounds = {1, 65536, 3, 65536};
	ino_t sent[3], arrived[3];
	int refused[2] = {file_new(), file_new()};

	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &bounds), 0);
	fixture_stall(fixture);
	for (size_t i = 0; i < 2; i++) {
		int file = file_new();

		sent[i] = file_inode(file);
		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	}
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, refused, 2), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, refused, 2), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 2);
	sent[2] = file_inode(refused[0]);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, refused, 1), 0);
	assert_int_equal(drain(fixture, arrived, 3), 3);
	assert_memory_equal(sent, arrived, sizeof(sent));
	assert_int_equal(fixture->ends, 0);
	assert_true(is_open(refused[1]));
	close(refused[1]);
}

static void bytes_past_the_hard_bound_are_refused_and_none_is_lost(void **state)
{
	struct fixture *fixture = *state;
	const struct memtun_transport_bounds bounds = {8, 10, 8, 20};
	char block[32] = {0};
	int file = file_new();
	ino_t arrived[1];

	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &bounds), 0);
	fixture_stall(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, block, 20, &file, 1), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_true(is_open(file));
	assert_int_equal(memtun_transport_send(fixture->transport, block, 21, NULL, 0), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(memtun_transport_send(fixture->transport, block, 19, &file, 1), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 20);
	assert_int_equal(drain(fixture, arrived, 1), 1);
	assert_int_equal(memtun_transport_send(fixture->transport, block, 20, NULL, 0), 0);
}

static void a_hard_bound_below_the_pause_bound_is_refused(void **state)
{
	struct fixture *fixture = *state;
	const struct memtun_transport_bounds fds = {4, 4, 3, 4}, bytes = {4, 4, 4, 3};

	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &fds), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_transport_set_bounds(fixture->transport, &bytes), -1);
	assert_int_equal(errno, EINVAL);
}

static void descriptors_without_a_byte_are_refused_unharmed(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();
	ino_t arrived[1];

	assert_int_equal(memtun_transport_send(fixture->transport, "", 0, &file, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "", 0, &file, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_transport_send(fixture->transport, "", 0, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(is_open(file));
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_equal(drain(fixture, arrived, 1), 1);
}

static void a_message_carries_253_descriptors_and_254_are_refused_unharmed(void **state)
{
	struct fixture *fixture = *state;
	int files[MEMTUN_TRANSPORT_FDS_MAX + 1];
	ino_t sent[MEMTUN_TRANSPORT_FDS_MAX], arrived[MEMTUN_TRANSPORT_FDS_MAX];
	size_t max = MEMTUN_TRANSPORT_FDS_MAX;

	for (size_t i = 0; i <= max; i++)
		files[i] = file_new();
	for (size_t i = 0; i < max; i++)
		sent[i] = file_inode(files[i]);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, files, max + 1), -1);
	assert_int_equal(errno, EINVAL);
	for (size_t i = 0; i <= max; i++)
		assert_true(is_open(files[i]));
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, files, max), 0);
	assert_int_equal(drain(fixture, arrived, max), max);
	assert_memory_equal(sent, arrived, sizeof(sent));
	close(files[max]);
}

static void a_number_that_is_no_descriptor_is_refused_unharmed(void **state)
{
	struct fixture *fixture = *state;
	int files[2] = {file_new(), -1};

	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, files, 2), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, files, 2), -1);
	assert_int_equal(errno, EBADF);
	assert_true(is_open(files[0]));
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, files, 1), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
}

static void the_largest_record_goes_and_one_byte_more_is_refused_unharmed(void **state)
{
	struct fixture *fixture = *state;
	int send_buffer, file = file_new(), fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	socklen_t size = sizeof(send_buffer);
	size_t max, count;
	char *record;

	assert_int_equal(getsockopt(memtun_transport_fd(fixture->transport), SOL_SOCKET, SO_SNDBUF,
				    &send_buffer, &size),
			 0);
	max = (size_t)send_buffer - 32;
	record = calloc(1, max + 1);
	assert_non_null(record);
	assert_int_equal(memtun_transport_send(fixture->transport, record, max + 1, &file, 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_true(is_open(file));
	assert_int_equal(memtun_transport_send(fixture->transport, record, max, &file, 1), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
	assert_int_equal(peer_receive(fixture->peer, record, max + 1, fds, &count), max);
	assert_int_equal(count, 1);
	close(fds[0]);
	free(record);
}

static void sending_copies_leaves_the_callers_open(void **state)
{
	struct fixture *fixture = *state;
	int files[2] = {file_new(), file_new()};
	ino_t sent[2] = {file_inode(files[0]), file_inode(files[1])}, arrived[2];

	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, files, 2), 0);
	assert_int_equal(drain(fixture, arrived, 2), 2);
	assert_memory_equal(sent, arrived, sizeof(sent));
	assert_true(is_open(files[0]) && is_open(files[1]));
	close(files[0]);
	close(files[1]);
}

static void copies_that_cannot_all_be_had_send_nothing(void **state)
{
	struct fixture *fixture = *state;
	int files[2] = {file_new(), file_new()};
	int lowest = fcntl(files[0], F_DUPFD_CLOEXEC, 0);
	struct rlimit before, one_more;

	/* All lower numbers are used, so this is the only one that is free. */
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	one_more = (struct rlimit){(rlim_t)lowest + 1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &one_more), 0);
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, files, 2), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
	assert_true(is_open(files[0]) && is_open(files[1]));
	close(files[0]);
	close(files[1]);
}

/* Measure turns, not time: the other transports need no more turns than before. */
static void a_stalled_peer_is_paused_and_the_others_are_served(void **state)
{
	struct fixture *stalled = *state, *other;
	void *other_state = &stalled->type;
	char data[8];
	size_t count;

	fixture_stall(stalled);
	while (!stalled->pauses)
		send_new_file(stalled);
	assert_int_equal(fixture_setup(&other_state), 0);
	other = other_state;
	for (size_t i = 0; i < 1000; i++) {
		int fds[MEMTUN_TRANSPORT_FDS_MAX + 1], file = file_new();

		assert_int_equal(peer_send(other->peer, "ask", 3, NULL, 0), 3);
		memtun_transport_dispatch(other->transport, POLLIN);
		assert_int_equal(other->length, 3);
		other->length = 0;
		other->piece_count = 0;
		assert_int_equal(memtun_transport_send(other->transport, "answer", 6, &file, 1), 0);
		assert_int_equal(peer_receive(other->peer, data, sizeof(data), fds, &count), 6);
		assert_int_equal(count, 1);
		close(fds[0]);
	}
	assert_int_equal(other->pauses, 0);
	assert_true(memtun_transport_is_paused(stalled->transport));
	/* The stalled one waits for nothing but its socket. */
	assert_int_equal(poll(&(struct pollfd){.fd = memtun_transport_fd(stalled->transport),
					       .events = POLLOUT},
			      1, 0),
			 0);
	assert_int_equal(memtun_transport_deadline(stalled->transport), -1);
	assert_int_equal(fixture_teardown(&other_state), 0);
}

static void what_is_no_connected_unix_socket_is_refused_and_stays_the_callers(void **state)
{
	static const struct memtun_transport_handlers handlers = {0};
	int file = file_new(), pair[2], internet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_null(memtun_transport_new(file, &handlers, NULL));
	assert_int_equal(errno, ENOTSOCK);
	assert_null(memtun_transport_new(-1, &handlers, NULL));
	assert_int_equal(errno, EBADF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_null(memtun_transport_new(pair[0], &handlers, NULL));
	assert_int_equal(errno, EPROTOTYPE);
	assert_null(memtun_transport_new(internet, &handlers, NULL));
	assert_int_equal(errno, EPROTOTYPE);
	assert_true(is_open(file) && is_open(pair[0]) && is_open(internet));
	close(file);
	close(pair[0]);
	close(pair[1]);
	close(internet);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(a_message_arrives_with_its_descriptors_in_order),
	ON_BOTH(a_sent_descriptor_is_closed_here),
	ON_BOTH(a_queued_descriptor_keeps_its_number_from_being_reused),
	ON_BOTH(a_number_reused_while_queued_never_sends_the_foreign_file),
	ON_BOTH(freeing_closes_all_that_is_queued),
	ON_BOTH(queued_messages_keep_their_order),
	ON_BOTH(the_64th_descriptor_does_not_pause_and_the_65th_does),
	ON_BOTH(as_many_bytes_as_the_bound_do_not_pause_and_one_more_does),
	ON_BOTH(descriptors_at_half_the_bound_resume_and_one_more_does_not),
	ON_BOTH(bytes_at_half_the_bound_resume_and_one_more_does_not),
	ON_BOTH(descriptors_past_the_hard_bound_are_refused_and_none_is_lost),
	ON_BOTH(bytes_past_the_hard_bound_are_refused_and_none_is_lost),
	ON_BOTH(a_hard_bound_below_the_pause_bound_is_refused),
	ON_BOTH(descriptors_without_a_byte_are_refused_unharmed),
	ON_BOTH(a_message_carries_253_descriptors_and_254_are_refused_unharmed),
	ON_BOTH(a_number_that_is_no_descriptor_is_refused_unharmed),
	ON_SEQPACKET(the_largest_record_goes_and_one_byte_more_is_refused_unharmed),
	ON_BOTH(sending_copies_leaves_the_callers_open),
	ON_BOTH(copies_that_cannot_all_be_had_send_nothing),
	ON_BOTH(a_stalled_peer_is_paused_and_the_others_are_served),
	cmocka_unit_test(what_is_no_connected_unix_socket_is_refused_and_stays_the_callers),
};

int main(void)
{
	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/* Receiving: data, descriptors, too many or too few of them, and other ancillary data. */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Defined in linux/socket.h since Linux 6.5, and in asm-generic/socket.h. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

/* Send one byte with new files to the transport, and close the files here. */
static void send_files(struct fixture *fixture, size_t count, ino_t *inodes)
{
	int files[MEMTUN_TRANSPORT_FDS_MAX] = {0};

	for (size_t i = 0; i < count; i++) {
		files[i] = file_new();
		inodes[i] = file_inode(files[i]);
	}
	assert_int_equal(peer_send(fixture->peer, "f", 1, files, count), 1);
	for (size_t i = 0; i < count; i++)
		close(files[i]);
}

static void assert_files(const struct fixture *fixture, const ino_t *inodes, size_t count)
{
	assert_int_equal(fixture->fd_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(file_inode(fixture->fds[i]), inodes[i]);
}

static void descriptors_come_in_order_and_before_their_data(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[3];

	send_files(fixture, 3, inodes);
	fixture_run(fixture);
	assert_files(fixture, inodes, 3);
	assert_int_equal(fixture->piece_count, 1);
	assert_int_equal(fixture->pieces[0].fds_before, 3);
	assert_int_equal(fixture->pieces[0].flags, 0);
}

static void received_descriptors_are_close_on_exec(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[2];

	send_files(fixture, 2, inodes);
	fixture_run(fixture);
	assert_int_equal(fixture->fd_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fcntl(fixture->fds[i], F_GETFD), FD_CLOEXEC);
}

static void a_message_of_253_descriptors_arrives(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[MEMTUN_TRANSPORT_FDS_MAX];

	send_files(fixture, MEMTUN_TRANSPORT_FDS_MAX, inodes);
	fixture_run(fixture);
	assert_files(fixture, inodes, MEMTUN_TRANSPORT_FDS_MAX);
}

static void the_kernel_itself_refuses_254_descriptors(void **state)
{
	struct fixture *fixture = *state;
	int files[MEMTUN_TRANSPORT_FDS_MAX + 1], file = file_new();

	for (size_t i = 0; i <= MEMTUN_TRANSPORT_FDS_MAX; i++)
		files[i] = file;
	assert_int_equal(peer_send(fixture->peer, "f", 1, files, MEMTUN_TRANSPORT_FDS_MAX + 1), -1);
	assert_int_equal(errno, EINVAL);
	close(file);
}

/* Does the kernel apply this limit on open files? Under valgrind setrlimit(2) doesn't set it. */
static bool limit_is(rlim_t wanted)
{
	unsigned long limit;
	char line[256];
	bool found = false;
	FILE *limits = fopen("/proc/self/limits", "re");

	assert_non_null(limits);
	while (fgets(line, sizeof(line), limits)) {
		if (sscanf(line, "Max open files %lu", &limit) == 1)
			found = limit == wanted;
	}
	fclose(limits);
	return found;
}

/* Lower the limit so that only that many more descriptors can be opened. */
static void limit_descriptors(size_t room, struct rlimit *before)
{
	struct rlimit lowered;
	int lowest = file_new();
	bool real;

	close(lowest);
	for (size_t i = 0; i < room; i++)
		assert_int_equal(fcntl(lowest + (int)i, F_GETFD), -1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	/* Leave some room to check whether it took effect. */
	lowered = (struct rlimit){(rlim_t)lowest + room + 1, before->rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
	real = limit_is(lowered.rlim_cur);
	lowered.rlim_cur--;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, real ? &lowered : before), 0);
	if (!real)
		test_skip("the limit on open files is not the kernel's (valgrind)");
}

static void assert_lost(struct fixture *fixture, size_t closed)
{
	assert_int_equal(fixture->fd_count, 0);
	assert_int_equal(fixture->piece_count, 1);
	assert_int_equal(fixture->length, 1);
	assert_int_equal(fixture->pieces[0].flags, MEMTUN_TRANSPORT_FDS_LOST);
	assert_int_equal(fixture->notice_count, 1);
	assert_int_equal(fixture->notices[0].kind, MEMTUN_TRANSPORT_NOTICE_FDS_LOST);
	assert_int_equal(fixture->notices[0].fds, closed);
	assert_int_equal(fixture->ends, 0);
}

/* Receive 3 descriptors where that many can be opened: all are lost. The next 3 arrive. */
static void receive_with_room_for(struct fixture *fixture, size_t room)
{
	struct rlimit before;
	ino_t inodes[3];

	send_files(fixture, 3, inodes);
	limit_descriptors(room, &before);
	fixture_run(fixture);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_lost(fixture, (int)room);
	send_files(fixture, 3, inodes);
	fixture_run(fixture);
	assert_files(fixture, inodes, 3);
}

static void without_a_free_number_the_data_comes_and_says_so(void **state)
{
	receive_with_room_for(*state, 0);
}

static void with_too_few_free_numbers_those_that_came_are_closed(void **state)
{
	receive_with_room_for(*state, 2);
}

static void descriptors_without_a_handler_are_closed_and_the_data_says_so(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[5];

	fixture->handlers.fd_received = NULL;
	send_files(fixture, 5, inodes);
	assert_int_equal(peer_send(fixture->peer, "p", 1, NULL, 0), 1);
	fixture_run(fixture);
	assert_int_equal(fixture->piece_count, 2);
	assert_int_equal(fixture->pieces[0].flags, MEMTUN_TRANSPORT_FDS_SURPLUS);
	assert_int_equal(fixture->pieces[1].flags, 0);
	assert_memory_equal(fixture->data, "fp", 2);
	assert_int_equal(fixture->notice_count, 1);
	assert_int_equal(fixture->notices[0].kind, MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS);
	assert_int_equal(fixture->notices[0].fds, 5);
}

static void without_any_handler_all_is_closed(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[5];

	fixture->handlers = (struct memtun_transport_handlers){0};
	send_files(fixture, 5, inodes);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_int_equal(memtun_transport_events(fixture->transport), 0);
}

static void credentials_beside_descriptors_hide_none_of_them(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[3];
	int on = 1;

	assert_int_equal(setsockopt(memtun_transport_fd(fixture->transport), SOL_SOCKET,
				    SO_PASSCRED, &on, sizeof(on)),
			 0);
	send_files(fixture, 3, inodes);
	fixture_run(fixture);
	assert_files(fixture, inodes, 3);
	assert_int_equal(fixture->pieces[0].flags, 0);
	assert_int_equal(fixture->notice_count, 1);
	assert_int_equal(fixture->notices[0].kind, MEMTUN_TRANSPORT_NOTICE_ANCILLARY);
	assert_int_equal(fixture->notices[0].level, SOL_SOCKET);
	assert_int_equal(fixture->notices[0].type, SCM_CREDENTIALS);
}

static void a_pidfd_beside_descriptors_is_closed(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[3];
	int on = 1;

	if (setsockopt(memtun_transport_fd(fixture->transport), SOL_SOCKET, SO_PASSPIDFD, &on,
		       sizeof(on)) < 0)
		test_skip("this kernel has no SO_PASSPIDFD");
	send_files(fixture, 3, inodes);
	fixture_run(fixture);
	assert_files(fixture, inodes, 3);
	assert_int_equal(fixture->notice_count, 1);
	assert_int_equal(fixture->notices[0].kind, MEMTUN_TRANSPORT_NOTICE_ANCILLARY);
}

static void two_control_messages_of_descriptors_are_both_taken(void **state)
{
	struct fixture *fixture = *state;
	int files[2] = {file_new(), file_new()};
	ino_t inodes[2] = {file_inode(files[0]), file_inode(files[1])};
	union {
		char room[2 * CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec bytes = {.iov_base = (void *)"f", .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	for (size_t i = 0; i < 2; i++) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &files[i], sizeof(int));
		header = CMSG_NXTHDR(&message, header);
	}
	assert_int_equal(sendmsg(fixture->peer, &message, 0), 1);
	fixture_run(fixture);
	assert_files(fixture, inodes, 2);
	close(files[0]);
	close(files[1]);
}

static void an_empty_record_is_not_the_end(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(peer_send(fixture->peer, "", 0, NULL, 0), 0);
	assert_int_equal(peer_send(fixture->peer, "after", 5, NULL, 0), 5);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
	assert_int_equal(fixture->piece_count, 2);
	assert_int_equal(fixture->pieces[0].length, 0);
	assert_memory_equal(fixture->data, "after", 5);
}

static void an_empty_record_before_the_end_hides_nothing_after_it(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(peer_send(fixture->peer, "", 0, NULL, 0), 0);
	assert_int_equal(peer_send(fixture->peer, "after", 5, NULL, 0), 5);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_memory_equal(fixture->data, "after", 5);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, 0);
}

static void descriptors_in_an_empty_record_arrive(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();
	ino_t inode = file_inode(file);

	assert_int_equal(peer_send(fixture->peer, "", 0, &file, 1), 0);
	close(file);
	fixture_close_peer(fixture);
	fixture_run(fixture);
	assert_files(fixture, &inode, 1);
	assert_int_equal(fixture->ends, 1);
}

static void a_record_too_long_to_be_read_is_cut_and_says_so(void **state)
{
	struct fixture *fixture = *state;
	char *record = calloc(1, MEMTUN_TRANSPORT_READ_MAX + 1);

	assert_non_null(record);
	assert_int_equal(peer_send(fixture->peer, record, MEMTUN_TRANSPORT_READ_MAX + 1, NULL, 0),
			 MEMTUN_TRANSPORT_READ_MAX + 1);
	assert_int_equal(peer_send(fixture->peer, record, MEMTUN_TRANSPORT_READ_MAX, NULL, 0),
			 MEMTUN_TRANSPORT_READ_MAX);
	free(record);
	fixture_run(fixture);
	assert_int_equal(fixture->piece_count, 2);
	assert_int_equal(fixture->pieces[0].length, MEMTUN_TRANSPORT_READ_MAX);
	assert_int_equal(fixture->pieces[0].flags, MEMTUN_TRANSPORT_DATA_CUT);
	assert_int_equal(fixture->pieces[1].length, MEMTUN_TRANSPORT_READ_MAX);
	assert_int_equal(fixture->pieces[1].flags, 0);
}

static void what_is_not_read_pauses_the_peer_and_is_not_lost(void **state)
{
	struct fixture *fixture = *state;
	size_t sent = 0;

	memtun_transport_set_reading(fixture->transport, false);
	assert_int_equal(memtun_transport_events(fixture->transport), 0);
	while (peer_send(fixture->peer, "d", 1, NULL, 0) == 1)
		sent++;
	assert_int_equal(errno, EAGAIN);
	memtun_transport_dispatch(fixture->transport, POLLIN);
	assert_int_equal(fixture->length, 0);
	memtun_transport_set_reading(fixture->transport, true);
	fixture_run(fixture);
	assert_int_equal(fixture->length, sent);
	assert_int_equal(peer_send(fixture->peer, "d", 1, NULL, 0), 1);
}

static void a_handler_that_turns_reading_off_gets_nothing_more(void **state)
{
	struct fixture *fixture = *state;
	ino_t inodes[3];

	for (size_t i = 0; i < 3; i++)
		send_files(fixture, 1, &inodes[i]);
	fixture->stop_at_data = true;
	for (size_t i = 1; i <= 3; i++) {
		fixture_run(fixture);
		assert_files(fixture, inodes, i);
		assert_int_equal(fixture->piece_count, i);
		memtun_transport_set_reading(fixture->transport, true);
	}
}

static void a_peer_that_sends_much_leaves_the_loop_to_others(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 100; i++)
		assert_int_equal(peer_send(fixture->peer, "d", 1, NULL, 0), 1);
	memtun_transport_dispatch(fixture->transport, POLLIN);
	assert_in_range(fixture->length, 1, 99);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 100);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(descriptors_come_in_order_and_before_their_data),
	ON_BOTH(received_descriptors_are_close_on_exec),
	ON_BOTH(a_message_of_253_descriptors_arrives),
	ON_BOTH(the_kernel_itself_refuses_254_descriptors),
	ON_BOTH(without_a_free_number_the_data_comes_and_says_so),
	ON_BOTH(with_too_few_free_numbers_those_that_came_are_closed),
	ON_BOTH(descriptors_without_a_handler_are_closed_and_the_data_says_so),
	ON_BOTH(without_any_handler_all_is_closed),
	ON_BOTH(credentials_beside_descriptors_hide_none_of_them),
	ON_BOTH(a_pidfd_beside_descriptors_is_closed),
	ON_BOTH(two_control_messages_of_descriptors_are_both_taken),
	ON_SEQPACKET(an_empty_record_is_not_the_end),
	ON_SEQPACKET(an_empty_record_before_the_end_hides_nothing_after_it),
	ON_SEQPACKET(descriptors_in_an_empty_record_arrive),
	ON_SEQPACKET(a_record_too_long_to_be_read_is_cut_and_says_so),
	ON_BOTH(what_is_not_read_pauses_the_peer_and_is_not_lost),
	ON_BOTH(a_handler_that_turns_reading_off_gets_nothing_more),
	ON_SEQPACKET(a_peer_that_sends_much_leaves_the_loop_to_others),
};

int main(void)
{
	return RUN_TESTS(tests);
}

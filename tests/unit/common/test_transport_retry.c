/* SPDX-License-Identifier: MIT */
/*
 * The transport when a call fails with a transient error, is interrupted, or takes less than it was
 * given: sendmsg, recvmsg, malloc and the clock are wrapped. The wrappers also check each call:
 * none uses MSG_PEEK, and none sends descriptors without a byte.
 */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

ssize_t __real_sendmsg(int socket, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int socket, const struct msghdr *message, int flags);
ssize_t __real_recvmsg(int socket, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int socket, struct msghdr *message, int flags);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

/* How a call fails: with which errno, how many times, after how many successes; and its count. */
struct fault {
	int error;
	int after;
	int times;
	int calls;
	int with_fds; /* sendmsg: how many calls carried descriptors */
	size_t max;   /* sendmsg: takes no more bytes than this; 0: no limit */
};

static struct fault send_fault, receive_fault, memory_fault;
static int64_t now;

static bool fault_strikes(struct fault *fault)
{
	fault->calls++;
	if (!fault->times || fault->after-- > 0)
		return false;
	fault->times--;
	errno = fault->error;
	return true;
}

ssize_t __wrap_sendmsg(int socket, const struct msghdr *message, int flags)
{
	struct msghdr part = *message;
	struct iovec bytes = *message->msg_iov;

	assert_true(flags & MSG_NOSIGNAL);
	assert_true(bytes.iov_len > 0);
	if (fault_strikes(&send_fault))
		return -1;
	if (send_fault.max && bytes.iov_len > send_fault.max)
		bytes.iov_len = send_fault.max;
	part.msg_iov = &bytes;
	send_fault.with_fds += message->msg_controllen > 0;
	return __real_sendmsg(socket, &part, flags);
}

ssize_t __wrap_recvmsg(int socket, struct msghdr *message, int flags)
{
	assert_false(flags & MSG_PEEK);
	assert_true(flags & MSG_CMSG_CLOEXEC);
	if (fault_strikes(&receive_fault))
		return -1;
	return __real_recvmsg(socket, message, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	time->tv_sec = now / CLOCK_SECOND;
	time->tv_nsec = now % CLOCK_SECOND;
	return 0;
}

void *__wrap_malloc(size_t size)
{
	return fault_strikes(&memory_fault) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fault_strikes(&memory_fault) ? NULL : __real_calloc(count, size);
}

static void faults_clear(void)
{
	send_fault = (struct fault){0};
	receive_fault = (struct fault){0};
	memory_fault = (struct fault){0};
	now = 1000 * CLOCK_SECOND;
}

static const int transient_errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, ETOOMANYREFS};
#define TRANSIENT_ERRORS (sizeof(transient_errors) / sizeof(transient_errors[0]))

/* Read at the peer: the bytes, and the inode of the one descriptor or 0. */
static ino_t take(struct fixture *fixture, const char *text)
{
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	char data[64];
	ino_t inode = 0;
	size_t count;

	assert_int_equal(peer_receive(fixture->peer, data, sizeof(data), fds, &count),
			 strlen(text));
	assert_memory_equal(data, text, strlen(text));
	assert_in_range(count, 0, 1);
	if (count) {
		inode = file_inode(fds[0]);
		close(fds[0]);
	}
	return inode;
}

static void a_transient_error_keeps_the_queue_and_is_retried_later(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < TRANSIENT_ERRORS; i++) {
		int file = file_new();
		ino_t inode = file_inode(file);

		faults_clear();
		send_fault.error = transient_errors[i];
		send_fault.times = 1;
		fixture->notice_count = 0;
		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
		assert_int_equal(memtun_transport_queued_fds(fixture->transport), 1);
		assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 1);
		assert_int_equal(memtun_transport_retries(fixture->transport), i + 1);
		assert_int_equal(fixture->notice_count, 1);
		assert_int_equal(fixture->notices[0].kind, MEMTUN_TRANSPORT_NOTICE_RETRY);
		assert_int_equal(fixture->notices[0].error, transient_errors[i]);
		/* The socket is writable all the time, and the transport waits for the clock. */
		assert_int_equal(memtun_transport_events(fixture->transport), POLLIN);
		assert_int_equal(memtun_transport_deadline(fixture->transport),
				 now + CLOCK_MILLISECOND);
		now += CLOCK_MILLISECOND;
		memtun_transport_dispatch(fixture->transport, 0);
		assert_int_equal(take(fixture, "f"), inode);
		assert_int_equal(memtun_transport_deadline(fixture->transport), -1);
	}
	assert_int_equal(fixture->ends, 0);
}

static void before_the_deadline_nothing_is_tried(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	send_fault.error = ETOOMANYREFS;
	send_fault.times = 1;
	assert_int_equal(memtun_transport_send(fixture->transport, "one", 3, NULL, 0), 0);
	now += CLOCK_MILLISECOND - 1;
	memtun_transport_dispatch(fixture->transport, POLLOUT);
	assert_int_equal(memtun_transport_send(fixture->transport, "two", 3, NULL, 0), 0);
	assert_int_equal(send_fault.calls, 1);
	now++;
	memtun_transport_dispatch(fixture->transport, 0);
	assert_int_equal(send_fault.calls, 3);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
}

static void the_wait_doubles_up_to_a_second_and_success_clears_it(void **state)
{
	struct fixture *fixture = *state;
	int64_t wait = CLOCK_MILLISECOND;

	faults_clear();
	send_fault.error = ETOOMANYREFS;
	send_fault.times = 13;
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), 0);
	for (size_t i = 1; i < 13; i++) {
		assert_int_equal(memtun_transport_deadline(fixture->transport), now + wait);
		now += wait;
		memtun_transport_dispatch(fixture->transport, 0);
		wait = wait * 2 < CLOCK_SECOND ? wait * 2 : CLOCK_SECOND;
	}
	assert_int_equal(memtun_transport_deadline(fixture->transport), now + CLOCK_SECOND);
	assert_int_equal(memtun_transport_retries(fixture->transport), 13);
	now += CLOCK_SECOND;
	memtun_transport_dispatch(fixture->transport, 0);
	assert_int_equal(take(fixture, "f"), 0);
	send_fault.times = 1;
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), 0);
	assert_int_equal(memtun_transport_deadline(fixture->transport), now + CLOCK_MILLISECOND);
}

static void a_transient_error_on_sending_does_not_stop_receiving(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	send_fault.error = ETOOMANYREFS;
	send_fault.times = 1;
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), 0);
	assert_int_equal(write(fixture->peer, "data", 4), 4);
	fixture_run(fixture);
	assert_int_equal(fixture->length, 4);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 1);
}

static void a_transient_error_pauses_the_producer_as_a_full_queue_does(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	send_fault.error = ETOOMANYREFS;
	send_fault.times = 1;
	for (size_t i = 0; i < 65; i++) {
		int file = file_new();

		assert_int_equal(fixture->pauses, 0);
		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	}
	assert_int_equal(fixture->pauses, 1);
	now += CLOCK_SECOND;
	fixture_run(fixture);
	assert_int_equal(fixture->resumes, 1);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
}

static void a_transient_error_on_receiving_loses_nothing_and_waits(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < TRANSIENT_ERRORS; i++) {
		faults_clear();
		receive_fault.error = transient_errors[i];
		receive_fault.times = 2;
		fixture->length = 0;
		assert_int_equal(write(fixture->peer, "data", 4), 4);
		memtun_transport_dispatch(fixture->transport, POLLIN);
		assert_int_equal(memtun_transport_events(fixture->transport), 0);
		assert_int_equal(memtun_transport_deadline(fixture->transport),
				 now + CLOCK_MILLISECOND);
		memtun_transport_dispatch(fixture->transport, POLLIN);
		assert_int_equal(receive_fault.calls, 1);
		now += CLOCK_MILLISECOND;
		memtun_transport_dispatch(fixture->transport, 0);
		assert_int_equal(memtun_transport_events(fixture->transport), POLLIN);
		memtun_transport_dispatch(fixture->transport, POLLIN);
		assert_int_equal(memtun_transport_deadline(fixture->transport),
				 now + 2 * CLOCK_MILLISECOND);
		now += 2 * CLOCK_MILLISECOND;
		memtun_transport_dispatch(fixture->transport, 0);
		fixture_run(fixture);
		assert_int_equal(fixture->length, 4);
		assert_int_equal(memtun_transport_deadline(fixture->transport), -1);
	}
	assert_int_equal(fixture->ends, 0);
}

static void what_can_be_sent_is_sent_while_receiving_waits(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	receive_fault.error = ENOMEM;
	receive_fault.times = 1;
	assert_int_equal(write(fixture->peer, "data", 4), 4);
	memtun_transport_dispatch(fixture->transport, POLLIN);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), 0);
	receive_fault.times = 0;
	assert_int_equal(take(fixture, "f"), 0);
}

static void all_data_of_a_dead_peer_is_received_after_a_transient_error(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	receive_fault.error = ENOMEM;
	receive_fault.times = 1;
	assert_int_equal(write(fixture->peer, "last", 4), 4);
	fixture_close_peer(fixture);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), 0);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 0);
	now += CLOCK_MILLISECOND;
	fixture_run(fixture);
	assert_int_equal(fixture->length, 4);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, EPIPE);
}

static void an_interrupted_call_is_repeated_at_once(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();
	ino_t inode = file_inode(file);

	faults_clear();
	send_fault.error = receive_fault.error = EINTR;
	send_fault.times = receive_fault.times = 3;
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_equal(send_fault.calls, 4);
	assert_int_equal(write(fixture->peer, "data", 4), 4);
	memtun_transport_dispatch(fixture->transport, POLLIN);
	assert_int_equal(fixture->length, 4);
	assert_int_equal(memtun_transport_retries(fixture->transport), 0);
	assert_int_equal(take(fixture, "f"), inode);
}

static void any_other_error_of_sending_ends_it(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();

	faults_clear();
	send_fault.error = EACCES;
	send_fault.times = 1;
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	fixture_run(fixture);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, EACCES);
}

static void any_other_error_of_receiving_ends_it(void **state)
{
	struct fixture *fixture = *state;

	faults_clear();
	receive_fault.error = EIO;
	receive_fault.times = 1;
	memtun_transport_dispatch(fixture->transport, POLLIN);
	assert_int_equal(fixture->ends, 1);
	assert_int_equal(fixture->end_error, EIO);
}

static void a_stream_goes_on_after_a_partial_write_without_the_descriptors(void **state)
{
	struct fixture *fixture = *state;

	for (size_t max = 1; max <= 11; max++) {
		int file = file_new();
		ino_t inode = file_inode(file), arrived = 0;
		size_t position = 0;
		char data[10];

		faults_clear();
		send_fault.max = max;
		assert_int_equal(
			memtun_transport_send(fixture->transport, "0123456789", 10, &file, 1), 0);
		assert_int_equal(send_fault.with_fds, 1);
		assert_int_equal(send_fault.calls, (10 + max - 1) / max);
		while (position < 10) {
			int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
			size_t count;
			ssize_t length = peer_receive(fixture->peer, data + position, 10 - position,
						      fds, &count);

			assert_true(length > 0);
			assert_int_equal(count, position == 0);
			if (count) {
				arrived = file_inode(fds[0]);
				close(fds[0]);
			}
			position += (size_t)length;
		}
		assert_memory_equal(data, "0123456789", 10);
		assert_int_equal(arrived, inode);
	}
}

static void sending_resumes_where_a_transient_error_stopped_it(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new();
	ino_t inode = file_inode(file);

	faults_clear();
	send_fault = (struct fault){.error = ENOBUFS, .after = 1, .times = 1, .max = 4};
	assert_int_equal(memtun_transport_send(fixture->transport, "0123456789", 10, &file, 1), 0);
	assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 6);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
	assert_int_equal(take(fixture, "0123"), inode);
	now += CLOCK_MILLISECOND;
	memtun_transport_dispatch(fixture->transport, 0);
	assert_int_equal(send_fault.with_fds, 1);
	assert_int_equal(take(fixture, "456789"), 0);
}

static void without_memory_nothing_is_sent_and_the_caller_still_owns(void **state)
{
	struct fixture *fixture = *state;
	int file = file_new(), error, result;

	faults_clear();
	memory_fault.error = ENOMEM;
	memory_fault.times = 1;
	result = memtun_transport_send(fixture->transport, "f", 1, &file, 1);
	error = errno;
	assert_int_equal(memory_fault.calls, 1);
	assert_int_equal(result, -1);
	assert_int_equal(error, ENOMEM);
	memory_fault.times = 1;
	assert_int_equal(memtun_transport_send_copies(fixture->transport, "f", 1, &file, 1), -1);
	assert_int_equal(send_fault.calls, 0);
	assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
	assert_int_not_equal(take(fixture, "f"), 0);
}

static void without_memory_no_transport_is_made_and_the_caller_still_owns(void **state)
{
	struct fixture *fixture = *state;
	struct memtun_transport *made;

	faults_clear();
	memory_fault.error = ENOMEM;
	memory_fault.times = 1;
	made = memtun_transport_new(fixture->peer, &fixture->handlers, fixture);
	assert_int_equal(memory_fault.calls, 1);
	assert_null(made);
	assert_int_equal(errno, ENOMEM);
	assert_true(fcntl(fixture->peer, F_GETFD) >= 0);
}

/* The kernel limits how many descriptors of a user are in sockets; root has no limit. */
static void a_uid_with_too_much_under_way_waits_until_the_peer_reads(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before, low;
	size_t sent = 0, arrived = 0, count;
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	char byte;

	faults_clear();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){64, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (memtun_transport_retries(fixture->transport) == 0 && sent < 200) {
		int file = file_new();

		assert_int_equal(memtun_transport_send(fixture->transport, "f", 1, &file, 1), 0);
		sent++;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (memtun_transport_retries(fixture->transport) == 0)
		test_skip("this user may have any number of descriptors under way");
	assert_int_equal(fixture->notices[0].error, ETOOMANYREFS);
	assert_int_equal(memtun_transport_queued_fds(fixture->transport), 1);
	now += CLOCK_MILLISECOND;
	while (peer_receive(fixture->peer, &byte, 1, fds, &count) == 1) {
		assert_int_equal(count, 1);
		close(fds[0]);
		arrived++;
		memtun_transport_dispatch(fixture->transport, 0);
	}
	assert_int_equal(arrived, sent);
}

static int clear_first(void **state)
{
	(void)state;
	faults_clear();
	return 0;
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(a_transient_error_keeps_the_queue_and_is_retried_later),
	ON_BOTH(before_the_deadline_nothing_is_tried),
	ON_BOTH(the_wait_doubles_up_to_a_second_and_success_clears_it),
	ON_BOTH(a_transient_error_on_sending_does_not_stop_receiving),
	ON_BOTH(a_transient_error_pauses_the_producer_as_a_full_queue_does),
	ON_BOTH(a_transient_error_on_receiving_loses_nothing_and_waits),
	ON_BOTH(what_can_be_sent_is_sent_while_receiving_waits),
	ON_BOTH(all_data_of_a_dead_peer_is_received_after_a_transient_error),
	ON_BOTH(an_interrupted_call_is_repeated_at_once),
	ON_BOTH(any_other_error_of_sending_ends_it),
	ON_BOTH(any_other_error_of_receiving_ends_it),
	ON_BOTH(a_uid_with_too_much_under_way_waits_until_the_peer_reads),
	ON_STREAM(a_stream_goes_on_after_a_partial_write_without_the_descriptors),
	ON_STREAM(sending_resumes_where_a_transient_error_stopped_it),
	ON_BOTH(without_memory_nothing_is_sent_and_the_caller_still_owns),
	ON_BOTH(without_memory_no_transport_is_made_and_the_caller_still_owns),
};

int main(void)
{
	return RUN_TESTS_WITH(tests, clear_first, NULL);
}

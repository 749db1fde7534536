/* SPDX-License-Identifier: MIT */
/* A transport whose handlers record their calls, and a peer of plain system calls. */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptor.h"

const int fixture_seqpacket = SOCK_SEQPACKET;
const int fixture_stream = SOCK_STREAM;

/* Return true if the transport has been freed, so that the handler must not use it. */
static bool fixture_enter(struct fixture *fixture, enum handler handler)
{
	if (!fixture->transport) {
		fixture->calls_after_free++;
		return true;
	}
	if (fixture->free_in != handler)
		return false;
	memtun_transport_free(fixture->transport);
	fixture->transport = NULL;
	return true;
}

static void record_fd(struct memtun_transport *transport, int fd, void *context)
{
	struct fixture *fixture = context;

	(void)transport;
	assert_in_range(fixture->fd_count, 0, FIXTURE_FDS_MAX - 1);
	fixture->fds[fixture->fd_count++] = fd;
	fixture_enter(fixture, HANDLER_FD_RECEIVED);
}

static void record_data(struct memtun_transport *transport, const void *data, size_t length,
			unsigned int flags, void *context)
{
	struct fixture *fixture = context;

	assert_in_range(fixture->piece_count, 0, FIXTURE_PIECES_MAX - 1);
	assert_in_range(fixture->length + length, 0, FIXTURE_DATA_MAX);
	fixture->pieces[fixture->piece_count++] = (struct piece){
		.start = fixture->length,
		.length = length,
		.fds_before = fixture->fd_count,
		.flags = flags,
	};
	memcpy(fixture->data + fixture->length, data, length);
	fixture->length += length;
	if (!fixture_enter(fixture, HANDLER_DATA_RECEIVED) && fixture->stop_at_data)
		memtun_transport_set_reading(transport, false);
}

static void record_pause(struct memtun_transport *transport, void *context)
{
	struct fixture *fixture = context;

	assert_true(memtun_transport_is_paused(transport));
	fixture->pauses++;
}

static void record_resume(struct memtun_transport *transport, void *context)
{
	struct fixture *fixture = context;

	assert_false(memtun_transport_is_paused(transport));
	fixture->resumes++;
	fixture_enter(fixture, HANDLER_RESUME);
}

static void record_drained(struct memtun_transport *transport, void *context)
{
	struct fixture *fixture = context;

	assert_int_equal(memtun_transport_queued_bytes(transport), 0);
	fixture->drains++;
	fixture_enter(fixture, HANDLER_DRAINED);
}

static void record_half_closed(struct memtun_transport *transport, void *context)
{
	struct fixture *fixture = context;

	(void)transport;
	fixture->half_closes++;
	fixture_enter(fixture, HANDLER_HALF_CLOSED);
}

static void record_closed(struct memtun_transport *transport, int error, void *context)
{
	struct fixture *fixture = context;

	(void)transport;
	fixture->ends++;
	fixture->end_error = error;
	fixture_enter(fixture, HANDLER_CLOSED);
}

static void record_notice(struct memtun_transport *transport,
			  const struct memtun_transport_notice *notice, void *context)
{
	struct fixture *fixture = context;

	(void)transport;
	if (fixture->notice_count < 16)
		fixture->notices[fixture->notice_count++] = *notice;
}

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int pair[2];

	if (!fixture)
		return -1;
	fixture->type = *(const int *)*state;
	if (socketpair(AF_UNIX, fixture->type | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	fixture->handlers = (struct memtun_transport_handlers){
		.fd_received = record_fd,
		.data_received = record_data,
		.pause = record_pause,
		.resume = record_resume,
		.closed = record_closed,
		.notice = record_notice,
		.drained = record_drained,
	};
	fixture->transport = memtun_transport_new(pair[0], &fixture->handlers, fixture);
	fixture->peer = pair[1];
	*state = fixture;
	return fixture->transport ? 0 : -1;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	int late = fixture->calls_after_free;

	memtun_transport_free(fixture->transport);
	fixture_close_peer(fixture);
	for (size_t i = 0; i < fixture->fd_count; i++)
		descriptor_close(&fixture->fds[i]);
	if (late)
		print_error("%d handlers were called after the transport was freed\n", late);
	free(fixture);
	return late ? -1 : 0;
}

void fixture_count_half_closes(struct fixture *fixture)
{
	fixture->handlers.half_closed = record_half_closed;
}

void fixture_close_peer(struct fixture *fixture)
{
	descriptor_close(&fixture->peer);
}

/* Wait for one event or deadline. Return false if nothing happened in that time. */
static bool fixture_step(struct fixture *fixture, int milliseconds_max)
{
	struct pollfd poll_fd = {.revents = 0};
	int64_t deadline = memtun_transport_deadline(fixture->transport);
	int timeout = clock_poll_timeout(deadline);

	if (timeout < 0 || timeout > milliseconds_max)
		timeout = milliseconds_max;
	poll_fd.events = memtun_transport_events(fixture->transport);
	poll_fd.fd = poll_fd.events ? memtun_transport_fd(fixture->transport) : -1;
	assert_true(poll(&poll_fd, 1, timeout) >= 0);
	if (!poll_fd.revents && (deadline < 0 || deadline > clock_now()))
		return false;
	memtun_transport_dispatch(fixture->transport, poll_fd.revents);
	return true;
}

void fixture_run(struct fixture *fixture)
{
	/* The bound ends a test of a transport that never becomes idle. */
	for (int i = 0; i < 100000; i++) {
		if (!fixture->transport || !fixture_step(fixture, 0))
			return;
	}
	fail_msg("the transport always finds something to do");
}

void fixture_wait(struct fixture *fixture)
{
	if (!fixture_step(fixture, 10000))
		fail_msg("nothing happened in ten seconds");
}

size_t fixture_stall(struct fixture *fixture)
{
	size_t sent = 0;

	while (memtun_transport_queued_bytes(fixture->transport) == 0) {
		assert_int_equal(memtun_transport_send(fixture->transport, "s", 1, NULL, 0), 0);
		sent++;
		/* A default send buffer takes 278 of these (measured). */
		assert_in_range(sent, 1, 100000);
	}
	return sent;
}

int file_new(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

ino_t file_inode(int fd)
{
	struct stat file;

	assert_int_equal(fstat(fd, &file), 0);
	return file.st_ino;
}

/* Room for one descriptor more than a message can carry, so that the kernel refuses it. */
union control {
	char room[CMSG_SPACE((MEMTUN_TRANSPORT_FDS_MAX + 1) * sizeof(int))];
	struct cmsghdr align;
};

ssize_t peer_receive(int socket, void *data, size_t room, int *fds, size_t *fd_count)
{
	union control control;
	struct iovec bytes = {.iov_base = data, .iov_len = room};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *header;

	*fd_count = 0;
	if (length < 0)
		return length;
	header = CMSG_FIRSTHDR(&message);
	if (header) {
		assert_int_equal(header->cmsg_type, SCM_RIGHTS);
		*fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), *fd_count * sizeof(int));
		assert_null(CMSG_NXTHDR(&message, header));
	}
	return length;
}

ssize_t peer_send(int socket, const void *data, size_t length, const int *fds, size_t fd_count)
{
	union control control;
	struct iovec bytes = {.iov_base = (void *)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (fd_count) {
		struct cmsghdr *header;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

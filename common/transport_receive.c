/* SPDX-License-Identifier: MIT */
/*
 * The receiving side of a transport: one read, its descriptors, its data. MSG_CTRUNC is checked
 * before any control message, because with it there may be none. MSG_PEEK is never used, because
 * the kernel would install the descriptors a second time.
 */
#include "common/transport_parts.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/descriptor.h"

/* The sender's pidfd, for a socket with SO_PASSPIDFD. Headers before Linux 6.5 don't define it. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* Room for the descriptors of one message, and for other ancillary data: credentials, an LSM's
 * label, a time stamp. */
#define CONTROL_ROOM (CMSG_SPACE(MEMTUN_TRANSPORT_FDS_MAX * sizeof(int)) + 512)

struct received_fds {
	int fds[MEMTUN_TRANSPORT_FDS_MAX];
	size_t count;
};

static void received_fds_close(struct received_fds *received)
{
	for (size_t i = 0; i < received->count; i++)
		descriptor_close(&received->fds[i]);
	received->count = 0;
}

/* Take the descriptors out of each SCM_RIGHTS message. Report all other ancillary data. */
static void transport_take_fds(struct memtun_transport *transport, struct msghdr *message,
			       struct received_fds *received)
{
	struct cmsghdr *header;

	received->count = 0;
	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
			struct memtun_transport_notice notice = {
				.kind = MEMTUN_TRANSPORT_NOTICE_ANCILLARY,
				.level = header->cmsg_level,
				.type = header->cmsg_type,
			};

			if (notice.level == SOL_SOCKET && notice.type == SCM_PIDFD) {
				int pidfd;

				memcpy(&pidfd, CMSG_DATA(header), sizeof(pidfd));
				descriptor_close(&pidfd);
			}
			transport_notice(transport, &notice);
			continue;
		}
		memcpy(received->fds + received->count, CMSG_DATA(header), count * sizeof(int));
		while (count-- > 0) {
			int *fd = &received->fds[received->count++];

			*fd = descriptor_above_standard(*fd);
			if (*fd < 0)
				message->msg_flags |= MSG_CTRUNC;
		}
	}
}

/* Call the handlers for a read: its descriptors, then its data. They may free the transport. */
static void transport_deliver(struct memtun_transport *transport, const void *data, size_t length,
			      int message_flags, struct received_fds *received)
{
	const struct memtun_transport_handlers *handlers = transport->handlers;
	struct memtun_transport_notice notice = {.fds = received->count};
	unsigned int flags = 0;

	if (message_flags & MSG_CTRUNC) {
		flags |= MEMTUN_TRANSPORT_FDS_LOST;
		notice.kind = MEMTUN_TRANSPORT_NOTICE_FDS_LOST;
		received_fds_close(received);
		transport_notice(transport, &notice);
	} else if (received->count && !handlers->fd_received) {
		flags |= MEMTUN_TRANSPORT_FDS_SURPLUS;
		notice.kind = MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS;
		received_fds_close(received);
		transport_notice(transport, &notice);
	}
	if (message_flags & MSG_TRUNC)
		flags |= MEMTUN_TRANSPORT_DATA_CUT;
	for (size_t i = 0; i < received->count; i++) {
		int fd = descriptor_take(&received->fds[i]);

		if (transport->freed)
			descriptor_close(&fd);
		else
			handlers->fd_received(transport, fd, transport->context);
	}
	if (!transport->freed && handlers->data_received)
		handlers->data_received(transport, data, length, flags, transport->context);
}

/*
 * The peer sends no more. If it has closed, end the connection; what it will not read any more is
 * an error. If it has only shut down its sending side, it still reads: the program decides, or the
 * transport closes once the queue is sent.
 */
static void transport_end_reading(struct memtun_transport *transport)
{
	struct pollfd polled = {.fd = transport->fd};
	int error = transport->reset ? ECONNRESET : transport->write_error;

	/* poll(2) reports POLLHUP only if both directions have ended. */
	if (error || (poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP))) {
		if (!error && !STAILQ_EMPTY(&transport->queue))
			error = EPIPE;
		transport_end(transport, error);
		return;
	}
	transport->read_ended = true;
	if (transport->handlers->half_closed)
		transport->handlers->half_closed(transport, transport->context);
	else
		transport->ending = TRANSPORT_CLOSES;
}

bool transport_receive(struct memtun_transport *transport)
{
	_Alignas(8) unsigned char data[MEMTUN_TRANSPORT_READ_MAX];
	union {
		char room[CONTROL_ROOM];
		struct cmsghdr align;
	} control;
	struct iovec bytes = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct received_fds received;
	ssize_t length;

	do {
		length = recvmsg(transport->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (length < 0 && errno == EINTR);

	if (length < 0 && errno == EAGAIN)
		return false;
	if (length < 0 && transport_is_transient(errno)) {
		transport_wait(transport, &transport->receive_backoff, errno);
		return false;
	}
	if (length < 0 && errno == ECONNRESET && !transport->reset) {
		transport->reset = true;
		return true;
	}
	if (length < 0) {
		transport_end(transport, errno);
		return false;
	}
	transport_wait_over(&transport->receive_backoff);
	transport_take_fds(transport, &message, &received);
	/* An empty SEQPACKET record also has length 0, and may even carry descriptors. */
	if (length == 0 && received.count == 0 && !(message.msg_flags & MSG_CTRUNC) &&
	    (transport->is_stream || descriptor_at_end(transport->fd))) {
		transport_end_reading(transport);
		return false;
	}
	transport_deliver(transport, data, (size_t)length, message.msg_flags, &received);
	return true;
}

/* SPDX-License-Identifier: MIT */
/* The sending side of a transport: its send queue. */
#include "common/transport_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/descriptor.h"
#include "common/failed.h"

/*
 * The queue owns its descriptors: a borrowed one could be closed, and its number reused for another
 * file before it is sent. An entry has both the bytes and the descriptors, and is allocated before
 * anything is sent, so that one can't be queued without the other. Descriptors are sent with an
 * entry's first byte, and never without a byte (a STREAM socket would lose them).
 */

struct entry {
	STAILQ_ENTRY(entry) link;
	size_t length;
	size_t sent;
	size_t fd_count; /* 0 once they were sent, with the first byte */
	unsigned char *bytes;
	int fds[];
};

static struct entry *entry_new(const void *data, size_t length, size_t fd_count)
{
	struct entry *entry = malloc(sizeof(*entry) + fd_count * sizeof(int) + length);

	if (!entry)
		return NULL;
	entry->length = length;
	entry->sent = 0;
	entry->fd_count = 0;
	entry->bytes = (unsigned char *)(entry->fds + fd_count);
	memcpy(entry->bytes, data, length);
	return entry;
}

static void entry_close_fds(struct entry *entry)
{
	for (size_t i = 0; i < entry->fd_count; i++)
		descriptor_close(&entry->fds[i]);
	entry->fd_count = 0;
}

static void entry_free(struct entry *entry)
{
	entry_close_fds(entry);
	free(entry);
}

void transport_drop_queue(struct memtun_transport *transport)
{
	struct entry *entry;

	while ((entry = STAILQ_FIRST(&transport->queue))) {
		STAILQ_REMOVE_HEAD(&transport->queue, link);
		entry_free(entry);
	}
	transport->queued_bytes = 0;
	transport->queued_fds = 0;
}

/* Send what is left of an entry, with its descriptors if they were not sent yet. */
static ssize_t entry_send(struct entry *entry, int fd)
{
	union {
		char room[CMSG_SPACE(MEMTUN_TRANSPORT_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec bytes = {
		.iov_base = entry->bytes + entry->sent,
		.iov_len = entry->length - entry->sent,
	};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t sent;

	if (entry->fd_count) {
		size_t size = entry->fd_count * sizeof(int);
		struct cmsghdr *header;

		memset(control.room, 0, CMSG_SPACE(size));
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(size);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(header), entry->fds, size);
	}
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

void transport_flush(struct memtun_transport *transport)
{
	struct entry *entry;

	for (int i = 0; i < TRANSPORT_TURN && (entry = STAILQ_FIRST(&transport->queue)); i++) {
		ssize_t sent = entry_send(entry, transport->fd);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0 && transport_is_transient(errno)) {
			transport_wait(transport, &transport->send_backoff, errno);
			return;
		}
		if (sent < 0) {
			transport->write_error = errno;
			transport_drop_queue(transport);
			return;
		}
		transport_wait_over(&transport->send_backoff);
		transport->queued_fds -= entry->fd_count;
		entry_close_fds(entry);
		entry->sent += (size_t)sent;
		transport->queued_bytes -= (size_t)sent;
		if (entry->sent == entry->length) {
			STAILQ_REMOVE_HEAD(&transport->queue, link);
			entry_free(entry);
		}
	}
}

void transport_shut_down_when_flushed(struct memtun_transport *transport)
{
	if (transport->ending != TRANSPORT_SHUTS_DOWN || transport->write_ended ||
	    transport->write_error || !STAILQ_EMPTY(&transport->queue))
		return;
	/* It fails only if the peer has closed the connection. The next read reports that. */
	shutdown(transport->fd, SHUT_WR);
	transport->write_ended = true;
}

/* Queue an entry, which owns its descriptors. */
static void transport_queue(struct memtun_transport *transport, struct entry *entry)
{
	bool was_empty = STAILQ_EMPTY(&transport->queue);

	STAILQ_INSERT_TAIL(&transport->queue, entry, link);
	transport->queued_bytes += entry->length;
	transport->queued_fds += entry->fd_count;
	if (was_empty)
		transport_flush(transport);
	if (!STAILQ_EMPTY(&transport->queue))
		transport->undrained = true;
	if (!transport->paused && (transport->queued_fds > transport->bounds.pause_fds ||
				   transport->queued_bytes > transport->bounds.pause_bytes)) {
		transport->paused = true;
		if (transport->handlers->pause)
			transport->handlers->pause(transport, transport->context);
	}
}

/* Check the sizes and the bounds before anything is taken. -1 with errno. */
static int transport_admit(const struct memtun_transport *transport, size_t length, size_t count)
{
	if (length == 0 || count > MEMTUN_TRANSPORT_FDS_MAX)
		errno = EINVAL;
	else if (transport->closed || transport->write_error ||
		 transport->ending != TRANSPORT_STAYS)
		errno = EPIPE;
	else if (length > transport->largest_record)
		errno = EMSGSIZE;
	else if (transport->queued_fds + count > transport->bounds.hard_fds ||
		 length > transport->bounds.hard_bytes ||
		 transport->queued_bytes > transport->bounds.hard_bytes - length)
		errno = ENOBUFS;
	else
		return 0;
	return -1;
}

/* Check that no descriptor is negative: sendmsg(2) would fail later, and end the connection. */
static int fds_check(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			return failed(EBADF);
	}
	return 0;
}

int memtun_transport_send(struct memtun_transport *transport, const void *data, size_t length,
			  const int *fds, size_t count)
{
	struct entry *entry;

	if (transport_admit(transport, length, count) < 0 || fds_check(fds, count) < 0)
		return -1;
	entry = entry_new(data, length, count);
	if (!entry)
		return -1;
	for (size_t i = 0; i < count; i++)
		entry->fds[i] = fds[i];
	entry->fd_count = count;
	transport_queue(transport, entry);
	return 0;
}

int memtun_transport_send_copies(struct memtun_transport *transport, const void *data,
				 size_t length, const int *fds, size_t count)
{
	struct entry *entry;

	if (transport_admit(transport, length, count) < 0)
		return -1;
	entry = entry_new(data, length, count);
	if (!entry)
		return -1;
	while (entry->fd_count < count) {
		int copy = fcntl(fds[entry->fd_count], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

		if (copy < 0) {
			entry_free(entry);
			return -1;
		}
		entry->fds[entry->fd_count++] = copy;
	}
	transport_queue(transport, entry);
	return 0;
}

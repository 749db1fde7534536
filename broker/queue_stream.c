/* SPDX-License-Identifier: MIT */
/*
 * Queues whose socket is a stream (QEMU's and passt's form): each frame after its length, 4 bytes,
 * big-endian. What is read may end within a frame, and what is sent too: the part that has come is
 * kept until the rest comes, and the part that has gone is remembered, so that neither side ever
 * waits in the middle of a frame longer than the other makes it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "broker.h"
#include "packet_io.h"
#include "queue.h"
#include "stream.h"
#include "tunnel.h"

#define LENGTH_SIZE 4

/* A read goes into the batch's buffers as if they were one. A quarter MiB holds what the socket
 * does, with the kept part before it. */
#define READ_SIZE (256 * 1024)

_Static_assert(READ_SIZE + LENGTH_SIZE + FRAME_FORMAT_MAX + FRAME_MAX <=
		       BATCH_FRAMES * BATCH_STRIDE,
	       "the kept part and a read fit the batch");

struct stream {
	unsigned char *part; /* begins with a length, or a part of one */
	size_t size;
};

struct stream *stream_new(void)
{
	return calloc(1, sizeof(struct stream));
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	free(stream->part);
	free(stream);
}

/* Keeps what is not a whole frame. -1 with ENOMEM: the stream can't be followed any more. */
static int stream_keep(struct stream *stream, const unsigned char *bytes, size_t size)
{
	unsigned char *part = NULL;

	if (size) {
		part = malloc(size);
		if (!part)
			return -1;
		memcpy(part, bytes, size);
	}
	free(stream->part);
	stream->part = part;
	stream->size = size;
	return 0;
}

static uint32_t length_read(const unsigned char *at)
{
	uint32_t length;

	memcpy(&length, at, sizeof(length));
	return ntohl(length);
}

static void stream_count(struct queue *queue, enum memtun_attribute reason)
{
	if (queue->tunnel)
		port_count(&queue->tunnel->port, reason, 1);
}

/* Makes batch entry `index` of one whole frame with its headers; false if it was counted as none.
 */
static bool stream_take(struct queue *queue, unsigned int index, unsigned char *bytes, size_t size)
{
	struct batch *batch = queue->broker->batch;
	size_t headers = frame_format_size(&queue->format);

	batch_set(batch, index, bytes + headers, 0);
	if (size == 0)
		stream_count(queue, MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY);
	else if (size <= headers)
		stream_count(queue, MEMTUN_A_FROM_CLIENT_DROPPED_RUNT);
	else {
		batch->frames[index].length = (uint32_t)(size - headers);
		return queue_check(queue, &batch->frames[index], bytes);
	}
	return false;
}

/* Takes the whole frames, a batch at the most; returns how many bytes they had, -1: no stream. */
static ssize_t stream_split(struct queue *queue, unsigned char *bytes, size_t size,
			    unsigned int *count, uint32_t *mask)
{
	size_t most = FRAME_MAX + frame_format_size(&queue->format);
	size_t at = 0;

	while (*count < BATCH_FRAMES && size - at >= LENGTH_SIZE) {
		size_t length = length_read(bytes + at);

		if (length > most) {
			stream_count(queue, MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE);
			return -1;
		}
		if (size - at - LENGTH_SIZE < length)
			break;
		if (stream_take(queue, *count, bytes + at + LENGTH_SIZE, length))
			*mask |= UINT32_C(1) << *count;
		(*count)++;
		at += LENGTH_SIZE + length;
	}
	return (ssize_t)at;
}

bool stream_has_whole(const struct stream *stream)
{
	return stream->size >= LENGTH_SIZE &&
	       stream->size - LENGTH_SIZE >= length_read(stream->part);
}

static enum queue_received stream_receive(struct queue *queue, unsigned int *count, uint32_t *mask)
{
	struct stream *stream = queue->stream;
	unsigned char *bytes = batch_buffer(queue->broker->batch, 0);
	size_t size = stream->size;
	ssize_t received = 0, used;
	bool whole = stream_has_whole(stream);

	if (size)
		memcpy(bytes, stream->part, size);
	if (!whole) {
		do {
			received = recv(queue->io.fd, bytes + size, READ_SIZE, MSG_DONTWAIT);
		} while (received < 0 && (errno == EINTR || errno == ECONNRESET));
		if (received < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
			return QUEUE_RECEIVED_ALL;
		if (received <= 0) {
			if (size)
				stream_count(queue, MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
			return QUEUE_RECEIVED_END;
		}
	}
	used = stream_split(queue, bytes, size + (size_t)received, count, mask);
	if (used < 0 ||
	    stream_keep(stream, bytes + used, size + (size_t)received - (size_t)used) < 0)
		return QUEUE_RECEIVED_END;
	return QUEUE_RECEIVED_SOME;
}

/* Counts off what `sent` bytes were of these frames; returns how many are out as a whole. */
static unsigned int stream_count_sent(struct queue *queue, struct frame *const frames[],
				      unsigned int count, size_t sent)
{
	size_t headers = LENGTH_SIZE + frame_format_size(&queue->format);
	struct port *port = &queue->tunnel->port;
	unsigned int done = 0;

	sent += queue->sent_of_first;
	while (done < count && sent >= headers + frames[done]->length) {
		sent -= headers + frames[done]->length;
		port_count(port, MEMTUN_A_TO_CLIENT_FRAMES, 1);
		port_count(port, MEMTUN_A_TO_CLIENT_BYTES, frames[done]->length);
		done++;
	}
	queue->sent_of_first = (uint32_t)sent;
	return done;
}

/* Takes `skip` bytes off the front of the parts. */
static void parts_skip(struct iovec parts[], size_t skip)
{
	for (; skip; parts++) {
		size_t here = skip < parts->iov_len ? skip : parts->iov_len;

		parts->iov_base = (unsigned char *)parts->iov_base + here;
		parts->iov_len -= here;
		skip -= here;
	}
}

static unsigned int stream_send(struct queue *queue, struct frame *const frames[],
				unsigned int count)
{
	struct packet_io *io = queue->broker->packet_io;
	size_t headers = frame_format_size(&queue->format);
	struct iovec parts[2 * BATCH_FRAMES];
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2 * count};
	ssize_t sent;

	for (unsigned int i = 0; i < count; i++) {
		unsigned char *at = io->send[i].headers;
		uint32_t length = htonl((uint32_t)(frames[i]->length + headers));

		memcpy(at, &length, LENGTH_SIZE);
		if (headers)
			frame_format_encode(&queue->format, queue->tunnel->mode, frames[i]->data,
					    frames[i]->length, &frames[i]->offload,
					    at + LENGTH_SIZE);
		parts[2 * i] = (struct iovec){at, LENGTH_SIZE + headers};
		parts[2 * i + 1] = (struct iovec){frames[i]->data, frames[i]->length};
	}
	parts_skip(parts, queue->sent_of_first);
	do {
		sent = sendmsg(queue->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return stream_count_sent(queue, frames, count, (size_t)sent);
	for (unsigned int i = 0; i < count; i++) {
		/* A frame that is refused when it is half out would leave no stream. */
		if (errno == ENOBUFS || errno == ENOMEM || !queue_send_failed(queue))
			return i;
	}
	queue->sent_of_first = 0;
	return count;
}

const struct queue_link queue_stream_link = {
	.receive = stream_receive,
	.send = stream_send,
};

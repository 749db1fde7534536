/* SPDX-License-Identifier: MIT */
/*
 * Lanes whose socket is a stream, in the format of QEMU and passt: each frame follows its length, 4
 * bytes in big-endian order. The lane keeps a frame that was received or sent in part, so that
 * neither side waits in the middle of a frame for anything but the other side.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "broker/engine/engine.h"
#include "broker/engine/packet_io.h"
#include "broker/switch/lane.h"
#include "broker/switch/port.h"
#include "broker/switch/stream.h"

#define LENGTH_SIZE 4

/* Bytes per read, which goes into the batch's buffers as if they were one: about a batch of frames
 * of 1514 bytes. It is no more, because all of it is forwarded before another lane is read. */
#define READ_SIZE (64 * 1024)

_Static_assert(READ_SIZE + LENGTH_SIZE + FRAME_FORMAT_MAX + FRAME_MAX <=
		       BATCH_READ_MAX * BATCH_STRIDE,
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

/* Keep the received part of a frame. -1 with ENOMEM, and then the stream cannot be read on. */
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

/* Make batch entry `index` a frame of these bytes, which begin with its headers. Returns false if
 * they are no frame, which is counted. */
static bool stream_take(struct lane *lane, unsigned int index, unsigned char *bytes, size_t size)
{
	struct batch *batch = lane->engine->batch;
	size_t headers = frame_format_size(&lane->format);

	batch_set(batch, index, bytes + headers, 0);
	/* The length has been read. The frame's headers are read below. */
	batch->frames[index].headroom = LENGTH_SIZE;
	if (size == 0)
		lane_count(lane, MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY);
	else if (size <= headers)
		lane_count(lane, MEMTUN_A_FROM_CLIENT_DROPPED_RUNT);
	else {
		batch->frames[index].length = (uint32_t)(size - headers);
		return lane_check(lane, &batch->frames[index], bytes);
	}
	return false;
}

/* Make frames of the complete frames in the bytes, at most a batch. Returns how many bytes they had
 * with their lengths, or -1 if a length is too large. */
static ssize_t stream_split(struct lane *lane, unsigned char *bytes, size_t size,
			    unsigned int *count, uint64_t *mask)
{
	size_t max = FRAME_MAX + frame_format_size(&lane->format);
	size_t at = 0;

	while (*count < BATCH_READ_MAX && size - at >= LENGTH_SIZE) {
		size_t length = length_read(bytes + at);

		if (length > max) {
			lane_count(lane, MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE);
			return -1;
		}
		if (size - at - LENGTH_SIZE < length)
			break;
		if (stream_take(lane, *count, bytes + at + LENGTH_SIZE, length))
			*mask |= UINT64_C(1) << *count;
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

static enum lane_received stream_receive(struct lane *lane, unsigned int *count, uint64_t *mask)
{
	struct stream *stream = lane->stream;
	unsigned char *bytes = batch_buffer(lane->engine->batch, 0);
	size_t size = stream->size;
	ssize_t received = 0, used;
	bool whole = stream_has_whole(stream);

	if (size)
		memcpy(bytes, stream->part, size);
	if (!whole) {
		do {
			received = recv(lane->io.fd, bytes + size, READ_SIZE, MSG_DONTWAIT);
		} while (received < 0 && (errno == EINTR || errno == ECONNRESET));
		if (received < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
			return LANE_RECEIVED_ALL;
		if (received <= 0) {
			lane->error = received < 0 ? errno : 0;
			if (size)
				lane_count(lane, MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
			return LANE_RECEIVED_END;
		}
	}
	used = stream_split(lane, bytes, size + (size_t)received, count, mask);
	if (used < 0 ||
	    stream_keep(stream, bytes + used, size + (size_t)received - (size_t)used) < 0) {
		lane->error = used < 0 ? EMSGSIZE : ENOMEM;
		return LANE_RECEIVED_END;
	}
	return LANE_RECEIVED_SOME;
}

/* Return the format of a frame to send. A frame that was sent in part keeps its format where that
 * of the lane has changed since, because the receiver has its length already. */
static const struct frame_format *stream_format(const struct lane *lane, unsigned int index)
{
	return index == 0 && lane->sent_of_first ? &lane->format_of_first : &lane->format;
}

/* Count the frames that `sent` bytes complete, and remember how much of the next frame was sent.
 * Returns the number of completed frames. */
static unsigned int stream_count_sent(struct lane *lane, struct frame *const frames[],
				      unsigned int count, size_t sent)
{
	struct port *port = lane->port;
	unsigned int done;

	sent += lane->sent_of_first;
	for (done = 0; done < count; done++) {
		size_t size = LENGTH_SIZE + frame_format_size(stream_format(lane, done)) +
			      frames[done]->length;

		if (sent < size)
			break;
		sent -= size;
		port_count(port, MEMTUN_A_TO_CLIENT_FRAMES, 1);
		port_count(port, MEMTUN_A_TO_CLIENT_BYTES, frames[done]->length);
	}
	lane->format_of_first = *stream_format(lane, done);
	lane->sent_of_first = (uint32_t)sent;
	return done;
}

/* Remove `skip` bytes from the front of the parts, which have more than that. */
static void parts_skip(struct iovec parts[], size_t count, size_t skip)
{
	for (size_t i = 0; i < count && skip; i++) {
		size_t here = skip < parts[i].iov_len ? skip : parts[i].iov_len;

		parts[i].iov_base = (unsigned char *)parts[i].iov_base + here;
		parts[i].iov_len -= here;
		skip -= here;
	}
}

static unsigned int stream_send(struct lane *lane, struct frame *const frames[], unsigned int count)
{
	struct packet_io *io = lane->engine->packet_io;
	struct iovec parts[2 * BATCH_FRAMES];
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2 * count};
	ssize_t sent;

	for (unsigned int i = 0; i < count; i++) {
		const struct frame_format *format = stream_format(lane, i);
		size_t headers = frame_format_size(format);
		unsigned char *at = io->send[i].headers;
		uint32_t length = htonl((uint32_t)(frames[i]->length + headers));

		memcpy(at, &length, LENGTH_SIZE);
		if (headers)
			frame_format_encode(format, lane->port->mode, frames[i]->data,
					    frames[i]->length, &frames[i]->offload,
					    at + LENGTH_SIZE);
		parts[2 * i] = (struct iovec){at, LENGTH_SIZE + headers};
		parts[2 * i + 1] = (struct iovec){frames[i]->data, frames[i]->length};
	}
	parts_skip(parts, message.msg_iovlen, lane->sent_of_first);
	do {
		sent = sendmsg(lane->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return stream_count_sent(lane, frames, count, (size_t)sent);
	for (unsigned int i = 0; i < count; i++) {
		/* A partly sent frame must not be dropped for a transient error: the receiver could
		 * not find the next frame. */
		if (errno == ENOBUFS || errno == ENOMEM || !lane_send_failed(lane, frames[i]))
			return i;
	}
	lane->sent_of_first = 0;
	return count;
}

const struct lane_link lane_stream_link = {
	.receive = stream_receive,
	.send = stream_send,
};

/* SPDX-License-Identifier: MIT */
#include "tests/bench/stream_end.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define LENGTH_SIZE sizeof(uint32_t)

#define MOST 32

/* A blocking socket accepts all bytes. */
static int stream_end_send(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	struct iovec parts[2 * MOST];
	uint32_t lengths[MOST];

	if (count > MOST)
		count = MOST;
	for (int i = 0; i < count; i++) {
		const struct iovec *frame = messages[i].msg_hdr.msg_iov;

		lengths[i] = htonl((uint32_t)frame->iov_len);
		parts[2 * i] = (struct iovec){&lengths[i], LENGTH_SIZE};
		parts[2 * i + 1] = *frame;
	}
	return writev(end->fd, parts, 2 * count) < 0 ? -1 : count;
}

/* Remove at most `count` whole frames from the kept bytes. Return their number. */
static int stream_end_take(struct stream_end *stream, struct mmsghdr messages[], int count)
{
	size_t at = 0;
	int taken = 0;

	while (taken < count && stream->kept - at >= LENGTH_SIZE) {
		uint32_t length;

		memcpy(&length, stream->bytes + at, LENGTH_SIZE);
		length = ntohl(length);
		if (stream->kept - at - LENGTH_SIZE < length)
			break;
		at += LENGTH_SIZE + length;
		messages[taken++].msg_len = length;
	}
	stream->kept -= at;
	memmove(stream->bytes, stream->bytes + at, stream->kept);
	return taken;
}

static int stream_end_receive(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	struct stream_end *stream = end->connection;
	int taken;

	while ((taken = stream_end_take(stream, messages, count)) == 0) {
		ssize_t length = recv(end->fd, stream->bytes + stream->kept,
				      sizeof(stream->bytes) - stream->kept, 0);

		if (length <= 0)
			return (int)length;
		stream->kept += (size_t)length;
	}
	return taken;
}

struct wire_end wire_end_stream(int fd, struct stream_end *stream)
{
	return (struct wire_end){
		.fd = fd,
		.is_socket = true,
		.connection = stream,
		.send = stream_end_send,
		.receive = stream_end_receive,
	};
}

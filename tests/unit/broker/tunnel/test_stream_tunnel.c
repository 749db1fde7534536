/* SPDX-License-Identifier: MIT */
/* A tunnel whose socket is a stream: only the length before a frame tells where it ends. */
#include "tests/unit/broker/broker_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_stream_may_be_split_anywhere(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,socket=stream");
	int to = tunnel_opened(*state, "name=to,bridge=b");
	unsigned char bytes[3 * (4 + FRAME_SIZE)];
	uint32_t length = htonl(FRAME_SIZE);

	for (uint32_t i = 0; i < 3; i++) {
		memcpy(bytes + i * (4 + FRAME_SIZE), &length, 4);
		frame_make(bytes + i * (4 + FRAME_SIZE) + 4, FRAME_SIZE, 1, 0xff, i);
	}
	for (size_t split = 1; split < sizeof(bytes); split++) {
		assert_int_equal(send(from, bytes, split, 0), split);
		broker_quiesce(*state);
		assert_int_equal(send(from, bytes + split, sizeof(bytes) - split, 0),
				 sizeof(bytes) - split);
		broker_quiesce(*state);
		for (int i = 0; i < 3; i++)
			assert_int_equal(frame_receive(to), i);
		assert_int_equal(frame_receive(to), -1);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(send(from, bytes + i, 1, 0), 1);
		broker_quiesce(*state);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(frame_receive(to), i);
	close(from);
	close(to);
}

static void a_stream_of_many_small_frames_arrives_whole(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,socket=stream");
	int to = tunnel_opened(*state, "name=to,bridge=b,queue=100000");
	enum {
		COUNT = 1000
	};
	unsigned char *bytes = malloc(COUNT * (4 + FRAME_SIZE));
	uint32_t length = htonl(FRAME_SIZE);
	int64_t number;
	uint32_t next = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		memcpy(bytes + i * (4 + FRAME_SIZE), &length, 4);
		frame_make(bytes + i * (4 + FRAME_SIZE) + 4, FRAME_SIZE, 1, 0xff, i);
	}
	/* One write and one read, of more frames than the broker forwards in one iteration. */
	assert_int_equal(send(from, bytes, COUNT * (4 + FRAME_SIZE), 0), COUNT * (4 + FRAME_SIZE));
	for (int i = 0; i < 20; i++) {
		broker_quiesce(*state);
		while ((number = frame_receive(to)) >= 0)
			assert_int_equal(number, next++);
	}
	assert_int_equal(next, COUNT);
	free(bytes);
	close(from);
	close(to);
}

static void a_stream_with_an_invalid_length_ends(void **state)
{
	int from, to = tunnel_opened(*state, "name=to,bridge=b");

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=from,bridge=b,socket=stream");
	from = tunnel_opened(*state, "name=from");
	assert_true(stream_frame_send(from, 1, 0xff, 1));
	assert_int_equal(send(from, "\x7f\xff\xff\xff", 4, 0), 4);
	broker_quiesce(*state);
	assert_int_equal(frame_receive(to), 1);
	assert_true(fd_ended(from));
	assert_int_equal(shown(*state, "from", "from-client-dropped-oversize"), 1);
	assert_int_equal(shown(*state, "from", "state"), MEMTUN_CLOSED);
	close(from);
	close(to);
}

static void a_slow_stream_reader_gets_every_frame_whole(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state, "name=to,bridge=b,socket=stream,overflow=block,queue=20");
	unsigned char bytes[1014], got[4 + sizeof(bytes)];
	uint32_t sent = 0, received = 0;
	size_t filled = 0;

	for (int round = 0; round < 100000 && received < 2000; round++) {
		ssize_t length;

		while (sent < 2000) {
			frame_make(bytes, sizeof(bytes), 1, 0xff, sent);
			if (send(from, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
				break;
			sent++;
		}
		broker_quiesce(*state);
		/* Read an odd number of bytes at a time. */
		length =
			recv(to, got + filled,
			     sizeof(got) - filled < 333 ? sizeof(got) - filled : 333, MSG_DONTWAIT);
		if (length <= 0)
			continue;
		filled += (size_t)length;
		if (filled < sizeof(got))
			continue;
		frame_make(bytes, sizeof(bytes), 1, 0xff, received);
		assert_memory_equal(got + 4, bytes, sizeof(bytes));
		received++;
		filled = 0;
	}
	assert_int_equal(received, 2000);
	close(from);
	close(to);
}

/* Receive until nothing comes any more. Return the number of bytes. */
static size_t stream_receive_all(struct broker_fixture *fixture, int fd, unsigned char *bytes,
				 size_t size)
{
	size_t filled = 0;
	ssize_t length;

	do {
		broker_quiesce(fixture);
		length = recv(fd, bytes + filled, size - filled, MSG_DONTWAIT);
		if (length > 0)
			filled += (size_t)length;
	} while (length > 0);
	return filled;
}

/* Change the length of the vnet header while frames of `size` bytes wait. Return whether one of
 * them was sent in part. */
static bool header_changes(struct broker_fixture *fixture, size_t size, size_t old, size_t new)
{
	static unsigned char got[2 * 1024 * 1024], frame[65000];
	int from = tunnel_opened(fixture, "name=from,bridge=b");
	uint32_t sent = 0, of_old_size;
	const struct lane *lane;
	bool in_part;
	size_t filled, at = 0;
	char options[100];
	int to;

	snprintf(options, sizeof(options),
		 "name=to,bridge=b,socket=stream,mtu=65000,vnet_hdr,vnet_hdr_size=%zu", old);
	to = tunnel_opened(fixture, options);
	lane = &LIST_FIRST(&tunnel_find(fixture->broker->tunnels, "to")->queues)->lane;
	while (sent < 20 && lane->backlog.count < 2) {
		frame_make(frame, size, 1, 0xff, sent++);
		bytes_send(from, frame, size);
		broker_quiesce(fixture);
	}
	assert_int_equal(lane->backlog.count, 2);
	in_part = lane->sent_of_first > 0;
	of_old_size = sent - lane->backlog.count + (in_part ? 1 : 0);
	snprintf(options, sizeof(options), "name=to,vnet_hdr_size=%zu", new);
	done(fixture, MEMTUN_CMD_TUNNEL_SET, options);
	filled = stream_receive_all(fixture, to, got, sizeof(got));
	for (uint32_t i = 0; i < sent; i++) {
		size_t headers = i < of_old_size ? old : new;
		uint32_t length = htonl((uint32_t)(headers + size));

		assert_true(at + 4 + headers + size <= filled);
		assert_memory_equal(got + at, &length, 4);
		frame_make(frame, size, 1, 0xff, i);
		assert_memory_equal(got + at + 4 + headers, frame, size);
		at += 4 + headers + size;
	}
	assert_int_equal(at, filled);
	assert_int_equal(shown(fixture, "to", "to-client-frames"), sent);
	close(from);
	close(to);
	broker_quiesce(fixture);
	return in_part;
}

static void a_partly_sent_frame_keeps_its_header(void **state)
{
	/* Linux 6.18 has sent 36544 of 36522 + 4 + 20 bytes, more than a frame of the new length
	 * has. */
	static const size_t sizes[] = {36522, 50000, 60000};
	unsigned int in_part = 0;

	for (int i = 0; i < 3; i++) {
		in_part += header_changes(*state, sizes[i], 20, 10);
		in_part += header_changes(*state, sizes[i], 10, 20);
	}
	assert_true(in_part > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_stream_may_be_split_anywhere),
		WITH_BROKER(a_stream_of_many_small_frames_arrives_whole),
		WITH_BROKER(a_stream_with_an_invalid_length_ends),
		WITH_BROKER(a_slow_stream_reader_gets_every_frame_whole),
		WITH_BROKER(a_partly_sent_frame_keeps_its_header),
	};

	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * A stream joins messages and cuts them anywhere, and descriptors must arrive with their message's
 * first byte. The tests take each order of four kinds of message, in each size of reads and writes.
 */
#include "tests/unit/common/transport_fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES 4
#define TOTAL 10 /* bytes of all messages */

/* With and without descriptors, of one byte and of more. */
static const struct message {
	const char *text;
	size_t fds;
} messages[MESSAGES] = {{"abc", 2}, {"d", 0}, {"efgh", 1}, {"ij", 0}};

/* A pipeline: the messages in some order, their files, and where these are due. */
struct pipeline {
	size_t order[MESSAGES];
	char bytes[TOTAL];
	size_t starts[MESSAGES]; /* in bytes[] */
	size_t fds_due[TOTAL];   /* how many descriptors have come with the bytes up to this one */
	int files[3];
	ino_t inodes[3];
};

/* Make the nth of the 24 orders. */
static void pipeline_open(struct pipeline *pipeline, size_t number)
{
	size_t left[MESSAGES] = {0, 1, 2, 3}, count = MESSAGES, position = 0, fds = 0;

	for (size_t i = 0; i < MESSAGES; i++, number /= count + 1) {
		size_t at = number % count;

		pipeline->order[i] = left[at];
		count--;
		memmove(&left[at], &left[at + 1], (count - at) * sizeof(left[0]));
	}
	for (size_t i = 0; i < MESSAGES; i++) {
		const struct message *message = &messages[pipeline->order[i]];
		size_t length = strlen(message->text);

		pipeline->starts[i] = position;
		memcpy(pipeline->bytes + position, message->text, length);
		fds += message->fds;
		for (size_t j = 0; j < length; j++)
			pipeline->fds_due[position++] = fds;
	}
	assert_int_equal(position, TOTAL);
	assert_int_equal(fds, 3);
	for (size_t i = 0; i < 3; i++) {
		pipeline->files[i] = file_new();
		pipeline->inodes[i] = file_inode(pipeline->files[i]);
	}
}

static void pipeline_close(struct pipeline *pipeline)
{
	for (size_t i = 0; i < 3; i++)
		close(pipeline->files[i]);
}

static void fixture_forget(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->fd_count; i++)
		close(fixture->fds[i]);
	fixture->fd_count = 0;
	fixture->piece_count = 0;
	fixture->length = 0;
}

/* Read `size` bytes at a time, and check that descriptors come with their first byte. */
static void read_in_pieces(struct fixture *fixture, const struct pipeline *pipeline, size_t size)
{
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	size_t position = 0, arrived = 0, count;
	char data[TOTAL + 1];

	while (position < TOTAL) {
		ssize_t length = peer_receive(fixture->peer, data, size, fds, &count);

		assert_in_range(length, 1, size);
		assert_memory_equal(data, pipeline->bytes + position, length);
		position += (size_t)length;
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(file_inode(fds[i]), pipeline->inodes[arrived++]);
			close(fds[i]);
		}
		assert_int_equal(arrived, pipeline->fds_due[position - 1]);
	}
}

static void send_pipeline(struct fixture *fixture, const struct pipeline *pipeline)
{
	size_t fds = 0;

	for (size_t i = 0; i < MESSAGES; i++) {
		const struct message *message = &messages[pipeline->order[i]];

		assert_int_equal(memtun_transport_send_copies(fixture->transport, message->text,
							      strlen(message->text),
							      pipeline->files + fds, message->fds),
				 0);
		fds += message->fds;
	}
}

static void descriptors_leave_with_their_first_byte_however_it_is_read(void **state)
{
	struct fixture *fixture = *state;

	for (size_t number = 0; number < 24; number++) {
		struct pipeline pipeline;

		pipeline_open(&pipeline, number);
		for (size_t size = 1; size <= TOTAL + 1; size++) {
			send_pipeline(fixture, &pipeline);
			read_in_pieces(fixture, &pipeline, size);
		}
		pipeline_close(&pipeline);
	}
}

/* The same from the send queue, because the kernel's buffer is full. */
static void queued_descriptors_leave_with_their_first_byte(void **state)
{
	struct fixture *fixture = *state;

	for (size_t number = 0; number < 24; number++) {
		struct pipeline pipeline;
		int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
		size_t stalled = fixture_stall(fixture), count;
		char byte;

		pipeline_open(&pipeline, number);
		send_pipeline(fixture, &pipeline);
		assert_int_equal(memtun_transport_queued_fds(fixture->transport), 3);
		while (stalled--) {
			fixture_run(fixture);
			assert_int_equal(peer_receive(fixture->peer, &byte, 1, fds, &count), 1);
			assert_int_equal(count, 0);
		}
		fixture_run(fixture);
		read_in_pieces(fixture, &pipeline, number % TOTAL + 1);
		pipeline_close(&pipeline);
	}
}

/* Send the pipeline in pieces, cut where a bit of `cuts` is set and where a message begins. */
static void send_in_pieces(struct fixture *fixture, const struct pipeline *pipeline, size_t cuts,
			   bool read_each)
{
	size_t message = 0, fds = 0;

	for (size_t start = 0, end; start < TOTAL; start = end) {
		size_t count = 0;

		for (end = start + 1; end < TOTAL; end++) {
			if (cuts & (size_t)1 << end ||
			    (message + 1 < MESSAGES && end == pipeline->starts[message + 1]))
				break;
		}
		if (start == pipeline->starts[message])
			count = messages[pipeline->order[message]].fds;
		assert_int_equal(peer_send(fixture->peer, pipeline->bytes + start, end - start,
					   pipeline->files + fds, count),
				 end - start);
		fds += count;
		if (message + 1 < MESSAGES && end == pipeline->starts[message + 1])
			message++;
		if (read_each)
			fixture_run(fixture);
	}
	fixture_run(fixture);
}

/* Check that all bytes and descriptors came in order, each with the piece of its first byte. */
static void assert_pipeline(const struct fixture *fixture, const struct pipeline *pipeline)
{
	assert_int_equal(fixture->length, TOTAL);
	assert_memory_equal(fixture->data, pipeline->bytes, TOTAL);
	assert_int_equal(fixture->fd_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(file_inode(fixture->fds[i]), pipeline->inodes[i]);
	for (size_t i = 0; i < fixture->piece_count; i++) {
		const struct piece *piece = &fixture->pieces[i];
		size_t due = pipeline->fds_due[piece->start + piece->length - 1];

		assert_int_equal(piece->flags, 0);
		assert_int_equal(piece->fds_before, due);
	}
}

static void descriptors_come_with_their_first_byte_however_it_was_cut(void **state)
{
	struct fixture *fixture = *state;

	for (size_t number = 0; number < 24; number++) {
		struct pipeline pipeline;

		pipeline_open(&pipeline, number);
		/* Bit 0 says whether each piece is read before the next is written. */
		for (size_t cuts = 0; cuts < (size_t)1 << TOTAL; cuts++) {
			send_in_pieces(fixture, &pipeline, cuts, cuts & 1);
			assert_pipeline(fixture, &pipeline);
			fixture_forget(fixture);
		}
		pipeline_close(&pipeline);
	}
}

/* Read up to `size` bytes at the peer, and check their order. */
static size_t take_counted(struct fixture *fixture, size_t size, size_t position, size_t *fd_count)
{
	int fds[MEMTUN_TRANSPORT_FDS_MAX + 1];
	unsigned char *data = malloc(size);
	ssize_t length;

	assert_non_null(data);
	length = peer_receive(fixture->peer, data, size, fds, fd_count);
	assert_true(length > 0 || errno == EAGAIN);
	for (ssize_t i = 0; i < length; i++)
		assert_int_equal(data[i], (position + (size_t)i) % 251);
	for (size_t i = 0; i < *fd_count; i++)
		close(fds[i]);
	free(data);
	return length < 0 ? 0 : (size_t)length;
}

static void a_message_written_in_parts_takes_its_descriptors_with_the_first(void **state)
{
	struct fixture *fixture = *state;
	static const size_t sizes[] = {1009, 4096, 65537, 1000000};
	const size_t total = 900000;
	unsigned char *bytes = malloc(total);

	assert_non_null(bytes);
	for (size_t i = 0; i < total; i++)
		bytes[i] = (unsigned char)(i % 251);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int files[3] = {file_new(), file_new(), file_new()};
		size_t position = 0, count;

		assert_int_equal(memtun_transport_send(fixture->transport, bytes, total, files, 3),
				 0);
		/* Only a part was sent, with the descriptors. */
		assert_in_range(memtun_transport_queued_bytes(fixture->transport), 1, total - 1);
		assert_int_equal(memtun_transport_queued_fds(fixture->transport), 0);
		position = take_counted(fixture, sizes[i], 0, &count);
		assert_int_equal(count, 3);
		while (position < total) {
			position += take_counted(fixture, sizes[i], position, &count);
			assert_int_equal(count, 0);
			fixture_run(fixture);
		}
		assert_int_equal(memtun_transport_queued_bytes(fixture->transport), 0);
	}
	free(bytes);
}

static void descriptors_behind_a_message_in_parts_wait_for_its_end(void **state)
{
	struct fixture *fixture = *state;
	const size_t total = 900000;
	unsigned char *bytes = malloc(total + 1);
	size_t position = 0, count = 0;
	int file = file_new();

	assert_non_null(bytes);
	for (size_t i = 0; i <= total; i++)
		bytes[i] = (unsigned char)(i % 251);
	assert_int_equal(memtun_transport_send(fixture->transport, bytes, total, NULL, 0), 0);
	assert_int_equal(memtun_transport_send(fixture->transport, bytes + total, 1, &file, 1), 0);
	while (position < total + 1) {
		assert_int_equal(count, 0);
		position += take_counted(fixture, 65536, position, &count);
		fixture_run(fixture);
	}
	assert_int_equal(count, 1);
	free(bytes);
}

static const struct CMUnitTest tests[] = {
	ON_STREAM(descriptors_leave_with_their_first_byte_however_it_is_read),
	ON_STREAM(queued_descriptors_leave_with_their_first_byte),
	ON_STREAM(descriptors_come_with_their_first_byte_however_it_was_cut),
	ON_STREAM(a_message_written_in_parts_takes_its_descriptors_with_the_first),
	ON_STREAM(descriptors_behind_a_message_in_parts_wait_for_its_end),
};

int main(void)
{
	return RUN_TESTS(tests);
}

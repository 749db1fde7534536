/* SPDX-License-Identifier: MIT */
/* pcapng blocks, byte by byte as the draft has them, and errors of writes. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "client/command/pcapng.h"

/* Text with null bytes in it that is compared as a whole; the machine's order is little-endian. */
#define BYTES(text) text, sizeof(text) - 1

static void assert_written(int fd, const char *expected, size_t length)
{
	unsigned char bytes[512];

	assert_int_equal(read(fd, bytes, sizeof(bytes)), length);
	assert_memory_equal(bytes, expected, length);
}

static void skip_unless_little_endian(void)
{
	if (*(const char *)&(const int){1} != 1)
		test_skip("blocks are in the machine's byte order, and are compared as another's");
}

static void pipe_open(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

static void pipe_close(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void a_section_says_who_wrote_it(void **state)
{
	static const char application[] = "memtun " PACKAGE_VERSION;
	size_t padded = (sizeof(application) - 1 + 3) / 4 * 4;
	uint32_t total = (uint32_t)(24 + 4 + padded + 4 + 4);
	unsigned char bytes[512];
	uint32_t length;
	int ends[2];

	(void)state;
	skip_unless_little_endian();
	pipe_open(ends);
	assert_int_equal(pcapng_write_section(ends[1]), 0);
	assert_int_equal(read(ends[0], bytes, sizeof(bytes)), total);
	assert_memory_equal(bytes, "\x0a\x0d\x0d\x0a", 4);
	memcpy(&length, bytes + 4, 4);
	assert_int_equal(length, total);
	/* The magic, version 1.0, and an unknown length. */
	assert_memory_equal(bytes + 8, "\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
			    16);
	assert_memory_equal(bytes + 24, "\4\0", 2);
	assert_int_equal(bytes[26], sizeof(application) - 1);
	assert_string_equal((char *)bytes + 28, application);
	memcpy(&length, bytes + total - 4, 4);
	assert_int_equal(length, total);
	pipe_close(ends);
}

static void an_interface_has_a_name_and_nanoseconds(void **state)
{
	int ends[2];

	(void)state;
	skip_unless_little_endian();
	pipe_open(ends);
	assert_int_equal(pcapng_write_interface(ends[1], "vm0", MEMTUN_TAP), 0);
	assert_written(ends[0], BYTES("\1\0\0\0\x28\0\0\0"   /* block and length */
				      "\1\0\0\0\0\0\0\0"     /* Ethernet, any length */
				      "\2\0\3\0vm0\0"        /* if_name */
				      "\x09\0\1\0\x09\0\0\0" /* if_tsresol: 10^-9 */
				      "\0\0\0\0\x28\0\0\0"));
	assert_int_equal(pcapng_write_interface(ends[1], "fifteen-letters", MEMTUN_TUN), 0);
	assert_written(ends[0], BYTES("\1\0\0\0\x34\0\0\0"
				      "\x65\0\0\0\0\0\0\0" /* raw IP */
				      "\2\0\x0f\0"
				      "fifteen-letters\0"
				      "\x09\0\1\0\x09\0\0\0"
				      "\0\0\0\0\x34\0\0\0"));
	pipe_close(ends);
}

static void a_frame_has_its_time_and_direction(void **state)
{
	struct pcapng_frame frame = {
		.interface = 2,
		.time = UINT64_C(0x1122334455667788),
		.direction = PCAPNG_INBOUND,
		.data = "abcde",
		.length = 5,
	};
	int ends[2];

	(void)state;
	skip_unless_little_endian();
	pipe_open(ends);
	assert_int_equal(pcapng_write_frame(ends[1], &frame), 0);
	assert_written(ends[0], BYTES("\6\0\0\0\x34\0\0\0\2\0\0\0"
				      "\x44\x33\x22\x11\x88\x77\x66\x55" /* the upper half first */
				      "\5\0\0\0\5\0\0\0"
				      "abcde\0\0\0"
				      "\2\0\4\0\1\0\0\0" /* epb_flags: inbound */
				      "\0\0\0\0\x34\0\0\0"));
	frame.direction = PCAPNG_OUTBOUND;
	frame.missed = 3;
	frame.length = 4;
	assert_int_equal(pcapng_write_frame(ends[1], &frame), 0);
	assert_written(ends[0], BYTES("\6\0\0\0\x3c\0\0\0\2\0\0\0"
				      "\x44\x33\x22\x11\x88\x77\x66\x55"
				      "\4\0\0\0\4\0\0\0"
				      "abcd"
				      "\2\0\4\0\2\0\0\0"
				      "\4\0\x08\0\3\0\0\0\0\0\0\0" /* epb_dropcount */
				      "\0\0\0\0\x3c\0\0\0"));
	pipe_close(ends);
}

static void a_frame_has_its_id_and_comment(void **state)
{
	char longest[PCAPNG_COMMENT_MAX + 1];
	struct pcapng_frame frame = {
		.time = 1,
		.direction = PCAPNG_INBOUND,
		.id = UINT64_C(0x0102030405060708),
		.comment = "dropped: full",
		.data = "abcd",
		.length = 4,
	};
	unsigned char bytes[512];
	uint32_t total;
	int ends[2];

	(void)state;
	skip_unless_little_endian();
	pipe_open(ends);
	assert_int_equal(pcapng_write_frame(ends[1], &frame), 0);
	assert_written(ends[0], BYTES("\6\0\0\0\x50\0\0\0\0\0\0\0"
				      "\0\0\0\0\1\0\0\0"
				      "\4\0\0\0\4\0\0\0"
				      "abcd"
				      "\2\0\4\0\1\0\0\0"
				      "\5\0\x08\0\x08\7\6\5\4\3\2\1" /* epb_packetid */
				      "\1\0\x0d\0"
				      "dropped: full\0\0\0" /* opt_comment */
				      "\0\0\0\0\x50\0\0\0"));
	/* All options together, with the longest comment, and one that is longer. */
	memset(longest, 'x', sizeof(longest));
	frame.comment = longest;
	frame.missed = UINT64_MAX;
	assert_int_equal(pcapng_write_frame(ends[1], &frame), 0);
	total = 28 + 4 + 8 + 12 + 12 + 4 + PCAPNG_COMMENT_MAX + 4 + 4;
	assert_int_equal(read(ends[0], bytes, sizeof(bytes)), total);
	assert_memory_equal(bytes + 4, &total, 4);
	assert_memory_equal(bytes + total - 4, &total, 4);
	assert_memory_equal(bytes + total - 8, "\0\0\0\0", 4);
	assert_memory_equal(bytes + total - 8 - PCAPNG_COMMENT_MAX, longest, PCAPNG_COMMENT_MAX);
	pipe_close(ends);
}

static void statistics_count_frames_and_missed_ones(void **state)
{
	int ends[2];

	(void)state;
	skip_unless_little_endian();
	pipe_open(ends);
	assert_int_equal(pcapng_write_statistics(ends[1], 1, UINT64_C(0x100000002), 7, 9), 0);
	assert_written(ends[0], BYTES("\5\0\0\0\x34\0\0\0\1\0\0\0"
				      "\1\0\0\0\2\0\0\0"
				      "\4\0\x08\0\7\0\0\0\0\0\0\0"   /* isb_ifrecv */
				      "\5\0\x08\0\x09\0\0\0\0\0\0\0" /* isb_ifdrop */
				      "\0\0\0\0\x34\0\0\0"));
	pipe_close(ends);
}

/* ------------------------------------------------------------------------------ writing */

/* A pipe of one page: a longer frame is written in pieces, as its reader makes room. */
static void *frame_write(void *context)
{
	static unsigned char data[60001];
	struct pcapng_frame frame = {.data = data, .length = sizeof(data)};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 >> 3);
	assert_int_equal(pcapng_write_frame(*(int *)context, &frame), 0);
	close(*(int *)context);
	return NULL;
}

static void a_pipe_takes_a_frame_in_pieces(void **state)
{
	unsigned char *bytes = malloc(70000);
	size_t length = 0;
	pthread_t writer;
	ssize_t read_now;
	uint32_t total;
	int ends[2];

	(void)state;
	assert_non_null(bytes);
	pipe_open(ends);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(pthread_create(&writer, NULL, frame_write, &ends[1]), 0);
	/* An odd number of bytes, so that no piece ends where a part does. */
	while ((read_now = read(ends[0], bytes + length, 997)) > 0)
		length += (size_t)read_now;
	assert_int_equal(read_now, 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(length, 28 + 60004 + 8 + 4 + 4);
	memcpy(&total, bytes + 4, 4);
	assert_int_equal(total, length);
	memcpy(&total, bytes + length - 4, 4);
	assert_int_equal(total, length);
	for (size_t i = 0; i < 60001; i++)
		assert_int_equal(bytes[28 + i], (unsigned char)(i * 7 >> 3));
	assert_memory_equal(bytes + 28 + 60001, "\0\0\0", 3);
	close(ends[0]);
	free(bytes);
}

static void a_write_that_fails_is_told(void **state)
{
	const struct pcapng_frame frame = {.data = "abc", .length = 3};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pipe_open(ends);
	close(ends[0]);
	assert_int_equal(pcapng_write_section(ends[1]), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(pcapng_write_frame(ends[1], &frame), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
	assert_true(full >= 0);
	assert_int_equal(pcapng_write_interface(full, "vm0", MEMTUN_TAP), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(pcapng_write_statistics(full, 0, 0, 0, 0), -1);
	assert_int_equal(errno, ENOSPC);
	close(full);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_section_says_who_wrote_it),
	cmocka_unit_test(an_interface_has_a_name_and_nanoseconds),
	cmocka_unit_test(a_frame_has_its_time_and_direction),
	cmocka_unit_test(a_frame_has_its_id_and_comment),
	cmocka_unit_test(statistics_count_frames_and_missed_ones),
	cmocka_unit_test(a_pipe_takes_a_frame_in_pieces),
	cmocka_unit_test(a_write_that_fails_is_told),
};

int main(void)
{
	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * For tests with cmocka: a tunnel in memory as a fixture, and assertions about the frames that the
 * program under test has written to it. An assertion that fails prints the frames in hexadecimal,
 * each with a line about its headers. A test links libmemtun-io and cmocka. See memtun_testing(3).
 *
 *	static void it_answers(void **state)
 *	{
 *		struct memtun_fixture *fixture = *state;
 *		...
 *		assert_udp_received(fixture->tunnel, "10.0.0.1", 7, "hello", 5);
 *		assert_no_frame(fixture->tunnel);
 *	}
 *	...
 *		cmocka_unit_test_setup_teardown(it_answers, memtun_set_up_tun, memtun_tear_down),
 */
#ifndef MEMTUN_CMOCKA_H
#define MEMTUN_CMOCKA_H

#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#if defined(__STRICT_ANSI__)
#error "memtun/cmocka.h needs struct ifreq: define _DEFAULT_SOURCE, or compile with -std=gnu11"
#endif
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <memtun/testing.h>

/* --- a fixture --- */

/* What one of the set-up functions below leaves in *state. memtun_tear_down() frees it. */
struct memtun_fixture {
	struct memtun_io *io;
	int fd; /* the program's descriptor: non-blocking, attached, without packet information */
	char name[IFNAMSIZ];
	struct memtun_testing_tunnel *tunnel;
};

/* Close the descriptor unless the program has, and free the system and the fixture. Return 0. */
static inline int memtun_tear_down(void **state)
{
	struct memtun_fixture *fixture = (struct memtun_fixture *)*state;

	/* EBADF if the program has closed it, which is no error. */
	if (fixture->fd >= 0)
		memtun_io_close(fixture->io, fixture->fd);
	memtun_io_free(fixture->io);
	free(fixture);
	return 0;
}

/* Make a fixture whose tunnel is attached with these flags of TUNSETIFF. -1 after a message. */
static inline int memtun_set_up(void **state, int flags)
{
	struct memtun_fixture *fixture = (struct memtun_fixture *)calloc(1, sizeof(*fixture));
	struct ifreq request;

	if (!fixture)
		return -1;
	*state = fixture;
	fixture->fd = -1;
	fixture->io = memtun_io_memory_new();
	if (fixture->io)
		fixture->fd =
			memtun_io_open(fixture->io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	memset(&request, 0, sizeof(request));
	request.ifr_flags = (short)flags;
	if (fixture->fd < 0 || memtun_io_ioctl(fixture->io, fixture->fd, TUNSETIFF, &request) < 0) {
		print_error("cannot make a tunnel in memory: %s\n", strerror(errno));
		memtun_tear_down(state);
		return -1;
	}
	memcpy(fixture->name, request.ifr_name, sizeof(fixture->name));
	fixture->tunnel = memtun_testing_tunnel(fixture->io, fixture->fd);
	return 0;
}

/* Make a fixture with a tunnel of IP packets. */
static inline int memtun_set_up_tun(void **state)
{
	return memtun_set_up(state, IFF_TUN | IFF_NO_PI);
}

/* Make a fixture with a tunnel of Ethernet frames. */
static inline int memtun_set_up_tap(void **state)
{
	return memtun_set_up(state, IFF_TAP | IFF_NO_PI);
}

/* --- what the assertions print --- */

/* Bytes of a frame that are printed at most. */
#define MEMTUN_CMOCKA_SHOWN 2048

/* Frames that are printed at most when none is the expected one. */
#define MEMTUN_CMOCKA_FRAMES 8

/* Print the bytes, 16 a row, in hexadecimal and as ASCII. */
static inline void memtun_print_bytes(const void *bytes, size_t length)
{
	const unsigned char *from = (const unsigned char *)bytes;
	size_t shown = length < MEMTUN_CMOCKA_SHOWN ? length : MEMTUN_CMOCKA_SHOWN;

	for (size_t row = 0; row < shown; row += 16) {
		size_t count = shown - row < 16 ? shown - row : 16;
		char hexadecimal[16 * 3 + 1] = "", letters[16 + 1] = "";

		for (size_t i = 0; i < count; i++) {
			unsigned char byte = from[row + i];

			snprintf(hexadecimal + i * 3, 4, " %02x", byte);
			letters[i] = byte < 0x80 && isprint(byte) ? (char)byte : '.';
		}
		print_error("  %04zx %-48s  %s\n", row, hexadecimal, letters);
	}
	if (shown < length)
		print_error("  and %zu bytes more\n", length - shown);
}

/* Print the line about the frame's headers and its bytes. */
static inline void memtun_print_frame(const struct memtun_testing_tunnel *tunnel, const void *bytes,
				      size_t length)
{
	int mode = memtun_testing_mode(tunnel);
	char line[MEMTUN_TESTING_DESCRIPTION];

	if (mode < 0 ||
	    memtun_testing_describe(line, sizeof(line), (enum memtun_mode)mode, bytes, length) < 0)
		strcpy(line, "a frame");
	print_error("  %s\n", line);
	memtun_print_bytes(bytes, length);
}

/* Take the frames that the program wrote, and print them; for an assertion that has failed. */
static inline void memtun_print_written(struct memtun_testing_tunnel *tunnel)
{
	unsigned int count = memtun_testing_count_written(tunnel);
	const void *bytes;
	size_t length;

	if (count == 0)
		print_error("no frame was received\n");
	else
		print_error("%u frame%s received:\n", count, count == 1 ? " was" : "s were");
	for (unsigned int i = 0; i < count && i < MEMTUN_CMOCKA_FRAMES; i++) {
		struct memtun_testing_frame *frame = memtun_testing_take_frame(tunnel);

		if (!frame)
			return;
		bytes = memtun_testing_frame_bytes(frame, &length);
		memtun_print_frame(tunnel, bytes, length);
		memtun_testing_frame_free(frame);
	}
	if (count > MEMTUN_CMOCKA_FRAMES)
		print_error("and %u more\n", count - MEMTUN_CMOCKA_FRAMES);
}

/* Print where the received bytes differ from the expected ones. Return 0 if they don't. */
static inline int memtun_print_difference(const char *what, const void *received,
					  size_t received_length, const void *expected,
					  size_t expected_length)
{
	const unsigned char *one = (const unsigned char *)received;
	const unsigned char *other = (const unsigned char *)expected;
	size_t shorter = received_length < expected_length ? received_length : expected_length;
	size_t at = 0;

	while (at < shorter && one[at] == other[at])
		at++;
	if (at < shorter)
		print_error("the %s that was received differs at byte 0x%04zx: %02x, not %02x\n",
			    what, at, one[at], other[at]);
	else if (received_length != expected_length)
		print_error("the %s that was received has %zu bytes, not %zu\n", what,
			    received_length, expected_length);
	return at < shorter || received_length != expected_length;
}

/* --- the assertions --- */

static inline void memtun_check_frame(struct memtun_testing_tunnel *tunnel, const void *expected,
				      size_t length, const char *file, int line)
{
	struct memtun_testing_frame *frame = memtun_testing_take_frame(tunnel);
	const void *received;
	size_t received_length;

	if (!frame) {
		print_error("no frame was received; expected was:\n");
		memtun_print_frame(tunnel, expected, length);
		_fail(file, line);
		return;
	}
	received = memtun_testing_frame_bytes(frame, &received_length);
	if (!memtun_print_difference("frame", received, received_length, expected, length)) {
		memtun_testing_frame_free(frame);
		return;
	}
	print_error("received:\n");
	memtun_print_frame(tunnel, received, received_length);
	print_error("expected:\n");
	memtun_print_frame(tunnel, expected, length);
	memtun_testing_frame_free(frame);
	_fail(file, line);
}

static inline void memtun_check_udp(struct memtun_testing_tunnel *tunnel, const char *host,
				    uint16_t port, const void *expected, size_t length,
				    const char *file, int line)
{
	const void *payload, *bytes;
	size_t payload_length, bytes_length;
	struct memtun_testing_frame *frame =
		memtun_testing_take_udp(tunnel, host, port, &payload, &payload_length);

	if (!frame) {
		if (errno == EINVAL)
			print_error("'%s' is no address\n", host);
		else
			print_error("no datagram to %s port %u was received\n", host, port);
		memtun_print_written(tunnel);
		_fail(file, line);
		return;
	}
	if (!memtun_print_difference("payload", payload, payload_length, expected, length)) {
		memtun_testing_frame_free(frame);
		return;
	}
	bytes = memtun_testing_frame_bytes(frame, &bytes_length);
	print_error("received:\n");
	memtun_print_frame(tunnel, bytes, bytes_length);
	print_error("expected payload:\n");
	memtun_print_bytes(expected, length);
	memtun_testing_frame_free(frame);
	_fail(file, line);
}

static inline void memtun_check_no_frame(struct memtun_testing_tunnel *tunnel, const char *file,
					 int line)
{
	if (!tunnel) {
		print_error("there is no tunnel\n");
		_fail(file, line);
		return;
	}
	if (memtun_testing_count_written(tunnel) == 0)
		return;
	print_error("no frame was expected\n");
	memtun_print_written(tunnel);
	_fail(file, line);
}

/*
 * Take the oldest frame that the program wrote, and assert that it has these bytes. Packet
 * information and the vnet header are not compared.
 */
#define assert_frame_received(tunnel, bytes, length) \
	memtun_check_frame(tunnel, bytes, length, __FILE__, __LINE__)

/*
 * Take the oldest UDP datagram that the program wrote to that numeric address and port, and assert
 * that it has this payload. Other frames may come before it; they stay. A datagram that is a
 * fragment, is cut, or has a wrong checksum is not taken.
 */
#define assert_udp_received(tunnel, host, port, payload, length) \
	memtun_check_udp(tunnel, host, port, payload, length, __FILE__, __LINE__)

/* Assert that every frame that the program wrote was taken. */
#define assert_no_frame(tunnel) memtun_check_no_frame(tunnel, __FILE__, __LINE__)

#endif

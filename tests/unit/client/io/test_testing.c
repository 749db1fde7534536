/* SPDX-License-Identifier: MIT */
/* The functions of memtun/testing.h, except those for UDP datagrams. */
#include "tests/unit/runner.h"

#include <stdbool.h>
#include <unistd.h>

#include "common/clock.h"
#include "memtun/cmocka.h"

static const unsigned char packet4[20] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 17};
static const unsigned char packet6[40] = {0x60, 0, 0, 0, 0, 0, 59, 64};

#define assert_is_null(call, error)               \
	do {                                      \
		errno = 0;                        \
		assert_null(call);                \
		assert_int_equal(errno, (error)); \
	} while (0)

static int attach(struct memtun_io *io, const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};
	int fd = memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_int_equal(memtun_io_ioctl(io, fd, TUNSETIFF, &request), 0);
	return fd;
}

static void assert_read(const struct memtun_fixture *fixture, const void *expected, size_t length)
{
	unsigned char bytes[2048];

	assert_int_equal(memtun_io_read(fixture->io, fixture->fd, bytes, sizeof(bytes)), length);
	assert_memory_equal(bytes, expected, length);
}

static int add(struct memtun_testing_tunnel *tunnel, const void *packet, size_t length)
{
	return memtun_testing_add_to_read_buffer(tunnel, packet, length, NULL, NULL);
}

/* ------------------------------------------------------------------------------ tunnels */

static void a_tunnel_is_found_by_its_descriptor_or_is_the_first(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *io = fixture->io;
	int second = attach(io, "second", IFF_TAP | IFF_NO_PI);
	int duplicate = dup(second);

	assert_ptr_equal(memtun_testing_tunnel(io, fixture->fd), fixture->tunnel);
	assert_ptr_equal(memtun_testing_tunnel(io, -1), fixture->tunnel);
	assert_ptr_not_equal(memtun_testing_tunnel(io, second), fixture->tunnel);
	assert_ptr_equal(memtun_testing_tunnel(io, duplicate), memtun_testing_tunnel(io, second));
	assert_int_equal(memtun_testing_mode(fixture->tunnel), MEMTUN_TUN);
	assert_int_equal(memtun_testing_mode(memtun_testing_tunnel(io, second)), MEMTUN_TAP);
	memtun_io_close(io, duplicate);
	memtun_io_close(io, second);
	memtun_io_close(io, fixture->fd);
	assert_is_null(memtun_testing_tunnel(io, -1), ENODEV);
	assert_is_null(memtun_testing_tunnel(io, fixture->fd), EBADF);
}

static void what_is_no_tunnel_in_memory_is_refused(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *kernel = memtun_io_kernel_new();
	int fd;

	assert_is_null(memtun_testing_tunnel(kernel, -1), EOPNOTSUPP);
	memtun_io_free(kernel);
	assert_int_equal(
		memtun_io_register_device(fixture->io, "/dev/loop", &memtun_io_loopback, NULL), 0);
	fd = memtun_io_open(fixture->io, "/dev/loop", O_RDWR | O_CLOEXEC);
	assert_is_null(memtun_testing_tunnel(fixture->io, fd), ENOTTY);
	memtun_io_close(fixture->io, fd);
}

static void no_tunnel_is_no_such_device(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = memtun_io_open(fixture->io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC);
	struct memtun_testing_tunnel *unattached = memtun_testing_tunnel(fixture->io, fd);

	assert_fails(memtun_testing_mode(NULL), ENODEV);
	assert_fails(add(NULL, packet4, sizeof(packet4)), ENODEV);
	assert_fails(memtun_testing_add_frame(NULL, packet4, sizeof(packet4)), ENODEV);
	assert_fails(memtun_testing_set_send_buffer(NULL, 1), ENODEV);
	assert_fails(memtun_testing_set_error_when_empty(NULL, EINTR), ENODEV);
	assert_is_null(memtun_testing_take_frame(NULL), ENODEV);
	assert_int_equal(memtun_testing_count_unread(NULL), 0);
	assert_int_equal(memtun_testing_count_written(NULL), 0);
	assert_fails(memtun_testing_mode(unattached), ENODEV);
	assert_fails(add(unattached, packet4, sizeof(packet4)), ENODEV);
	assert_is_null(memtun_testing_take_frame(unattached), EAGAIN);
	memtun_io_close(fixture->io, fd);
}

/* ------------------------------------------------------------------------------ frames */

static void a_tun_reads_the_packet(void **state)
{
	const struct memtun_fixture *fixture = *state;
	const uint8_t mac[6] = {2};

	assert_int_equal(add(fixture->tunnel, packet4, sizeof(packet4)), 1);
	assert_int_equal(memtun_testing_add_to_read_buffer(fixture->tunnel, packet6,
							   sizeof(packet6), mac, mac),
			 1);
	assert_read(fixture, packet4, sizeof(packet4));
	assert_read(fixture, packet6, sizeof(packet6));
}

static void a_tap_reads_it_in_ethernet(void **state)
{
	const struct memtun_fixture *fixture = *state;
	const uint8_t from[6] = {2, 1}, to[6] = {2, 2};
	unsigned char frame[14 + sizeof(packet6)] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	assert_int_equal(add(fixture->tunnel, packet4, sizeof(packet4)), 1);
	memcpy(frame + 12, "\x08\0", 2);
	memcpy(frame + 14, packet4, sizeof(packet4));
	assert_read(fixture, frame, 14 + sizeof(packet4));
	assert_int_equal(memtun_testing_add_to_read_buffer(fixture->tunnel, packet6,
							   sizeof(packet6), from, to),
			 1);
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	memcpy(frame + 12, "\x86\xdd", 2);
	memcpy(frame + 14, packet6, sizeof(packet6));
	assert_read(fixture, frame, sizeof(frame));
	/* memtun_testing_add_frame() takes any frame. */
	memcpy(frame + 12, "\x88\xb5", 2);
	assert_int_equal(memtun_testing_add_frame(fixture->tunnel, frame, 14), 1);
	assert_read(fixture, frame, 14);
	assert_fails(memtun_testing_add_frame(fixture->tunnel, frame, 13), EINVAL);
}

static void only_ip_goes_into_the_read_buffer(void **state)
{
	const struct memtun_fixture *fixture = *state;
	const unsigned char other[20] = {0x55};
	static const unsigned char large[80000] = {0x45};

	assert_fails(add(fixture->tunnel, other, sizeof(other)), EINVAL);
	assert_fails(add(fixture->tunnel, other, 0), EINVAL);
	assert_fails(add(fixture->tunnel, large, sizeof(large)), EMSGSIZE);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 0);
}

static void a_filtered_frame_is_not_read(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct {
		struct tun_filter filter;
		unsigned char address[6];
	} only = {{0, 1}, {2, 0, 0, 0, 0, 9}};
	const uint8_t other[6] = {2, 0, 0, 0, 0, 8};

	assert_int_equal(memtun_io_ioctl(fixture->io, fixture->fd, TUNSETTXFILTER, &only), 1);
	assert_int_equal(memtun_testing_add_to_read_buffer(fixture->tunnel, packet4,
							   sizeof(packet4), NULL, other),
			 0);
	assert_int_equal(memtun_testing_add_to_read_buffer(fixture->tunnel, packet4,
							   sizeof(packet4), NULL, only.address),
			 1);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 1);
}

static void frames_are_counted_each_way(void **state)
{
	const struct memtun_fixture *fixture = *state;

	for (unsigned int i = 0; i < 400; i++)
		add(fixture->tunnel, packet4, sizeof(packet4));
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 400);
	assert_read(fixture, packet4, sizeof(packet4));
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 399);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 0);
	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, packet6, 40), 40);
	assert_int_equal(write(fixture->fd, packet4, 20), 20);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 2);
}

static void a_written_frame_has_bytes_headers_and_a_time(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = attach(fixture->io, "", IFF_TAP | IFF_VNET_HDR);
	struct memtun_testing_tunnel *tunnel = memtun_testing_tunnel(fixture->io, fd);
	unsigned char written[4 + 10 + 14] = {0, 0, 0x88, 0xb5, [14] = 2, [26] = 0x88, 0xb5};
	int64_t before = clock_now();
	struct memtun_testing_frame *frame;
	const unsigned char *bytes;
	size_t length;

	assert_int_equal(memtun_io_write(fixture->io, fd, written, sizeof(written)),
			 sizeof(written));
	frame = memtun_testing_take_frame(tunnel);
	assert_non_null(frame);
	bytes = memtun_testing_frame_bytes(frame, &length);
	assert_int_equal(length, 14);
	assert_memory_equal(bytes, written + 14, 14);
	bytes = memtun_testing_frame_headers(frame, &length);
	assert_int_equal(length, 14);
	assert_memory_equal(bytes, written, 14);
	assert_in_range(memtun_testing_frame_time(frame), before - CLOCK_MILLISECOND,
			clock_now() + CLOCK_MILLISECOND);
	memtun_testing_frame_free(frame);
	memtun_testing_frame_free(NULL);
	assert_is_null(memtun_testing_take_frame(tunnel), EAGAIN);
	memtun_io_close(fixture->io, fd);
}

/* ------------------------------------------------------------------------------ faults */

static void the_next_calls_fail_and_lose_nothing(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *io = fixture->io;
	unsigned char byte;
	struct ifreq request;

	add(fixture->tunnel, packet4, sizeof(packet4));
	memtun_testing_fail_next(io, MEMTUN_IO_READ, 2, EINTR);
	assert_fails(memtun_io_read(io, fixture->fd, &byte, 1), EINTR);
	assert_fails(memtun_io_read(io, fixture->fd, &byte, 1), EINTR);
	assert_read(fixture, packet4, sizeof(packet4));
	memtun_testing_fail_next(io, MEMTUN_IO_WRITE, 1, ENOBUFS);
	assert_fails(memtun_io_write(io, fixture->fd, packet4, 20), ENOBUFS);
	assert_no_frame(fixture->tunnel);
	assert_int_equal(memtun_io_write(io, fixture->fd, packet4, 20), 20);
	memtun_testing_fail_next(io, MEMTUN_IO_OPEN | MEMTUN_IO_IOCTL, 1, EIO);
	assert_fails(memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR), EIO);
	assert_fails(memtun_io_ioctl(io, fixture->fd, TUNGETIFF, &request), EIO);
	assert_int_equal(memtun_io_ioctl(io, fixture->fd, TUNGETIFF, &request), 0);
	/* A count of 0 ends the fault. */
	memtun_testing_fail_next(io, MEMTUN_IO_ALL, 10, EIO);
	memtun_testing_fail_next(io, MEMTUN_IO_ALL, 0, EIO);
	assert_int_equal(memtun_io_ioctl(io, fixture->fd, TUNGETIFF, &request), 0);
}

static void every_so_many_calls_fail(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned int failures = 0;

	memtun_testing_fail_every(fixture->io, MEMTUN_IO_WRITE, 5, EIO);
	for (unsigned int i = 1; i <= 20; i++) {
		bool fails = memtun_io_write(fixture->io, fixture->fd, packet4, 20) < 0;

		assert_int_equal(fails, i % 5 == 0);
		failures += fails;
	}
	assert_int_equal(failures, 4);
	memtun_testing_fail_every(fixture->io, MEMTUN_IO_WRITE, 0, 0);
	for (unsigned int i = 1; i <= 20; i++)
		assert_int_equal(memtun_io_write(fixture->io, fixture->fd, packet4, 20), 20);
}

static void a_plain_call_sees_no_fault(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char bytes[20];

	memtun_testing_fail_every(fixture->io, MEMTUN_IO_ALL, 1, EIO);
	add(fixture->tunnel, packet4, sizeof(packet4));
	assert_int_equal(read(fixture->fd, bytes, 20), 20);
	assert_int_equal(write(fixture->fd, packet4, 20), 20);
	assert_frame_received(fixture->tunnel, packet4, sizeof(packet4));
	memtun_testing_fail_every(fixture->io, MEMTUN_IO_ALL, 0, 0);
}

static void the_send_buffer_has_a_size(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_int_equal(memtun_testing_set_send_buffer(fixture->tunnel, 20), 0);
	assert_fails(memtun_io_write(fixture->io, fixture->fd, packet6, 21), ENOBUFS);
	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, packet4, 20), 20);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 1);
}

static void an_empty_tunnel_fails_as_it_should(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char byte;

	assert_fails(memtun_io_read(fixture->io, fixture->fd, &byte, 1), EAGAIN);
	assert_int_equal(memtun_testing_set_error_when_empty(fixture->tunnel, EINTR), 0);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, &byte, 1), EINTR);
	/* A frame is read before the error. */
	add(fixture->tunnel, packet4, sizeof(packet4));
	assert_read(fixture, packet4, sizeof(packet4));
	assert_fails(memtun_io_read(fixture->io, fixture->fd, &byte, 1), EINTR);
}

static void a_frame_is_described_in_a_line(void **state)
{
	char line[MEMTUN_TESTING_DESCRIPTION], begin[5];
	int length;

	(void)state;
	length = memtun_testing_describe(line, sizeof(line), MEMTUN_TUN, packet6, sizeof(packet6));
	assert_int_equal(length, strlen(line));
	assert_string_equal(line, "IPv6 :: > :: protocol 59 length 0");
	memtun_testing_describe(begin, sizeof(begin), MEMTUN_TUN, packet6, sizeof(packet6));
	assert_string_equal(begin, "IPv6");
	assert_fails(memtun_testing_describe(line, sizeof(line), (enum memtun_mode)9, packet6, 40),
		     EINVAL);
}

#define TUN(name) cmocka_unit_test_setup_teardown(name, memtun_set_up_tun, memtun_tear_down)
#define TAP(name) cmocka_unit_test_setup_teardown(name, memtun_set_up_tap, memtun_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TUN(a_tunnel_is_found_by_its_descriptor_or_is_the_first),
		TUN(what_is_no_tunnel_in_memory_is_refused),
		TUN(no_tunnel_is_no_such_device),
		TUN(a_tun_reads_the_packet),
		TAP(a_tap_reads_it_in_ethernet),
		TUN(only_ip_goes_into_the_read_buffer),
		TAP(a_filtered_frame_is_not_read),
		TUN(frames_are_counted_each_way),
		TUN(a_written_frame_has_bytes_headers_and_a_time),
		TUN(the_next_calls_fail_and_lose_nothing),
		TUN(every_so_many_calls_fail),
		TUN(a_plain_call_sees_no_fault),
		TUN(the_send_buffer_has_a_size),
		TUN(an_empty_tunnel_fails_as_it_should),
		cmocka_unit_test(a_frame_is_described_in_a_line),
	};

	return RUN_TESTS(tests);
}

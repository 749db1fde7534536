/* SPDX-License-Identifier: MIT */
/* What a test learns of one tunnel, and the faults that it puts on it alone. */
#include "tests/unit/runner.h"

#include <unistd.h>

#include "memtun/cmocka.h"

static const unsigned char packets[3][20] = {
	{0x45, 0, 0, 20, 0, 1, 0, 0, 64, 17},
	{0x45, 0, 0, 20, 0, 2, 0, 0, 64, 17},
	{0x45, 0, 0, 20, 0, 3, 0, 0, 64, 17},
};

static int open_at(struct memtun_io *io, const char *path, const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};
	int fd = memtun_io_open(io, path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_int_equal(memtun_io_ioctl(io, fd, TUNSETIFF, &request), 0);
	return fd;
}

static void assert_copy(struct memtun_testing_frame *frame, const void *bytes, size_t length)
{
	size_t got;
	const void *found;

	assert_non_null(frame);
	found = memtun_testing_frame_bytes(frame, &got);
	assert_int_equal(got, length);
	assert_memory_equal(found, bytes, length);
	memtun_testing_frame_free(frame);
}

static void a_tunnel_has_its_names_and_flags(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = open_at(fixture->io, MEMTUN_IO_TUN, "vpn%d", IFF_TAP | IFF_VNET_HDR);
	int unattached = memtun_io_open(fixture->io, MEMTUN_IO_TUN, O_RDONLY);
	struct memtun_testing_tunnel *tunnel = memtun_testing_tunnel(fixture->io, fd);

	assert_string_equal(memtun_testing_name(tunnel), "vpn0");
	assert_string_equal(memtun_testing_requested_name(tunnel), "vpn%d");
	assert_int_equal(memtun_testing_flags(tunnel), IFF_TAP | IFF_VNET_HDR);
	assert_int_equal(memtun_testing_open_flags(tunnel), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_string_equal(memtun_testing_requested_name(fixture->tunnel), "");
	assert_string_equal(memtun_testing_name(fixture->tunnel), fixture->name);
	tunnel = memtun_testing_tunnel(fixture->io, unattached);
	assert_null(memtun_testing_name(tunnel));
	assert_int_equal(errno, ENODEV);
	assert_null(memtun_testing_requested_name(NULL));
	assert_fails(memtun_testing_flags(tunnel), ENODEV);
	assert_int_equal(memtun_testing_open_flags(tunnel), O_RDONLY);
	assert_fails(memtun_testing_open_flags(NULL), ENODEV);
	memtun_io_close(fixture->io, fd);
	memtun_io_close(fixture->io, unattached);
}

static void a_fault_is_of_one_tunnel(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *io = fixture->io;
	int other = open_at(io, MEMTUN_IO_TUN, "", IFF_TUN | IFF_NO_PI);
	unsigned char bytes[20];
	struct ifreq request;

	assert_int_equal(memtun_testing_add_fault(
				 fixture->tunnel,
				 MEMTUN_IO_READ | MEMTUN_IO_WRITE | MEMTUN_IO_IOCTL, 1, EIO),
			 0);
	memtun_testing_add_frame(fixture->tunnel, packets[0], 20);
	assert_int_equal(memtun_io_write(io, other, packets[0], 20), 20);
	assert_fails(memtun_io_read(io, other, bytes, 20), EAGAIN);
	assert_int_equal(memtun_io_ioctl(io, other, TUNGETIFF, &request), 0);
	assert_fails(memtun_io_write(io, fixture->fd, packets[0], 20), EIO);
	assert_no_frame(fixture->tunnel);
	assert_fails(memtun_io_read(io, fixture->fd, bytes, 20), EIO);
	assert_int_equal(memtun_io_read(io, fixture->fd, bytes, 20), 20);
	assert_fails(memtun_io_ioctl(io, fixture->fd, TUNGETIFF, &request), EIO);
	assert_int_equal(memtun_io_ioctl(io, fixture->fd, TUNGETIFF, &request), 0);
	assert_fails(memtun_testing_add_fault(fixture->tunnel, MEMTUN_IO_OPEN, 1, EIO), EINVAL);
	assert_fails(memtun_testing_add_fault(NULL, MEMTUN_IO_READ, 1, EIO), ENODEV);
	memtun_io_close(io, other);
}

static void faults_are_added_to_and_asked_for(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char bytes[20];

	memtun_testing_add_fault(fixture->tunnel, MEMTUN_IO_READ, 2, EINTR);
	memtun_testing_add_fault(fixture->tunnel, MEMTUN_IO_READ, 1, ENOBUFS);
	assert_int_equal(memtun_testing_count_faults(fixture->tunnel, MEMTUN_IO_READ), 3);
	assert_int_equal(memtun_testing_count_faults(fixture->tunnel, MEMTUN_IO_WRITE), 0);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), EINTR);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), EINTR);
	assert_int_equal(memtun_testing_count_faults(fixture->tunnel, MEMTUN_IO_READ), 1);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), ENOBUFS);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), EAGAIN);
	memtun_testing_add_fault(fixture->tunnel, MEMTUN_IO_READ, 5, EINTR);
	memtun_testing_clear_faults(fixture->tunnel, MEMTUN_IO_ALL);
	assert_int_equal(memtun_testing_count_faults(fixture->tunnel, MEMTUN_IO_READ), 0);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), EAGAIN);
	/* Those that are left are freed with the tunnel. */
	memtun_testing_add_fault(fixture->tunnel, MEMTUN_IO_WRITE, 5, EINTR);
}

static void the_device_is_registered_at_any_path_and_again(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *io = fixture->io;
	int fd;

	assert_int_equal(memtun_io_register_tun(io, "/dev/tun"), 0);
	fd = open_at(io, "/dev/tun", "other", IFF_TUN | IFF_NO_PI);
	assert_string_equal(memtun_testing_name(memtun_testing_tunnel(io, fd)), "other");
	assert_int_equal(memtun_io_close(io, fd), 0);
	assert_fails(memtun_io_register_tun(io, "/dev/tun"), EEXIST);
	assert_int_equal(memtun_io_unregister_device(io, MEMTUN_IO_TUN), 0);
	assert_fails(memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR), ENOSYS);
	assert_int_equal(memtun_io_register_tun(io, MEMTUN_IO_TUN), 0);
	fd = open_at(io, MEMTUN_IO_TUN, "again", IFF_TUN | IFF_NO_PI);
	assert_int_equal(memtun_io_close(io, fd), 0);
}

static void unread_frames_are_looked_at_and_cleared(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_testing_tunnel *tunnel = fixture->tunnel;
	unsigned char bytes[20];

	for (int i = 0; i < 3; i++)
		assert_int_equal(memtun_testing_add_frame(tunnel, packets[i], 20), 1);
	assert_copy(memtun_testing_peek_unread(tunnel, 2), packets[2], 20);
	assert_copy(memtun_testing_peek_unread(tunnel, 0), packets[0], 20);
	assert_null(memtun_testing_peek_unread(tunnel, 3));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(memtun_testing_count_unread(tunnel), 3);
	assert_int_equal(memtun_io_read(fixture->io, fixture->fd, bytes, 20), 20);
	assert_memory_equal(bytes, packets[0], 20);
	assert_copy(memtun_testing_peek_unread(tunnel, 0), packets[1], 20);
	memtun_testing_clear_unread(tunnel);
	assert_int_equal(memtun_testing_count_unread(tunnel), 0);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, bytes, 20), EAGAIN);
	assert_null(memtun_testing_peek_unread(NULL, 0));
	assert_int_equal(errno, ENODEV);
}

/* The socket has room for 278 such frames; the others wait in the library. */
static void frames_that_wait_in_the_library_are_looked_at_too(void **state)
{
	const struct memtun_fixture *fixture = *state;

	for (int i = 0; i < 400; i++)
		assert_int_equal(memtun_testing_add_frame(fixture->tunnel, packets[i % 3], 20), 1);
	for (unsigned int i = 0; i < 400; i += 57)
		assert_copy(memtun_testing_peek_unread(fixture->tunnel, i), packets[i % 3], 20);
	memtun_testing_clear_unread(fixture->tunnel);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 0);
	assert_int_equal(memtun_testing_add_frame(fixture->tunnel, packets[1], 20), 1);
	assert_copy(memtun_testing_peek_unread(fixture->tunnel, 0), packets[1], 20);
}

static void written_frames_are_looked_at_and_cleared(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_testing_tunnel *tunnel = fixture->tunnel;

	for (int i = 0; i < 3; i++)
		assert_int_equal(memtun_io_write(fixture->io, fixture->fd, packets[i], 20), 20);
	assert_copy(memtun_testing_peek_written(tunnel, 1), packets[1], 20);
	assert_null(memtun_testing_peek_written(tunnel, 3));
	assert_int_equal(errno, EAGAIN);
	assert_frame_received(tunnel, packets[0], 20);
	assert_int_equal(memtun_testing_count_written(tunnel), 2);
	memtun_testing_clear_written(tunnel);
	assert_no_frame(tunnel);
	assert_null(memtun_testing_peek_written(NULL, 0));
	assert_int_equal(errno, ENODEV);
}

static void a_system_has_defaults_for_new_tunnels(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_io *io = fixture->io, *kernel = memtun_io_kernel_new();
	unsigned char byte;
	int fd;

	assert_int_equal(memtun_testing_set_default_send_buffer(io, 19), 0);
	assert_int_equal(memtun_testing_set_default_error_when_empty(io, ENOBUFS), 0);
	fd = open_at(io, MEMTUN_IO_TUN, "", IFF_TUN | IFF_NO_PI);
	assert_fails(memtun_io_write(io, fd, packets[0], 20), ENOBUFS);
	assert_fails(memtun_io_read(io, fd, &byte, 1), ENOBUFS);
	/* The tunnel that was open before has not changed. */
	assert_int_equal(memtun_io_write(io, fixture->fd, packets[0], 20), 20);
	assert_fails(memtun_io_read(io, fixture->fd, &byte, 1), EAGAIN);
	assert_fails(memtun_testing_set_default_send_buffer(kernel, 19), EOPNOTSUPP);
	assert_fails(memtun_testing_set_default_error_when_empty(kernel, EIO), EOPNOTSUPP);
	memtun_io_close(io, fd);
	memtun_io_free(kernel);
}

static void a_call_without_variable_arguments_is_the_same(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct ifreq request = {.ifr_flags = IFF_TAP, .ifr_name = "twin"};
	int fd = memtun_io_open_path(fixture->io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(memtun_io_ioctl_pointer(fixture->io, fd, TUNSETIFF, &request), 0);
	assert_string_equal(memtun_testing_name(memtun_testing_tunnel(fixture->io, fd)), "twin");
	assert_int_equal(memtun_io_ioctl_pointer(fixture->io, fd, TUNSETPERSIST, (void *)1), 0);
	assert_fails(memtun_io_ioctl_pointer(fixture->io, -1, TUNSETIFF, &request), EBADF);
	assert_fails(memtun_io_open_path(fixture->io, "/dev/nothing", O_RDWR), ENOSYS);
	assert_int_equal(memtun_io_close(fixture->io, fd), 0);
}

static void one_call_takes_a_frame_with_its_headers(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = open_at(fixture->io, MEMTUN_IO_TUN, "", IFF_TUN);
	struct memtun_testing_tunnel *tunnel = memtun_testing_tunnel(fixture->io, fd);
	unsigned char written[24] = {0, 0, 8, 0}, bytes[24];
	size_t header_length;

	memcpy(written + 4, packets[0], 20);
	assert_int_equal(memtun_io_write(fixture->io, fd, written, 24), 24);
	assert_fails(memtun_testing_take(tunnel, bytes, 23, &header_length), EMSGSIZE);
	assert_int_equal(memtun_testing_take(tunnel, bytes, 24, &header_length), 24);
	assert_int_equal(header_length, 4);
	assert_memory_equal(bytes, written, 24);
	assert_fails(memtun_testing_take(tunnel, bytes, 24, &header_length), EAGAIN);
	assert_fails(memtun_testing_take(NULL, bytes, 24, &header_length), ENODEV);
	memtun_io_close(fixture->io, fd);
}

static void a_datagram_has_addresses_as_text(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_testing_tunnel *tunnel = fixture->tunnel;
	unsigned char bytes[100];

	assert_int_equal(
		memtun_testing_send_udp_to(tunnel, "hello", 5, "10.0.0.9", 99, "10.0.0.2", 7), 1);
	assert_int_equal(memtun_io_read(fixture->io, fixture->fd, bytes, sizeof(bytes)), 33);
	assert_memory_equal(bytes + 12, "\x0a\x00\x00\x09\x0a\x00\x00\x02\x00\x63\x00\x07", 12);
	assert_int_equal(memtun_testing_send_udp_to(tunnel, "hello", 5, NULL, 0, "fd00::2", 7), 1);
	assert_int_equal(memtun_io_read(fixture->io, fixture->fd, bytes, sizeof(bytes)), 53);
	assert_fails(memtun_testing_send_udp_to(tunnel, "", 0, "fd00::1", 1, "10.0.0.2", 7),
		     EINVAL);
	assert_fails(memtun_testing_send_udp_to(tunnel, "", 0, NULL, 0, "ten", 7), EINVAL);
}

#define TUN(name) cmocka_unit_test_setup_teardown(name, memtun_set_up_tun, memtun_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TUN(a_tunnel_has_its_names_and_flags),
		TUN(a_fault_is_of_one_tunnel),
		TUN(faults_are_added_to_and_asked_for),
		TUN(the_device_is_registered_at_any_path_and_again),
		TUN(unread_frames_are_looked_at_and_cleared),
		TUN(frames_that_wait_in_the_library_are_looked_at_too),
		TUN(written_frames_are_looked_at_and_cleared),
		TUN(a_system_has_defaults_for_new_tunnels),
		TUN(a_call_without_variable_arguments_is_the_same),
		TUN(one_call_takes_a_frame_with_its_headers),
		TUN(a_datagram_has_addresses_as_text),
	};

	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/* The I/O system in memory: the frames that a program reads and writes, and faults of its calls. */
#include "tests/unit/client/io/io_memory_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <malloc.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/io/io_memory_parts.h"
#include "common/clock.h"
#include "memtun/io.h"

/* ------------------------------------------------------------------------------ faults */

static void the_next_calls_fail_and_then_no_more(void **state)
{
	struct memtun_io *io = *state;
	int fd = tun_attach(io, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	char bytes[60];

	assert_int_equal(io_memory_inject(io_memory_find(io, fd), packet4, 20), 1);
	io_fail_next(io, MEMTUN_IO_READ, 2, EINTR);
	assert_fails(memtun_io_read(io, fd, bytes, sizeof(bytes)), EINTR);
	assert_fails(memtun_io_read(io, fd, bytes, sizeof(bytes)), EINTR);
	assert_int_equal(memtun_io_read(io, fd, bytes, sizeof(bytes)), 20);

	io_fail_next(io, MEMTUN_IO_WRITE, 1, ENOBUFS);
	assert_fails(memtun_io_write(io, fd, packet4, 20), ENOBUFS);
	assert_int_equal(io_memory_count_written(io_memory_find(io, fd)), 0);
	assert_int_equal(memtun_io_write(io, fd, packet4, 20), 20);

	io_fail_next(io, MEMTUN_IO_IOCTL, 1, EIO);
	assert_fails(memtun_io_ioctl(io, fd, TUNGETIFF, bytes), EIO);
	assert_int_equal(memtun_io_ioctl(io, fd, TUNGETIFF, bytes), 0);

	io_fail_next(io, MEMTUN_IO_OPEN, 1, EMFILE);
	assert_fails(memtun_io_open(io, TUN, O_RDWR), EMFILE);
	io_fail_next(io, MEMTUN_IO_OPEN, 5, EMFILE);
	io_fail_next(io, MEMTUN_IO_OPEN, 0, 0);
	memtun_io_close(io, memtun_io_open(io, TUN, O_RDWR));
	memtun_io_close(io, fd);
}

static void every_third_call_fails_for_as_long_as_it_is_set(void **state)
{
	struct memtun_io *io = *state;
	int fd = tun_attach(io, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);

	io_fail_every(io, MEMTUN_IO_WRITE, 3, EAGAIN);
	for (int i = 1; i <= 9; i++)
		assert_int_equal(memtun_io_write(io, fd, packet4, 20), i % 3 ? 20 : -1);
	io_fail_every(io, MEMTUN_IO_WRITE, 0, 0);
	for (int i = 1; i <= 9; i++)
		assert_int_equal(memtun_io_write(io, fd, packet4, 20), 20);
	assert_int_equal(io_memory_count_written(io_memory_find(io, fd)), 15);
	memtun_io_close(io, fd);
}

/* ------------------------------------------------------------------------------ frames */

/* Inject a frame and read it with each limit. `whole` is its length with all headers. */
static void assert_read_with_limits(struct memtun_io *io, int fd, const void *frame, size_t length,
				    const unsigned char *whole, size_t header_size, bool marked)
{
	size_t size = header_size + length;
	unsigned char bytes[200], expected[200];

	for (size_t limit = 0; limit <= size + 1; limit++) {
		struct io_tunnel *tunnel = io_memory_find(io, fd);
		size_t got = limit < size ? limit : size;

		assert_int_equal(io_memory_inject(tunnel, frame, length), 1);
		memset(bytes, 0xee, sizeof(bytes));
		if (limit == 0) {
			assert_int_equal(memtun_io_read(io, fd, bytes, limit), 0);
			assert_int_equal(io_memory_count_unread(tunnel), 1);
			assert_int_equal(memtun_io_read(io, fd, bytes, sizeof(bytes)), size);
			continue;
		}
		if (limit < header_size) {
			assert_fails(memtun_io_read(io, fd, bytes, limit), EINVAL);
		} else {
			memcpy(expected, whole, size);
			if (marked && limit < size)
				memcpy(expected, &(uint16_t){TUN_PKT_STRIP}, 2);
			assert_int_equal(memtun_io_read(io, fd, bytes, limit), got);
			assert_memory_equal(bytes, expected, got);
			/* Bytes beyond the limit are not written. */
			assert_int_equal(bytes[got], 0xee);
		}
		/* The rest is lost. */
		assert_int_equal(io_memory_count_unread(tunnel), 0);
	}
}

static void a_read_is_one_frame_cut_to_its_limit(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);

	assert_read_with_limits(*state, fd, packet4, 20, packet4, 0, false);
	memtun_io_close(*state, fd);
}

static void packet_information_has_the_protocol_and_the_cut(void **state)
{
	unsigned char whole[64] = {0, 0, 0x08, 0x00};
	int fd = tun_attach(*state, "", IFF_TUN, O_RDWR | O_NONBLOCK);

	memcpy(whole + 4, packet4, 20);
	assert_read_with_limits(*state, fd, packet4, 20, whole, 4, true);
	memcpy(whole, "\0\0\x86\xdd", 4);
	memcpy(whole + 4, packet6, 40);
	assert_read_with_limits(*state, fd, packet6, 40, whole, 4, true);
	memtun_io_close(*state, fd);

	fd = tun_attach(*state, "", IFF_TAP, O_RDWR | O_NONBLOCK);
	memcpy(whole, "\0\0\x08\0", 4);
	memcpy(whole + 4, ethernet, 60);
	assert_read_with_limits(*state, fd, ethernet, 60, whole, 4, true);
	memtun_io_close(*state, fd);
}

static void a_vnet_header_precedes_the_frame(void **state)
{
	unsigned char whole[100] = {0};
	int fd = tun_attach(*state, "", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, O_RDWR | O_NONBLOCK);
	int size = 12;

	memcpy(whole + 10, ethernet, 60);
	assert_read_with_limits(*state, fd, ethernet, 60, whole, 10, false);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETVNETHDRSZ, &size), 0);
	memset(whole, 0, sizeof(whole));
	memcpy(whole + 12, ethernet, 60);
	assert_read_with_limits(*state, fd, ethernet, 60, whole, 12, false);
	memtun_io_close(*state, fd);
}

static void a_vector_is_read_and_written_as_one_frame(void **state)
{
	unsigned char bytes[64];
	struct iovec parts[4] = {{bytes, 1}, {bytes, 0}, {bytes + 1, 9}, {bytes + 10, 50}};
	int fd = tun_attach(*state, "", IFF_TUN, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);

	assert_int_equal(io_memory_inject(tunnel, packet4, 20), 1);
	assert_int_equal(memtun_io_readv(*state, fd, parts, 4), 24);
	assert_memory_equal(bytes, "\0\0\x08\0", 4);
	assert_memory_equal(bytes + 4, packet4, 20);
	/* TUN_PKT_STRIP crosses the first two parts. */
	assert_int_equal(io_memory_inject(tunnel, packet4, 20), 1);
	assert_int_equal(memtun_io_readv(*state, fd, parts, 3), 10);
	assert_memory_equal(bytes, &(uint16_t){TUN_PKT_STRIP}, 2);
	memcpy(bytes, "\0\0\x86\xdd", 4);
	assert_int_equal(memtun_io_writev(*state, fd, parts, 3), 10);
	assert_written(*state, fd, bytes, 10);
	assert_fails(memtun_io_writev(*state, fd, parts, -1), EINVAL);
	assert_fails(memtun_io_writev(*state, fd, parts, 1025), EINVAL);
	assert_int_equal(memtun_io_writev(*state, fd, parts, 0), 0);
	memtun_io_close(*state, fd);
}

static void a_plain_read_and_write_see_the_same(void **state)
{
	unsigned char bytes[64];
	int fd = tun_attach(*state, "", IFF_TUN, O_RDWR | O_NONBLOCK);

	assert_int_equal(io_memory_inject(io_memory_find(*state, fd), packet6, 40), 1);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 44);
	assert_memory_equal(bytes, "\0\0\x86\xdd", 4);
	assert_memory_equal(bytes + 4, packet6, 40);
	assert_int_equal(write(fd, bytes, 44), 44);
	assert_written(*state, fd, bytes, 44);
	memtun_io_close(*state, fd);
}

static void a_read_of_an_empty_tunnel_fails_with_the_errno_that_was_set(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	char bytes[60];

	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	tunnel->error_when_empty = EINTR;
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EINTR);
	/* A frame is read before the end. */
	assert_int_equal(io_memory_inject(tunnel, packet4, 20), 1);
	assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 20);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EINTR);
	memtun_io_close(*state, fd);
}

static void a_write_above_the_send_size_has_no_room(void **state)
{
	int fd = tun_attach(*state, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	unsigned char *bytes = calloc(1, IO_TUN_SEND_SIZE + 1);

	assert_non_null(bytes);
	assert_int_equal(memtun_io_write(*state, fd, bytes, IO_TUN_SEND_SIZE), IO_TUN_SEND_SIZE);
	assert_fails(memtun_io_write(*state, fd, bytes, IO_TUN_SEND_SIZE + 1), ENOBUFS);
	tunnel->send_size = 1024;
	assert_int_equal(memtun_io_write(*state, fd, bytes, 1024), 1024);
	assert_fails(memtun_io_write(*state, fd, bytes, 1025), ENOBUFS);
	/* More than the socket takes. */
	tunnel->send_size = SIZE_MAX;
	free(bytes);
	bytes = calloc(1, 1 << 20);
	assert_non_null(bytes);
	assert_fails(memtun_io_write(*state, fd, bytes, 1 << 20), ENOBUFS);
	free(bytes);
	memtun_io_close(*state, fd);
}

static void frames_are_injected_as_the_interface_would_take_them(void **state)
{
	int fd = memtun_io_open(*state, TUN, O_RDWR | O_NONBLOCK), off = 0;
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	struct {
		struct tun_filter head;
		unsigned char addresses[1][6];
	} filter = {{0, 1}, {{2, 0, 0, 0, 0, 9}}};

	assert_fails(io_memory_inject(tunnel, ethernet, 60), ENODEV);
	assert_null(io_memory_first(*state));
	assert_int_equal(tun_try_attach(*state, fd, "", IFF_TAP | IFF_MULTI_QUEUE), 0);
	assert_ptr_equal(io_memory_first(*state), tunnel);
	assert_fails(io_memory_inject(tunnel, ethernet, 13), EINVAL);
	assert_int_equal(io_memory_inject(tunnel, ethernet, 14), 1);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETTXFILTER, &filter), 1);
	assert_int_equal(io_memory_inject(tunnel, ethernet, 60), 0);
	filter.head.count = 0;
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETTXFILTER, &filter), 0);
	assert_int_equal(io_memory_inject(tunnel, ethernet, 60), 1);
	assert_int_equal(io_memory_count_unread(tunnel), 2);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETCARRIER, &off), 0);
	assert_fails(io_memory_inject(tunnel, ethernet, 60), ENETDOWN);
	off = 1;
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETCARRIER, &off), 0);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETQUEUE,
					 &(struct ifreq){.ifr_flags = IFF_DETACH_QUEUE}),
			 0);
	assert_fails(io_memory_inject(tunnel, ethernet, 60), ENODEV);
	assert_int_equal(io_memory_count_unread(tunnel), 0);
	memtun_io_close(*state, fd);
}

static void frames_beyond_the_socket_wait_in_order(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	unsigned char bytes[60] = {0};

	for (unsigned int i = 0; i < 2000; i++) {
		memcpy(bytes, packet4, 20);
		bytes[4] = (unsigned char)(i >> 8);
		bytes[5] = (unsigned char)i;
		/* The frames have several lengths, so that counting them has to be right. */
		assert_int_equal(io_memory_inject(tunnel, bytes, 20 + i % 30), 1);
	}
	assert_int_equal(io_memory_count_unread(tunnel), 2000);
	for (unsigned int i = 0; i < 2000; i++) {
		assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 20 + i % 30);
		assert_int_equal(bytes[4] << 8 | bytes[5], i);
		if (i % 100 == 0)
			assert_int_equal(io_memory_count_unread(tunnel), 1999 - i);
	}
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	memtun_io_close(*state, fd);
}

static void a_short_frame_does_not_pass_a_long_one_that_waits(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	static unsigned char bytes[60000];

	memcpy(bytes, packet4, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(io_memory_inject(tunnel, bytes, i % 2 ? 20 : sizeof(bytes)), 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)),
				 i % 2 ? 20 : sizeof(bytes));
	memtun_io_close(*state, fd);
}

static void a_disabled_queue_loses_what_waited_in_it(void **state)
{
	int fd = tun_attach(*state, "", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE, O_RDWR | O_NONBLOCK);
	struct ifreq off = {.ifr_flags = IFF_DETACH_QUEUE}, on = {.ifr_flags = IFF_ATTACH_QUEUE};
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	char bytes[60];

	/* Some frames are in the socket, and some wait. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(io_memory_inject(tunnel, ethernet, 60), 1);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETQUEUE, &off), 0);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	assert_int_equal(memtun_io_write(*state, fd, ethernet, 60), 60);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETQUEUE, &on), 0);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	assert_int_equal(io_memory_inject(tunnel, ethernet, 60), 1);
	assert_int_equal(io_memory_count_unread(tunnel), 1);
	assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 60);
	memtun_io_close(*state, fd);
}

static void writes_go_on_for_a_while_when_no_one_takes_them(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	unsigned int count = 0;
	struct io_frame *frame;

	while (memtun_io_write(*state, fd, packet4, 20) == 20)
		assert_true(++count < 10000);
	assert_int_equal(errno, EAGAIN);
	assert_true(count > IO_MEMORY_WRITTEN);
	assert_int_equal(io_memory_count_written(tunnel), count);
	for (unsigned int i = 0; i < count; i++) {
		frame = io_memory_take(tunnel);
		assert_non_null(frame);
		free(frame);
	}
	assert_null(io_memory_take(tunnel));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(memtun_io_write(*state, fd, packet4, 20), 20);
	memtun_io_close(*state, fd);
}

static bool has_eight_bytes(struct io_frame *frame, void *context)
{
	(void)context;
	return frame->length == 8;
}

static void written_frames_can_be_chosen_among(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	struct io_frame *frame;

	assert_int_equal(memtun_io_write(*state, fd, "\0\0\x08\0abc", 7), 7);
	assert_int_equal(memtun_io_write(*state, fd, "\0\0\x08\0defg", 8), 8);
	assert_fails(memtun_io_write(*state, fd, "", 0), EINVAL);
	frame = io_memory_choose(tunnel, has_eight_bytes, NULL);
	assert_non_null(frame);
	assert_int_equal(frame->header_size, 4);
	assert_int_equal(frame->length, 8);
	free(frame);
	assert_null(io_memory_choose(tunnel, has_eight_bytes, NULL));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(io_memory_count_written(tunnel), 1);
	assert_written(*state, fd, "\0\0\x08\0abc", 7);
	memtun_io_close(*state, fd);
}

static void a_written_frame_knows_when(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	int64_t before = clock_now(), after;
	struct io_frame *frames[2];

	assert_int_equal(write(fd, packet4, 20), 20);
	after = clock_now();
	assert_int_equal(memtun_io_write(*state, fd, packet4, 20), 20);
	for (int i = 0; i < 2; i++) {
		frames[i] = io_memory_take(io_memory_find(*state, fd));
		assert_non_null(frames[i]);
	}
	/* The kernel stamps with CLOCK_REALTIME, which is converted to some microseconds. */
	assert_true(frames[0]->time >= before - CLOCK_MILLISECOND);
	assert_true(frames[0]->time <= after + CLOCK_MILLISECOND);
	assert_true(frames[1]->time > frames[0]->time);
	free(frames[0]);
	free(frames[1]);
	memtun_io_close(*state, fd);
}

static void a_million_frames_leave_nothing_behind(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	size_t before = 0;
	char bytes[60];

	for (unsigned int i = 0; i < 500000; i++) {
		struct io_frame *frame;

		if (i == 1000)
			before = mallinfo2().uordblks;
		if (io_memory_inject(tunnel, packet4, 20) != 1 ||
		    memtun_io_read(*state, fd, bytes, sizeof(bytes)) != 20 ||
		    memtun_io_write(*state, fd, packet4, 20) != 20)
			fail_msg("frame %u", i);
		frame = io_memory_take(tunnel);
		assert_non_null(frame);
		free(frame);
	}
	assert_int_equal(mallinfo2().uordblks, before);
	memtun_io_close(*state, fd);
}

/* ------------------------------------------------------------------------------ interfaces */

static void an_interface_goes_with_its_last_queue(void **state)
{
	int one = tun_attach(*state, "shared", IFF_TAP | IFF_MULTI_QUEUE, O_RDWR);
	int two = tun_attach(*state, "shared", IFF_TAP | IFF_MULTI_QUEUE, O_RDWR);
	int three = memtun_io_open(*state, TUN, O_RDWR);

	assert_int_equal(memtun_io_close(*state, one), 0);
	assert_fails(tun_try_attach(*state, three, "shared", IFF_TUN), EINVAL);
	assert_int_equal(memtun_io_close(*state, two), 0);
	assert_int_equal(tun_try_attach(*state, three, "shared", IFF_TUN), 0);
	memtun_io_close(*state, three);
}

static void a_persistent_interface_stays_with_what_was_set(void **state)
{
	int fd = tun_attach(*state, "stays", IFF_TAP, O_RDWR), size = 12;

	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETPERSIST, 1), 0);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETVNETHDRSZ, &size), 0);
	memtun_io_close(*state, fd);
	fd = memtun_io_open(*state, TUN, O_RDWR);
	assert_fails(tun_try_attach(*state, fd, "stays", IFF_TUN), EINVAL);
	assert_int_equal(tun_try_attach(*state, fd, "stays", IFF_TAP), 0);
	size = 0;
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNGETVNETHDRSZ, &size), 0);
	assert_int_equal(size, 12);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETPERSIST, 0), 0);
	memtun_io_close(*state, fd);
	fd = tun_attach(*state, "stays", IFF_TUN, O_RDWR);
	memtun_io_close(*state, fd);
}

static void another_users_interface_is_refused(void **state)
{
	int fd, status;
	pid_t child;

	if (geteuid() != 0)
		test_skip("only root can become someone else");
	fd = tun_attach(*state, "owned", IFF_TAP, O_RDWR);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETPERSIST, 1), 0);
	assert_int_equal(memtun_io_ioctl(*state, fd, TUNSETOWNER, 1234), 0);
	memtun_io_close(*state, fd);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int right = 0;

		fd = memtun_io_open(*state, TUN, O_RDWR);
		right += setresuid(4321, 4321, 0) == 0;
		right += tun_try_attach(*state, fd, "owned", IFF_TAP) == -1 && errno == EPERM;
		right += setresuid(0, 0, 0) == 0 && setresuid(1234, 1234, 1234) == 0;
		right += tun_try_attach(*state, fd, "owned", IFF_TAP) == 0;
		_exit(right == 4 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
	IN_MEMORY(the_next_calls_fail_and_then_no_more),
	IN_MEMORY(every_third_call_fails_for_as_long_as_it_is_set),
	IN_MEMORY(a_read_is_one_frame_cut_to_its_limit),
	IN_MEMORY(packet_information_has_the_protocol_and_the_cut),
	IN_MEMORY(a_vnet_header_precedes_the_frame),
	IN_MEMORY(a_vector_is_read_and_written_as_one_frame),
	IN_MEMORY(a_plain_read_and_write_see_the_same),
	IN_MEMORY(a_read_of_an_empty_tunnel_fails_with_the_errno_that_was_set),
	IN_MEMORY(a_write_above_the_send_size_has_no_room),
	IN_MEMORY(frames_are_injected_as_the_interface_would_take_them),
	IN_MEMORY(frames_beyond_the_socket_wait_in_order),
	IN_MEMORY(a_short_frame_does_not_pass_a_long_one_that_waits),
	IN_MEMORY(a_disabled_queue_loses_what_waited_in_it),
	IN_MEMORY(writes_go_on_for_a_while_when_no_one_takes_them),
	IN_MEMORY(written_frames_can_be_chosen_among),
	IN_MEMORY(a_written_frame_knows_when),
	IN_MEMORY(a_million_frames_leave_nothing_behind),
	IN_MEMORY(an_interface_goes_with_its_last_queue),
	IN_MEMORY(a_persistent_interface_stays_with_what_was_set),
	IN_MEMORY(another_users_interface_is_refused),
};

int main(void)
{
	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * One program on all three kinds of I/O system: its calls have the same results. The file is
 * compiled once for each KIND. The kernel's tests are skipped if this user has no privilege for it.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/client/io/io_world.h"

#define PATIENCE 10000 /* milliseconds */

static const unsigned char packet[20] = {0x45, 0, 0,  20, 0, 1, 0,  0, 64, 59,
					 0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
static const unsigned char ethernet[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5, 7};

/*
 * Of 01:00:5e:00:00:00 to 01:00:5e:00:00:3f, those that pass when 05 is in the filter (Linux 6.18).
 */
#define GROUPS_THAT_CAME UINT64_C(0x80400010000020)

static int set_up(void **state)
{
	*state = io_world_new(KIND);
	return 0;
}

static int tear_down(void **state)
{
	io_world_free(*state);
	return 0;
}

static void wait_readable(int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&end, 1, PATIENCE), 1);
	assert_int_equal(end.revents, POLLIN);
}

/* ------------------------------------------------------------------------------ the program */

static void only_registered_paths_open(void **state)
{
	struct io_world *world = io_world_need(state);
	char bytes[8];
	int fd;

	assert_fails(memtun_io_open(world->io, "/dev/nothing", O_RDWR), ENOSYS);
	assert_int_equal(
		memtun_io_register_device(world->io, "/dev/nothing", &memtun_io_loopback, NULL), 0);
	fd = memtun_io_open(world->io, "/dev/nothing", O_RDWR);
	assert_int_equal(memtun_io_write(world->io, fd, "round", 5), 5);
	assert_int_equal(memtun_io_read(world->io, fd, bytes, sizeof(bytes)), 5);
	assert_int_equal(memtun_io_close(world->io, fd), 0);
	assert_int_equal(memtun_io_unregister_device(world->io, MEMTUN_IO_TUN), 0);
	assert_fails(memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR), ENOSYS);
}

static void permission_can_be_withdrawn(void **state)
{
	struct io_world *world = io_world_need(state);
	struct ifreq request;

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	memtun_io_permit(world->io, 0);
	assert_fails(memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR), EPERM);
	assert_fails(memtun_io_read(world->io, world->fd, &request, sizeof(request)), EPERM);
	assert_fails(memtun_io_write(world->io, world->fd, ethernet, 60), EPERM);
	assert_fails(memtun_io_ioctl(world->io, world->fd, TUNGETIFF, &request), EPERM);
	memtun_io_permit(world->io, MEMTUN_IO_ALL);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNGETIFF, &request), 0);
}

static void nothing_moves_before_it_is_attached(void **state)
{
	struct io_world *world = io_world_need(state);
	int fd = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR | O_NONBLOCK), size;
	unsigned int features = 0;
	struct ifreq request;

	assert_fails(memtun_io_read(world->io, fd, &request, sizeof(request)), EBADFD);
	assert_fails(memtun_io_write(world->io, fd, ethernet, 60), EBADFD);
	assert_fails(memtun_io_ioctl(world->io, fd, TUNGETIFF, &request), EBADFD);
	assert_fails(memtun_io_ioctl(world->io, fd, TUNGETVNETHDRSZ, &size), EBADFD);
	assert_int_equal(memtun_io_ioctl(world->io, fd, TUNGETFEATURES, &features), 0);
	assert_int_equal(features & (IFF_TUN | IFF_TAP | IFF_NO_PI), IFF_TUN | IFF_TAP | IFF_NO_PI);
	assert_int_equal(memtun_io_close(world->io, fd), 0);
	assert_fails(memtun_io_close(world->io, fd), EBADF);
	assert_fails(memtun_io_read(world->io, fd, &request, 1), EBADF);
	assert_fails(memtun_io_write(world->io, fd, &request, 1), EBADF);
	assert_fails(memtun_io_ioctl(world->io, fd, TUNGETFEATURES, &features), EBADF);
}

static void it_gets_the_name_and_flags_it_asked_for(void **state)
{
	struct io_world *world = io_world_need(state);
	struct ifreq request = {.ifr_name = "mine%d", .ifr_flags = IFF_TAP | IFF_NO_PI};
	int other;

	world->fd = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), 0);
	assert_string_equal(request.ifr_name, "mine0");
	assert_fails(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), EEXIST);
	memset(&request, 0, sizeof(request));
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNGETIFF, &request), 0);
	assert_string_equal(request.ifr_name, "mine0");
	assert_int_equal(request.ifr_flags & (IFF_TAP | IFF_TUN | IFF_NO_PI), IFF_TAP | IFF_NO_PI);
	other = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR);
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	assert_fails(memtun_io_ioctl(world->io, other, TUNSETIFF, &request), EBUSY);
	strcpy(request.ifr_name, "a/b");
	assert_fails(memtun_io_ioctl(world->io, other, TUNSETIFF, &request), EINVAL);
	strcpy(request.ifr_name, "mine%d");
	assert_int_equal(memtun_io_ioctl(world->io, other, TUNSETIFF, &request), 0);
	assert_string_equal(request.ifr_name, "mine1");
	assert_int_equal(memtun_io_close(world->io, other), 0);
}

static void a_persistent_interface_waits_for_its_next_open(void **state)
{
	struct io_world *world = io_world_need(state);
	struct ifreq request = {.ifr_name = "kept", .ifr_flags = IFF_TAP | IFF_NO_PI};

	io_world_attach(world, "kept", IFF_TAP | IFF_NO_PI, O_RDWR);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETPERSIST, 1), 0);
	assert_int_equal(memtun_io_close(world->io, world->fd), 0);
	world->fd = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR);
	request.ifr_flags |= IFF_TUN_EXCL;
	assert_fails(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), EBUSY);
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), 0);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNGETIFF, &request), 0);
	assert_true(request.ifr_flags & IFF_PERSIST);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETPERSIST, 0), 0);
}

static void frames_go_both_ways(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100];

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	assert_fails(memtun_io_read(world->io, world->fd, bytes, sizeof(bytes)), EAGAIN);
	assert_int_equal(memtun_io_write(world->io, world->fd, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_memory_equal(bytes, ethernet, 60);
	io_world_send(world, ethernet, 60);
	wait_readable(world->fd);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(memtun_io_read(world->io, world->fd, bytes, sizeof(bytes)), 60);
	assert_memory_equal(bytes, ethernet, 60);
	assert_fails(memtun_io_write(world->io, world->fd, ethernet, 13), EINVAL);
	assert_fails(memtun_io_write(world->io, world->fd, ethernet, 0), EINVAL);
}

static void packet_information_is_there_unless_it_is_off(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100];

	io_world_attach(world, "", IFF_TUN, O_RDWR | O_NONBLOCK);
	memcpy(bytes, "\0\0\x08\0", 4);
	memcpy(bytes + 4, packet, 20);
	assert_int_equal(memtun_io_write(world->io, world->fd, bytes, 24), 24);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 20);
	assert_memory_equal(bytes, packet, 20);
	io_world_send(world, packet, 20);
	wait_readable(world->fd);
	assert_int_equal(memtun_io_read(world->io, world->fd, bytes, sizeof(bytes)), 24);
	assert_memory_equal(bytes, "\0\0\x08\0", 4);
	assert_memory_equal(bytes + 4, packet, 20);
	assert_fails(memtun_io_write(world->io, world->fd, bytes, 3), EINVAL);
}

/* The size counts at once for what is read and written, as with the kernel's device. */
static void the_vnet_header_has_the_size_that_was_set(void **state)
{
	static const int sizes[] = {10, 12, 20, 10};
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100];
	int wrong = 9;

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, O_RDWR | O_NONBLOCK);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int size = sizes[i], found = 0;
		size_t header = (size_t)size;

		assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETVNETHDRSZ, &size), 0);
		assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNGETVNETHDRSZ, &found), 0);
		assert_int_equal(found, size);
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes + header, ethernet, 60);
		assert_int_equal(memtun_io_write(world->io, world->fd, bytes, header + 60),
				 header + 60);
		assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
		assert_memory_equal(bytes, ethernet, 60);
		io_world_send(world, ethernet, 60);
		wait_readable(world->fd);
		assert_int_equal(memtun_io_read(world->io, world->fd, bytes, sizeof(bytes)),
				 header + 60);
		assert_memory_equal(bytes + header, ethernet, 60);
	}
	assert_fails(memtun_io_ioctl(world->io, world->fd, TUNSETVNETHDRSZ, &wrong), EINVAL);
	wrong = 253;
	if (world->kind != IO_KERNEL)
		assert_fails(memtun_io_ioctl(world->io, world->fd, TUNSETVNETHDRSZ, &wrong),
			     EINVAL);
}

static void a_persistent_interface_keeps_the_size_of_its_vnet_header(void **state)
{
	struct io_world *world = io_world_need(state);
	struct ifreq request = {.ifr_name = "kept",
				.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int size = 12, found = 0;
	unsigned char bytes[100] = {0};

	io_world_attach(world, "kept", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, O_RDWR);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETVNETHDRSZ, &size), 0);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETPERSIST, 1), 0);
	assert_int_equal(memtun_io_close(world->io, world->fd), 0);
	world->fd = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), 0);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNGETVNETHDRSZ, &found), 0);
	assert_int_equal(found, size);
	memcpy(bytes + size, ethernet, 60);
	assert_int_equal(memtun_io_write(world->io, world->fd, bytes, 72), 72);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_memory_equal(bytes, ethernet, 60);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETPERSIST, 0), 0);
}

static void an_offload_is_taken_whatever_the_other_side_takes(void **state)
{
	static const unsigned long taken[] = {0, 1, 7, 0xf, 0x11, 0x61, 0x67, 0x6f, 0};
	static const unsigned long refused[] = {2, 0x10, 0x27, 0x47};
	struct io_world *world = io_world_need(state);

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, O_RDWR);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETOFFLOAD, taken[i]), 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_fails(memtun_io_ioctl(world->io, world->fd, TUNSETOFFLOAD, refused[i]),
			     EINVAL);
}

static void a_short_read_cuts_the_frame(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100], halves[2][10];
	struct iovec parts[2] = {{halves[0], 3}, {halves[1], 7}};
	const uint16_t cut = TUN_PKT_STRIP;

	io_world_attach(world, "", IFF_TUN, O_RDWR | O_NONBLOCK);
	for (size_t limit = 1; limit < 26; limit++) {
		size_t got = limit < 24 ? limit : 24;

		io_world_send(world, packet, 20);
		wait_readable(world->fd);
		assert_int_equal(memtun_io_read(world->io, world->fd, bytes, 0), 0);
		if (limit < 4) {
			assert_fails(memtun_io_read(world->io, world->fd, bytes, limit), EINVAL);
			continue;
		}
		assert_int_equal(memtun_io_read(world->io, world->fd, bytes, limit), got);
		assert_memory_equal(bytes, limit < 24 ? &cut : &(uint16_t){0}, 2);
		assert_memory_equal(bytes + 4, packet, got - 4);
		assert_fails(memtun_io_read(world->io, world->fd, bytes, limit), EAGAIN);
	}
	io_world_send(world, packet, 20);
	wait_readable(world->fd);
	assert_int_equal(memtun_io_readv(world->io, world->fd, parts, 2), 10);
	assert_memory_equal(halves[0], &cut, 2);
	assert_memory_equal(halves[1] + 1, packet, 6);
}

/*
 * The filter has eight exact addresses, and hashes further multicast addresses to six bits. Which
 * of 64 groups pass too is the kernel's choice, and is the same in memory.
 */
static void a_filter_lets_the_same_frames_in(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char frame[60] = {0}, bytes[100], filter[4 + 9 * 6] = {0};
	uint16_t head[2] = {0, 9};
	uint64_t came = 0;

	if (KIND == IO_BROKER)
		test_skip("a broker doesn't filter");
	for (int i = 0; i < 8; i++)
		memcpy(filter + 4 + 6 * i, (unsigned char[]){2, 0, 0, 0, 0, (unsigned char)i}, 6);
	memcpy(filter + 4 + 6 * 8, "\x01\x00\x5e\x00\x00\x05", 6);
	memcpy(filter, head, 4);
	io_world_attach(world, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETTXFILTER, filter), 8);
	for (int station = 0; station < 9; station++) {
		memcpy(frame, (unsigned char[]){2, 0, 0, 0, 0, (unsigned char)station}, 6);
		io_world_offer(world, frame, 60);
		assert_int_equal(memtun_io_read(world->io, world->fd, bytes, 100),
				 station < 8 ? 60 : -1);
	}
	for (int group = 0; group < 64; group++) {
		memcpy(frame, (unsigned char[]){1, 0, 0x5e, 0, 0, (unsigned char)group}, 6);
		io_world_offer(world, frame, 60);
		if (memtun_io_read(world->io, world->fd, bytes, 100) == 60)
			came |= UINT64_C(1) << group;
	}
	assert_int_equal(came, GROUPS_THAT_CAME);
	/* With TUN_FLT_ALLMULTI all groups pass. */
	head[0] = TUN_FLT_ALLMULTI;
	memcpy(filter, head, 4);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETTXFILTER, filter), 8);
	for (int group = 0; group < 64; group++) {
		memcpy(frame, (unsigned char[]){1, 0, 0x5e, 0, 0, (unsigned char)group}, 6);
		io_world_offer(world, frame, 60);
		assert_int_equal(memtun_io_read(world->io, world->fd, bytes, 100), 60);
	}
}

static void the_descriptor_is_a_real_one(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100];
	int copy;

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(world->fd, F_GETFD), FD_CLOEXEC);
	assert_false(fcntl(world->fd, F_GETFL) & O_NONBLOCK);
	copy = dup(world->fd);
	io_world_send(world, ethernet, 60);
	wait_readable(copy);
	assert_int_equal(read(copy, bytes, sizeof(bytes)), 60);
	assert_int_equal(write(copy, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_int_equal(memtun_io_write(world->io, copy, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_int_equal(memtun_io_close(world->io, copy), 0);
	assert_int_equal(memtun_io_write(world->io, world->fd, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
}

static void a_duplicate_outlives_its_original(void **state)
{
	struct io_world *world = io_world_need(state);
	struct ifreq request = {0};
	unsigned char bytes[100];
	int copy;

	io_world_attach(world, "", IFF_TAP | IFF_NO_PI, O_RDWR);
	copy = fcntl(world->fd, F_DUPFD_CLOEXEC, 100);
	assert_int_equal(memtun_io_close(world->io, world->fd), 0);
	world->fd = copy;
	assert_int_equal(memtun_io_write(world->io, copy, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_int_equal(memtun_io_ioctl(world->io, copy, TUNGETIFF, &request), 0);
	assert_string_equal(request.ifr_name, world->name);
	/* A duplicate of the duplicate, at a number that the system knew as closed. */
	world->fd = dup(copy);
	assert_int_equal(memtun_io_close(world->io, copy), 0);
	assert_int_equal(memtun_io_write(world->io, world->fd, ethernet, 60), 60);
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
}

/* ------------------------------------------------------------------------------ waiting */

struct reader {
	struct io_world *world;
	atomic_int thread;
	ssize_t got;
	unsigned char bytes[100];
};

static void *read_in_thread(void *context)
{
	struct reader *reader = context;

	atomic_store(&reader->thread, gettid());
	reader->got = memtun_io_read(reader->world->io, reader->world->fd, reader->bytes,
				     sizeof(reader->bytes));
	return NULL;
}

/* Return whether the thread sleeps in a system call. */
static bool is_asleep(pid_t thread)
{
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text)) > 0);
	close(fd);
	/* /proc has "running" for a thread that does not sleep. */
	return text[0] >= '0' && text[0] <= '9';
}

static void a_blocking_read_waits_for_a_frame(void **state)
{
	struct reader reader = {.world = io_world_need(state)};
	pthread_t thread;

	io_world_attach(reader.world, "", IFF_TUN | IFF_NO_PI, O_RDWR);
	assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &reader), 0);
	while (!atomic_load(&reader.thread) || !is_asleep(atomic_load(&reader.thread)))
		sched_yield();
	io_world_send(reader.world, packet, 20);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.got, 20);
	assert_memory_equal(reader.bytes, packet, 20);
}

/* ------------------------------------------------------------------------------ processes */

/* Open, attach, leave the descriptor to a child, and end. The exit status is the child's. */
static void open_and_end(struct io_world *world, int go, int told)
{
	int fd = memtun_io_open(world->io, MEMTUN_IO_TUN, O_RDWR);
	struct ifreq request = {.ifr_name = "heir", .ifr_flags = IFF_TAP | IFF_NO_PI};
	char byte = 0;

	if (fd < 0 || memtun_io_ioctl(world->io, fd, TUNSETIFF, &request) < 0)
		_exit(1);
	if (fork() != 0)
		_exit(0);
	/* The far side has to find the interface first. */
	if (read(go, &byte, 1) == 1)
		byte = write(fd, ethernet, 60) == 60 ? 'w' : 'f';
	if (write(told, &byte, 1) < 0)
		_exit(1);
	/* Wait until the test ends. */
	_exit(read(go, &byte, 1) == 0 ? 0 : 1);
}

static void a_descriptor_outlives_its_opener(void **state)
{
	struct io_world *world = io_world_need(state);
	unsigned char bytes[100];
	int go[2], told[2], status;
	pid_t opener;
	char byte;

	if (KIND == IO_MEMORY)
		test_skip("in memory the network is in the process that ends");
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(told), 0);
	opener = fork();
	assert_true(opener >= 0);
	if (opener == 0) {
		close(go[1]);
		open_and_end(world, go[0], told[1]);
	}
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_int_equal(status, 0);
	io_world_find_far(world, "heir", true);
	assert_int_equal(write(go[1], "g", 1), 1);
	wait_readable(told[0]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	assert_int_equal(byte, 'w');
	assert_int_equal(io_world_receive(world, bytes, sizeof(bytes)), 60);
	assert_memory_equal(bytes, ethernet, 60);
	close(go[0]);
	close(go[1]);
	close(told[0]);
	close(told[1]);
}

static void *kill_broker_when_waited_for(void *context)
{
	struct reader *waiting = context;

	while (!is_asleep(atomic_load(&waiting->thread)))
		sched_yield();
	kill(waiting->world->broker, SIGKILL);
	return NULL;
}

static void an_ioctl_on_a_killed_broker_is_epipe(void **state)
{
	struct reader waiting = {.world = io_world_need(state), .thread = gettid()};
	struct memtun_io *io = waiting.world->io;
	pthread_t killer;
	int status;

	if (KIND != IO_BROKER)
		test_skip("only a broker can be killed");
	io_world_attach(waiting.world, "", IFF_TAP | IFF_NO_PI, O_RDWR);
	/* A broker that is stopped does not read the request, so its end is ECONNRESET. */
	assert_int_equal(kill(waiting.world->broker, SIGSTOP), 0);
	assert_int_equal(waitpid(waiting.world->broker, &status, WUNTRACED), waiting.world->broker);
	assert_int_equal(pthread_create(&killer, NULL, kill_broker_when_waited_for, &waiting), 0);
	assert_int_equal(memtun_io_ioctl(io, waiting.world->fd, TUNSETPERSIST, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(pthread_join(killer, NULL), 0);
	assert_int_equal(memtun_io_ioctl(io, waiting.world->fd, TUNSETPERSIST, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR), -1);
	assert_int_equal(errno, EPIPE);
}

static void opening_on_a_killed_broker_is_epipe(void **state)
{
	struct reader waiting = {.world = io_world_need(state), .thread = gettid()};
	pthread_t killer;
	int status;

	if (KIND != IO_BROKER)
		test_skip("only a broker can be killed");
	assert_int_equal(kill(waiting.world->broker, SIGSTOP), 0);
	assert_int_equal(waitpid(waiting.world->broker, &status, WUNTRACED), waiting.world->broker);
	assert_int_equal(pthread_create(&killer, NULL, kill_broker_when_waited_for, &waiting), 0);
	assert_int_equal(memtun_io_open(waiting.world->io, MEMTUN_IO_TUN, O_RDWR), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(pthread_join(killer, NULL), 0);
}

#define ON_KIND(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	ON_KIND(only_registered_paths_open),
	ON_KIND(permission_can_be_withdrawn),
	ON_KIND(nothing_moves_before_it_is_attached),
	ON_KIND(it_gets_the_name_and_flags_it_asked_for),
	ON_KIND(a_persistent_interface_waits_for_its_next_open),
	ON_KIND(frames_go_both_ways),
	ON_KIND(packet_information_is_there_unless_it_is_off),
	ON_KIND(the_vnet_header_has_the_size_that_was_set),
	ON_KIND(a_persistent_interface_keeps_the_size_of_its_vnet_header),
	ON_KIND(an_offload_is_taken_whatever_the_other_side_takes),
	ON_KIND(a_short_read_cuts_the_frame),
	ON_KIND(a_filter_lets_the_same_frames_in),
	ON_KIND(the_descriptor_is_a_real_one),
	ON_KIND(a_duplicate_outlives_its_original),
	ON_KIND(a_blocking_read_waits_for_a_frame),
	ON_KIND(a_descriptor_outlives_its_opener),
	ON_KIND(an_ioctl_on_a_killed_broker_is_epipe),
	ON_KIND(opening_on_a_killed_broker_is_epipe),
};

int main(void)
{
	return RUN_TESTS(tests);
}

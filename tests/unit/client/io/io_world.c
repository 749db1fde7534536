/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/io/io_world.h"

#include "tests/unit/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/io/io_memory.h"
#include "memtun.h"

#define PATIENCE 10000 /* milliseconds */

/* ------------------------------------------------------------------------------ the kernel */

/* Give the rest of this program its own network namespace, in which the kernel sends no packets. */
static bool enter_namespace(void)
{
	static bool entered;
	int fd;

	if (entered)
		return true;
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	entered = true;
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (write(fd, "1", 1) < 0)
		print_message("IPv6 can't be turned off: %s\n", strerror(errno));
	close(fd);
	return true;
}

static bool kernel_is_usable(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return enter_namespace();
}

static void find_kernel_far(struct io_world *world)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(world->name),
	};
	struct ifreq request = {.ifr_flags = IFF_UP};
	int one = 1;

	world->far_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(world->far_fd >= 0);
	setsockopt(world->far_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	strcpy(request.ifr_name, world->name);
	assert_int_equal(ioctl(world->far_fd, SIOCSIFFLAGS, &request), 0);
	/* A socket that is bound while the interface is down reports that first. */
	assert_int_equal(bind(world->far_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void send_by_kernel(struct io_world *world, const void *frame, size_t length)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(world->name),
	};

	/* A TUN's packets have no Ethernet header with the protocol. */
	address.sll_protocol =
		htons(*(const unsigned char *)frame >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
	assert_int_equal(sendto(world->far_fd, frame, length, 0, (struct sockaddr *)&address,
				sizeof(address)),
			 length);
}

/* ------------------------------------------------------------------------------ a broker */

static void start_broker(struct io_world *world)
{
	struct memtun_options *hub = memtun_options_new();
	const char *build = getenv("top_builddir");
	char program[4096], path[64], number[16], byte;
	int ready[2];

	snprintf(program, sizeof(program), "%s/memtund", build ? build : ".");
	if (access(program, X_OK) < 0)
		fail_msg("there is no %s: top_builddir has to say where", program);
	strcpy(world->directory, "/tmp/memtun-test-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(path, sizeof(path), "%s/control", world->directory);
	assert_int_equal(pipe(ready), 0);
	world->broker = fork();
	assert_true(world->broker >= 0);
	if (world->broker == 0) {
		close(ready[0]);
		snprintf(number, sizeof(number), "%d", ready[1]);
		execl(program, program, "--socket", path, "--ready-fd", number, (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) <= 0)
		fail_msg("%s doesn't start", program);
	close(ready[0]);
	world->io = memtun_io_broker_new(path);
	world->memtun = memtun_new();
	assert_non_null(world->io);
	assert_int_equal(memtun_connect(world->memtun, path), 0);
	assert_int_equal(memtun_options_set(hub, "hub", NULL), 0);
	assert_int_equal(memtun_bridge_add(world->memtun, "lan", hub), 0);
	memtun_options_free(hub);
}

static void stop_broker(struct io_world *world)
{
	char path[64];

	memtun_free(world->memtun);
	kill(world->broker, SIGTERM);
	waitpid(world->broker, NULL, 0);
	snprintf(path, sizeof(path), "%s/control", world->directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/control.lock", world->directory);
	unlink(path);
	rmdir(world->directory);
}

static void find_broker_far(struct io_world *world, bool tap)
{
	struct memtun_options *options = memtun_options_new();

	assert_int_equal(memtun_options_set(options, "bridge", "lan"), 0);
	assert_int_equal(memtun_set(world->memtun, world->name, options), 0);
	assert_int_equal(memtun_options_set(options, "mode", tap ? "tap" : "tun"), 0);
	world->far_fd = memtun_open(world->memtun, "far%d", options);
	assert_true(world->far_fd >= 0);
	memtun_options_free(options);
}

/* ------------------------------------------------------------------------------ the world */

struct io_world *io_world_need(void **state)
{
	if (!*state)
		test_skip("this user has no right to the kernel's /dev/net/tun");
	return *state;
}

struct io_world *io_world_new(enum io_kind kind)
{
	struct io_world *world;

	if (kind == IO_KERNEL && !kernel_is_usable())
		return NULL;
	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	world->kind = kind;
	world->fd = -1;
	world->far_fd = -1;
	if (kind == IO_BROKER)
		start_broker(world);
	else
		world->io = kind == IO_KERNEL ? memtun_io_kernel_new() : memtun_io_memory_new();
	assert_non_null(world->io);
	return world;
}

void io_world_free(struct io_world *world)
{
	if (!world)
		return;
	if (world->fd >= 0)
		memtun_io_close(world->io, world->fd);
	if (world->far_fd >= 0)
		close(world->far_fd);
	memtun_io_free(world->io);
	if (world->kind == IO_BROKER)
		stop_broker(world);
	free(world);
}

void io_world_find_far(struct io_world *world, const char *name, bool tap)
{
	strcpy(world->name, name);
	if (world->kind == IO_KERNEL)
		find_kernel_far(world);
	else if (world->kind == IO_BROKER)
		find_broker_far(world, tap);
}

void io_world_attach(struct io_world *world, const char *name, int flags, int open_flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	world->fd = memtun_io_open(world->io, MEMTUN_IO_TUN, open_flags);
	assert_true(world->fd >= 0);
	assert_int_equal(memtun_io_ioctl(world->io, world->fd, TUNSETIFF, &request), 0);
	io_world_find_far(world, request.ifr_name, flags & IFF_TAP);
}

void io_world_send(struct io_world *world, const void *frame, size_t length)
{
	if (world->kind == IO_KERNEL)
		send_by_kernel(world, frame, length);
	else if (world->kind == IO_BROKER)
		assert_int_equal(write(world->far_fd, frame, length), length);
	else
		assert_int_equal(
			io_memory_inject(io_memory_find(world->io, world->fd), frame, length), 1);
}

void io_world_offer(struct io_world *world, const void *frame, size_t length)
{
	if (world->kind == IO_KERNEL)
		send_by_kernel(world, frame, length);
	else
		assert_true(io_memory_inject(io_memory_find(world->io, world->fd), frame, length) >=
			    0);
}

static ssize_t receive_in_memory(struct io_world *world, void *bytes, size_t size)
{
	struct io_frame *frame = io_memory_take(io_memory_find(world->io, world->fd));
	size_t length;

	if (!frame)
		return -1;
	length = frame->length - frame->header_size;
	memcpy(bytes, frame->bytes + frame->header_size, length < size ? length : size);
	free(frame);
	return (ssize_t)length;
}

ssize_t io_world_receive(struct io_world *world, void *frame, size_t size)
{
	struct pollfd far = {.fd = world->far_fd, .events = POLLIN};

	if (world->kind == IO_MEMORY)
		return receive_in_memory(world, frame, size);
	if (poll(&far, 1, PATIENCE) != 1)
		fail_msg("nothing comes out of the tunnel");
	return read(world->far_fd, frame, size);
}

/* SPDX-License-Identifier: MIT */
/*
 * Each allocation and each system call of the memory system fails once, in turn. The call that
 * needed it fails with that errno, no descriptor stays open, and the same call works the next time.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "client/io/io_memory.h"
#include "memtun/io.h"

/* How many calls until the one that fails; 0: none fails. */
static unsigned int until_failure;
static bool failed_once;

static bool fails_now(int error)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	failed_once = true;
	errno = error;
	return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __real_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2]);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __real_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, long argument);
int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);

void *__wrap_malloc(size_t size)
{
	return fails_now(ENOMEM) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now(ENOMEM) ? NULL : __real_calloc(count, size);
}

int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
	return fails_now(EMFILE) ? -1 : __real_socketpair(domain, type, protocol, ends);
}

int __wrap_socket(int domain, int type, int protocol)
{
	return fails_now(EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return fails_now(ENOBUFS) ? -1 : __real_setsockopt(fd, level, name, value, size);
}

int __wrap_fcntl(int fd, int command, long argument)
{
	return fails_now(EPERM) ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_fcntl64(int fd, int command, long argument)
{
	return __wrap_fcntl(fd, command, argument);
}

/* ------------------------------------------------------------------------------ a life */

static const unsigned char frame[60];

/* Frames in each direction, more than a socket has room for. */
static bool move_frames(struct memtun_io *io, int fd)
{
	struct io_tunnel *tunnel = io_memory_find(io, fd);
	struct io_frame *taken;

	for (int i = 0; i < 400; i++) {
		if (io_memory_inject(tunnel, frame, sizeof(frame)) < 0 ||
		    memtun_io_write(io, fd, frame, sizeof(frame)) < 0)
			return false;
	}
	taken = io_memory_take(tunnel);
	free(taken);
	return taken;
}

/* Use a system in every way. False with errno at the first failure. */
static bool live(struct memtun_io *io)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd, loop = -1, saved;
	bool lived;

	if (memtun_io_register_device(io, "/dev/loop", &memtun_io_loopback, NULL) < 0)
		return false;
	fd = memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return false;
	lived = memtun_io_ioctl(io, fd, TUNSETIFF, &request) == 0 && move_frames(io, fd) &&
		(loop = memtun_io_open(io, "/dev/loop", O_RDWR)) >= 0;
	if (!lived)
		until_failure = 0; /* closing allocates nothing, but calls fstat(2) */
	saved = errno;
	if (loop >= 0)
		memtun_io_close(io, loop);
	memtun_io_close(io, fd);
	errno = saved;
	return lived;
}

static void whatever_fails_is_said_and_leaves_nothing_behind(void **state)
{
	unsigned int refused = 0;

	(void)state;
	for (unsigned int call = 1;; call++) {
		struct memtun_io *io;
		bool lived;

		failed_once = false;
		until_failure = call;
		errno = 0;
		io = memtun_io_memory_new();
		lived = io && live(io);
		until_failure = 0;
		if (!failed_once) {
			assert_true(lived);
			memtun_io_free(io);
			break;
		}
		/* Without memory, a full socket stays full or is emptied in part. */
		assert_true(lived || errno == ENOMEM || errno == EMFILE || errno == ENOBUFS ||
			    errno == EPERM || errno == EAGAIN);
		refused += !lived;
		memtun_io_free(io);
	}
	assert_true(refused > 20);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(whatever_fails_is_said_and_leaves_nothing_behind),
};

int main(void)
{
	return RUN_TESTS(tests);
}

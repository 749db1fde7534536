/* SPDX-License-Identifier: MIT */
/*
 * libmemtun-io: an I/O system, which is what a program calls instead of open, read, write, ioctl
 * and close, so that the same program runs on the kernel's /dev/net/tun, on a memtund, or on
 * nothing but memory. See memtun_io(3).
 *
 * One thread may drive a tunnel while another is in the program's calls. The calls for one
 * descriptor belong to one thread at a time, as do those that change the system itself.
 */
#ifndef MEMTUN_IO_H
#define MEMTUN_IO_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memtun_io;

/* The device that is there from the start. */
#define MEMTUN_IO_TUN "/dev/net/tun"

/* --- the three kinds; NULL with errno: ENOMEM, and of the broker those of memtun_connect() --- */

/* All in this process. */
struct memtun_io *memtun_io_memory_new(void);

/* The kernel's own device and calls. */
struct memtun_io *memtun_io_kernel_new(void);

/* A connection to a memtund at that address, as memtun_connect() takes it. In libmemtun. */
struct memtun_io *memtun_io_broker_new(const char *address);

/*
 * Frees the system. The program's descriptors stay open: in memory they see the end of their
 * tunnel, with a broker or the kernel they go on. NULL is allowed.
 */
void memtun_io_free(struct memtun_io *io);

/* --- what a program calls: arguments, results and errno are the system's --- */

/*
 * -1 with ENOSYS if nothing is registered at that path, EPERM if opening isn't permitted, else what
 * the device answers. Of the flags O_NONBLOCK, O_CLOEXEC and the access mode have their effect. The
 * descriptor is a real one, the caller's, to be closed with memtun_io_close().
 */
int memtun_io_open(struct memtun_io *io, const char *path, int flags, ...);

/*
 * -1 with EBADF if the descriptor is not this system's or not open for that, EPERM if it isn't
 * permitted, else what the device answers; the kernel kind asks the kernel about descriptors it
 * doesn't know. A duplicate of a descriptor is known by its socket.
 */
ssize_t memtun_io_read(struct memtun_io *io, int fd, void *buffer, size_t length);
ssize_t memtun_io_write(struct memtun_io *io, int fd, const void *bytes, size_t length);
ssize_t memtun_io_readv(struct memtun_io *io, int fd, const struct iovec *parts, int count);
ssize_t memtun_io_writev(struct memtun_io *io, int fd, const struct iovec *parts, int count);
int memtun_io_ioctl(struct memtun_io *io, int fd, unsigned long request, ...);

/* -1 with EBADF; otherwise the number is closed. What was open goes with its last duplicate. */
int memtun_io_close(struct memtun_io *io, int fd);

/* --- what a test calls --- */

/* The calls that permission can be withdrawn for. */
enum memtun_io_call {
	MEMTUN_IO_OPEN = 1 << 0,
	MEMTUN_IO_READ = 1 << 1,
	MEMTUN_IO_WRITE = 1 << 2,
	MEMTUN_IO_IOCTL = 1 << 3,
	MEMTUN_IO_ALL = MEMTUN_IO_OPEN | MEMTUN_IO_READ | MEMTUN_IO_WRITE | MEMTUN_IO_IOCTL,
};

/* Permits these calls (of enum memtun_io_call) and no others; at first all are. */
void memtun_io_permit(struct memtun_io *io, unsigned int calls);

/*
 * A device. Each function returns what the system call is to return, or -1 with errno; `state` is
 * what open left in *state, and fd the descriptor the program used. count is never
 * negative, and all of the parts together never more than SSIZE_MAX. open and close may not call
 * into the system.
 */
struct memtun_io_device {
	/* A descriptor, from now on the program's. flags are the program's. */
	int (*open)(void *context, int flags, void **state);
	/* NULL: readv(2) and writev(2) of the descriptor. */
	ssize_t (*read)(void *state, int fd, const struct iovec *parts, int count);
	ssize_t (*write)(void *state, int fd, const struct iovec *parts, int count);
	/* NULL: EINVAL. argument is what the program gave, a pointer or a number. */
	int (*ioctl)(void *state, int fd, unsigned long request, void *argument);
	/* The last number was closed, or the system is freed. NULL: there is nothing to free. */
	void (*close)(void *state);
};

/*
 * Registers a device at a path; operations and context are borrowed until it is unregistered and
 * the last of its descriptors closed, or the system freed. -1 with EEXIST (the path is taken),
 * EINVAL (no open), ENOMEM.
 */
int memtun_io_register_device(struct memtun_io *io, const char *path,
			      const struct memtun_io_device *operations, void *context);

/* Nothing is at the path any more; what is open stays open. -1 with ENOENT. */
int memtun_io_unregister_device(struct memtun_io *io, const char *path);

/*
 * A device for memtun_io_register_device(), with context NULL: what is written to a descriptor of
 * it can be read from the same one, a datagram a call. An example of a device, and for tests.
 */
extern const struct memtun_io_device memtun_io_loopback;

#ifdef __cplusplus
}
#endif

#endif

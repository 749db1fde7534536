/* SPDX-License-Identifier: MIT */
/*
 * libmemtun-io: an I/O system. A program calls it instead of open, read, write, ioctl and close, so
 * that the same program runs on the kernel's /dev/net/tun, on a memtund, or in memory alone. See
 * memtun_io(3).
 *
 * One thread may drive a tunnel (memtun/testing.h) while another is in the program's calls. The
 * calls for one descriptor belong to one thread at a time, and so do those that change the system.
 */
#ifndef MEMTUN_IO_H
#define MEMTUN_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memtun_io;

/* The path of the device that a new system has. */
#define MEMTUN_IO_TUN "/dev/net/tun"

/* --- the three kinds --- */

/* Make a system whose tunnels are in this process. The caller frees it. NULL with ENOMEM. */
struct memtun_io *memtun_io_memory_new(void);

/* Make a system of the kernel's own device and calls. The caller frees it. NULL with ENOMEM. */
struct memtun_io *memtun_io_kernel_new(void);

/*
 * Make a system of a memtund's tunnels; address is that of memtun_connect(). The caller frees the
 * system. This function is in libmemtun. NULL with errno: ENOMEM, or that of memtun_connect().
 */
struct memtun_io *memtun_io_broker_new(const char *address);

/*
 * Free the system, which may be NULL. The program's descriptors stay open: their tunnels end if the
 * system is in memory, and go on if they are a broker's or the kernel's.
 */
void memtun_io_free(struct memtun_io *io);

/* --- what a program calls: arguments, results and errno are those of the system calls --- */

/*
 * Open the device at `path`. O_NONBLOCK, O_CLOEXEC and the access mode of `flags` have their
 * effect. The result is a real descriptor that the caller owns and closes with memtun_io_close().
 * -1 with errno: ENOSYS (no device is registered at the path), EPERM (opening is not permitted), or
 * the device's.
 */
int memtun_io_open(struct memtun_io *io, const char *path, int flags, ...);

/* Do the same, for languages that cannot call a function with variable arguments. */
int memtun_io_open_path(struct memtun_io *io, const char *path, int flags);

/*
 * Read or write one frame, or make an ioctl. The system also knows duplicates of a descriptor. A
 * kernel system passes descriptors that it does not know on to the kernel. -1 with errno: EBADF
 * (the descriptor is not this system's, or not open for that), EPERM (the call is not permitted),
 * or the device's.
 */
ssize_t memtun_io_read(struct memtun_io *io, int fd, void *buffer, size_t length);
ssize_t memtun_io_write(struct memtun_io *io, int fd, const void *bytes, size_t length);
ssize_t memtun_io_readv(struct memtun_io *io, int fd, const struct iovec *parts, int count);
ssize_t memtun_io_writev(struct memtun_io *io, int fd, const struct iovec *parts, int count);
int memtun_io_ioctl(struct memtun_io *io, int fd, unsigned long request, ...);

/* Make the ioctl, for languages that cannot call a function with variable arguments. `argument` is the
 * pointer, or the number as a pointer. */
int memtun_io_ioctl_pointer(struct memtun_io *io, int fd, unsigned long request, void *argument);

/*
 * Close the descriptor. Closing the last duplicate closes the device. Return 0; -1 with EBADF, or
 * the errno of close(2), after which the number is closed nonetheless.
 */
int memtun_io_close(struct memtun_io *io, int fd);

/* --- what a test calls --- */

/* The calls for which permission can be withdrawn, as bits. */
enum memtun_io_call {
	MEMTUN_IO_OPEN = 1 << 0,
	MEMTUN_IO_READ = 1 << 1,
	MEMTUN_IO_WRITE = 1 << 2,
	MEMTUN_IO_IOCTL = 1 << 3,
	MEMTUN_IO_ALL = MEMTUN_IO_OPEN | MEMTUN_IO_READ | MEMTUN_IO_WRITE | MEMTUN_IO_IOCTL
};

/* Permit these calls, bits of enum memtun_io_call, and no others. A new system permits all. */
void memtun_io_permit(struct memtun_io *io, unsigned int calls);

/*
 * A device. Each function returns what the system call is to return, or -1 with errno. `state` is
 * the value that open stored in *state; `fd` is the descriptor that the program used. `count` is
 * never negative, and the parts together never have more than SSIZE_MAX bytes. open, close and
 * is_open must not call into the system.
 */
struct memtun_io_device {
	/* Return a new descriptor, which the program owns. `flags` are the program's. */
	int (*open)(void *context, int flags, void **state);
	/* NULL: the system calls readv(2) and writev(2) with the descriptor. */
	ssize_t (*read)(void *state, int fd, const struct iovec *parts, int count);
	ssize_t (*write)(void *state, int fd, const struct iovec *parts, int count);
	/* `argument` is the program's, a pointer or a number. NULL: every ioctl is EINVAL. */
	int (*ioctl)(void *state, int fd, unsigned long request, void *argument);
	/* Free `state`: the last duplicate was closed, or the system is freed. May be NULL. */
	void (*close)(void *state);
	/* Return whether a duplicate of the descriptor is open that the system does not know, maybe in
	 * another process. NULL: the system looks for the inode of the descriptor's socket among this
	 * process's descriptors; a duplicate of any other file is not found. */
	bool (*is_open)(void *state);
};

/*
 * Register a device at a path. operations and context are borrowed: they must stay until the device
 * is unregistered and its last descriptor closed, or until the system is freed. Return 0; -1 with
 * EEXIST (the path has a device), EINVAL (open is NULL) or ENOMEM.
 */
int memtun_io_register_device(struct memtun_io *io, const char *path,
			      const struct memtun_io_device *operations, void *context);

/*
 * Register the device that is at MEMTUN_IO_TUN in a new system at one more path, or there again after
 * it was unregistered. Return 0; -1 with EEXIST (the path has a device) or ENOMEM.
 */
int memtun_io_register_tun(struct memtun_io *io, const char *path);

/*
 * Remove the device from the path. Its descriptors stay open. Return 0; -1 with ENOENT if the path
 * has no device.
 */
int memtun_io_unregister_device(struct memtun_io *io, const char *path);

/*
 * A device for memtun_io_register_device() with context NULL. What is written to a descriptor is
 * read from the same descriptor, one datagram per call. It serves tests, and as an example.
 */
extern const struct memtun_io_device memtun_io_loopback;

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The calls of memtun/io.h: each finds the open device behind a descriptor, asks whether the call
 * may proceed, and calls the device's function. The registry of devices is here too.
 */
#include "client/io/io_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/failed.h"

/* A device that is registered at a path. */
struct io_device {
	LIST_ENTRY(io_device) in_io;
	const struct memtun_io_device *operations;
	void *context;
	char path[];
};

/* ------------------------------------------------------------------------------ read and write */

ssize_t io_total(const struct iovec *parts, int count)
{
	size_t total = 0;

	if (count < 0 || count > IOV_MAX)
		return failed(EINVAL);
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len > (size_t)SSIZE_MAX - total)
			return failed(EINVAL);
		total += parts[i].iov_len;
	}
	return (ssize_t)total;
}

/* For devices without functions of their own, and for descriptors that only the kernel knows. */
static ssize_t plain_read(void *state, int fd, const struct iovec *parts, int count)
{
	(void)state;
	return count == 1 ? read(fd, parts->iov_base, parts->iov_len) : readv(fd, parts, count);
}

static ssize_t plain_write(void *state, int fd, const struct iovec *parts, int count)
{
	(void)state;
	return count == 1 ? write(fd, parts->iov_base, parts->iov_len) : writev(fd, parts, count);
}

static int plain_ioctl(void *state, int fd, unsigned long request, void *argument)
{
	(void)state;
	return ioctl(fd, request, argument);
}

static int no_ioctl(void *state, int fd, unsigned long request, void *argument)
{
	(void)state;
	(void)fd;
	(void)request;
	(void)argument;
	return failed(EINVAL);
}

static struct io_open unknown_open = {
	.read = plain_read,
	.write = plain_write,
	.ioctl = plain_ioctl,
};

/* Return the open device behind the number; NULL with EBADF. */
static struct io_open *io_open_of(struct memtun_io *io, int fd)
{
	struct io_open *open = io_find(io, fd);

	return !open && io->passes_unknown ? &unknown_open : open;
}

/* Return the open device behind the number if it may be read or written now; else NULL. */
static struct io_open *io_use(struct memtun_io *io, int fd, enum memtun_io_call call)
{
	struct io_open *open = io_open_of(io, fd);

	if (!open)
		return NULL;
	if (open->refused & call) {
		errno = EBADF;
		return NULL;
	}
	return io_check(io, call) < 0 ? NULL : open;
}

ssize_t memtun_io_read(struct memtun_io *io, int fd, void *buffer, size_t length)
{
	struct iovec part = {buffer, length};
	struct io_open *open = io_use(io, fd, MEMTUN_IO_READ);

	if (!open)
		return -1;
	if (length > SSIZE_MAX)
		return failed(EINVAL);
	return open->read(open->state, fd, &part, 1);
}

ssize_t memtun_io_write(struct memtun_io *io, int fd, const void *bytes, size_t length)
{
	struct iovec part = {(void *)bytes, length};
	struct io_open *open = io_use(io, fd, MEMTUN_IO_WRITE);

	if (!open)
		return -1;
	if (length > SSIZE_MAX)
		return failed(EINVAL);
	return open->write(open->state, fd, &part, 1);
}

/* As in the kernel, a vector without bytes does not reach the device. */
ssize_t memtun_io_readv(struct memtun_io *io, int fd, const struct iovec *parts, int count)
{
	struct io_open *open = io_use(io, fd, MEMTUN_IO_READ);
	ssize_t total = open ? io_total(parts, count) : -1;

	return total > 0 ? open->read(open->state, fd, parts, count) : total;
}

ssize_t memtun_io_writev(struct memtun_io *io, int fd, const struct iovec *parts, int count)
{
	struct io_open *open = io_use(io, fd, MEMTUN_IO_WRITE);
	ssize_t total = open ? io_total(parts, count) : -1;

	return total > 0 ? open->write(open->state, fd, parts, count) : total;
}

/* ------------------------------------------------------------------------------ the other calls */

int memtun_io_ioctl_pointer(struct memtun_io *io, int fd, unsigned long request, void *argument)
{
	struct io_open *open = io_open_of(io, fd);

	if (!open || io_check(io, MEMTUN_IO_IOCTL) < 0)
		return -1;
	return open->ioctl(open->state, fd, request, argument);
}

int memtun_io_ioctl(struct memtun_io *io, int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return memtun_io_ioctl_pointer(io, fd, request, argument);
}

int memtun_io_close(struct memtun_io *io, int fd)
{
	int result, saved;

	if (!io_find(io, fd))
		return io->passes_unknown ? close(fd) : -1;
	result = close(fd);
	saved = errno;
	pthread_mutex_lock(&io->lock);
	io_forget(io, fd);
	io_end_closed(io);
	pthread_mutex_unlock(&io->lock);
	errno = saved;
	return result;
}

static struct io_device *io_find_device(struct memtun_io *io, const char *path)
{
	struct io_device *device;

	LIST_FOREACH(device, &io->devices, in_io) {
		if (strcmp(device->path, path) == 0)
			return device;
	}
	return NULL;
}

/* Return what a new descriptor of the device will be open as; NULL with ENOMEM. */
static struct io_open *open_new(const struct memtun_io_device *operations, int flags)
{
	struct io_open *open = calloc(1, sizeof(*open));

	if (!open)
		return NULL;
	open->read = operations->read ? operations->read : plain_read;
	open->write = operations->write ? operations->write : plain_write;
	open->ioctl = operations->ioctl ? operations->ioctl : no_ioctl;
	open->close = operations->close;
	open->is_open = operations->is_open;
	/* With access mode 3, O_WRONLY | O_RDWR, a device can be neither read nor written. */
	if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_ACCMODE) != O_RDWR)
		open->refused |= MEMTUN_IO_READ;
	if ((flags & O_ACCMODE) != O_WRONLY && (flags & O_ACCMODE) != O_RDWR)
		open->refused |= MEMTUN_IO_WRITE;
	return open;
}

static int io_open_device(struct memtun_io *io, const struct io_device *device, int flags)
{
	struct io_open *open = open_new(device->operations, flags);
	int fd;

	if (!open)
		return -1;
	fd = device->operations->open(device->context, flags, &open->state);
	if (fd < 0) {
		free(open);
		return -1;
	}
	open->inode = io_inode(fd);
	/* A socket is always open for both. For other files the kernel checks the access mode. */
	if (!open->inode)
		open->refused = 0;
	if (io_remember(io, fd, open) < 0) {
		int saved = errno;

		close(fd);
		if (open->close)
			open->close(open->state);
		free(open);
		return failed(saved);
	}
	LIST_INSERT_HEAD(&io->opens, open, in_io);
	return fd;
}

int memtun_io_open_path(struct memtun_io *io, const char *path, int flags)
{
	const struct io_device *device;
	int fd = -1;

	if (io_check(io, MEMTUN_IO_OPEN) < 0)
		return -1;
	pthread_mutex_lock(&io->lock);
	io_end_closed(io);
	device = io_find_device(io, path);
	if (!device)
		errno = ENOSYS;
	else if (flags & O_DIRECTORY)
		errno = ENOTDIR;
	else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		errno = EEXIST;
	else
		fd = io_open_device(io, device, flags);
	pthread_mutex_unlock(&io->lock);
	return fd;
}

int memtun_io_open(struct memtun_io *io, const char *path, int flags, ...)
{
	return memtun_io_open_path(io, path, flags);
}

/* ------------------------------------------------------------------------------ the system */

int memtun_io_register_device(struct memtun_io *io, const char *path,
			      const struct memtun_io_device *operations, void *context)
{
	size_t size = strlen(path) + 1;
	struct io_device *device;
	bool taken;

	if (!operations->open)
		return failed(EINVAL);
	device = malloc(sizeof(*device) + size);
	if (!device)
		return -1;
	device->operations = operations;
	device->context = context;
	memcpy(device->path, path, size);
	pthread_mutex_lock(&io->lock);
	taken = io_find_device(io, path);
	if (!taken)
		LIST_INSERT_HEAD(&io->devices, device, in_io);
	pthread_mutex_unlock(&io->lock);
	if (!taken)
		return 0;
	free(device);
	return failed(EEXIST);
}

int memtun_io_register_tun(struct memtun_io *io, const char *path)
{
	return io->register_tun(io, path);
}

int memtun_io_unregister_device(struct memtun_io *io, const char *path)
{
	struct io_device *device;

	pthread_mutex_lock(&io->lock);
	device = io_find_device(io, path);
	if (device)
		LIST_REMOVE(device, in_io);
	pthread_mutex_unlock(&io->lock);
	if (!device)
		return failed(ENOENT);
	free(device);
	return 0;
}

struct memtun_io *io_new(void (*free_kind)(void *kind), void *kind)
{
	struct memtun_io *io = calloc(1, sizeof(*io));

	if (!io)
		return NULL;
	io->permitted = MEMTUN_IO_ALL;
	io->free_kind = free_kind;
	io->kind = kind;
	pthread_mutex_init(&io->lock, NULL);
	LIST_INIT(&io->devices);
	LIST_INIT(&io->opens);
	return io;
}

void memtun_io_free(struct memtun_io *io)
{
	struct io_device *device;
	struct io_open *open;

	if (!io)
		return;
	while ((open = LIST_FIRST(&io->opens))) {
		LIST_REMOVE(open, in_io);
		if (open->close)
			open->close(open->state);
		free(open);
	}
	while ((device = LIST_FIRST(&io->devices))) {
		LIST_REMOVE(device, in_io);
		free(device);
	}
	if (io->free_kind)
		io->free_kind(io->kind);
	for (unsigned int i = 0; i < IO_TABLE_SIZE; i++)
		free(atomic_load_explicit(&io->table[i], memory_order_relaxed));
	pthread_mutex_destroy(&io->lock);
	free(io);
}

/* SPDX-License-Identifier: MIT */
/*
 * The kernel kind: the real system calls. Only memtun_io_open() looks into the registry, so that a
 * test can register a device at another path or remove the kernel's. Each descriptor that is not of
 * a registered device goes to the kernel.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "client/io/io_parts.h"

static int kernel_open(void *context, int flags, void **state)
{
	*state = NULL;
	return open(context, flags & ~(O_CREAT | O_EXCL | O_TRUNC), 0);
}

static int kernel_ioctl(void *state, int fd, unsigned long request, void *argument)
{
	(void)state;
	return ioctl(fd, request, argument);
}

static const struct memtun_io_device kernel_device = {
	.open = kernel_open,
	.ioctl = kernel_ioctl,
};

static int kernel_register(struct memtun_io *io, const char *path)
{
	static char kernel_path[] = MEMTUN_IO_TUN;

	return memtun_io_register_device(io, path, &kernel_device, kernel_path);
}

struct memtun_io *memtun_io_kernel_new(void)
{
	struct memtun_io *io = io_new(NULL, NULL);

	if (!io)
		return NULL;
	io->passes_unknown = true;
	io->register_tun = kernel_register;
	if (kernel_register(io, MEMTUN_IO_TUN) < 0) {
		memtun_io_free(io);
		return NULL;
	}
	return io;
}

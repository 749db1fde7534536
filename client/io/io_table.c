/* SPDX-License-Identifier: MIT */
/*
 * The table of descriptors: for each number, the open device that the program means by it.
 *
 * The program may duplicate and close descriptors without this library. A number that isn't in the
 * table is therefore looked for among the open devices by its socket's inode, and a number that is
 * in the table may belong to another file by now.
 */
#include "client/io/io_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/failed.h"

ino_t io_inode(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

void io_forget(struct memtun_io *io, int fd)
{
	struct io_open *open = io_peek(io, fd);

	if (!open)
		return;
	atomic_store_explicit(io_slot(io, fd), NULL, memory_order_release);
	if (--open->numbers)
		return;
	LIST_REMOVE(open, in_io);
	if (open->close)
		open->close(open->state);
	free(open);
}

int io_remember(struct memtun_io *io, int fd, struct io_open *open)
{
	unsigned int row = (unsigned int)fd >> IO_TABLE_BITS;

	if (row >= IO_TABLE_SIZE)
		return failed(EMFILE);
	if (!io_slot(io, fd)) {
		_Atomic(struct io_open *) *slots = calloc(IO_TABLE_SIZE, sizeof(*slots));

		if (!slots)
			return -1;
		atomic_store_explicit(&io->table[row], slots, memory_order_release);
	}
	/* A device that had the number before was closed without this library. */
	io_forget(io, fd);
	open->numbers++;
	atomic_store_explicit(io_slot(io, fd), open, memory_order_release);
	return 0;
}

struct io_open *io_adopt(struct memtun_io *io, int fd)
{
	ino_t inode = io_inode(fd);
	struct io_open *open = NULL;

	pthread_mutex_lock(&io->lock);
	if (inode) {
		LIST_FOREACH(open, &io->opens, in_io) {
			if (open->inode == inode)
				break;
		}
	}
	if (open && io_remember(io, fd, open) < 0)
		open = NULL;
	pthread_mutex_unlock(&io->lock);
	if (!open)
		errno = EBADF;
	return open;
}

struct io_open *io_find(struct memtun_io *io, int fd)
{
	struct io_open *open = io_peek(io, fd);

	if (!open)
		return io_adopt(io, fd);
	if (!open->inode || io_inode(fd) == open->inode)
		return open;
	pthread_mutex_lock(&io->lock);
	io_forget(io, fd);
	pthread_mutex_unlock(&io->lock);
	errno = EBADF;
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The table of descriptors: for each number, the open device that the program means by it. */
#include "client/io/io_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/failed.h"

/*
 * The program may duplicate and close descriptors without this library. A number that isn't in the
 * table is therefore looked for among the open devices by its socket's inode, and a number that is
 * in the table may belong to another file by now. Before the last number of a device is taken out,
 * this file looks for a duplicate that the program has not used yet.
 */

ino_t io_inode(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

int io_number_of(ino_t inode)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	if (!directory)
		return -1;
	while (found < 0 && (entry = readdir(directory))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && !*end && io_inode((int)number) == inode)
			found = (int)number;
	}
	closedir(directory);
	return found;
}

static void io_end(struct io_open *open)
{
	LIST_REMOVE(open, in_io);
	if (open->close)
		open->close(open->state);
	free(open);
}

/* Find out whether a device without numbers is open nonetheless. A duplicate here gets its number. */
static bool io_lives_on(struct memtun_io *io, struct io_open *open)
{
	int number;

	if (open->is_open)
		return open->is_open(open->state);
	number = open->inode ? io_number_of(open->inode) : -1;
	return number >= 0 && io_remember(io, number, open) == 0;
}

void io_end_closed(struct memtun_io *io)
{
	struct io_open *open = LIST_FIRST(&io->opens), *next;

	for (; open; open = next) {
		next = LIST_NEXT(open, in_io);
		if (open->numbers == 0 && !io_lives_on(io, open))
			io_end(open);
	}
}

void io_forget(struct memtun_io *io, int fd)
{
	struct io_open *open = io_peek(io, fd);

	if (!open)
		return;
	atomic_store_explicit(io_slot(io, fd), NULL, memory_order_release);
	if (--open->numbers == 0 && !io_lives_on(io, open))
		io_end(open);
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

/*
 * Return the open device that the number, which is not in the table, is a duplicate of, and put the
 * number into the table. NULL with EBADF.
 */
static struct io_open *io_adopt(struct memtun_io *io, int fd)
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
	/* dup2(2) may have put a duplicate of another device there. */
	return io_adopt(io, fd);
}

/* SPDX-License-Identifier: MIT */
#include "client/wrap/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/wrap/call.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* The smallest page of any architecture. The page after a string may be missing. */
#define PAGE 4096

/* How much of a string is copied at once. Almost every path is shorter. */
#define PART 256

/*
 * Copy through /proc: Docker's profile before version 20.10.10 forbids process_vm_readv(2), and
 * allows this. Return how many bytes; -1 with errno.
 */
static ssize_t file_copy(pid_t thread, void *ours, unsigned long theirs, size_t size, bool write)
{
	char path[32];
	ssize_t copied;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)thread);
	descriptor_owned fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		return failed(errno == ENOENT ? ESRCH : errno == EACCES ? EPERM : errno);
	copied = write ? pwrite(fd, ours, size, (off_t)theirs)
		       : pread(fd, ours, size, (off_t)theirs);
	return copied < 0 && errno == EIO ? failed(EFAULT) : copied;
}

/* Copy as many bytes as there are up to a bad page. Return how many; -1 with errno. */
static ssize_t part_copy(const struct call *call, void *ours, unsigned long theirs, size_t size,
			 bool write)
{
	struct iovec local = {ours, size};
	struct iovec remote = {(void *)theirs, size};
	ssize_t copied = write ? process_vm_writev(call->thread, &local, 1, &remote, 1, 0)
			       : process_vm_readv(call->thread, &local, 1, &remote, 1, 0);

	if (copied < 0 && (errno == EPERM || errno == ENOSYS))
		copied = file_copy(call->thread, ours, theirs, size, write);
	return copied;
}

int memory_copy(const struct call *call, void *ours, unsigned long theirs, size_t size, bool write)
{
	/* Once the thread is gone, another process may have its number. */
	if (write && !call->operations->is_waiting(call))
		return failed(ESRCH);
	ssize_t copied = part_copy(call, ours, theirs, size, write);

	if (copied != (ssize_t)size)
		return copied < 0 ? -1 : failed(EFAULT);
	return call->operations->is_waiting(call) ? 0 : failed(ESRCH);
}

ssize_t memory_read_string(const struct call *call, unsigned long theirs, char *ours, size_t size)
{
	size_t length = 0;

	while (length < size) {
		size_t part = PAGE - (theirs + length) % PAGE;
		ssize_t copied;
		const char *end;

		if (part > PART)
			part = PART;
		if (part > size - length)
			part = size - length;
		copied = part_copy(call, ours + length, theirs + length, part, false);
		if (copied <= 0)
			return copied < 0 ? -1 : failed(EFAULT);
		end = memchr(ours + length, '\0', (size_t)copied);
		if (end)
			return end - ours;
		length += (size_t)copied;
	}
	return failed(ENAMETOOLONG);
}

enum memory_way memory_try(pid_t child)
{
	static const char known[] = "known";
	char read[sizeof(known)];
	struct iovec local = {read, sizeof(read)};
	struct iovec remote = {(void *)(uintptr_t)known, sizeof(known)};

	/* The child has this program's memory. */
	if (process_vm_readv(child, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(read))
		return MEMORY_DIRECT;
	if (file_copy(child, read, (unsigned long)known, sizeof(read), false) ==
	    (ssize_t)sizeof(read))
		return MEMORY_FILE;
	return MEMORY_NONE;
}

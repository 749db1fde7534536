/* SPDX-License-Identifier: MIT */
/*
 * The memory of the program's processes.
 */
#ifndef MEMTUN_MEMORY_H
#define MEMTUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct call;

/*
 * Copy `size` bytes from or to the memory of the call's process. -1 with EFAULT (a bad pointer),
 * ESRCH (the process has ended, or no longer waits), or EPERM (the process is not dumpable).
 */
int memory_copy(const struct call *call, void *ours, unsigned long theirs, size_t size, bool write);

/*
 * Read a string with its NUL, without a look whether the thread still waits. Return its length; -1
 * with the errno above, or ENAMETOOLONG: it has no NUL within `size` bytes.
 */
ssize_t memory_read_string(const struct call *call, unsigned long theirs, char *ours, size_t size);

/* How the memory of a process can be read. */
enum memory_way {
	MEMORY_DIRECT, /* by process_vm_readv(2) */
	MEMORY_FILE,   /* by /proc/PID/mem */
	MEMORY_NONE,
};

/* Find out how the memory of a child process that has executed no other program can be read. */
enum memory_way memory_try(pid_t child);

#endif

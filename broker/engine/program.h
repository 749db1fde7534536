/* SPDX-License-Identifier: MIT */
/*
 * The program that a process runs, by its name in /proc/PID/comm. execve(2) changes the name, and
 * the number of a process that has ended may name another process later.
 */
#ifndef MEMTUN_PROGRAM_H
#define MEMTUN_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/* Room for a name in /proc/PID/comm: 15 bytes (TASK_COMM_LEN), a newline and a NUL. */
#define PROGRAM_NAME_SIZE 17

/*
 * Read the name of the process's program. A process can give itself any bytes as a name, so they
 * are made text. -1 if there is no such process, if its name is empty, or if /proc hides it.
 */
int program_name(pid_t pid, char name[PROGRAM_NAME_SIZE]);

/* Return whether the process belongs to the user. A process that is not dumpable counts as root's. */
bool program_is_of(pid_t pid, uid_t user);

#endif

/* SPDX-License-Identifier: MIT */
/* Finds the process that a thread belongs to. */
#ifndef MEMTUN_PROCESS_H
#define MEMTUN_PROCESS_H

#include <sys/types.h>

/* Return the process of a thread, or the thread itself if it has ended. */
pid_t process_of(pid_t thread);

#endif

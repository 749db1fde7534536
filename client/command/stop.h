/* SPDX-License-Identifier: MIT */
/*
 * How a command that runs until an interrupt or SIGTERM ends properly.
 */
#ifndef MEMTUN_STOP_H
#define MEMTUN_STOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Let these signals only request the end from now on. once: the second signal ends the process. */
void stop_prepare(bool once);

/* Return whether a signal has come, and when the first one came (CLOCK_REALTIME). */
bool stop_requested(void);
struct timespec stop_time(void);

/*
 * Wait as poll(2) does until CLOCK_MONOTONIC nanoseconds (-1: no limit), or until a signal comes or
 * has come before. -1 with EINTR after a signal.
 */
int stop_poll(struct pollfd *fds, nfds_t count, int64_t until);

#endif

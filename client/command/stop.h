/* SPDX-License-Identifier: MIT */
/*
 * Commands that go on until an interrupt or SIGTERM says that it is enough, and then end properly.
 */
#ifndef MEMTUN_STOP_H
#define MEMTUN_STOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* From now on these signals only say so. once: the second one ends the process after all. */
void stop_prepare(bool once);

/* Has one come? And when the first did, CLOCK_REALTIME. */
bool stop_requested(void);
struct timespec stop_time(void);

/* As poll(2), until CLOCK_MONOTONIC nanoseconds (-1: for ever), or until one comes or has come. */
int stop_poll(struct pollfd *fds, nfds_t count, int64_t until);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A path that loses nothing, and a run over it: one process sends so many frames as fast as it can,
 * one receives them all, both in batches. Who moves the frames has one CPU, both ends another: left
 * to the scheduler, a run would say more of how often a wake-up preempts the waker.
 */
#ifndef MEMTUN_BENCH_PATH_H
#define MEMTUN_BENCH_PATH_H

#include <stddef.h>
#include <sys/types.h>

struct memtun;

#define FRAME_LENGTH_MAX 1514

/* One run takes well under a second: a run that takes so many has lost frames, or hangs. */
#define RUN_LONGEST 20

/* Where frames go in and come out, and who moves them. */
struct path {
	int in, out;
	pid_t pid;
};

/* What a run has shown. */
struct run {
	double cpu;     /* of who moves them, nanoseconds */
	double seconds; /* from the first sent to the last received */
};

/* The stations of a path. Station n's address is the nth that nobody's manufacturer has. */
enum {
	STATION_SENDER = 1,
	STATION_RECEIVER = 2
};

/* An Ethernet frame from one station to another, or (to 0) to all; zeros behind its header. */
void frame_fill(unsigned char frame[FRAME_LENGTH_MAX], unsigned int to, unsigned int from);

/* Has the learning bridge NAME see where both stations are, as it does wherever anything answers;
 * and makes sure that these two addresses are what it knows. */
void path_learn(const struct path *path, struct memtun *memtun, const char *name);

struct run path_run(const struct path *path, size_t size, int count);

/* Its two halves, each a process to be waited for, or ended. */
pid_t path_send(int fd, size_t size, int count);
pid_t path_receive(int fd, size_t size, int count);

#endif

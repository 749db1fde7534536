/* SPDX-License-Identifier: MIT */
/*
 * A path that loses no frame, and a run over it: one process sends frames as fast as it can, and
 * one receives them all, both in batches. The process that moves the frames has one CPU, both ends
 * have the other. With a free choice of the scheduler a run would mostly show how often a wake-up
 * preempts the waker.
 */
#ifndef MEMTUN_BENCH_PATH_H
#define MEMTUN_BENCH_PATH_H

#include <stddef.h>
#include <sys/types.h>

struct memtun;

#define FRAME_LENGTH_MAX 1514

/* Seconds after which a run has lost frames or hangs. A run takes well under one second. */
#define RUN_LONGEST 20

/* The ends where frames go in and come out, and the process that moves them. */
struct path {
	int in, out;
	pid_t pid;
};

/* The result of a run. */
struct run {
	double cpu;     /* of the process that moves the frames, nanoseconds */
	double seconds; /* from the first frame sent to the last received */
};

/* The stations of a path. Station n has the nth locally administered MAC address. */
enum {
	STATION_SENDER = 1,
	STATION_RECEIVER = 2
};

/* Write an Ethernet frame from one station to another, or to all if `to` is 0, with zeros behind
 * the header. */
void frame_fill(unsigned char frame[FRAME_LENGTH_MAX], unsigned int to, unsigned int from);

/* Make the learning bridge NAME learn where both stations are, as answers would. Check that it
 * knows exactly these two addresses. */
void path_learn(const struct path *path, struct memtun *memtun, const char *name);

struct run path_run(const struct path *path, size_t size, int count);

/* Start the sender and the receiver of a run. The caller waits for each process, or ends it. */
pid_t path_send(int fd, size_t size, int count);
pid_t path_receive(int fd, size_t size, int count);

#endif

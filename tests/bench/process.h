/* SPDX-License-Identifier: MIT */
/*
 * The processes that are measured: a memtund as users run it, and the forked baselines. Each ends
 * with the benchmark, whatever ends that.
 */
#ifndef MEMTUN_BENCH_PROCESS_H
#define MEMTUN_BENCH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct memtun;

struct broker_process {
	pid_t pid;
	char address[40]; /* of its control socket */
};

/* The path of memtund. Set it before the first broker_start(). */
extern const char *process_memtund;

/* Start a memtund, and wait until it listens. */
void broker_start(struct broker_process *broker);

/* Return a connection to it. */
struct memtun *broker_connect(const struct broker_process *broker);

/* Open the tunnel NAME with options as in `exec -t NAME:OPTIONS`. */
int broker_open(struct memtun *memtun, const char *name, const char *options);

/* Call fork(), and end the benchmark if it fails. */
pid_t process_fork(void);

/* Pin a process to the first (0) or second (1) CPU that the benchmark may use, if there are two. */
void process_pin(pid_t pid, int index);
void process_unpin(pid_t pid);

/* End a process that was started here. */
void process_end(pid_t pid);

/* Wait for a process. Return false if its exit status is not 0. */
bool process_wait(pid_t pid);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The processes that are measured: a memtund as users run it, and what the baselines fork. Each
 * ends with the benchmark, however that ends.
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

/* Where memtund is. To be set before the first broker_start(). */
extern const char *process_memtund;

/* Starts a memtund, and waits until it listens. */
void broker_start(struct broker_process *broker);

/* A connection to it. */
struct memtun *broker_connect(const struct broker_process *broker);

/* Opens the tunnel NAME with options as in `exec -t NAME:OPTIONS`. */
int broker_open(struct memtun *memtun, const char *name, const char *options);

/* As fork(), and fails never. */
pid_t process_fork(void);

/* Puts it on the `index`th of the CPUs that we may use, 0 or 1, if there are two. */
void process_pin(pid_t pid, int index);
void process_unpin(pid_t pid);

/* Ends a process that was started here. */
void process_end(pid_t pid);

/* Waits for it; false if it didn't end well. */
bool process_wait(pid_t pid);

#endif

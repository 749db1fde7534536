/* SPDX-License-Identifier: MIT */
/*
 * What arrives over a wire that may lose frames: one process sends so many, as fast as the wire
 * takes them, another counts what it gets until nothing comes any more.
 */
#ifndef MEMTUN_BENCH_DELIVERY_H
#define MEMTUN_BENCH_DELIVERY_H

#include <stdbool.h>
#include <sys/socket.h>

/* An end of a wire: its descriptor, or what else its calls take. */
struct wire_end {
	int fd; /* to wait on */
	bool is_socket;
	void *connection;
	/* As sendmmsg and recvmmsg, and may do less. */
	int (*send)(const struct wire_end *end, struct mmsghdr messages[], int count);
	int (*receive)(const struct wire_end *end, struct mmsghdr messages[], int count);
};

struct wire {
	struct wire_end in, out;
	/* By a process with a CPU of its own, and then both ends share the other. Else the kernel
	 * does it where the sender writes, and each end has a CPU. */
	bool is_moved;
};

struct delivery {
	int received;
	double seconds; /* from the first sent to the last received */
};

/* An end that is a device or a socket, with one frame a write or read. */
struct wire_end wire_end_device(int fd);
struct wire_end wire_end_single(int fd);

/* An end that is a socket, with batches. */
struct wire_end wire_end_socket(int fd);

/* Shows what is between both ends where the two stations are. */
void wire_learn(const struct wire *wire);

struct delivery delivery_run(const struct wire *wire, int count);

#endif

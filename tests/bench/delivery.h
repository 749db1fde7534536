/* SPDX-License-Identifier: MIT */
/*
 * Delivery over a wire that may lose frames: one process sends frames as fast as the wire takes
 * them, another counts those that arrive until no more do.
 */
#ifndef MEMTUN_BENCH_DELIVERY_H
#define MEMTUN_BENCH_DELIVERY_H

#include <stdbool.h>
#include <sys/socket.h>

/* An end of a wire: its descriptor, and the calls that send and receive. */
struct wire_end {
	int fd; /* to poll */
	bool is_socket;
	void *connection;
	/* As sendmmsg and recvmmsg; they may move fewer frames. */
	int (*send)(const struct wire_end *end, struct mmsghdr messages[], int count);
	int (*receive)(const struct wire_end *end, struct mmsghdr messages[], int count);
};

struct wire {
	struct wire_end in, out;
	/* Whether a process with a CPU of its own moves the frames, so that both ends share the
	 * other CPU. Otherwise the kernel moves them in the sender's write, and each end has a
	 * CPU. */
	bool is_moved;
};

struct delivery {
	int received;
	double seconds; /* from the first frame sent to the last received */
};

/* Return an end that is a device or a socket, with one frame per write or read. */
struct wire_end wire_end_device(int fd);
struct wire_end wire_end_single(int fd);

/* Return an end that is a socket, with batches. */
struct wire_end wire_end_socket(int fd);

/* Make the bridge between both ends learn where the two stations are. */
void wire_learn(const struct wire *wire);

struct delivery delivery_run(const struct wire *wire, int count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The parts of a transport, for its three files alone: transport.c makes and drives it,
 * transport_send.c has its send queue, and transport_receive.c reads.
 */
#ifndef MEMTUN_TRANSPORT_PARTS_H
#define MEMTUN_TRANSPORT_PARTS_H

#include <sys/queue.h>

#include "memtun/transport.h"

/* The maximum number of reads, and of writes, in one dispatch, so that a busy peer doesn't keep the
 * loop from other peers. */
#define TRANSPORT_TURN 32

struct entry; /* a message that waits to be sent */

struct backoff {
	int64_t until; /* -1: not waiting */
	int64_t delay; /* the length of the next wait */
};

/* What the program has asked for, once the queue is empty. */
enum transport_ending {
	TRANSPORT_STAYS,
	TRANSPORT_SHUTS_DOWN, /* end the direction to the peer */
	TRANSPORT_CLOSES,     /* end the connection */
};

struct memtun_transport {
	int fd;
	bool is_stream;
	bool reading;
	bool paused;
	bool closed;
	bool dispatching;
	bool freed;       /* by a handler; memtun_transport_dispatch() frees it at its end */
	bool read_ended;  /* the peer has shut down its sending side */
	bool write_ended; /* shutdown(SHUT_WR) was done */
	bool undrained;   /* the queue was not empty, and drained has not been called since */
	enum transport_ending ending;
	bool reset; /* recvmsg(2) said ECONNRESET; data that the peer sent before still follows */
	int write_error;
	size_t largest_record;
	const struct memtun_transport_handlers *handlers;
	void *context;
	struct memtun_transport_bounds bounds;
	STAILQ_HEAD(, entry) queue;
	size_t queued_bytes;
	size_t queued_fds;
	struct backoff send_backoff;
	struct backoff receive_backoff;
	uint64_t retries;
};

/* Is the error transient: does the kernel lack memory, descriptors or buffers for now? */
bool transport_is_transient(int error);

/* Wait before the next try, each time for longer; and end the wait after a success. */
void transport_wait(struct memtun_transport *transport, struct backoff *backoff, int error);
void transport_wait_over(struct backoff *backoff);

void transport_notice(struct memtun_transport *transport,
		      const struct memtun_transport_notice *notice);

/* End the connection. Further calls do nothing. */
void transport_end(struct memtun_transport *transport, int error);

/* Send as much as the kernel takes. On an error drop the queue, and keep the error for dispatch. */
void transport_flush(struct memtun_transport *transport);

/* Shut down the socket's sending side if the program asked for it and the queue is empty. */
void transport_shut_down_when_flushed(struct memtun_transport *transport);

/* Drop the send queue: close its descriptors and free its entries. */
void transport_drop_queue(struct memtun_transport *transport);

/* Read once. False: there is nothing more to read for now. */
bool transport_receive(struct memtun_transport *transport);

#endif

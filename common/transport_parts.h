/* SPDX-License-Identifier: MIT */
/*
 * The inside of a transport: transport.c drives it, transport_send.c has its queue,
 * transport_receive.c what comes. For those three only.
 */
#ifndef MEMTUN_TRANSPORT_PARTS_H
#define MEMTUN_TRANSPORT_PARTS_H

#include <sys/queue.h>

#include "memtun/transport.h"

/* Reads and writes a turn, so that one busy peer doesn't keep the loop from the others. */
#define TRANSPORT_TURN 32

struct entry; /* a message that waits to be sent */

struct backoff {
	int64_t until; /* -1: not waiting */
	int64_t delay; /* of the next wait */
};

struct memtun_transport {
	int fd;
	bool is_stream;
	bool reading;
	bool paused;
	bool closed;
	bool dispatching;
	bool freed; /* by a handler: dispatch does it when it is done */
	bool reset; /* ECONNRESET was seen: what the peer had sent before still follows */
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

/* Is the system short of something that it may have again? */
bool transport_is_transient(int error);

/* Waits for it to have it; or it has it. */
void transport_wait(struct memtun_transport *transport, struct backoff *backoff, int error);
void transport_wait_over(struct backoff *backoff);

void transport_notice(struct memtun_transport *transport,
		      const struct memtun_transport_notice *notice);

/* Ends the connection, once. */
void transport_end(struct memtun_transport *transport, int error);

/* Sends what the kernel takes. An error is kept for dispatch; what can't be sent any more goes. */
void transport_flush(struct memtun_transport *transport);

/* Closes and frees all that waits to be sent. */
void transport_drop_queue(struct memtun_transport *transport);

/* One read. False: there is nothing more to read for now. */
bool transport_receive(struct memtun_transport *transport);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A connection to a broker: requests without an answer yet, and the functions to call for their
 * answers. It owns the transport, and each received descriptor until a function gets it. The
 * blocking calls in calls.c drive the same connection.
 */
#ifndef MEMTUN_CONNECTION_H
#define MEMTUN_CONNECTION_H

#include <sys/queue.h>

#include "common/attribute_set.h"
#include "memtun.h"
#include "memtun/transport.h"
#include "common/message.h"

/* The maximum number of events that are queued while a blocking call runs. Further events are lost,
 * and the subscriber gets the event "lost". */
#define CONNECTION_EVENTS_MAX 4096

/* A request without an answer yet. */
struct pending {
	STAILQ_ENTRY(pending) link;
	uint32_t sequence;
	bool brings_fds;
	memtun_reply_function *function;
	void *context;
};

struct event; /* an event that is queued for memtun_dispatch() */

struct memtun {
	struct memtun_transport *transport; /* NULL: not connected */
	STAILQ_HEAD(, pending) pending;
	STAILQ_HEAD(, event) events;
	unsigned int event_count;
	bool events_lost;
	bool blocking; /* a blocking call runs: queue events */
	bool dispatching;
	bool interrupted; /* the last answer was a list that changed while the broker sent it */
	uint32_t sequence;
	int answer_timeout; /* milliseconds, -1: none */
	int64_t answer_due; /* when the first pending request must have a part of its answer */
	int end;            /* the errno that the connection ended with; 0: it hasn't ended */
	int fds[MEMTUN_TRANSPORT_FDS_MAX];
	size_t fd_count;
	memtun_record_function *subscriber;
	void *subscriber_context;
	struct fault fault;
	struct message_builder builder;
};

/* Wait until the connection is ready, and dispatch. -1 with errno: the connection has ended. */
int connection_wait(struct memtun *memtun);

/* Begin to count the time for the next part of an answer. */
void connection_expect_answer(struct memtun *memtun);

/* In connection_answer.c: the handlers for what the broker sends. */
extern const struct memtun_transport_handlers connection_handlers;

/* End the connection. Each request is answered with that error. */
void connection_end(struct memtun *memtun, int error, const char *text);

/* In calls.c: make a request without a descriptor, call function for each record of the answer, and
 * wait for its end. -1 with errno and the text of memtun_error(). */
int call_simple(struct memtun *memtun, enum memtun_command command, const char *name,
		const struct memtun_options *options, memtun_record_function *function,
		void *context);

/* Return whether events wait that came during a blocking call, or the connection has ended. */
bool events_are_queued(const struct memtun *memtun);

/* Call the subscriber for the queued events; or drop them. */
void events_deliver(struct memtun *memtun);
void events_drop(struct memtun *memtun);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A connection to a broker: requests on their way, and what is called for their answers. It owns
 * the transport and every descriptor that has come and was not handed over yet. The blocking calls,
 * in calls.c, drive the same machine.
 */
#ifndef MEMTUN_CONNECTION_H
#define MEMTUN_CONNECTION_H

#include <sys/queue.h>

#include "common/attribute_set.h"
#include "memtun.h"
#include "memtun/transport.h"
#include "common/message.h"

/* Events that are kept while blocking calls run; beyond it they are lost, and that is told. */
#define CONNECTION_EVENTS_MAX 4096

/* A request without its answer yet. */
struct pending {
	STAILQ_ENTRY(pending) link;
	uint32_t sequence;
	bool brings_fds;
	memtun_reply_function *function;
	void *context;
};

struct event; /* an event that waits for memtun_dispatch() */

struct memtun {
	struct memtun_transport *transport; /* NULL: not connected */
	STAILQ_HEAD(, pending) pending;
	STAILQ_HEAD(, event) events;
	unsigned int event_count;
	bool events_lost;
	bool blocking; /* a blocking call is under way: events wait */
	bool dispatching;
	bool interrupted; /* the answer that ends was a list that changed while it was made */
	uint32_t sequence;
	int end; /* errno the connection ended with; 0: it hasn't */
	int fds[MEMTUN_TRANSPORT_FDS_MAX];
	size_t fd_count;
	memtun_record_function *subscriber;
	void *subscriber_context;
	struct fault fault;
	struct message_builder builder;
};

/* Waits for what the connection waits for, and dispatches. -1 with errno: it has ended, now at the
 * latest. */
int connection_wait(struct memtun *memtun);

/* In connection_answer.c: what is called for what comes. */
extern const struct memtun_transport_handlers connection_handlers;

/* The connection can't go on: every request is answered with that. */
void connection_end(struct memtun *memtun, int error, const char *text);

/* Calls for the events that came during blocking calls; or forgets them. */
void events_deliver(struct memtun *memtun);
void events_drop(struct memtun *memtun);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A session: one client on the control socket. It reads requests and has them carried out one after
 * the other, so that answers come in their order. What makes many records - a list, a batch of
 * opens
 * - runs a step at a time as the client takes them, and meanwhile no further request is read.
 */
#ifndef MEMTUN_SESSION_H
#define MEMTUN_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "broker/engine/events.h"
#include "common/log.h"
#include "common/message.h"

struct control;
struct memtun_transport;
struct session;

/* One step of a request that makes many records. 1: there is more; 0: that was all; -1: fault. */
typedef int session_step(struct session *session, struct fault *fault);

struct session {
	LIST_ENTRY(session) in_control;
	struct control *control;
	struct memtun_transport *transport;
	ev_io io;
	ev_timer timer;
	uid_t uid;
	pid_t pid;
	bool greeted;
	struct event_subscriber subscriber;
	bool subscribed;  /* to events */
	bool events_lost; /* and not told yet */
	bool ended;       /* an answer could not be sent: the session can't go on */
	struct log_ratelimit ratelimit;
	/* What is being carried out step by step, if step isn't NULL. */
	session_step *step;
	void *record; /* the request's bytes, which `request` borrows from */
	struct message request;
	uint32_t cursor;         /* id of the last object listed */
	uint64_t remaining;      /* objects yet to be made */
	unsigned int generation; /* the broker's when it began */
};

/* Takes the connected socket. NULL with errno, and it is still the caller's. */
struct session *session_new(struct control *control, int fd, uid_t uid, pid_t pid);
void session_free(struct session *session);

/* Sends the record in the broker's builder, with a descriptor unless fd is -1: it is taken. */
void session_send(struct session *session, int fd);

/* Begins a request that makes many records; the message's strings stay good until it ends. */
int session_begin(struct session *session, session_step *step, struct fault *fault);

/* Tells its client of events from now on. */
void session_subscribe(struct session *session);

/* Free all sessions. */
void sessions_free(struct control *control);

#endif

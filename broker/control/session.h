/* SPDX-License-Identifier: MIT */
/*
 * A session: one client on the control socket. It carries out the client's requests one after the
 * other, so that the answers are in their order. It reads no further request while one with a long
 * answer runs in steps.
 */
#ifndef MEMTUN_SESSION_H
#define MEMTUN_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "broker/control/waiter.h"
#include "broker/engine/events.h"
#include "broker/engine/liveness.h"
#include "common/message.h"

struct account;
struct control;
struct memtun_transport;
struct session;

/* Do one step of a request that runs in steps. Returns 1 if there are more steps, 0 if this was the
 * last, -1 with the fault filled. */
typedef int session_step(struct session *session, struct fault *fault);

struct session {
	LIST_ENTRY(session) in_control;
	struct control *control;
	struct memtun_transport *transport;
	ev_io io;
	ev_timer timer;
	uid_t uid;
	pid_t pid;
	struct account *account; /* of what the client makes the broker keep */
	bool is_spare;           /* it may have to make room for another; see session_room.h */
	int64_t since;           /* CLOCK_MONOTONIC, nanoseconds: when the client connected */
	bool greeted;
	struct event_subscriber subscriber;
	bool subscribed;     /* to events */
	bool events_lost;    /* events were lost, and the client does not know yet */
	bool ended;          /* an answer could not be sent: the session can't go on */
	struct polled stall; /* listed while the session is not read, if control->stall_limit */
	int64_t progress;    /* when the client last read something, as of the last poll */
	size_t unread;       /* bytes that waited for the client then */
	/* The request that runs in steps; none if step is NULL. */
	session_step *step;
	void *record; /* the request's bytes, which `request` borrows from */
	struct message request;
	uint32_t cursor;             /* id of the last object listed */
	uint64_t remaining;          /* objects yet to be made */
	int64_t wake;                /* when the next step is due, CLOCK_MONOTONIC; 0: at once */
	struct waiter waiter;        /* of a request that waits until ports are quiet */
	bool waited;                 /* the ports are quiet */
	int64_t moved_from, move_to; /* of a request that moves the logical clock */
	unsigned int generation;     /* engine.generation when the request began */
};

/* Make a session, taking ownership of the connected socket. NULL with errno, and then the caller
 * still owns the socket. */
struct session *session_new(struct control *control, int fd, uid_t uid, pid_t pid);
void session_free(struct session *session);

/* Send the record in the builder, with the descriptor unless fd is -1. Takes ownership of the
 * descriptor, also on failure. */
void session_send(struct session *session, int fd);

/* Begin a request that runs in steps. The session keeps a copy of the record until the request
 * ends, so the strings of the message stay valid. -1 with ENOMEM, the fault filled. */
int session_begin(struct session *session, session_step *step, struct fault *fault);

/* Send events to the client from now on. -1 with EDQUOT, the fault filled. */
int session_subscribe(struct session *session, struct fault *fault);

/* Free all sessions. */
void sessions_free(struct control *control);

#endif

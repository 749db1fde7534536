/* SPDX-License-Identifier: MIT */
/* The functions that the files of a session share. */
#ifndef MEMTUN_SESSION_PARTS_H
#define MEMTUN_SESSION_PARTS_H

#include "broker/control/session.h"

/* ------------------------------------------------------------------------------ session.c */

/* Watch the socket for the events that the transport waits for, and arm the timer for its deadline.
 * Free the session if it has ended. */
void session_update(struct session *session);

/* Answer the request: with an error, or that it is done if fault is NULL. */
void session_answer(struct session *session, const struct fault *fault);

/* Read requests, unless one runs in steps or the transport is paused. */
void session_read_or_not(struct session *session);

/* ------------------------------------------------------------------------------ session_steps.c */

/* Run steps of the request until it is complete, the transport is paused, or a limited number of
 * steps is done. */
void session_run(struct session *session);

/* ------------------------------------------------------------------------------ session_events.c */

/* Tell the client that events were lost. */
void session_tell_lost(struct session *session);

/* Send no more events. */
void session_unsubscribe(struct session *session);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The functions that carry out requests, for the table in request.c, and how they answer.
 */
#ifndef MEMTUN_REQUEST_PARTS_H
#define MEMTUN_REQUEST_PARTS_H

#include "broker/control/request.h"
#include "broker/control/session.h"

struct tunnel;

typedef enum request_result request_function(struct session *session, struct fault *fault);

request_function request_tunnel_add, request_tunnel_set, request_tunnel_delete, request_tunnel_show,
	request_queue_open, request_queue_attach, request_queue_detach, request_bridge_add,
	request_bridge_delete, request_bridge_show, request_capture, request_inject,
	request_hand_in, request_uplink_add, request_uplink_set, request_uplink_delete,
	request_uplink_show, request_address_show, request_session_show, request_session_delete,
	request_interface_set, request_tunnel_rename, request_clock_show, request_clock_advance,
	request_clock_next, request_quiet, request_impair_add, request_impair_show,
	request_impair_set, request_impair_delete, request_impair_release;

static inline const struct attribute_set *request_set(const struct session *session)
{
	return &session->request.set;
}

/* Return the tunnel that a request names. NULL with the fault filled: ENOENT, EINVAL. */
struct tunnel *request_tunnel(struct session *session, struct fault *fault);

/* Return the request's time limit in nanoseconds, -1 for none. */
int64_t request_limit(const struct session *session);

/* Look at the ports once, as waiter_look() does, and have the session's next step look again. */
int request_look(struct session *session, const char *names, struct fault *fault);

/* Fill the fault: there is no such object, or what else has that name. */
void fault_set_missing(struct session *session, const char *kind, const char *name,
		       struct fault *fault);

/* Begin a record of the answer. A record of a list, or of a batch, is marked as one of several. */
struct message_builder *answer_begin(struct session *session);

/* Answer with one record of these attributes, and the descriptor unless it is -1, which is taken. */
void answer_set(struct session *session, const struct attribute_set *set, int fd);

/* Answer with the records that `step` makes, as session_begin() does. */
enum request_result answer_steps(struct session *session, session_step *step, struct fault *fault);

#endif

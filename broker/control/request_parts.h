/* SPDX-License-Identifier: MIT */
/*
 * The commands, for their table in command.c, and what they share. Each carries out the session's
 * request.
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
	request_uplink_add, request_uplink_delete, request_uplink_show, request_address_show;

#define BIT(attribute) ATTRIBUTE_BIT(MEMTUN_A_##attribute)

/* What finds a tunnel: one of the two. */
#define TUNNEL_KEY (BIT(NAME) | BIT(ID))

static inline const struct attribute_set *request_set(const struct session *session)
{
	return &session->request.set;
}

/* The tunnel that a request names; NULL with the fault filled. */
struct tunnel *request_tunnel(struct session *session, struct fault *fault);

/* Begins a record of the answer; those of a list, or of a batch, say that there are several. */
struct message_builder *answer_begin(struct session *session);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The commands, for their table in command.c, and what they share. Each carries out the session's
 * request.
 */
#ifndef MEMTUN_COMMAND_PARTS_H
#define MEMTUN_COMMAND_PARTS_H

#include "broker/control/request.h"
#include "broker/control/session.h"

struct tunnel;

typedef enum command_result command_function(struct session *session, struct fault *fault);

command_function command_tunnel_add, command_tunnel_set, command_tunnel_delete, command_tunnel_show,
	command_queue_open, command_queue_attach, command_queue_detach, command_bridge_add,
	command_bridge_delete, command_bridge_show, command_capture, command_inject,
	command_uplink_add, command_uplink_delete, command_uplink_show, command_address_show;

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

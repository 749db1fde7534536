/* SPDX-License-Identifier: MIT */
#include "broker/control/request.h"

#include <errno.h>

#include "broker/control/control.h"
#include "broker/switch/bridges.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "broker/control/request_parts.h"

struct message_builder *answer_begin(struct session *session)
{
	struct message_builder *builder = &session->control->builder;

	message_begin(builder, session->request.type, session->step ? NLM_F_MULTI : 0,
		      session->request.sequence);
	return builder;
}

void answer_set(struct session *session, const struct attribute_set *set, int fd)
{
	message_put_set(answer_begin(session), set);
	session_send(session, fd);
}

enum request_result answer_steps(struct session *session, session_step *step, struct fault *fault)
{
	return session_begin(session, step, fault) < 0 ? REQUEST_FAILED : REQUEST_ANSWERED;
}

void fault_set_missing(struct session *session, const char *kind, const char *name,
		       struct fault *fault)
{
	const struct port *port = port_names_find(session->control->names, name);
	const char *other = port                                            ? port->operations->kind
			    : bridges_find(session->control->bridges, name) ? "a bridge"
									    : NULL;

	fault_set(fault, ENOENT, "there is no %s '%s'%s%s", kind, name, other ? ": it is " : "",
		  other ? other : "");
}

static enum request_result run_hello(struct session *session, struct fault *fault)
{
	uint32_t version = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_VERSION);
	struct message_builder *builder;

	if (version >> 16 != MEMTUN_PROTOCOL_MAJOR) {
		fault_set(fault, EPROTONOSUPPORT, "this broker speaks version %d, not %u",
			  MEMTUN_PROTOCOL_MAJOR, version >> 16);
		return REQUEST_FAILED;
	}
	session->greeted = true;
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	message_put_number(builder, MEMTUN_A_FEATURES, 0);
	session_send(session, -1);
	return REQUEST_ANSWERED;
}

static enum request_result run_subscribe(struct session *session, struct fault *fault)
{
	(void)fault;
	session_subscribe(session);
	return REQUEST_DONE;
}

struct request_type {
	const char *name;
	request_function *run;
	uint64_t required;
	uint64_t allowed; /* besides those */
};

/* By number. Those of netlink's own messages, and the event's, are no commands. */
static const struct request_type request_types[MEMTUN_CMD_END] = {
	[MEMTUN_CMD_HELLO] = {"hello", run_hello, BIT(VERSION), BIT(FEATURES)},
	[MEMTUN_CMD_TUNNEL_ADD] = {"add", request_tunnel_add, BIT(NAME),
				   (TUNNEL_OPTIONS & ~BIT(PERSISTENT)) | BIT(COUNT)},
	[MEMTUN_CMD_TUNNEL_SET] = {"set", request_tunnel_set, 0, TUNNEL_KEY | TUNNEL_CHANGES},
	[MEMTUN_CMD_TUNNEL_DELETE] = {"del", request_tunnel_delete, 0, TUNNEL_KEY},
	[MEMTUN_CMD_TUNNEL_SHOW] = {"show", request_tunnel_show, 0, TUNNEL_KEY | BIT(STATISTICS)},
	[MEMTUN_CMD_QUEUE_OPEN] = {"open", request_queue_open, 0,
				   BIT(NAME) | TUNNEL_OPTIONS | BIT(EXCLUSIVE) | BIT(COUNT)},
	[MEMTUN_CMD_QUEUE_ATTACH] = {"attach", request_queue_attach, BIT(QUEUE_ID) | BIT(NAME),
				     TUNNEL_OPTIONS | BIT(EXCLUSIVE)},
	[MEMTUN_CMD_QUEUE_DETACH] = {"detach", request_queue_detach, BIT(QUEUE_ID), 0},
	[MEMTUN_CMD_BRIDGE_ADD] = {"bridge add", request_bridge_add, BIT(NAME), BIT(HUB)},
	[MEMTUN_CMD_BRIDGE_DELETE] = {"bridge del", request_bridge_delete, BIT(NAME), 0},
	[MEMTUN_CMD_BRIDGE_SHOW] = {"bridge show", request_bridge_show, 0, BIT(NAME)},
	[MEMTUN_CMD_SUBSCRIBE] = {"subscribe", run_subscribe, 0, 0},
	[MEMTUN_CMD_CAPTURE] = {"capture", request_capture, 0,
				TUNNEL_KEY | BIT(BRIDGE) | BIT(DIRECTION) | BIT(PLAIN)},
	[MEMTUN_CMD_UPLINK_ADD] = {"uplink add", request_uplink_add,
				   BIT(NAME) | BIT(BRIDGE) | BIT(TYPE), UPLINK_OPTIONS},
	[MEMTUN_CMD_UPLINK_DELETE] = {"uplink del", request_uplink_delete, BIT(NAME), 0},
	[MEMTUN_CMD_UPLINK_SHOW] = {"uplink show", request_uplink_show, 0,
				    BIT(NAME) | BIT(STATISTICS)},
	[MEMTUN_CMD_ADDRESS_SHOW] = {"address show", request_address_show, BIT(BRIDGE), 0},
	[MEMTUN_CMD_INJECT] = {"inject", request_inject, BIT(DIRECTION), TUNNEL_KEY},
};

static const char *first_word(uint64_t attributes_present)
{
	return attributes[__builtin_ctzll(attributes_present)].word;
}

enum request_result request_run(struct session *session, struct fault *fault)
{
	unsigned int number = session->request.type;
	const struct attribute_set *set = &session->request.set;
	uint64_t present = set->present[0];
	const struct request_type *type;

	if (number >= MEMTUN_CMD_END || !request_types[number].run) {
		fault_set(fault, EOPNOTSUPP, "command %#x is unknown", number);
		return REQUEST_FAILED;
	}
	type = &request_types[number];
	if (!session->greeted && number != MEMTUN_CMD_HELLO) {
		fault_set(fault, EPROTO, "%s before hello", type->name);
		return REQUEST_FAILED;
	}
	if (type->required & ~present) {
		fault_set(fault, EINVAL, "%s needs %s", type->name,
			  first_word(type->required & ~present));
		return REQUEST_FAILED;
	}
	present &= ~(type->required | type->allowed);
	if (present || set->present[1]) {
		fault_set(
			fault, EINVAL, "%s takes no %s", type->name,
			present ? first_word(present)
				: attributes[attribute_set_next(set, ATTRIBUTE_ANSWERS - 1)].word);
		return REQUEST_FAILED;
	}
	return type->run(session, fault);
}

/* SPDX-License-Identifier: MIT */
#include "broker/control/request.h"

#include <errno.h>

#include "broker/broker.h"
#include "broker/control/request_parts.h"

struct message_builder *answer_begin(struct session *session)
{
	struct message_builder *builder = &session->broker->builder;

	message_begin(builder, session->request.type, session->step ? NLM_F_MULTI : 0,
		      session->request.sequence);
	return builder;
}

static enum command_result run_hello(struct session *session, struct fault *fault)
{
	uint32_t version = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_VERSION);
	struct message_builder *builder;

	if (version >> 16 != MEMTUN_PROTOCOL_MAJOR) {
		fault_set(fault, EPROTONOSUPPORT, "this broker speaks version %d, not %u",
			  MEMTUN_PROTOCOL_MAJOR, version >> 16);
		return COMMAND_FAILED;
	}
	session->greeted = true;
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	message_put_number(builder, MEMTUN_A_FEATURES, 0);
	session_send(session, -1);
	return COMMAND_ANSWERED;
}

static enum command_result run_subscribe(struct session *session, struct fault *fault)
{
	(void)fault;
	session_watch(session);
	return COMMAND_DONE;
}

struct command {
	const char *name;
	command_function *run;
	uint64_t required;
	uint64_t allowed; /* besides those */
};

/* By number. Those of netlink's own messages, and the event's, are no commands. */
static const struct command commands[MEMTUN_CMD_END] = {
	[MEMTUN_CMD_HELLO] = {"hello", run_hello, BIT(VERSION), BIT(FEATURES)},
	[MEMTUN_CMD_TUNNEL_ADD] = {"add", command_tunnel_add, BIT(NAME),
				   (TUNNEL_OPTIONS & ~BIT(PERSISTENT)) | BIT(COUNT)},
	[MEMTUN_CMD_TUNNEL_SET] = {"set", command_tunnel_set, 0, TUNNEL_KEY | TUNNEL_CHANGES},
	[MEMTUN_CMD_TUNNEL_DELETE] = {"del", command_tunnel_delete, 0, TUNNEL_KEY},
	[MEMTUN_CMD_TUNNEL_SHOW] = {"show", command_tunnel_show, 0, TUNNEL_KEY | BIT(STATISTICS)},
	[MEMTUN_CMD_QUEUE_OPEN] = {"open", command_queue_open, 0,
				   BIT(NAME) | TUNNEL_OPTIONS | BIT(EXCLUSIVE) | BIT(COUNT)},
	[MEMTUN_CMD_QUEUE_ATTACH] = {"attach", command_queue_attach, BIT(QUEUE_ID) | BIT(NAME),
				     TUNNEL_OPTIONS | BIT(EXCLUSIVE)},
	[MEMTUN_CMD_QUEUE_DETACH] = {"detach", command_queue_detach, BIT(QUEUE_ID), 0},
	[MEMTUN_CMD_BRIDGE_ADD] = {"bridge add", command_bridge_add, BIT(NAME), BIT(HUB)},
	[MEMTUN_CMD_BRIDGE_DELETE] = {"bridge del", command_bridge_delete, BIT(NAME), 0},
	[MEMTUN_CMD_BRIDGE_SHOW] = {"bridge show", command_bridge_show, 0, BIT(NAME)},
	[MEMTUN_CMD_SUBSCRIBE] = {"subscribe", run_subscribe, 0, 0},
	[MEMTUN_CMD_CAPTURE] = {"capture", command_capture, 0,
				TUNNEL_KEY | BIT(BRIDGE) | BIT(DIRECTION) | BIT(PLAIN)},
	[MEMTUN_CMD_UPLINK_ADD] = {"uplink add", command_uplink_add,
				   BIT(NAME) | BIT(BRIDGE) | BIT(TYPE), UPLINK_OPTIONS},
	[MEMTUN_CMD_UPLINK_DELETE] = {"uplink del", command_uplink_delete, BIT(NAME), 0},
	[MEMTUN_CMD_UPLINK_SHOW] = {"uplink show", command_uplink_show, 0,
				    BIT(NAME) | BIT(STATISTICS)},
	[MEMTUN_CMD_ADDRESS_SHOW] = {"address show", command_address_show, BIT(BRIDGE), 0},
	[MEMTUN_CMD_INJECT] = {"inject", command_inject, BIT(DIRECTION), TUNNEL_KEY},
};

static const char *first_word(uint64_t attributes_present)
{
	return attributes[__builtin_ctzll(attributes_present)].word;
}

enum command_result command_run(struct session *session, struct fault *fault)
{
	unsigned int number = session->request.type;
	const struct attribute_set *set = &session->request.set;
	uint64_t present = set->present[0];
	const struct command *command;

	if (number >= MEMTUN_CMD_END || !commands[number].run) {
		fault_set(fault, EOPNOTSUPP, "command %#x is unknown", number);
		return COMMAND_FAILED;
	}
	command = &commands[number];
	if (!session->greeted && number != MEMTUN_CMD_HELLO) {
		fault_set(fault, EPROTO, "%s before hello", command->name);
		return COMMAND_FAILED;
	}
	if (command->required & ~present) {
		fault_set(fault, EINVAL, "%s needs %s", command->name,
			  first_word(command->required & ~present));
		return COMMAND_FAILED;
	}
	present &= ~(command->required | command->allowed);
	if (present || set->present[1]) {
		fault_set(
			fault, EINVAL, "%s takes no %s", command->name,
			present ? first_word(present)
				: attributes[attribute_set_next(set, ATTRIBUTE_ANSWERS - 1)].word);
		return COMMAND_FAILED;
	}
	return command->run(session, fault);
}

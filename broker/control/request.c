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

	if (port)
		fault_set(fault, ENOENT, "there is no %s '%s': it is %s; see %s", kind, name,
			  port->operations->kind, port->operations->listing);
	else if (bridges_find(session->control->bridges, name))
		fault_set(fault, ENOENT,
			  "there is no %s '%s': it is a bridge; see memtun bridge show", kind,
			  name);
	else
		fault_set(fault, ENOENT, "there is no %s '%s'", kind, name);
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
	return session_subscribe(session, fault) < 0 ? REQUEST_FAILED : REQUEST_DONE;
}

struct request_type {
	const char *name;
	request_function *run;
	struct attribute_choice takes;
};

/* By number. Netlink's own messages and the event are no requests. */
static const struct request_type request_types[MEMTUN_CMD_END] = {
	[MEMTUN_CMD_HELLO] = {"hello",
			      run_hello,
			      {.required = {MEMTUN_A_VERSION}, .options = OPTION_HELLO}},
	[MEMTUN_CMD_TUNNEL_ADD] = {"add",
				   request_tunnel_add,
				   {.required = {MEMTUN_A_NAME},
				    .options = OPTION_TUNNEL_ADD | OPTION_IMPAIR_SPEC}},
	[MEMTUN_CMD_TUNNEL_SET] = {"set",
				   request_tunnel_set,
				   {.options = OPTION_KEY | OPTION_TUNNEL_SET}},
	[MEMTUN_CMD_TUNNEL_DELETE] = {"del", request_tunnel_delete, {.options = OPTION_KEY}},
	[MEMTUN_CMD_TUNNEL_SHOW] = {"show",
				    request_tunnel_show,
				    {.allowed = {MEMTUN_A_STATISTICS}, .options = OPTION_KEY}},
	[MEMTUN_CMD_QUEUE_OPEN] = {"open",
				   request_queue_open,
				   {.allowed = {MEMTUN_A_NAME, MEMTUN_A_EXCLUSIVE, MEMTUN_A_COUNT},
				    .options = OPTION_TUNNEL | OPTION_IMPAIR_SPEC}},
	[MEMTUN_CMD_QUEUE_ATTACH] = {"attach",
				     request_queue_attach,
				     {.required = {MEMTUN_A_NAME, MEMTUN_A_QUEUE_ID},
				      .allowed = {MEMTUN_A_EXCLUSIVE, MEMTUN_A_PID,
						  MEMTUN_A_INTERFACE_FLAGS},
				      .options = OPTION_TUNNEL | OPTION_IMPAIR_SPEC}},
	[MEMTUN_CMD_QUEUE_DETACH] = {"detach",
				     request_queue_detach,
				     {.required = {MEMTUN_A_QUEUE_ID}}},
	[MEMTUN_CMD_BRIDGE_ADD] = {"bridge add",
				   request_bridge_add,
				   {.required = {MEMTUN_A_NAME},
				    .allowed = {MEMTUN_A_HUB, MEMTUN_A_LOOP_GUARD}}},
	[MEMTUN_CMD_BRIDGE_DELETE] = {"bridge del",
				      request_bridge_delete,
				      {.required = {MEMTUN_A_NAME}}},
	[MEMTUN_CMD_BRIDGE_SHOW] = {"bridge show",
				    request_bridge_show,
				    {.allowed = {MEMTUN_A_NAME}}},
	[MEMTUN_CMD_SUBSCRIBE] = {"subscribe", run_subscribe, {.options = 0}},
	[MEMTUN_CMD_CAPTURE] = {"capture",
				request_capture,
				{.allowed = {MEMTUN_A_BRIDGE, MEMTUN_A_DIRECTION, MEMTUN_A_PLAIN,
					     MEMTUN_A_DETAILED, MEMTUN_A_FAULTS},
				 .options = OPTION_KEY}},
	[MEMTUN_CMD_UPLINK_ADD] = {"uplink add",
				   request_uplink_add,
				   {.required = {MEMTUN_A_NAME, MEMTUN_A_BRIDGE, MEMTUN_A_TYPE},
				    .allowed = {MEMTUN_A_HAND_IN},
				    .options = OPTION_UPLINK | OPTION_IMPAIR_SPEC}},
	[MEMTUN_CMD_UPLINK_SET] = {"uplink set",
				   request_uplink_set,
				   {.required = {MEMTUN_A_NAME}, .options = OPTION_UPLINK_SET}},
	[MEMTUN_CMD_UPLINK_DELETE] = {"uplink del",
				      request_uplink_delete,
				      {.required = {MEMTUN_A_NAME}}},
	[MEMTUN_CMD_UPLINK_SHOW] = {"uplink show",
				    request_uplink_show,
				    {.allowed = {MEMTUN_A_NAME, MEMTUN_A_STATISTICS}}},
	[MEMTUN_CMD_ADDRESS_SHOW] = {"address show",
				     request_address_show,
				     {.required = {MEMTUN_A_BRIDGE}}},
	[MEMTUN_CMD_SESSION_SHOW] = {"session show",
				     request_session_show,
				     {.allowed = {MEMTUN_A_ID}}},
	[MEMTUN_CMD_SESSION_DELETE] = {"session del",
				       request_session_delete,
				       {.required = {MEMTUN_A_ID}}},
	[MEMTUN_CMD_HAND_IN] = {"hand-in", request_hand_in, {.options = 0}},
	[MEMTUN_CMD_INTERFACE_SET] = {"interface set",
				      request_interface_set,
				      {.allowed = {MEMTUN_A_INTERFACE_REVISION},
				       .options = OPTION_KEY | OPTION_INTERFACE}},
	[MEMTUN_CMD_TUNNEL_RENAME] = {"rename",
				      request_tunnel_rename,
				      {.required = {MEMTUN_A_NEW_NAME}, .options = OPTION_KEY}},
	[MEMTUN_CMD_CLOCK_SHOW] = {"clock show", request_clock_show, {.options = 0}},
	[MEMTUN_CMD_CLOCK_ADVANCE] = {"clock advance",
				      request_clock_advance,
				      {.required = {MEMTUN_A_MOVE}}},
	[MEMTUN_CMD_CLOCK_NEXT] = {"clock next",
				   request_clock_next,
				   {.allowed = {MEMTUN_A_TIME_LIMIT}}},
	[MEMTUN_CMD_QUIET] = {"quiet",
			      request_quiet,
			      {.allowed = {MEMTUN_A_NAMES, MEMTUN_A_DIRECTION, MEMTUN_A_IDLE,
					   MEMTUN_A_TIME_LIMIT}}},
	[MEMTUN_CMD_IMPAIR_ADD] = {"impair add",
				   request_impair_add,
				   {.required = {MEMTUN_A_NAME},
				    .allowed = {MEMTUN_A_DIRECTION},
				    .options = OPTION_IMPAIR}},
	[MEMTUN_CMD_IMPAIR_SHOW] = {"impair show",
				    request_impair_show,
				    {.allowed = {MEMTUN_A_NAME}}},
	[MEMTUN_CMD_IMPAIR_SET] = {"impair set",
				   request_impair_set,
				   {.required = {MEMTUN_A_NAME, MEMTUN_A_RULE},
				    .options = OPTION_IMPAIR_SET}},
	[MEMTUN_CMD_IMPAIR_DELETE] = {"impair del",
				      request_impair_delete,
				      {.required = {MEMTUN_A_NAME}, .allowed = {MEMTUN_A_RULE}}},
	[MEMTUN_CMD_IMPAIR_RELEASE] = {"impair release",
				       request_impair_release,
				       {.required = {MEMTUN_A_NAME},
					.allowed = {MEMTUN_A_DIRECTION, MEMTUN_A_FRAME,
						    MEMTUN_A_DISCARD}}},
	[MEMTUN_CMD_INJECT] = {"inject",
			       request_inject,
			       {.required = {MEMTUN_A_DIRECTION},
				.allowed = {MEMTUN_A_VNET_HDR},
				.options = OPTION_KEY}},
};

enum request_result request_run(struct session *session, struct fault *fault)
{
	unsigned int number = session->request.type;
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
	if (attribute_set_check(&session->request.set, &type->takes, type->name, fault) < 0)
		return REQUEST_FAILED;
	return type->run(session, fault);
}

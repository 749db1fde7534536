/* SPDX-License-Identifier: MIT */
/*
 * Commands about uplinks.
 */
#include <errno.h>

#include "broker/broker.h"
#include "broker/control/request_parts.h"
#include "common/tunnel_name.h"
#include "broker/uplink/uplink.h"

static struct uplink *request_uplink(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink = uplink_find(session->broker, name);

	if (!uplink)
		fault_set(fault, ENOENT, "there is no uplink '%s'%s", name,
			  tunnel_find(session->broker, name)          ? ": it is a tunnel"
			  : broker_find_bridge(session->broker, name) ? ": it is a bridge"
								      : "");
	return uplink;
}

static void answer_uplink(struct session *session, struct uplink *uplink)
{
	bool statistics = attribute_set_number(request_set(session), MEMTUN_A_STATISTICS);
	struct message_builder *builder;
	struct attribute_set set;

	uplink_describe(uplink, statistics, &set);
	builder = answer_begin(session);
	message_put_set(builder, &set);
	session_send(session, -1);
}

enum request_result request_uplink_add(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink;

	if (tunnel_name_is_template(name)) {
		fault_set(fault, EINVAL, "an uplink's name has no %%d");
		return REQUEST_FAILED;
	}
	uplink = uplink_add(session->broker, request_set(session), session->uid, fault);
	if (!uplink)
		return REQUEST_FAILED;
	answer_uplink(session, uplink);
	return REQUEST_ANSWERED;
}

enum request_result request_uplink_delete(struct session *session, struct fault *fault)
{
	struct uplink *uplink = request_uplink(session, fault);

	if (!uplink || uplink_admit(uplink, session->uid, fault) < 0)
		return REQUEST_FAILED;
	uplink_delete(uplink);
	return REQUEST_DONE;
}

static int list_uplink_step(struct session *session, struct fault *fault)
{
	struct uplink *uplink = uplink_next(session->broker, session->cursor);

	(void)fault;
	if (!uplink)
		return 0;
	session->cursor = uplink->port.id;
	answer_uplink(session, uplink);
	return 1;
}

enum request_result request_uplink_show(struct session *session, struct fault *fault)
{
	struct uplink *uplink;

	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return session_begin(session, list_uplink_step, fault) < 0 ? REQUEST_FAILED
									   : REQUEST_ANSWERED;
	uplink = request_uplink(session, fault);
	if (!uplink)
		return REQUEST_FAILED;
	answer_uplink(session, uplink);
	return REQUEST_ANSWERED;
}

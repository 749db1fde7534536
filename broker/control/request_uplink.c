/* SPDX-License-Identifier: MIT */
/*
 * Requests about uplinks.
 */
#include <errno.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/uplink/uplink.h"
#include "common/tunnel_name.h"

static struct uplink *request_uplink(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink = uplink_find(session->control->uplinks, name);

	if (!uplink)
		fault_set_missing(session, "uplink", name, fault);
	return uplink;
}

static void answer_uplink(struct session *session, struct uplink *uplink)
{
	bool statistics = attribute_set_number(request_set(session), MEMTUN_A_STATISTICS);
	struct attribute_set set;

	uplink_describe(uplink, statistics, &set);
	answer_set(session, &set, -1);
}

enum request_result request_uplink_add(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink;

	if (tunnel_name_is_template(name)) {
		fault_set(fault, EINVAL, "an uplink's name has no %%d");
		return REQUEST_FAILED;
	}
	uplink = uplink_add(session->control->uplinks, request_set(session), session->uid, fault);
	if (!uplink)
		return REQUEST_FAILED;
	answer_uplink(session, uplink);
	return REQUEST_ANSWERED;
}

enum request_result request_uplink_set(struct session *session, struct fault *fault)
{
	struct uplink *uplink = request_uplink(session, fault);

	if (!uplink || port_admit(&uplink->port, session->uid, fault) < 0 ||
	    uplink_set(uplink, request_set(session), fault) < 0)
		return REQUEST_FAILED;
	return REQUEST_DONE;
}

enum request_result request_uplink_delete(struct session *session, struct fault *fault)
{
	struct uplink *uplink = request_uplink(session, fault);

	if (!uplink || port_admit(&uplink->port, session->uid, fault) < 0)
		return REQUEST_FAILED;
	uplink_delete(uplink);
	return REQUEST_DONE;
}

static int list_uplink_step(struct session *session, struct fault *fault)
{
	struct uplink *uplink = uplink_next(session->control->uplinks, session->cursor);

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
		return answer_steps(session, list_uplink_step, fault);
	uplink = request_uplink(session, fault);
	if (!uplink)
		return REQUEST_FAILED;
	answer_uplink(session, uplink);
	return REQUEST_ANSWERED;
}

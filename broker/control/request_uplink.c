/* SPDX-License-Identifier: MIT */
/*
 * Requests about uplinks.
 */
#include <errno.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/engine/account.h"
#include "broker/uplink/hand_in.h"
#include "broker/uplink/uplink.h"
#include "common/descriptor.h"
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

enum request_result request_hand_in(struct session *session, struct fault *fault)
{
	struct attribute_set set = {0};
	uint32_t id;
	int fd;

	if (account_check(session->account, ACCOUNT_HAND_INS, fault) < 0)
		return REQUEST_FAILED;
	if (hand_in_new(session->control->engine, session->account, &id, &fd) < 0) {
		fault_set(fault, errno, "cannot make a hand-in: %s", strerror(errno));
		return REQUEST_FAILED;
	}
	attribute_set_put_number(&set, MEMTUN_A_HAND_IN, id);
	attribute_set_put_number(&set, MEMTUN_A_FDS, 1);
	answer_set(session, &set, fd);
	return REQUEST_ANSWERED;
}

/* Add an uplink, with what the hand-in has brought if the request names one. */
static struct uplink *request_add(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	struct uplink_handed handed = {-1, -1};
	struct uplink *uplink;

	if (attribute_set_has(set, MEMTUN_A_HAND_IN) &&
	    hand_in_take(session->account, (uint32_t)attribute_set_number(set, MEMTUN_A_HAND_IN),
			 &handed, fault) < 0)
		return NULL;
	uplink = uplink_add(session->control->uplinks, set, &handed, session->uid, fault);
	descriptor_close(&handed.fd);
	descriptor_close(&handed.life);
	return uplink;
}

enum request_result request_uplink_add(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink;

	if (tunnel_name_is_template(name)) {
		fault_set(fault, EINVAL, "an uplink's name has no %%d");
		return REQUEST_FAILED;
	}
	uplink = request_add(session, fault);
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

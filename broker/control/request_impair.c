/* SPDX-License-Identifier: MIT */
/*
 * Requests about the rules that impair ports.
 */
#include <errno.h>
#include <inttypes.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/impair/impairment.h"
#include "broker/switch/port_impair.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"

/* Return the port that the request names, if the broker sees its frames. NULL with the fault filled. */
static struct port *request_impaired_port(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct uplink *uplink = uplink_find(session->control->uplinks, name);
	struct tunnel *tunnel;

	if (uplink)
		return uplink_check_frames(uplink, fault) < 0 ? NULL : &uplink->port;
	tunnel = request_tunnel(session, fault);
	if (!tunnel)
		return NULL;
	if (!tunnel->kind->frames_bypass)
		return &tunnel->port;
	fault_set(fault, EINVAL,
		  "the frames of '%s' %s, where no rule impairs them: use a bridge with two ports",
		  name, tunnel->kind->frames_bypass);
	return NULL;
}

/* Return the same, if the client's user may change it. */
static struct port *request_own_port(struct session *session, struct fault *fault)
{
	struct port *port = request_impaired_port(session, fault);

	return port && port_admit(port, session->uid, fault) == 0 ? port : NULL;
}

/* Return the port's rule that the request names. NULL with the fault filled. */
static struct rule *request_rule(struct session *session, const struct port *port,
				 struct fault *fault)
{
	uint32_t number = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_RULE);
	struct rule *rule = port->impairment ? impairment_find(port->impairment, number) : NULL;

	if (!rule)
		fault_set(fault, ENOENT, "'%s' has no rule %u", port->name, number);
	return rule;
}

static void answer_rule(struct session *session, const struct port *port, const struct rule *rule)
{
	char holding[MEMTUN_TEXT_SIZE];
	struct attribute_set set;

	port_impair_describe(port, rule, &set, holding);
	answer_set(session, &set, -1);
}

enum request_result request_impair_add(struct session *session, struct fault *fault)
{
	struct port *port = request_own_port(session, fault);
	struct rule *rule = port ? port_impair_add(port, request_set(session), fault) : NULL;

	if (!rule)
		return REQUEST_FAILED;
	answer_rule(session, port, rule);
	return REQUEST_ANSWERED;
}

enum request_result request_impair_set(struct session *session, struct fault *fault)
{
	struct port *port = request_own_port(session, fault);
	struct rule *rule = port ? request_rule(session, port, fault) : NULL;

	if (!rule || impairment_set(port->impairment, rule, request_set(session), fault) < 0)
		return REQUEST_FAILED;
	return REQUEST_DONE;
}

enum request_result request_impair_delete(struct session *session, struct fault *fault)
{
	struct port *port = request_own_port(session, fault);
	struct rule *rule;

	if (!port)
		return REQUEST_FAILED;
	if (attribute_set_has(request_set(session), MEMTUN_A_RULE)) {
		rule = request_rule(session, port, fault);
		if (!rule)
			return REQUEST_FAILED;
		impairment_delete(port->impairment, rule);
		return REQUEST_DONE;
	}
	/* The impairment may go with its last rule. */
	while (port->impairment && (rule = impairment_next(port->impairment, 0)))
		impairment_delete(port->impairment, rule);
	return REQUEST_DONE;
}

enum request_result request_impair_release(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	uint64_t number = attribute_set_number(set, MEMTUN_A_FRAME);
	bool all = attribute_set_has(set, MEMTUN_A_FRAME) && number == 0;
	struct port *port = request_own_port(session, fault);
	unsigned int released = 0;

	if (!port)
		return REQUEST_FAILED;
	if (port->impairment)
		released = impairment_release(
			port->impairment,
			(enum memtun_direction)attribute_set_number(set, MEMTUN_A_DIRECTION),
			number, all, attribute_set_number(set, MEMTUN_A_DISCARD));
	if (released || all)
		return REQUEST_DONE;
	if (number)
		fault_set(fault, ENOENT, "'%s' holds no frame %" PRIu64, port->name, number);
	else
		fault_set(fault, ENOENT, "'%s' holds no frame", port->name);
	return REQUEST_FAILED;
}

/* Return the port, tunnel or uplink, with the lowest id from `id` up, or NULL. */
static struct port *port_from(const struct control *control, uint32_t id)
{
	uint32_t before = id ? id - 1 : 0;
	struct tunnel *tunnel = tunnel_next(control->tunnels, before);
	struct uplink *uplink = uplink_next(control->uplinks, before);

	if (tunnel && (!uplink || tunnel->port.id < uplink->port.id))
		return &tunnel->port;
	return uplink ? &uplink->port : NULL;
}

/* Answer with the next rule of all ports. The cursor is the port, and session->remaining the last rule
 * of it that was listed. */
static int list_rule_step(struct session *session, struct fault *fault)
{
	struct port *port;

	(void)fault;
	while ((port = port_from(session->control, session->cursor))) {
		const struct rule *rule = NULL;

		if (port->id != session->cursor)
			session->remaining = 0;
		session->cursor = port->id;
		if (port->impairment)
			rule = impairment_next(port->impairment, (uint32_t)session->remaining);
		if (rule) {
			session->remaining = rule->number;
			answer_rule(session, port, rule);
			return 1;
		}
		session->cursor++;
		session->remaining = 0;
	}
	return 0;
}

/* Answer with the next rule of one port. */
static int list_port_rule_step(struct session *session, struct fault *fault)
{
	struct port *port = request_impaired_port(session, fault);
	const struct rule *rule;

	if (!port)
		return -1;
	rule = port->impairment ? impairment_next(port->impairment, (uint32_t)session->remaining)
				: NULL;
	if (!rule)
		return 0;
	session->remaining = rule->number;
	answer_rule(session, port, rule);
	return 1;
}

enum request_result request_impair_show(struct session *session, struct fault *fault)
{
	if (attribute_set_has(request_set(session), MEMTUN_A_NAME) &&
	    !request_impaired_port(session, fault))
		return REQUEST_FAILED;
	session->remaining = 0;
	return answer_steps(session,
			    attribute_set_has(request_set(session), MEMTUN_A_NAME)
				    ? list_port_rule_step
				    : list_rule_step,
			    fault);
}

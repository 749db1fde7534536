/* SPDX-License-Identifier: MIT */
/*
 * The request that waits until ports are quiet: all frames have been read, or wait for the logical
 * clock. Its answer names the ports where frames count as read once they are sent.
 */
#include <errno.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/control/waiter.h"
#include "broker/switch/bridge.h"
#include "broker/switch/port.h"
#include "broker/switch/quiet.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "common/clock.h"
#include "common/descriptor.h"

int64_t request_limit(const struct session *session)
{
	uint64_t limit = attribute_set_number(request_set(session), MEMTUN_A_TIME_LIMIT);

	if (!attribute_set_has(request_set(session), MEMTUN_A_TIME_LIMIT) || limit > INT64_MAX)
		return -1;
	return (int64_t)limit;
}

int request_look(struct session *session, const char *names, struct fault *fault)
{
	int result = waiter_look(&session->waiter, session->control, names, fault);

	/* While the session reads nothing, the loop does not report that the client has left. */
	if (result == 0 && descriptor_hung_up(session->io.fd))
		session->ended = true;
	if (result == 0)
		session->wake = session->waiter.next;
	return result;
}

/* Return whether a name in the list, NULL for all, is that of the port or of its bridge. */
static bool list_has_port(const char *names, const struct port *port)
{
	char list[MEMTUN_TEXT_SIZE];
	char *rest = list, *name;

	if (!names)
		return true;
	strlcpy(list, names, sizeof(list));
	while ((name = strsep(&rest, ","))) {
		if (strcmp(name, port->name) == 0 ||
		    (port->bridge && strcmp(name, port->bridge->name) == 0))
			return true;
	}
	return false;
}

/* Answer with the port if frames count as read there once they are sent. */
static void answer_sent_only(struct session *session, struct port *port)
{
	struct quiet quiet = {.parts = session->waiter.parts};
	struct message_builder *builder;

	if (!list_has_port(attribute_set_string(request_set(session), MEMTUN_A_NAMES), port))
		return;
	quiet_look(&quiet, port);
	if (!quiet.is_sent_only)
		return;
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_ID, port->id);
	message_put_string(builder, MEMTUN_A_NAME, port->name);
	session_send(session, -1);
}

/* Wait, and then go through the uplinks: kernel tunnels have no unread frames to wait for. */
static int quiet_step(struct session *session, struct fault *fault)
{
	const char *names = attribute_set_string(request_set(session), MEMTUN_A_NAMES);
	struct uplink *uplink;
	int result;

	if (!session->waited) {
		result = request_look(session, names, fault);
		session->waited = result > 0;
		return result < 0 ? -1 : 1;
	}
	uplink = uplink_next(session->control->uplinks, session->cursor);
	if (!uplink)
		return 0;
	session->cursor = uplink->port.id;
	answer_sent_only(session, &uplink->port);
	return 1;
}

/* Check that no name of the list is that of a tunnel whose frames go to the kernel. */
static int names_check(const struct session *session, const char *names, struct fault *fault)
{
	char list[MEMTUN_TEXT_SIZE];
	char *rest = list, *name;

	strlcpy(list, names ? names : "", sizeof(list));
	while (names && (name = strsep(&rest, ","))) {
		const struct tunnel *tunnel = tunnel_find(session->control->tunnels, name);

		if (tunnel && tunnel->kind == &kernel_tunnel_kind)
			return fault_set(fault, EINVAL,
					 "'%s' is an interface of the kernel, so the broker does "
					 "not see when its frames are read",
					 name);
	}
	return 0;
}

enum request_result request_quiet(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	uint64_t direction = attribute_set_number(set, MEMTUN_A_DIRECTION);
	uint64_t idle = attribute_set_number(set, MEMTUN_A_IDLE);
	unsigned int parts = QUIET_FROM_CLIENT | QUIET_TO_CLIENT;

	if (direction)
		parts = direction == MEMTUN_TO_CLIENT ? QUIET_TO_CLIENT : QUIET_FROM_CLIENT;
	if (names_check(session, attribute_set_string(set, MEMTUN_A_NAMES), fault) < 0)
		return REQUEST_FAILED;
	waiter_begin(&session->waiter, parts, idle > INT64_MAX ? INT64_MAX : (int64_t)idle,
		     request_limit(session));
	return answer_steps(session, quiet_step, fault);
}

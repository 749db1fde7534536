/* SPDX-License-Identifier: MIT */
/*
 * Requests for a descriptor to read or write frames at, other than a tunnel's own.
 */
#include <errno.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/switch/bridges.h"
#include "broker/tunnel/tunnel.h"
#include "broker/switch/capture.h"
#include "broker/control/request_parts.h"
#include "broker/engine/account.h"
#include "broker/tunnel/injector.h"
#include "broker/uplink/uplink.h"

/* Answer with a descriptor for frames, taking ownership of it. If fd is -1, fail with errno. */
static enum request_result answer_frames(struct session *session, int fd, struct fault *fault)
{
	struct message_builder *builder;

	if (fd < 0) {
		fault_set(fault, errno, "cannot make a descriptor for frames: %s", strerror(errno));
		return REQUEST_FAILED;
	}
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_FDS, 1);
	session_send(session, fd);
	return REQUEST_ANSWERED;
}

/* Return the tunnel that the request names, if its frames pass through the broker. NULL with the
 * fault filled. */
static struct tunnel *request_wired_tunnel(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || port_admit(&tunnel->port, session->uid, fault) < 0)
		return NULL;
	if (!tunnel->kind->frames_bypass)
		return tunnel;
	fault_set(fault, EINVAL, "the frames of '%s' %s, not through the broker", tunnel->port.name,
		  tunnel->kind->frames_bypass);
	return NULL;
}

static enum memtun_direction request_direction(const struct session *session)
{
	return (enum memtun_direction)attribute_set_number(request_set(session),
							   MEMTUN_A_DIRECTION);
}

/* Return the uplink or tunnel that the request names, as a port. NULL with the fault filled. */
static struct port *request_captured_port(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const char *name = attribute_set_string(set, MEMTUN_A_NAME);
	struct uplink *uplink = NULL;
	struct tunnel *tunnel;

	/* request_tunnel() refuses a name and an id together. */
	if (name && !attribute_set_has(set, MEMTUN_A_ID))
		uplink = uplink_find(session->control->uplinks, name);
	if (uplink)
		return port_admit(&uplink->port, session->uid, fault) < 0 ||
				       uplink_check_frames(uplink, fault) < 0
			       ? NULL
			       : &uplink->port;
	tunnel = request_wired_tunnel(session, fault);
	return tunnel ? &tunnel->port : NULL;
}

enum request_result request_capture(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const struct capture_options options = {
		.direction = request_direction(session),
		.plain = attribute_set_number(set, MEMTUN_A_PLAIN),
		.detailed = attribute_set_number(set, MEMTUN_A_DETAILED),
		.faults = attribute_set_number(set, MEMTUN_A_FAULTS),
	};
	const char *name = attribute_set_string(set, MEMTUN_A_BRIDGE);
	struct bridge *bridge = NULL;
	struct port *port = NULL;
	int fd = -1;

	if (name && attribute_set_next_option(set, MEMTUN_A_UNSPEC, OPTION_KEY) != MEMTUN_A_END) {
		fault_set(fault, EINVAL, "a tunnel, an uplink or a bridge, not several");
		return REQUEST_FAILED;
	}
	if (options.plain && (options.detailed || options.faults)) {
		fault_set(fault, EINVAL, "a plain capture has no header for details");
		return REQUEST_FAILED;
	}
	if (name) {
		bridge = bridges_find(session->control->bridges, name);
		if (!bridge)
			fault_set_missing(session, "bridge", name, fault);
	} else {
		port = request_captured_port(session, fault);
	}
	if ((!bridge && !port) || account_check(session->account, ACCOUNT_CAPTURES, fault) < 0)
		return REQUEST_FAILED;
	capture_new(session->control->engine, session->account, port, bridge, &options, &fd);
	return answer_frames(session, fd, fault);
}

enum request_result request_inject(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_wired_tunnel(session, fault);
	int fd = -1;

	if (!tunnel || account_check(session->account, ACCOUNT_INJECTORS, fault) < 0)
		return REQUEST_FAILED;
	injector_new(tunnel, session->account, request_direction(session),
		     attribute_set_number(request_set(session), MEMTUN_A_VNET_HDR), &fd);
	return answer_frames(session, fd, fault);
}

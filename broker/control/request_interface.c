/* SPDX-License-Identifier: MIT */
/*
 * Requests about the interface that programs see in place of a tunnel. Each answers with the
 * tunnel.
 */
#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/tunnel/tunnel.h"
#include "broker/tunnel/tunnel_interface.h"

/* Return the tunnel that a request changes. NULL with the fault filled. */
static struct tunnel *request_own_tunnel(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	return tunnel && port_admit(&tunnel->port, session->uid, fault) == 0 ? tunnel : NULL;
}

static enum request_result answer_tunnel(struct session *session, struct tunnel *tunnel)
{
	struct attribute_set set;

	tunnel_describe(tunnel, false, &set);
	answer_set(session, &set, -1);
	return REQUEST_ANSWERED;
}

enum request_result request_interface_set(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_own_tunnel(session, fault);

	if (!tunnel || tunnel_interface_set(tunnel, request_set(session), fault) < 0)
		return REQUEST_FAILED;
	return answer_tunnel(session, tunnel);
}

enum request_result request_tunnel_rename(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_own_tunnel(session, fault);
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NEW_NAME);

	if (!tunnel || tunnel_rename(tunnel, name, fault) < 0)
		return REQUEST_FAILED;
	return answer_tunnel(session, tunnel);
}

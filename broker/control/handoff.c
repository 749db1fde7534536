/* SPDX-License-Identifier: MIT */
#include "broker/control/handoff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "memtun/transport.h"
#include "common/spec.h"

static void handoff_accepted(struct listener *listener, int fd, uid_t uid, pid_t pid)
{
	static const struct memtun_transport_handlers handlers = {0};
	struct handoff *handoff = listener->context;
	struct memtun_transport *transport = NULL;
	descriptor_owned socket = fd;
	descriptor_owned client_fd = -1;
	struct fault fault = {0};
	struct queue *queue;

	if (!tunnel_open(listener->control->tunnels, &handoff->options, uid, pid, &queue,
			 &client_fd, &fault)) {
		log_line(LOG_LEVEL_WARNING, "client %d gets no tunnel: %s", pid, fault.text);
		return;
	}
	transport = memtun_transport_new(socket, &handlers, NULL);
	if (!transport)
		goto fail;
	descriptor_take(&socket);
	if (memtun_transport_send(transport, "", 1, &client_fd, 1) < 0)
		goto fail;
	descriptor_take(&client_fd);
	/* A new socket has room for a byte. The client can read it even after the broker has closed
	 * its end. */
	if (memtun_transport_queued_bytes(transport))
		log_line(LOG_LEVEL_WARNING, "client %d gets no tunnel", pid);
	memtun_transport_free(transport);
	return;

fail:
	log_line(LOG_LEVEL_WARNING, "client %d gets no tunnel: %s", pid, strerror(errno));
	memtun_transport_free(transport);
}

struct handoff *handoff_new(struct control *control, const char *path_and_spec, struct fault *fault)
{
	struct handoff *handoff = calloc(1, sizeof(*handoff));
	struct control_socket socket;
	char *spec;

	if (!handoff || !(handoff->text = strdup(path_and_spec))) {
		fault_set(fault, ENOMEM, "out of memory");
		goto fail;
	}
	spec = strchr(handoff->text, '=');
	if (!spec) {
		fault_set(fault, EINVAL, "a handoff is PATH=NAME[:KEY=VALUE,...], not '%.60s'",
			  path_and_spec);
		goto fail;
	}
	*spec++ = '\0';
	if (spec_parse(spec, OPTION_TUNNEL, &handoff->options, fault) < 0 ||
	    control_socket_listen(&socket, handoff->text, SOCK_STREAM, fault) < 0)
		goto fail;
	listener_start(&handoff->listener, control, &socket, handoff_accepted, handoff);
	return handoff;

fail:
	if (handoff)
		free(handoff->text);
	free(handoff);
	return NULL;
}

void handoff_free(struct handoff *handoff)
{
	listener_stop(&handoff->listener);
	free(handoff->text);
	free(handoff);
}

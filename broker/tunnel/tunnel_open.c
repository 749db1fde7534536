/* SPDX-License-Identifier: MIT */
/*
 * Opening a tunnel: find it, or make it, and open what carries its frames. libev runs pending
 * watchers last in, first out, so a tunnel that looks open is polled first: its client may have
 * ended before the request was sent.
 */
#include <errno.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "broker/switch/bridges.h"
#include "broker/switch/port_impair.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "broker/tunnel/tunnel_interface.h"
#include "common/tunnel_name.h"

/* Check that an existing tunnel is what the options say. -1 with the fault filled. */
static int tunnel_check_options(struct tunnel *tunnel, const struct attribute_set *options,
				struct fault *fault)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	struct attribute_set is;

	tunnel_describe(tunnel, false, &is);
	if (!attribute_set_has(&is, MEMTUN_A_BACKEND))
		attribute_set_put_number(&is, MEMTUN_A_BACKEND, MEMTUN_MEMORY);
	if (!attribute_set_has(&is, MEMTUN_A_VLAN))
		attribute_set_put_number(&is, MEMTUN_A_VLAN, 0);
	while ((which = attribute_set_next_option(options, which, OPTION_TUNNEL)) != MEMTUN_A_END) {
		char wanted[MEMTUN_TEXT_SIZE], found[MEMTUN_TEXT_SIZE];

		/* The first open sets these. */
		if (which == MEMTUN_A_OFFLOAD || which == MEMTUN_A_VNET_HDR_SIZE)
			continue;
		attribute_format(options, which, wanted, sizeof(wanted));
		found[0] = '\0';
		if (attribute_set_has(&is, which))
			attribute_format(&is, which, found, sizeof(found));
		if (strcmp(wanted, found) != 0)
			return fault_set(fault, EINVAL, "'%s' exists with %s %s, not %s",
					 tunnel->port.name, attributes[which].word,
					 found[0] ? found : "none", wanted);
	}
	return 0;
}

/* Find the tunnel to open, with room for one more client, or make it. */
static struct tunnel *tunnel_obtain(struct tunnels *tunnels, const struct attribute_set *options,
				    uid_t uid, struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	struct tunnel *tunnel = NULL;

	/* An exclusive open makes its tunnel, or fails. */
	if (!tunnel_name_is_template(name) && !attribute_set_number(options, MEMTUN_A_EXCLUSIVE))
		tunnel = tunnel_find(tunnels, name);
	if (!tunnel || tunnel_delete_if_dead(tunnel))
		return tunnel_add(tunnels, options, uid,
				  attribute_set_number(options, MEMTUN_A_PERSISTENT), fault);
	if (port_admit(&tunnel->port, uid, fault) < 0 ||
	    (tunnel->kind->check_room && tunnel->kind->check_room(tunnel, fault) < 0) ||
	    tunnel_check_options(tunnel, options, fault) < 0 ||
	    port_impair_check(&tunnel->port, options, fault) < 0 ||
	    tunnel_check_headers(tunnel, options, fault) < 0)
		return NULL;
	return tunnel;
}

/* Undo tunnel_obtain() where the next step has failed: delete a tunnel that it made. */
static void tunnel_undo(struct tunnel *tunnel, uint32_t last_id)
{
	if (tunnel->port.id > last_id)
		tunnel_delete(tunnel);
	else
		tunnel_delete_if_unused(tunnel);
}

struct tunnel *tunnel_open(struct tunnels *tunnels, const struct attribute_set *options, uid_t uid,
			   pid_t pid, struct queue **queue, int *client_fd, struct fault *fault)
{
	uint32_t last_id = tunnels->bridges->engine->last_id;
	struct tunnel *tunnel = tunnel_obtain(tunnels, options, uid, fault);

	*queue = NULL;
	if (!tunnel)
		return NULL;
	if (tunnel->queue_count == 0)
		tunnel_take_headers(tunnel, options);
	if (tunnel->kind->open(tunnel, queue, client_fd, fault) < 0) {
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	tunnel->opener = pid;
	if (*queue)
		(*queue)->opener = pid;
	tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, *queue ? (*queue)->id : 0);
	return tunnel;
}

struct tunnel *tunnel_attach(struct tunnels *tunnels, const struct attribute_set *options,
			     uid_t uid, struct queue *queue, struct fault *fault)
{
	uint32_t last_id = tunnels->bridges->engine->last_id;
	struct tunnel *tunnel;

	if (queue->tunnel) {
		fault_set(fault, EEXIST, "queue %u is attached to '%s'", queue->id,
			  queue->tunnel->port.name);
		return NULL;
	}
	if (attribute_set_number(options, MEMTUN_A_BACKEND) == MEMTUN_KERNEL) {
		fault_set(fault, EINVAL, "a tunnel with backend kernel can only be opened");
		return NULL;
	}
	tunnel = tunnel_obtain(tunnels, options, uid, fault);
	if (!tunnel)
		return NULL;
	if (tunnel->kind->only_opened_as || tunnel->socket != queue->socket) {
		if (tunnel->kind->only_opened_as)
			fault_set(fault, EINVAL, "'%s' %s: it can only be opened",
				  tunnel->port.name, tunnel->kind->only_opened_as);
		else
			fault_set(fault, EINVAL, "'%s' and queue %u have other socket types",
				  tunnel->port.name, queue->id);
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	if (tunnel_interface_begin(tunnel, options, fault) < 0) {
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	if (tunnel->queue_count == 0)
		tunnel_take_headers(tunnel, options);
	queue->lane.format = tunnel->format;
	queue_attach(queue, tunnel);
	tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, queue->id);
	return tunnel;
}

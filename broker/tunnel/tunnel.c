/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/engine.h"
#include "broker/switch/bridges.h"
#include "broker/switch/capture.h"
#include "broker/switch/port_impair.h"
#include "broker/tunnel/injector.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel_interface.h"
#include "common/container_of.h"
#include "common/tunnel_name.h"

struct tunnel *tunnel_find(const struct tunnels *tunnels, const char *name)
{
	struct port *port = port_names_find(tunnels->names, name);

	if (!port || port->operations != &tunnel_port_operations)
		return NULL;
	return container_of(port, struct tunnel, port);
}

struct tunnel *tunnel_next(const struct tunnels *tunnels, uint32_t id)
{
	struct port *port = port_ids_next(&tunnels->by_id, id);

	return port ? container_of(port, struct tunnel, port) : NULL;
}

/* ------------------------------------------------------------------------------ adding */

static uint64_t option(const struct attribute_set *options, enum memtun_attribute which,
		       uint64_t fallback)
{
	return attribute_set_has(options, which) ? attribute_set_number(options, which) : fallback;
}

struct tunnel *tunnel_new(struct tunnels *tunnels, const struct tunnel_kind *kind, const char *name,
			  const struct attribute_set *options, uid_t owner)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel)
		return NULL;
	tunnel->tunnels = tunnels;
	tunnel->kind = kind;
	tunnel->port.mode = (enum memtun_mode)option(options, MEMTUN_A_MODE, MEMTUN_TAP);
	tunnel->port.mtu = TUNNEL_MTU;
	if (port_init(&tunnel->port, &tunnel_port_operations, tunnels->bridges, name, owner,
		      options) < 0) {
		free(tunnel);
		return NULL;
	}
	tunnel->socket = (enum memtun_socket)option(options, MEMTUN_A_SOCKET, MEMTUN_SEQPACKET);
	tunnel->format.packet_information = attribute_set_number(options, MEMTUN_A_PI);
	if (attribute_set_number(options, MEMTUN_A_VNET_HDR)) {
		tunnel->format.vnet_size = sizeof(struct virtio_net_hdr);
		tunnel->format.offload = FRAME_OFFLOAD_ALL;
	}
	tunnel->multi_queue = attribute_set_number(options, MEMTUN_A_MULTI_QUEUE);
	port_names_add(tunnels->names, &tunnel->port);
	port_ids_add(&tunnels->by_id, &tunnel->port);
	engine_object_added(tunnel->port.engine);
	return tunnel;
}

/* Remove a tunnel from the register and from its bridge, and free it, without an event. */
static void tunnel_free(struct tunnel *tunnel)
{
	struct tunnels *tunnels = tunnel->tunnels;

	while (!LIST_EMPTY(&tunnel->detached))
		queue_release(LIST_FIRST(&tunnel->detached));
	if (tunnel->kind->destroy)
		tunnel->kind->destroy(tunnel);
	while (!LIST_EMPTY(&tunnel->injectors))
		injector_free(LIST_FIRST(&tunnel->injectors));
	capture_end_port(&tunnel->port);
	tunnel_interface_free(tunnel);
	port_leave(&tunnel->port);
	port_names_remove(tunnels->names, &tunnel->port);
	port_ids_remove(&tunnels->by_id, &tunnel->port);
	engine_object_deleted(tunnel->port.engine);
	port_end(&tunnel->port);
	free(tunnel);
}

void tunnel_delete(struct tunnel *tunnel)
{
	struct tunnel *companion = tunnel->kind->companion ? tunnel->kind->companion(tunnel) : NULL;
	bool persistent = tunnel->persistent;
	struct queue *queue;

	tunnel->persistent = true; /* or the last queue would delete the tunnel */
	while ((queue = LIST_FIRST(&tunnel->queues)))
		queue_free(queue);
	tunnel->persistent = persistent;
	tunnel_publish(tunnel, MEMTUN_EVENT_DELETED, 0);
	if (companion)
		tunnel_publish(companion, MEMTUN_EVENT_DELETED, 0);
	tunnel_free(tunnel);
	if (companion)
		tunnel_free(companion);
}

void tunnel_delete_if_unused(struct tunnel *tunnel)
{
	if (tunnel->kind->is_unused && tunnel->kind->is_unused(tunnel))
		tunnel_delete(tunnel);
}

bool tunnel_delete_if_dead(struct tunnel *tunnel)
{
	return tunnel->kind->delete_if_dead && tunnel->kind->delete_if_dead(tunnel);
}

bool tunnel_refresh(struct tunnel *tunnel)
{
	return tunnel->kind->refresh && tunnel->kind->refresh(tunnel);
}

void tunnel_queue_closed(struct tunnel *tunnel, uint32_t queue_id)
{
	tunnel_publish(tunnel, MEMTUN_EVENT_CLOSED, queue_id);
	tunnel_delete_if_unused(tunnel);
}

static const struct tunnel_kind *tunnel_kind_for(const struct attribute_set *options)
{
	if (attribute_set_number(options, MEMTUN_A_BACKEND) == MEMTUN_KERNEL)
		return &kernel_tunnel_kind;
	return attribute_set_has(options, MEMTUN_A_PEER) ? &pair_tunnel_kind : &memory_tunnel_kind;
}

/* Expand a template into `expanded`, or check that a name is free. Returns the name to use, or NULL
 * with the fault filled. */
static const char *tunnel_choose_name(struct tunnels *tunnels, const struct tunnel_kind *kind,
				      const char *name, uid_t uid, char expanded[MEMTUN_NAME_SIZE],
				      struct fault *fault)
{
	unsigned int number;
	int result;

	if (!tunnel_name_is_template(name))
		return port_names_check(tunnels->names, name, uid, fault) < 0 ? NULL : name;
	result = kind->expand ? kind->expand(tunnels, name, expanded)
			      : port_names_expand(tunnels->names, name, 0, &number, expanded);
	if (result == 0)
		return expanded;
	fault_set(fault, ENFILE, "no number is free for '%s'", name);
	return NULL;
}

struct tunnel *tunnel_add(struct tunnels *tunnels, const struct attribute_set *options, uid_t uid,
			  bool persistent, struct fault *fault)
{
	const struct tunnel_kind *kind = tunnel_kind_for(options);
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	char expanded[MEMTUN_NAME_SIZE];
	struct adapter_config *config;
	struct tunnel *tunnel;
	const char *name;

	if (engine_check_room(tunnels->bridges->engine, fault) < 0 ||
	    (kind->check && kind->check(tunnels, options, fault) < 0))
		return NULL;
	name = tunnel_choose_name(tunnels, kind, attribute_set_string(options, MEMTUN_A_NAME), uid,
				  expanded, fault);
	if (!name)
		return NULL;
	tunnel = tunnel_new(tunnels, kind, name, options, uid);
	if (!tunnel) {
		fault_set(fault, ENOMEM, "cannot make '%s': out of memory", name);
		return NULL;
	}
	tunnel->persistent = persistent;
	if (port_check_vlan(options, fault) < 0 ||
	    tunnel_check_headers(tunnel, options, fault) < 0 ||
	    port_read_config(&tunnel->port, options, &config, fault) < 0) {
		tunnel_free(tunnel);
		return NULL;
	}
	tunnel_take_headers(tunnel, options);
	port_take_config(&tunnel->port, config);
	if (port_impair_new(&tunnel->port, kind->frames_bypass, options, fault) < 0 ||
	    (kind->create && kind->create(tunnel, options, fault) < 0) ||
	    (bridge && port_join(&tunnel->port, bridge, fault) < 0)) {
		tunnel_free(tunnel);
		return NULL;
	}
	tunnel_publish(tunnel, MEMTUN_EVENT_ADDED, 0);
	return tunnel;
}

/* ------------------------------------------------------------------------------ headers */

int tunnel_check_headers(const struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault)
{
	bool has_size = attribute_set_has(options, MEMTUN_A_VNET_HDR_SIZE);
	uint64_t offload = attribute_set_number(options, MEMTUN_A_OFFLOAD);
	const char *word = has_size ? "vnet_hdr_size" : "offload";

	if (!has_size && !attribute_set_has(options, MEMTUN_A_OFFLOAD))
		return 0;
	if (tunnel->kind->frames_bypass)
		return fault_set(fault, EINVAL, "the frames of '%s' %s: it has no %s",
				 tunnel->port.name, tunnel->kind->frames_bypass, word);
	if (!tunnel->format.vnet_size && (has_size || offload))
		return fault_set(fault, EINVAL, "%s is for a tunnel with vnet_hdr", word);
	if (!frame_offload_is_valid(offload))
		return fault_set(fault, EINVAL,
				 "offload %u: TUNSETOFFLOAD takes 0, or 1 plus any of 2, 4, 16 "
				 "and 96 (32 + 64); 8 needs 2 or 4 as well",
				 (unsigned int)offload);
	return 0;
}

void tunnel_take_headers(struct tunnel *tunnel, const struct attribute_set *options)
{
	uint8_t size = (uint8_t)option(options, MEMTUN_A_VNET_HDR_SIZE, tunnel->format.vnet_size);
	struct queue *queue;

	/* What was written before the change has headers of the old size. */
	if (size != tunnel->format.vnet_size) {
		LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
			lane_drain(&queue->lane);
		}
	}
	tunnel->format.vnet_size = size;
	tunnel->format.offload = (uint8_t)option(options, MEMTUN_A_OFFLOAD, tunnel->format.offload);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		queue->lane.format = tunnel->format;
	}
}

/* ------------------------------------------------------------------------------ changing */

int tunnel_set(struct tunnel *tunnel, const struct attribute_set *options, struct fault *fault)
{
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	struct adapter_config *config, *program_config = NULL;
	struct queue *queue;

	if ((tunnel->kind->check_change &&
	     tunnel->kind->check_change(tunnel, options, fault) < 0) ||
	    port_check_vlan(options, fault) < 0 || tunnel_check_headers(tunnel, options, fault) < 0)
		return -1;
	/* The steps that can fail come first. */
	if (port_read_config(&tunnel->port, options, &config, fault) < 0)
		return -1;
	if ((config && tunnel_interface_config(tunnel, config, &program_config, fault) < 0) ||
	    (bridge && port_join(&tunnel->port, bridge, fault) < 0)) {
		adapter_config_free(program_config);
		adapter_config_free(config);
		return -1;
	}
	if (config)
		port_take_program_config(&tunnel->port, program_config);
	port_take_config(&tunnel->port, config);
	port_set(&tunnel->port, options);
	tunnel_take_headers(tunnel, options);
	tunnel->persistent = option(options, MEMTUN_A_PERSISTENT, tunnel->persistent);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		lane_resume_sources(&queue->lane);
	}
	tunnel_publish_change(tunnel, options, OPTION_TUNNEL_SET);
	tunnel_delete_if_unused(tunnel);
	return 0;
}

int tunnel_rename(struct tunnel *tunnel, const char *name, struct fault *fault)
{
	char chosen[MEMTUN_NAME_SIZE], former[MEMTUN_NAME_SIZE];
	struct port *port = &tunnel->port;
	struct attribute_set set;

	if (tunnel->kind == &kernel_tunnel_kind)
		return fault_set(fault, EINVAL,
				 "'%s' is an interface of the kernel, which names it", port->name);
	if (strcmp(name, port->name) == 0)
		return 0;
	name = tunnel_choose_name(tunnel->tunnels, tunnel->kind, name, port->owner, chosen, fault);
	if (!name)
		return -1;
	strlcpy(former, port->name, sizeof(former));
	if (port_names_rename(tunnel->tunnels->names, port, name) < 0)
		return fault_set(fault, errno, "cannot rename '%s': %s", former, strerror(errno));
	tunnel_describe(tunnel, false, &set);
	attribute_set_put_string(&set, MEMTUN_A_CHANGED, attributes[MEMTUN_A_NAME].word);
	attribute_set_put_string(&set, MEMTUN_A_FORMER_NAME, former);
	event_publish(&port->engine->events, MEMTUN_EVENT_CHANGED, &set);
	return 0;
}

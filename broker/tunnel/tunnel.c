/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/tunnel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "broker/adapter/adapter.h"
#include "broker/broker.h"
#include "broker/switch/capture.h"
#include "broker/tunnel/injector.h"
#include "broker/tunnel/kernel_tunnel.h"
#include "broker/switch/name_template.h"
#include "broker/tunnel/pair.h"
#include "broker/tunnel/queue.h"
#include "common/tunnel_name.h"

int tunnel_compare_name(struct tunnel *one, struct tunnel *other)
{
	return strcmp(one->port.name, other->port.name);
}

int tunnel_compare_id(struct tunnel *one, struct tunnel *other)
{
	return one->port.id < other->port.id ? -1 : one->port.id > other->port.id;
}

RB_GENERATE(tunnel_tree_name, tunnel, by_name, tunnel_compare_name)
RB_GENERATE(tunnel_tree_id, tunnel, by_id, tunnel_compare_id)

struct tunnel *tunnel_find(struct broker *broker, const char *name)
{
	struct tunnel key;

	strlcpy(key.port.name, name, sizeof(key.port.name));
	return RB_FIND(tunnel_tree_name, &broker->tunnels, &key);
}

struct tunnel *tunnel_next(struct broker *broker, uint32_t id)
{
	struct tunnel key = {.port.id = id + 1};

	return RB_NFIND(tunnel_tree_id, &broker->tunnels_by_id, &key);
}

int tunnel_admit(const struct tunnel *tunnel, uid_t uid, struct fault *fault)
{
	if (uid == 0 || uid == tunnel->owner)
		return 0;
	return fault_set(fault, EPERM, "'%s' belongs to user %u", tunnel->port.name, tunnel->owner);
}

void tunnel_publish(struct tunnel *tunnel, enum memtun_event event, uint32_t queue_id)
{
	struct attribute_set set;

	if (LIST_EMPTY(&tunnel->port.broker->subscribed))
		return;
	tunnel_describe(tunnel, false, &set);
	if (queue_id)
		attribute_set_put_number(&set, MEMTUN_A_QUEUE_ID, queue_id);
	broker_publish(tunnel->port.broker, event, &set);
}

/* ------------------------------------------------------------------------------ making */

static uint64_t option(const struct attribute_set *options, enum memtun_attribute which,
		       uint64_t fallback)
{
	return attribute_set_has(options, which) ? attribute_set_number(options, which) : fallback;
}

static struct tunnel *tunnel_new(struct broker *broker, const char *name,
				 const struct attribute_set *options, uid_t uid)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel)
		return NULL;
	tunnel->port.operations = &tunnel_port_operations;
	tunnel->port.mode = (enum memtun_mode)option(options, MEMTUN_A_MODE, MEMTUN_TAP);
	tunnel->port.mtu = TUNNEL_MTU;
	port_init(&tunnel->port, broker, name, options);
	tunnel->owner = uid;
	tunnel->socket = (enum memtun_socket)option(options, MEMTUN_A_SOCKET, MEMTUN_SEQPACKET);
	tunnel->format.packet_information = attribute_set_number(options, MEMTUN_A_PI);
	tunnel->format.vnet_size = attribute_set_number(options, MEMTUN_A_VNET_HDR)
					   ? sizeof(struct virtio_net_hdr)
					   : 0;
	tunnel->multi_queue = attribute_set_number(options, MEMTUN_A_MULTI_QUEUE);
	RB_INSERT(tunnel_tree_name, &broker->tunnels, tunnel);
	RB_INSERT(tunnel_tree_id, &broker->tunnels_by_id, tunnel);
	broker->generation++;
	return tunnel;
}

/* Takes it out of everything and frees it. */
static void tunnel_free(struct tunnel *tunnel)
{
	struct broker *broker = tunnel->port.broker;

	if (tunnel->pair)
		pair_free(tunnel->pair);
	if (tunnel->kernel)
		kernel_tunnel_free(tunnel->kernel);
	while (!LIST_EMPTY(&tunnel->injectors))
		injector_free(LIST_FIRST(&tunnel->injectors));
	capture_end_port(&tunnel->port);
	port_leave(&tunnel->port);
	adapter_config_free(tunnel->port.adapter_config);
	RB_REMOVE(tunnel_tree_name, &broker->tunnels, tunnel);
	RB_REMOVE(tunnel_tree_id, &broker->tunnels_by_id, tunnel);
	name_template_note_free(broker, tunnel->port.name);
	broker->generation++;
	free(tunnel);
}

void tunnel_delete(struct tunnel *tunnel)
{
	struct tunnel *peer = tunnel->pair ? pair_other(tunnel) : NULL;
	bool persistent = tunnel->persistent;
	struct queue *queue;

	tunnel->persistent = true; /* so that its last queue leaves that to this */
	while ((queue = LIST_FIRST(&tunnel->queues)))
		queue_free(queue);
	tunnel->persistent = persistent;
	tunnel_publish(tunnel, MEMTUN_EVENT_DELETED, 0);
	if (peer)
		tunnel_publish(peer, MEMTUN_EVENT_DELETED, 0);
	tunnel_free(tunnel);
	if (peer)
		tunnel_free(peer);
}

void tunnel_delete_if_unused(struct tunnel *tunnel)
{
	/* The kernel's goes with its interface. */
	if (tunnel->queue_count == 0 && !tunnel->persistent && !tunnel->kernel)
		tunnel_delete(tunnel);
}

void tunnel_queue_ended(struct tunnel *tunnel, uint32_t queue_id)
{
	tunnel_publish(tunnel, MEMTUN_EVENT_CLOSED, queue_id);
	tunnel_delete_if_unused(tunnel);
}

/* Makes the tunnel at the other end, and the wire. */
static int tunnel_add_peer(struct tunnel *tunnel, const char *name,
			   const struct attribute_set *options, struct fault *fault)
{
	struct tunnel *peer;

	if (tunnel_name_is_template(name))
		return fault_set(fault, EINVAL, "peer '%s' has a '%%'", name);
	if (attribute_set_has(options, MEMTUN_A_BRIDGE))
		return fault_set(fault, EINVAL, "a tunnel has a peer or a bridge, not both");
	if (tunnel->multi_queue)
		return fault_set(fault, EINVAL, "a tunnel with a peer has one queue");
	if (strcmp(name, tunnel->port.name) == 0)
		return fault_set(fault, EINVAL, "a tunnel can't be its own peer");
	if (broker_check_name(tunnel->port.broker, name, tunnel->owner, fault) < 0)
		return -1;
	peer = tunnel_new(tunnel->port.broker, name, options, tunnel->owner);
	if (peer && pair_new(tunnel, peer) == 0) {
		peer->persistent = true;
		tunnel->persistent = true;
		tunnel_publish(peer, MEMTUN_EVENT_ADDED, 0);
		return 0;
	}
	if (peer)
		tunnel_free(peer);
	return fault_set(fault, ENOMEM, "cannot wire '%s' to '%s': out of memory",
			 tunnel->port.name, name);
}

/* Finds a number for a template. */
static int tunnel_expand(struct broker *broker, const char *template, bool kernel,
			 char name[MEMTUN_NAME_SIZE], struct fault *fault)
{
	if ((kernel ? kernel_tunnel_expand(broker, template, name)
		    : name_template_expand(broker, template, name)) < 0)
		return fault_set(fault, ENFILE, "no number is free for '%s'", template);
	return 0;
}

struct tunnel *tunnel_add(struct broker *broker, const struct attribute_set *options, uid_t uid,
			  bool persistent, struct fault *fault)
{
	bool kernel = attribute_set_number(options, MEMTUN_A_BACKEND) == MEMTUN_KERNEL;
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	const char *peer = attribute_set_string(options, MEMTUN_A_PEER);
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	char expanded[MEMTUN_NAME_SIZE];
	struct adapter_config *config;
	struct tunnel *tunnel;

	if (kernel && kernel_tunnel_check(broker, options, fault) < 0)
		return NULL;
	if (tunnel_name_is_template(name)) {
		if (tunnel_expand(broker, name, kernel, expanded, fault) < 0)
			return NULL;
		name = expanded;
	} else if (broker_check_name(broker, name, uid, fault) < 0) {
		return NULL;
	}
	tunnel = tunnel_new(broker, name, options, uid);
	if (!tunnel) {
		fault_set(fault, ENOMEM, "cannot make '%s': out of memory", name);
		return NULL;
	}
	tunnel->persistent = persistent;
	if (port_read_config(&tunnel->port, options, &config, fault) < 0) {
		tunnel_free(tunnel);
		return NULL;
	}
	port_take_config(&tunnel->port, config);
	if ((kernel && kernel_tunnel_new(tunnel, fault) < 0) ||
	    (peer && tunnel_add_peer(tunnel, peer, options, fault) < 0) ||
	    (bridge && port_join(&tunnel->port, bridge, fault) < 0)) {
		tunnel_free(tunnel);
		return NULL;
	}
	tunnel_publish(tunnel, MEMTUN_EVENT_ADDED, 0);
	return tunnel;
}

/* ------------------------------------------------------------------------------ changing */

int tunnel_set(struct tunnel *tunnel, const struct attribute_set *options, struct fault *fault)
{
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	struct adapter_config *config;
	struct queue *queue;

	if (tunnel->kernel)
		return fault_set(fault, EINVAL, "'%s' is the kernel's, see ip-link(8)",
				 tunnel->port.name);
	if (bridge && tunnel->pair)
		return fault_set(fault, EINVAL, "'%s' has a peer, so it has no bridge",
				 tunnel->port.name);
	if (tunnel->pair && attribute_set_has(options, MEMTUN_A_PERSISTENT))
		return fault_set(fault, EINVAL, "'%s' has a peer, so it stays until deleted",
				 tunnel->port.name);
	/* What can fail goes first. */
	if (port_read_config(&tunnel->port, options, &config, fault) < 0)
		return -1;
	if (bridge && port_join(&tunnel->port, bridge, fault) < 0) {
		adapter_config_free(config);
		return -1;
	}
	port_take_config(&tunnel->port, config);
	port_set(&tunnel->port, options);
	tunnel->persistent = option(options, MEMTUN_A_PERSISTENT, tunnel->persistent);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		lane_resume_sources(&queue->lane);
	}
	tunnel_publish(tunnel, MEMTUN_EVENT_CHANGED, 0);
	tunnel_delete_if_unused(tunnel);
	return 0;
}

/* ------------------------------------------------------------------------------ telling */

static void tunnel_describe_counters(struct tunnel *tunnel, struct attribute_set *set)
{
	struct injector *injector;
	struct queue *queue;
	uint64_t queued = 0, unread = 0;

	if (tunnel->pair || tunnel->kernel)
		return; /* no frame of it is seen here */
	port_describe_counters(&tunnel->port, set);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		int bytes = 0;

		queued += queue->lane.backlog.count;
		if (ioctl(queue->lane.io.fd, SIOCOUTQ, &bytes) == 0)
			unread += (uint64_t)bytes;
	}
	/* What was injected and not taken yet is on its way to the client too. */
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		int bytes = 0;

		if (injector->direction == MEMTUN_TO_CLIENT &&
		    ioctl(injector->io.fd, SIOCINQ, &bytes) == 0)
			unread += (uint64_t)bytes;
	}
	attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_QUEUED, queued);
	attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_UNREAD, unread);
}

void tunnel_describe(struct tunnel *tunnel, bool statistics, struct attribute_set *set)
{
	unsigned int queues = tunnel->pair ? pair_is_open(tunnel) : tunnel->queue_count;

	attribute_set_clear(set);
	port_describe(&tunnel->port, set);
	attribute_set_put_number(set, MEMTUN_A_SOCKET, tunnel->socket);
	if (tunnel->pair)
		attribute_set_put_string(set, MEMTUN_A_PEER, pair_other(tunnel)->port.name);
	attribute_set_put_number(set, MEMTUN_A_PI, tunnel->format.packet_information);
	attribute_set_put_number(set, MEMTUN_A_VNET_HDR, tunnel->format.vnet_size > 0);
	attribute_set_put_number(set, MEMTUN_A_MULTI_QUEUE, tunnel->multi_queue);
	attribute_set_put_number(set, MEMTUN_A_PERSISTENT, tunnel->persistent);
	attribute_set_put_number(set, MEMTUN_A_OWNER, tunnel->owner);
	attribute_set_put_number(set, MEMTUN_A_QUEUES, queues);
	attribute_set_put_number(set, MEMTUN_A_STATE, queues ? MEMTUN_OPEN : MEMTUN_CLOSED);
	if (tunnel->kernel)
		kernel_tunnel_describe(tunnel->kernel, set);
	if (tunnel->socket == MEMTUN_DGRAM)
		attribute_set_put_number(set, MEMTUN_A_HANGUP_SEEN,
					 tunnel->port.broker->diag.fd >= 0);
	if (statistics)
		tunnel_describe_counters(tunnel, set);
}

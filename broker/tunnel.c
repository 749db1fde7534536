/* SPDX-License-Identifier: MIT */
#include "tunnel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bridge.h"
#include "broker.h"
#include "capture.h"
#include "injector.h"
#include "name_template.h"
#include "pair.h"
#include "queue.h"
#include "tunnel_name.h"
#include "valve.h"

int tunnel_compare_name(struct tunnel *one, struct tunnel *other)
{
	return strcmp(one->name, other->name);
}

int tunnel_compare_id(struct tunnel *one, struct tunnel *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE(tunnel_tree_name, tunnel, by_name, tunnel_compare_name)
RB_GENERATE(tunnel_tree_id, tunnel, by_id, tunnel_compare_id)

struct tunnel *tunnel_find(struct broker *broker, const char *name)
{
	struct tunnel key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(tunnel_tree_name, &broker->tunnels, &key);
}

struct tunnel *tunnel_next(struct broker *broker, uint32_t id)
{
	struct tunnel key = {.id = id + 1};

	return RB_NFIND(tunnel_tree_id, &broker->tunnels_by_id, &key);
}

int tunnel_admit(const struct tunnel *tunnel, uid_t uid, struct fault *fault)
{
	if (uid == 0 || uid == tunnel->owner)
		return 0;
	return fault_set(fault, EPERM, "'%s' belongs to user %u", tunnel->name, tunnel->owner);
}

void tunnel_publish(struct tunnel *tunnel, enum memtun_event event, uint32_t queue_id)
{
	struct attribute_set set;

	if (LIST_EMPTY(&tunnel->broker->watching))
		return;
	tunnel_describe(tunnel, false, &set);
	if (queue_id)
		attribute_set_put_number(&set, MEMTUN_A_QUEUE_ID, queue_id);
	broker_publish(tunnel->broker, event, &set);
}

/* ------------------------------------------------------------------------------ bridges */

static void tunnel_leave_bridge(struct tunnel *tunnel)
{
	struct bridge *bridge = tunnel->port.bridge;
	struct queue *queue;

	if (!bridge)
		return;
	/* Whom it holds it leaves behind, and who holds it. */
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		valve_open(&queue->valve);
	}
	valve_forget(&tunnel->port);
	bridge_leave(&tunnel->port);
	broker_settle_bridge(tunnel->broker, bridge);
}

/* Moves it to the bridge of that name, which is made if it isn't there; "" is none. */
static int tunnel_join_bridge(struct tunnel *tunnel, const char *name, struct fault *fault)
{
	struct bridge *bridge = NULL;

	if (name[0] != '\0') {
		bridge = broker_find_bridge(tunnel->broker, name);
		if (!bridge)
			bridge = broker_add_bridge(tunnel->broker, name, false, false);
		if (!bridge)
			return fault_set(fault, errno, "cannot make bridge '%s': %s", name,
					 strerror(errno));
		if (bridge->mode && bridge->mode != tunnel->mode)
			return fault_set(fault, EINVAL,
					 "bridge '%s' joins %s tunnels, and '%s' is a %s", name,
					 bridge->mode == MEMTUN_TAP ? "tap" : "tun", tunnel->name,
					 tunnel->mode == MEMTUN_TAP ? "tap" : "tun");
	}
	if (bridge == tunnel->port.bridge)
		return 0;
	tunnel_leave_bridge(tunnel);
	if (bridge)
		bridge_join(bridge, &tunnel->port, tunnel->mode);
	return 0;
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
	tunnel->broker = broker;
	tunnel->id = broker_next_id(broker);
	tunnel->owner = uid;
	tunnel->mode = (enum memtun_mode)option(options, MEMTUN_A_MODE, MEMTUN_TAP);
	tunnel->socket = (enum memtun_socket)option(options, MEMTUN_A_SOCKET, MEMTUN_SEQPACKET);
	tunnel->overflow =
		(enum memtun_overflow)option(options, MEMTUN_A_OVERFLOW, MEMTUN_DROP_TAIL);
	tunnel->mtu = (uint32_t)option(options, MEMTUN_A_MTU, TUNNEL_MTU);
	tunnel->queue_limit = (uint32_t)option(options, MEMTUN_A_QUEUE_LIMIT, TUNNEL_QUEUE_LIMIT);
	tunnel->format.packet_information = attribute_set_number(options, MEMTUN_A_PI);
	tunnel->format.vnet_size = attribute_set_number(options, MEMTUN_A_VNET_HDR)
					   ? sizeof(struct virtio_net_hdr)
					   : 0;
	tunnel->multi_queue = attribute_set_number(options, MEMTUN_A_MULTI_QUEUE);
	strlcpy(tunnel->name, name, sizeof(tunnel->name));
	RB_INSERT(tunnel_tree_name, &broker->tunnels, tunnel);
	RB_INSERT(tunnel_tree_id, &broker->tunnels_by_id, tunnel);
	broker->generation++;
	return tunnel;
}

/* Takes it out of everything and frees it. */
static void tunnel_free(struct tunnel *tunnel)
{
	struct broker *broker = tunnel->broker;

	if (tunnel->pair)
		pair_free(tunnel->pair);
	while (!LIST_EMPTY(&tunnel->injectors))
		injector_free(LIST_FIRST(&tunnel->injectors));
	capture_end_port(&tunnel->port);
	tunnel_leave_bridge(tunnel);
	RB_REMOVE(tunnel_tree_name, &broker->tunnels, tunnel);
	RB_REMOVE(tunnel_tree_id, &broker->tunnels_by_id, tunnel);
	name_template_note_free(broker, tunnel->name);
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

void tunnel_settle(struct tunnel *tunnel)
{
	if (tunnel->queue_count == 0 && !tunnel->persistent)
		tunnel_delete(tunnel);
}

void tunnel_queue_ended(struct tunnel *tunnel, uint32_t queue_id)
{
	tunnel_publish(tunnel, MEMTUN_EVENT_CLOSED, queue_id);
	tunnel_settle(tunnel);
}

/* Is the name free for this user? Clients that are already gone don't count. */
static int name_check_free(struct broker *broker, const char *name, uid_t uid, struct fault *fault)
{
	struct tunnel *tunnel = tunnel_find(broker, name);
	struct queue *queue = tunnel ? LIST_FIRST(&tunnel->queues) : NULL;

	while (queue) {
		struct queue *next = LIST_NEXT(queue, in_tunnel);

		queue_retire(queue);
		queue = next;
	}
	if (!queue && tunnel)
		tunnel = tunnel_find(broker, name); /* it may have gone with them */
	if (!tunnel)
		return 0;
	if (tunnel_admit(tunnel, uid, fault) < 0)
		return -1;
	return fault_set(fault, EBUSY, "'%s' exists", name);
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
	if (strcmp(name, tunnel->name) == 0)
		return fault_set(fault, EINVAL, "a tunnel can't be its own peer");
	if (name_check_free(tunnel->broker, name, tunnel->owner, fault) < 0)
		return -1;
	peer = tunnel_new(tunnel->broker, name, options, tunnel->owner);
	if (peer && pair_new(tunnel, peer) == 0) {
		peer->persistent = true;
		tunnel->persistent = true;
		tunnel_publish(peer, MEMTUN_EVENT_ADDED, 0);
		return 0;
	}
	if (peer)
		tunnel_free(peer);
	return fault_set(fault, ENOMEM, "cannot wire '%s' to '%s': out of memory", tunnel->name,
			 name);
}

struct tunnel *tunnel_add(struct broker *broker, const struct attribute_set *options, uid_t uid,
			  bool persistent, struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	const char *peer = attribute_set_string(options, MEMTUN_A_PEER);
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	char expanded[MEMTUN_NAME_SIZE];
	struct tunnel *tunnel;

	if (tunnel_name_is_template(name)) {
		if (name_template_expand(broker, name, expanded) < 0) {
			fault_set(fault, ENFILE, "no number is free for '%s'", name);
			return NULL;
		}
		name = expanded;
	} else if (name_check_free(broker, name, uid, fault) < 0) {
		return NULL;
	}
	tunnel = tunnel_new(broker, name, options, uid);
	if (!tunnel) {
		fault_set(fault, ENOMEM, "cannot make '%s': out of memory", name);
		return NULL;
	}
	tunnel->persistent = persistent;
	if ((peer && tunnel_add_peer(tunnel, peer, options, fault) < 0) ||
	    (bridge && tunnel_join_bridge(tunnel, bridge, fault) < 0)) {
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
	struct queue *queue;

	if (bridge && tunnel->pair)
		return fault_set(fault, EINVAL, "'%s' has a peer, so it has no bridge",
				 tunnel->name);
	if (tunnel->pair && attribute_set_has(options, MEMTUN_A_PERSISTENT))
		return fault_set(fault, EINVAL, "'%s' has a peer, so it stays until deleted",
				 tunnel->name);
	/* The only one that can fail goes first. */
	if (bridge && tunnel_join_bridge(tunnel, bridge, fault) < 0)
		return -1;
	tunnel->mtu = (uint32_t)option(options, MEMTUN_A_MTU, tunnel->mtu);
	tunnel->queue_limit = (uint32_t)option(options, MEMTUN_A_QUEUE_LIMIT, tunnel->queue_limit);
	tunnel->overflow =
		(enum memtun_overflow)option(options, MEMTUN_A_OVERFLOW, tunnel->overflow);
	tunnel->persistent = option(options, MEMTUN_A_PERSISTENT, tunnel->persistent);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		queue_let_go(queue);
	}
	tunnel_publish(tunnel, MEMTUN_EVENT_CHANGED, 0);
	tunnel_settle(tunnel);
	return 0;
}

/* ------------------------------------------------------------------------------ telling */

static void tunnel_describe_counters(struct tunnel *tunnel, struct attribute_set *set)
{
	struct injector *injector;
	struct queue *queue;
	uint64_t queued = 0, unread = 0;

	if (tunnel->pair)
		return; /* no frame of it is seen here */
	for (int i = PORT_FIRST_COUNTER; i <= PORT_LAST_COUNTER; i++)
		attribute_set_put_number(set, (enum memtun_attribute)i,
					 tunnel->port.counters[i - PORT_FIRST_COUNTER]);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		int bytes = 0;

		queued += queue->backlog.count;
		if (ioctl(queue->io.fd, SIOCOUTQ, &bytes) == 0)
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

	set->present = 0;
	attribute_set_put_number(set, MEMTUN_A_ID, tunnel->id);
	attribute_set_put_string(set, MEMTUN_A_NAME, tunnel->name);
	attribute_set_put_number(set, MEMTUN_A_MODE, tunnel->mode);
	attribute_set_put_number(set, MEMTUN_A_SOCKET, tunnel->socket);
	if (tunnel->port.bridge)
		attribute_set_put_string(set, MEMTUN_A_BRIDGE, tunnel->port.bridge->name);
	if (tunnel->pair)
		attribute_set_put_string(set, MEMTUN_A_PEER, pair_other(tunnel)->name);
	attribute_set_put_number(set, MEMTUN_A_MTU, tunnel->mtu);
	attribute_set_put_number(set, MEMTUN_A_QUEUE_LIMIT, tunnel->queue_limit);
	attribute_set_put_number(set, MEMTUN_A_OVERFLOW, tunnel->overflow);
	attribute_set_put_number(set, MEMTUN_A_PI, tunnel->format.packet_information);
	attribute_set_put_number(set, MEMTUN_A_VNET_HDR, tunnel->format.vnet_size > 0);
	attribute_set_put_number(set, MEMTUN_A_MULTI_QUEUE, tunnel->multi_queue);
	attribute_set_put_number(set, MEMTUN_A_PERSISTENT, tunnel->persistent);
	attribute_set_put_number(set, MEMTUN_A_OWNER, tunnel->owner);
	attribute_set_put_number(set, MEMTUN_A_QUEUES, queues);
	attribute_set_put_number(set, MEMTUN_A_STATE, queues ? MEMTUN_OPEN : MEMTUN_CLOSED);
	if (tunnel->socket == MEMTUN_DGRAM)
		attribute_set_put_number(set, MEMTUN_A_HANGUP_SEEN, tunnel->broker->diag.fd >= 0);
	if (statistics)
		tunnel_describe_counters(tunnel, set);
}

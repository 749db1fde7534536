/* SPDX-License-Identifier: MIT */
/*
 * Opening a tunnel: finding it, or making it, and putting a queue on it.
 *
 * libev runs what is pending last in, first out, so that a request can be seen before the hang-up
 * that came first. A tunnel that looks open is therefore asked whether its clients still are.
 */
#include <errno.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/tunnel/kernel_tunnel.h"
#include "broker/tunnel/pair.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "common/tunnel_name.h"

/* Is the tunnel what the options say? */
static int tunnel_agrees(struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault)
{
	struct attribute_set is;

	tunnel_describe(tunnel, false, &is);
	if (!tunnel->kernel)
		attribute_set_put_number(&is, MEMTUN_A_BACKEND, MEMTUN_MEMORY);
	for (int i = MEMTUN_A_UNSPEC + 1; i < ATTRIBUTE_ANSWERS; i++) {
		enum memtun_attribute which = (enum memtun_attribute)i;
		char wanted[MEMTUN_TEXT_SIZE], found[MEMTUN_TEXT_SIZE];

		if (!attribute_is_among(TUNNEL_OPTIONS, which) ||
		    !attribute_set_has(options, which))
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

/* May one more queue be opened? Those whose clients are gone are retired first. */
static int tunnel_has_room(struct tunnel *tunnel, struct fault *fault)
{
	bool persistent = tunnel->persistent;
	struct queue *queue, *next;

	tunnel->persistent = true; /* for now: the last of them would take it along */
	LIST_FOREACH_SAFE(queue, &tunnel->queues, in_tunnel, next) {
		lane_close_dead(&queue->lane);
	}
	tunnel->persistent = persistent;
	if (tunnel->queue_count && !tunnel->multi_queue)
		return fault_set(fault, EBUSY, "'%s' is open, and not multi_queue",
				 tunnel->port.name);
	if (tunnel->queue_count >= TUNNEL_QUEUES_MAX)
		return fault_set(fault, E2BIG, "'%s' is open %u times", tunnel->port.name,
				 TUNNEL_QUEUES_MAX);
	return 0;
}

/* The tunnel of that name. One of the kernel's whose interface has gone goes now. */
static struct tunnel *tunnel_look_up(struct broker *broker, const char *name)
{
	struct tunnel *tunnel = tunnel_find(broker, name);

	return tunnel && tunnel->kernel && kernel_tunnel_delete_dead(tunnel) ? NULL : tunnel;
}

/* Finds the tunnel to open, with room for one more, or makes it. */
static struct tunnel *tunnel_obtain(struct broker *broker, const struct attribute_set *options,
				    uid_t uid, struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	struct tunnel *tunnel = NULL;

	/* An exclusive open makes its tunnel, or fails. */
	if (!tunnel_name_is_template(name) && !attribute_set_number(options, MEMTUN_A_EXCLUSIVE))
		tunnel = tunnel_look_up(broker, name);
	if (!tunnel)
		return tunnel_add(broker, options, uid,
				  attribute_set_number(options, MEMTUN_A_PERSISTENT), fault);
	if (tunnel_admit(tunnel, uid, fault) < 0)
		return NULL;
	/* Of the kernel's room the kernel decides. */
	if (tunnel->kernel)
		return tunnel_agrees(tunnel, options, fault) < 0 ? NULL : tunnel;
	/* Room first: a tunnel that only dead clients hold open may differ, and goes. */
	if (tunnel_has_room(tunnel, fault) < 0)
		return NULL;
	if (tunnel->queue_count == 0 && !tunnel->persistent) {
		tunnel_delete(tunnel);
		return tunnel_obtain(broker, options, uid, fault);
	}
	return tunnel_agrees(tunnel, options, fault) < 0 ? NULL : tunnel;
}

/* Undoes tunnel_obtain() where what follows fails: whatever it made goes, persistent or not. */
static void tunnel_undo(struct tunnel *tunnel, uint32_t last_id)
{
	if (tunnel->port.id > last_id)
		tunnel_delete(tunnel);
	else
		tunnel_delete_if_unused(tunnel);
}

struct tunnel *tunnel_open(struct broker *broker, const struct attribute_set *options, uid_t uid,
			   struct queue **queue, int *client_fd, struct fault *fault)
{
	uint32_t last_id = broker->last_id;
	struct tunnel *tunnel = tunnel_obtain(broker, options, uid, fault);

	*queue = NULL;
	if (!tunnel)
		return NULL;
	if (tunnel->pair) {
		if (pair_take(tunnel, client_fd) == 0) {
			tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, 0);
			return tunnel;
		}
		if (errno == EBUSY)
			fault_set(fault, EBUSY, "'%s' is open, and its peer '%s' is not yet",
				  tunnel->port.name, pair_other(tunnel)->port.name);
		else
			fault_set(fault, errno, "cannot open '%s': %s", tunnel->port.name,
				  strerror(errno));
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	if (tunnel->kernel) {
		if (kernel_tunnel_take(tunnel, client_fd, fault) == 0) {
			tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, 0);
			return tunnel;
		}
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	*queue = queue_new(broker, tunnel->socket, &tunnel->format, client_fd);
	if (!*queue) {
		fault_set(fault, errno, "cannot open '%s': %s", tunnel->port.name, strerror(errno));
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	queue_attach(*queue, tunnel);
	tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, (*queue)->id);
	return tunnel;
}

struct tunnel *tunnel_attach(struct broker *broker, const struct attribute_set *options, uid_t uid,
			     struct queue *queue, struct fault *fault)
{
	uint32_t last_id = broker->last_id;
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
	tunnel = tunnel_obtain(broker, options, uid, fault);
	if (!tunnel)
		return NULL;
	if (tunnel->pair || tunnel->kernel || tunnel->socket != queue->socket) {
		if (tunnel->kernel)
			fault_set(fault, EINVAL, "'%s' is the kernel's: it can only be opened",
				  tunnel->port.name);
		else if (tunnel->pair)
			fault_set(fault, EINVAL, "'%s' has a peer: it can only be opened",
				  tunnel->port.name);
		else
			fault_set(fault, EINVAL, "'%s' and queue %u have other socket types",
				  tunnel->port.name, queue->id);
		tunnel_undo(tunnel, last_id);
		return NULL;
	}
	queue->lane.format = tunnel->format;
	queue_attach(queue, tunnel);
	tunnel_publish(tunnel, MEMTUN_EVENT_OPENED, queue->id);
	return tunnel;
}

/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/queue.h"

#include <stdlib.h>

#include "broker/engine/engine.h"
#include "broker/switch/bridges.h"
#include "broker/system/socketpair.h"
#include "common/container_of.h"
#include "common/descriptor.h"

static int queue_compare(struct queue *one, struct queue *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE_INTERNAL(queue_tree, queue, by_id, queue_compare, __attribute__((unused)) static)

struct queue *queue_find(struct tunnels *tunnels, uint32_t id)
{
	struct queue key = {.id = id};

	return RB_FIND(queue_tree, &tunnels->queues, &key);
}

struct queue *queue_first(struct tunnels *tunnels)
{
	return RB_MIN(queue_tree, &tunnels->queues);
}

static void queue_peer_closed(struct lane *lane)
{
	queue_free(container_of(lane, struct queue, lane));
}

static const struct lane_owner queue_owner = {.ended = queue_peer_closed};

/* Open the queue's lane on the broker's end of the pair. -1 with ENOMEM. */
static int queue_open_lane(struct queue *queue, struct engine *engine,
			   const struct frame_format *format, int fd)
{
	bool is_stream = queue->socket == MEMTUN_STREAM;

	lane_init(&queue->lane, engine, &queue_owner);
	/* Where the inode is unknown, the client's death is seen when a frame is sent to it. */
	if (queue->socket == MEMTUN_DGRAM && socket_inode(fd, &queue->lane.inode) < 0)
		queue->lane.inode = 0;
	queue->lane.format = *format;
	return lane_open(&queue->lane, is_stream ? &lane_stream_link : &lane_packet_link, fd);
}

struct queue *queue_new(struct tunnels *tunnels, enum memtun_socket socket,
			const struct frame_format *format, int *client_fd)
{
	struct engine *engine = tunnels->bridges->engine;
	struct queue *queue = calloc(1, sizeof(*queue));
	int ends[2];

	if (!queue)
		return NULL;
	if (socketpair_open(socket, engine->default_buffer_fits, ends, &queue->client_inode) < 0) {
		free(queue);
		return NULL;
	}
	queue->tunnels = tunnels;
	queue->socket = socket;
	if (queue_open_lane(queue, engine, format, ends[0]) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		free(queue);
		return NULL;
	}
	queue->id = engine_next_id(engine);
	RB_INSERT(queue_tree, &tunnels->queues, queue);
	*client_fd = ends[1];
	return queue;
}

/* Take the queue from its tunnel. */
static void queue_leave(struct queue *queue)
{
	struct queue *last;

	lane_set_port(&queue->lane, NULL);
	LIST_REMOVE(queue, in_tunnel);
	queue->tunnel->queue_count--;
	last = LIST_FIRST(&queue->tunnel->queues);
	queue->tunnel->opener = last ? last->opener : 0;
	queue->tunnel = NULL;
}

void queue_release(struct queue *queue)
{
	if (queue->kept)
		LIST_REMOVE(queue, in_tunnel);
	queue->kept = NULL;
}

void queue_free(struct queue *queue)
{
	struct tunnel *tunnel = queue->tunnel;
	struct tunnel *kept = queue->kept;

	if (tunnel)
		queue_leave(queue);
	queue_release(queue);
	lane_close(&queue->lane);
	RB_REMOVE(queue_tree, &queue->tunnels->queues, queue);
	if (tunnel)
		tunnel_queue_closed(tunnel, queue->id);
	if (kept)
		tunnel_delete_if_unused(kept);
	free(queue);
}

void queue_attach(struct queue *queue, struct tunnel *tunnel)
{
	struct tunnel *kept = queue->kept;

	queue_release(queue);
	queue->tunnel = tunnel;
	LIST_INSERT_HEAD(&tunnel->queues, queue, in_tunnel);
	tunnel->queue_count++;
	tunnel->opener = queue->opener;
	lane_set_port(&queue->lane, &tunnel->port);
	if (kept && kept != tunnel)
		tunnel_delete_if_unused(kept);
}

void queue_detach(struct queue *queue)
{
	struct tunnel *tunnel = queue->tunnel;

	queue_leave(queue);
	queue->kept = tunnel;
	LIST_INSERT_HEAD(&tunnel->detached, queue, in_tunnel);
}

/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/queue.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/broker.h"
#include "common/descriptor.h"
#include "broker/tunnel/tunnel.h"

int queue_compare(struct queue *one, struct queue *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE(queue_tree, queue, by_id, queue_compare)

struct queue *queue_find(struct broker *broker, uint32_t id)
{
	struct queue key = {.id = id};

	return RB_FIND(queue_tree, &broker->queues, &key);
}

static int socket_set_buffer(int fd)
{
	/* The kernel doubles what is asked for. */
	int size = QUEUE_SOCKET_BUFFER / 2;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int socket_inode(int fd, ino_t *inode)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	*inode = status.st_ino;
	return 0;
}

int queue_socketpair(const struct broker *broker, enum memtun_socket socket, int ends[2],
		     ino_t *inode)
{
	static const int types[] = {
		[MEMTUN_SEQPACKET] = SOCK_SEQPACKET,
		[MEMTUN_DGRAM] = SOCK_DGRAM,
		[MEMTUN_STREAM] = SOCK_STREAM,
	};

	if (socketpair(AF_UNIX, types[socket] | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	if ((!broker->default_buffer_fits &&
	     (socket_set_buffer(ends[0]) < 0 || socket_set_buffer(ends[1]) < 0)) ||
	    socket_inode(ends[1], inode) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		return -1;
	}
	return 0;
}

static void queue_ended(struct lane *lane)
{
	queue_free((struct queue *)lane);
}

static const struct lane_owner queue_owner = {.ended = queue_ended};

struct queue *queue_new(struct broker *broker, enum memtun_socket socket,
			const struct frame_format *format, int *client_fd)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	int ends[2];

	if (!queue)
		return NULL;
	if (queue_socketpair(broker, socket, ends, &queue->client_inode) < 0) {
		free(queue);
		return NULL;
	}
	queue->socket = socket;
	lane_init(&queue->lane, broker, &queue_owner);
	if (socket == MEMTUN_DGRAM && socket_inode(ends[0], &queue->lane.inode) < 0)
		queue->lane.inode = 0; /* then its client's death is seen when frames go to it */
	queue->lane.format = *format;
	if (lane_open(&queue->lane, socket == MEMTUN_STREAM ? &lane_stream_link : &lane_packet_link,
		      ends[0]) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		free(queue);
		return NULL;
	}
	queue->id = broker_next_id(broker);
	RB_INSERT(queue_tree, &broker->queues, queue);
	*client_fd = ends[1];
	return queue;
}

void queue_free(struct queue *queue)
{
	struct broker *broker = queue->lane.broker;
	struct tunnel *tunnel = queue->tunnel;

	if (tunnel)
		queue_detach(queue);
	lane_close(&queue->lane);
	RB_REMOVE(queue_tree, &broker->queues, queue);
	if (tunnel)
		tunnel_queue_ended(tunnel, queue->id);
	free(queue);
}

void queue_attach(struct queue *queue, struct tunnel *tunnel)
{
	queue->tunnel = tunnel;
	LIST_INSERT_HEAD(&tunnel->queues, queue, in_tunnel);
	tunnel->queue_count++;
	lane_set_port(&queue->lane, &tunnel->port);
}

void queue_detach(struct queue *queue)
{
	lane_set_port(&queue->lane, NULL);
	LIST_REMOVE(queue, in_tunnel);
	queue->tunnel->queue_count--;
	queue->tunnel = NULL;
}

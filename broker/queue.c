/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "descriptor.h"
#include "socket_diag.h"
#include "stream.h"
#include "tunnel.h"

/* Batches a turn: enough to spare most polling, few enough that others are served soon. */
#define BATCHES_A_TURN 4

static void queue_ready(struct ev_loop *loop, ev_io *io, int events);

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

/* ------------------------------------------------------------------------------ life and death */

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

/* Whether the loop would not say that the client is gone. */
static void queue_set_unseen(struct queue *queue, bool unseen)
{
	if (unseen == queue->unseen)
		return;
	queue->unseen = unseen;
	if (unseen)
		LIST_INSERT_HEAD(&queue->broker->unseen, queue, in_unseen);
	else
		LIST_REMOVE(queue, in_unseen);
	broker_watch_unseen(queue->broker);
}

struct queue *queue_new(struct broker *broker, enum memtun_socket socket,
			const struct frame_format *format, int *client_fd)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	int ends[2];

	if (!queue)
		return NULL;
	if (socket == MEMTUN_STREAM && !(queue->stream = stream_new())) {
		free(queue);
		return NULL;
	}
	if (queue_socketpair(broker, socket, ends, &queue->client_inode) < 0) {
		stream_free(queue->stream);
		free(queue);
		return NULL;
	}
	if (socket == MEMTUN_DGRAM && socket_inode(ends[0], &queue->own_inode) < 0)
		queue->own_inode = 0; /* then its client's death is seen when frames go to it */
	queue->link = socket == MEMTUN_STREAM ? &queue_stream_link : &queue_packet_link;
	queue->broker = broker;
	queue->id = broker_next_id(broker);
	queue->socket = socket;
	queue->format = *format;
	queue->batch_hint = 1;
	LIST_INIT(&queue->valve.holds);
	RB_INSERT(queue_tree, &broker->queues, queue);
	ev_io_init(&queue->io, queue_ready, ends[0], EV_READ);
	queue->io.data = queue;
	ev_io_start(broker->loop, &queue->io);
	queue_set_unseen(queue, socket == MEMTUN_DGRAM);
	*client_fd = ends[1];
	return queue;
}

static void queue_drop_backlog(struct queue *queue)
{
	if (queue->tunnel)
		port_count(&queue->tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT,
			   queue->backlog.count);
	backlog_pop(&queue->backlog, queue->backlog.count);
	queue->sent_of_first = 0;
	valve_open(&queue->valve);
}

void queue_free(struct queue *queue)
{
	struct tunnel *tunnel = queue->tunnel;

	if (tunnel)
		queue_detach(queue);
	ev_io_stop(queue->broker->loop, &queue->io);
	close(queue->io.fd);
	RB_REMOVE(queue_tree, &queue->broker->queues, queue);
	queue_set_unseen(queue, false);
	stream_free(queue->stream);
	if (tunnel)
		tunnel_queue_ended(tunnel, queue->id);
	free(queue);
}

/* Watches for what is of use now. */
void queue_watch(struct queue *queue)
{
	int events = (queue->paused ? 0 : EV_READ) | (queue->backlog.count ? EV_WRITE : 0);
	int fed = ev_is_pending(&queue->io) ? EV_READ : 0;

	queue_set_unseen(queue, queue->paused || queue->socket == MEMTUN_DGRAM);
	if (ev_is_active(&queue->io) && events == (queue->io.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(queue->broker->loop, &queue->io);
	ev_io_set(&queue->io, queue->io.fd, events);
	if (events)
		ev_io_start(queue->broker->loop, &queue->io);
	/* Stopping it forgot what it was to be called for. */
	if (fed && (events || queue->gone))
		ev_feed_event(queue->broker->loop, &queue->io, fed);
}

void queue_attach(struct queue *queue, struct tunnel *tunnel)
{
	queue->tunnel = tunnel;
	LIST_INSERT_HEAD(&tunnel->queues, queue, in_tunnel);
	tunnel->queue_count++;
	queue->paused = tunnel->port.holds > 0;
	queue_watch(queue);
}

void queue_detach(struct queue *queue)
{
	/* Of a frame that is half out on a stream the rest is dropped: nothing may follow it. */
	if (queue->sent_of_first)
		queue_give_up(queue);
	queue_drop_backlog(queue);
	LIST_REMOVE(queue, in_tunnel);
	queue->tunnel->queue_count--;
	queue->tunnel = NULL;
	queue->paused = false;
	queue_watch(queue);
}

/* Comes back for frames that have been read from a stream already: no event would tell of them. */
static void queue_read_on(struct queue *queue)
{
	if (queue->stream && stream_has_whole(queue->stream))
		ev_feed_event(queue->broker->loop, &queue->io, EV_READ);
}

void queue_set_reading(struct queue *queue, bool reading)
{
	queue->paused = !reading;
	queue_watch(queue);
	if (reading)
		queue_read_on(queue);
}

/* -------------------------------------------------------------------------- from the client */

bool queue_hung_up(const struct queue *queue)
{
	struct pollfd poll_fd = {.fd = queue->io.fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP));
}

bool queue_check(struct queue *queue, struct frame *frame, const void *headers)
{
	enum memtun_attribute reason;

	if (!queue->tunnel)
		return false; /* as the kernel's before TUNSETIFF: goes nowhere */
	reason = tunnel_frame_fault(queue->tunnel->mode, frame);
	if (!reason &&
	    frame_format_decode(&queue->format, headers, frame->length, &frame->offload) == 0)
		return true;
	port_count(&queue->tunnel->port, reason ? reason : MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED,
		   1);
	return false;
}

/* Reads a batch and forwards it. */
static enum queue_received queue_read(struct queue *queue)
{
	struct broker *broker = queue->broker;
	enum queue_received received;
	unsigned int count = 0;
	uint32_t mask = 0;

	received = queue->link->receive(queue, &count, &mask);
	if (mask)
		tunnel_forward(queue->tunnel, mask);
	batch_clear(broker->batch, count);
	return received;
}

bool queue_retire(struct queue *queue)
{
	enum queue_received received;

	if (!queue->gone && !queue_hung_up(queue) &&
	    !(queue->socket == MEMTUN_DGRAM && queue->own_inode &&
	      socket_diag_peer(&queue->broker->diag, queue->own_inode) == SOCKET_PEER_GONE))
		return false;
	do {
		received = queue_read(queue);
	} while (received == QUEUE_RECEIVED_SOME);
	queue_free(queue);
	return true;
}

/* Reads a turn's batches. False: that was the end of the queue. */
static bool queue_read_turn(struct queue *queue)
{
	for (int i = 0; i < BATCHES_A_TURN && !queue->paused; i++) {
		switch (queue_read(queue)) {
		case QUEUE_RECEIVED_SOME:
			break;
		case QUEUE_RECEIVED_ALL:
			return true;
		case QUEUE_RECEIVED_END:
			queue_free(queue);
			return false;
		}
	}
	if (!queue->paused)
		queue_read_on(queue);
	return true;
}

static void queue_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct queue *queue = io->data;

	(void)loop;
	if (queue->gone) {
		queue_retire(queue);
		return;
	}
	/* First: sending to a datagram socket whose client is gone makes the kernel throw away what
	 * the client had sent (unix_dgram_disconnected). */
	if ((events & EV_READ) && !queue_read_turn(queue))
		return;
	if ((events & EV_WRITE) && queue->backlog.count)
		queue_flush(queue);
}

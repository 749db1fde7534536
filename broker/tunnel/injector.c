/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/injector.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/switch/bridge.h"
#include "broker/broker.h"
#include "broker/switch/capture.h"
#include "broker/engine/frame.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "broker/engine/backpressure.h"

static void injector_port_set_reading(struct port *port, bool reading)
{
	injector_set_reading((struct injector *)port, reading);
}

/* Nothing is ever sent to it. */
static const struct port_operations injector_port_operations = {
	.set_reading = injector_port_set_reading,
};

void injector_set_reading(struct injector *injector, bool reading)
{
	struct ev_loop *loop = injector->tunnel->port.broker->loop;

	if (reading && !injector->port.pause_count)
		ev_io_start(loop, &injector->io);
	else
		ev_io_stop(loop, &injector->io);
}

void injector_free(struct injector *injector)
{
	backpressure_forget(&injector->port);
	ev_io_stop(injector->tunnel->port.broker->loop, &injector->io);
	close(injector->io.fd);
	LIST_REMOVE(injector, of_tunnel);
	free(injector);
}

/* Counts a frame that is none, as if its client had sent it or it had been refused. */
static void injector_count_fault(struct injector *injector, enum memtun_attribute reason)
{
	struct port *port = &injector->tunnel->port;

	if (injector->direction == MEMTUN_FROM_CLIENT) {
		port_count(port, reason, 1);
		return;
	}
	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED, 1);
}

/* Why what was read is no frame; MEMTUN_A_UNSPEC if it is one. */
static enum memtun_attribute injector_frame_fault(const struct injector *injector,
						  const struct frame *frame)
{
	if (frame->length == 0)
		return MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY;
	if (frame->length > FRAME_MAX)
		return MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	return frame_fault(injector->tunnel->port.mode, frame);
}

/* Was what read as no bytes the end, and not an empty frame? */
static bool injector_ended(const struct injector *injector)
{
	struct pollfd poll_fd = {.fd = injector->io.fd, .events = POLLRDHUP};
	int unread = 0;

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP)) &&
	       ioctl(injector->io.fd, SIOCINQ, &unread) == 0 && unread == 0;
}

/* Reads frames into the batch. False: the writer is gone. */
static bool injector_receive(struct injector *injector, unsigned int *count, uint32_t *mask)
{
	struct batch *batch = injector->tunnel->port.broker->batch;
	enum memtun_attribute reason;

	for (*count = 0; *count < BATCH_FRAMES; (*count)++) {
		unsigned char *buffer = batch_buffer(batch, *count);
		ssize_t length;

		do {
			length = recv(injector->io.fd, buffer, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
		} while (length < 0 && errno == EINTR);
		if (length < 0)
			return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
		if (length == 0 && injector_ended(injector))
			return false;
		batch_set_read(batch, *count, (uint32_t)length);
		reason = injector_frame_fault(injector, &batch->frames[*count]);
		if (reason)
			injector_count_fault(injector, reason);
		else
			*mask |= UINT32_C(1) << *count;
	}
	return true;
}

/* Gives frames to the client, as if they came from its bridge. */
static void injector_deliver(struct injector *injector, struct batch *batch, uint32_t mask)
{
	struct port *port = &injector->tunnel->port;

	/* Behind an adapter they are not what the bridge's captures have. */
	if (port->bridge && !port->adapter)
		capture_bridge(port, batch, mask, MEMTUN_TO_CLIENT);
	port->operations->send(port, &injector->port, batch, mask);
}

static void injector_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct injector *injector = io->data;
	struct tunnel *tunnel = injector->tunnel;
	struct batch *batch = tunnel->port.broker->batch;
	unsigned int count;
	uint32_t mask = 0;
	bool there = injector_receive(injector, &count, &mask);

	(void)loop;
	(void)events;
	if (mask && injector->direction == MEMTUN_TO_CLIENT)
		injector_deliver(injector, batch, mask);
	else if (mask)
		port_forward(&tunnel->port, batch, mask);
	batch_clear(batch, count);
	if (!there)
		injector_free(injector);
}

struct injector *injector_new(struct tunnel *tunnel, enum memtun_direction direction,
			      int *client_fd)
{
	struct injector *injector = calloc(1, sizeof(*injector));
	int ends[2];
	ino_t inode;

	if (!injector)
		return NULL;
	if (queue_socketpair(tunnel->port.broker, MEMTUN_SEQPACKET, ends, &inode) < 0) {
		free(injector);
		return NULL;
	}
	injector->port.operations = &injector_port_operations;
	injector->port.lossless = true;
	injector->tunnel = tunnel;
	injector->direction = direction;
	ev_io_init(&injector->io, injector_ready, ends[0], EV_READ);
	injector->io.data = injector;
	LIST_INSERT_HEAD(&tunnel->injectors, injector, of_tunnel);
	injector_set_reading(injector, direction == MEMTUN_TO_CLIENT || !tunnel->port.pause_count);
	*client_fd = ends[1];
	return injector;
}

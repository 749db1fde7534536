/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/injector.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/capture.h"
#include "broker/switch/quiet.h"
#include "broker/switch/segmenter.h"
#include "broker/system/socketpair.h"
#include "broker/tunnel/tunnel.h"
#include "common/container_of.h"
#include "common/descriptor.h"

void injector_set_reading(struct injector *injector, bool reading)
{
	struct ev_loop *loop = injector->tunnel->port.engine->loop;

	if (reading && !source_is_paused(&injector->source))
		ev_io_start(loop, &injector->io);
	else
		ev_io_stop(loop, &injector->io);
}

uint64_t injector_unread(const struct injector *injector)
{
	int bytes = 0;

	return ioctl(injector->io.fd, SIOCINQ, &bytes) == 0 ? (uint64_t)bytes : 0;
}

void injector_look(const struct injector *injector, struct quiet *quiet)
{
	bool to_client = injector->direction == MEMTUN_TO_CLIENT;
	const struct port *port = &injector->tunnel->port;

	if (!(quiet->parts & (to_client ? QUIET_TO_CLIENT : QUIET_FROM_CLIENT)) &&
	    !(quiet->parts & QUIET_INJECTED))
		return;
	if (source_is_held(&injector->source) || (!to_client && source_is_held(&port->source)))
		return;
	if (injector_unread(injector))
		quiet_break(quiet, "the broker has not read all frames that are injected into '%s'",
			    port->name);
}

static void injector_source_set_reading(struct source *source, bool reading)
{
	injector_set_reading(container_of(source, struct injector, source), reading);
}

void injector_free(struct injector *injector)
{
	source_forget(&injector->source);
	ev_io_stop(injector->tunnel->port.engine->loop, &injector->io);
	close(injector->io.fd);
	LIST_REMOVE(injector, of_tunnel);
	account_remove(&injector->of_account);
	free(injector);
}

static void injector_end(struct account_object *object)
{
	injector_free(container_of(object, struct injector, of_account));
}

/* Count bytes that are no frame: as the client's, or as refused on the way to the client. */
static void injector_count_fault(struct injector *injector, enum memtun_attribute reason)
{
	struct port *port = &injector->tunnel->port;

	injector->result.dropped_refused++;
	if (injector->direction == MEMTUN_FROM_CLIENT) {
		port_count(port, reason, 1);
		return;
	}
	injector->result.offered++;
	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED, 1);
}

/* Make batch entry `index` a frame of a record of that length. Returns MEMTUN_A_UNSPEC if it is
 * one, else the counter of the reason. */
static enum memtun_attribute injector_take(const struct injector *injector, unsigned int index,
					   size_t length, const unsigned char *headers)
{
	struct batch *batch = injector->tunnel->port.engine->batch;
	size_t before = frame_format_size(&injector->format);
	struct frame *frame = &batch->frames[index];
	enum memtun_attribute reason;

	batch_set_read(batch, index, 0);
	if (length == 0)
		return MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY;
	if (length <= before)
		return MEMTUN_A_FROM_CLIENT_DROPPED_RUNT;
	if (length - before > FRAME_MAX)
		return MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	frame->length = (uint32_t)(length - before);
	reason = frame_fault(injector->tunnel->port.mode, frame);
	if (!reason &&
	    frame_format_decode(&injector->format, headers, frame->length, &frame->offload) < 0)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return reason;
}

/* Read one record. Returns its length, which may be more than there is room for; -1 with errno. */
static ssize_t injector_read(const struct injector *injector, unsigned char *headers,
			     unsigned char *buffer)
{
	struct iovec parts[2] = {
		{headers, frame_format_size(&injector->format)},
		{buffer, FRAME_MAX},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t length;

	do {
		length = recvmsg(injector->io.fd, &message, MSG_DONTWAIT | MSG_TRUNC);
	} while (length < 0 && errno == EINTR);
	return length;
}

/* Read frames into the batch. Returns false once the client has closed its end. */
static bool injector_receive(struct injector *injector, unsigned int *count, uint64_t *mask)
{
	struct batch *batch = injector->tunnel->port.engine->batch;
	unsigned char headers[FRAME_FORMAT_MAX];
	enum memtun_attribute reason;
	unsigned int max = BATCH_READ_MAX;

	for (*count = 0; *count < max; (*count)++) {
		ssize_t length = injector_read(injector, headers, batch_buffer(batch, *count));

		if (length < 0)
			return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
		if (length == 0 && descriptor_at_end(injector->io.fd))
			return false;
		injector->result.frames++;
		reason = injector_take(injector, *count, (size_t)length, headers);
		if (reason) {
			injector_count_fault(injector, reason);
			continue;
		}
		*mask |= UINT64_C(1) << *count;
		batch_limit_read(&max, &batch->frames[*count]);
	}
	return true;
}

/* Add the port's counters of offers and drops to the result, or subtract what they were before. */
static void injector_add_counters(struct injector *injector, bool subtract)
{
	const struct port *port = &injector->tunnel->port;
	struct memtun_inject_result *result = &injector->result;
	const struct {
		enum memtun_attribute counter;
		uint64_t *number;
	} counters[] = {
		{MEMTUN_A_TO_CLIENT_OFFERED, &result->offered},
		{MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, &result->dropped_no_client},
		{MEMTUN_A_TO_CLIENT_DROPPED_MTU, &result->dropped_mtu},
		{MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP, &result->dropped_not_ip},
		{MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION,
		 &result->dropped_needs_segmentation},
		{MEMTUN_A_TO_CLIENT_DROPPED_REFUSED, &result->dropped_refused},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t number = port_counter(port, counters[i].counter);

		*counters[i].number += subtract ? -number : number;
	}
}

static void injector_deliver(struct port *port, struct source *source, struct batch *batch,
			     uint64_t mask)
{
	/* Captures of a bridge have Ethernet frames; behind an adapter these are packets. */
	if (port->bridge && !port->adapter)
		capture_bridge(port, batch, mask, MEMTUN_TO_CLIENT);
	port_send(port, source, batch, mask);
}

/* Send frames to the client, as if they came from its bridge. */
static void injector_send(struct injector *injector, struct batch *batch, uint64_t mask)
{
	struct touched touched = SLIST_HEAD_INITIALIZER(touched);
	struct port *port = &injector->tunnel->port;

	port->pending = mask;
	SLIST_INSERT_HEAD(&touched, port, in_touched);
	injector_add_counters(injector, true);
	segmenter_send(&touched, port->mode, &injector->source, batch, injector_deliver);
	injector_add_counters(injector, false);
}

/* Tell a client that has shut down its sending side what became of its frames. */
static void injector_send_result(const struct injector *injector)
{
	/* A client that does not read it has closed its end. */
	send(injector->io.fd, &injector->result, sizeof(injector->result),
	     MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void injector_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct injector *injector = io->data;
	struct tunnel *tunnel = injector->tunnel;
	struct batch *batch = tunnel->port.engine->batch;
	unsigned int count;
	uint64_t mask = 0;
	bool there = injector_receive(injector, &count, &mask);

	(void)loop;
	(void)events;
	if (mask && injector->direction == MEMTUN_TO_CLIENT)
		injector_send(injector, batch, mask);
	else if (mask)
		port_forward(&tunnel->port, batch, mask);
	batch_clear(batch, count);
	if (there)
		return;
	injector_send_result(injector);
	injector_free(injector);
}

struct injector *injector_new(struct tunnel *tunnel, struct account *account,
			      enum memtun_direction direction, bool vnet, int *client_fd)
{
	struct injector *injector = calloc(1, sizeof(*injector));
	int ends[2];
	ino_t inode;

	if (!injector)
		return NULL;
	if (socketpair_open(MEMTUN_SEQPACKET, tunnel->port.engine->default_buffer_fits, ends,
			    &inode) < 0) {
		free(injector);
		return NULL;
	}
	injector->source.set_reading = injector_source_set_reading;
	injector->source.lossless = true;
	injector->tunnel = tunnel;
	injector->direction = direction;
	injector->format.vnet_size = vnet ? sizeof(struct virtio_net_hdr) : 0;
	ev_io_init(&injector->io, injector_ready, ends[0], EV_READ);
	injector->io.data = injector;
	LIST_INSERT_HEAD(&tunnel->injectors, injector, of_tunnel);
	account_add(account, &injector->of_account, ACCOUNT_INJECTORS, injector_end);
	injector_set_reading(injector, direction == MEMTUN_TO_CLIENT ||
					       !source_is_paused(&tunnel->port.source));
	*client_fd = ends[1];
	return injector;
}

/* SPDX-License-Identifier: MIT */
/*
 * Queues whose socket keeps frames apart (SEQPACKET, DGRAM): recvmmsg and sendmmsg of a batch.
 *
 * A length of 0 is an empty frame or the end, and after the end recvmmsg returns as many of them as
 * it was asked for. The end is told by RDHUP, and by nothing being left to read (SIOCINQ), as an
 * empty frame may have been sent before other frames and then the end. ECONNRESET says that the
 * client left frames unread; what it had sent follows.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "broker.h"
#include "packet_io.h"
#include "queue.h"
#include "tunnel.h"

/* Is there nothing more, and will there be nothing more? */
static bool packet_end(const struct queue *queue)
{
	int unread = 0;

	return queue_hung_up(queue) && ioctl(queue->io.fd, SIOCINQ, &unread) == 0 && unread == 0;
}

static int packet_receive_batch(struct queue *queue, struct packet_io *io, unsigned int count)
{
	size_t headers = frame_format_size(&queue->format);
	int received;

	for (unsigned int i = 0; i < count; i++) {
		struct packet_slot *slot = &io->receive[i];

		slot->parts[0] = (struct iovec){slot->headers, headers};
		slot->parts[1] = (struct iovec){batch_buffer(queue->broker->batch, i), FRAME_MAX};
		io->received[i].msg_hdr = (struct msghdr){
			.msg_iov = headers ? slot->parts : slot->parts + 1,
			.msg_iovlen = headers ? 2 : 1,
		};
	}
	do {
		received = recvmmsg(queue->io.fd, io->received, count, MSG_DONTWAIT, NULL);
	} while (received < 0 && (errno == EINTR || errno == ECONNRESET));
	return received;
}

/* Makes a frame of a message, or counts why it is none. */
static bool packet_take(struct queue *queue, unsigned int index, const struct mmsghdr *message)
{
	struct batch *batch = queue->broker->batch;
	size_t headers = frame_format_size(&queue->format);
	enum memtun_attribute reason;

	if (message->msg_hdr.msg_flags & MSG_TRUNC)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	else if (message->msg_len == 0)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY;
	else if (message->msg_len <= headers)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_RUNT;
	else {
		batch_set(batch, index, batch_buffer(batch, index),
			  (uint32_t)(message->msg_len - headers));
		return queue_check(queue, &batch->frames[index],
				   queue->broker->packet_io->receive[index].headers);
	}
	if (queue->tunnel)
		port_count(&queue->tunnel->port, reason, 1);
	return false;
}

/* The messages before the last that has bytes; those behind it may be the end's. */
static unsigned int packet_count_filled(const struct packet_io *io, unsigned int received)
{
	while (received && io->received[received - 1].msg_len == 0)
		received--;
	return received;
}

static enum queue_received packet_receive(struct queue *queue, unsigned int *count, uint32_t *mask)
{
	struct packet_io *io = queue->broker->packet_io;
	unsigned int asked = queue->batch_hint;
	unsigned int filled, received;
	int result = packet_receive_batch(queue, io, asked);

	if (result < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? QUEUE_RECEIVED_ALL
									      : QUEUE_RECEIVED_END;
	received = (unsigned int)result;
	filled = packet_count_filled(io, received);
	if (filled < received && packet_end(queue))
		received = filled;
	for (unsigned int i = 0; i < received; i++) {
		if (packet_take(queue, i, &io->received[i]))
			*mask |= UINT32_C(1) << i;
		else
			queue->broker->batch->frames[i].copy = NULL;
	}
	*count = received;
	if (received < (unsigned int)result)
		return QUEUE_RECEIVED_END;
	/* Ask for a whole batch of who fills one; for one frame of who hasn't sent any lately. */
	queue->batch_hint = received == asked ? BATCH_FRAMES : (uint8_t)(received + 1);
	return received == asked ? QUEUE_RECEIVED_SOME : QUEUE_RECEIVED_ALL;
}

static unsigned int packet_send(struct queue *queue, struct frame *const frames[],
				unsigned int count)
{
	struct packet_io *io = queue->broker->packet_io;
	size_t headers = frame_format_size(&queue->format);
	struct port *port = &queue->tunnel->port;
	unsigned int done = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct packet_slot *slot = &io->send[i];

		if (headers)
			frame_format_encode(&queue->format, queue->tunnel->mode, frames[i]->data,
					    frames[i]->length, &frames[i]->offload, slot->headers);
		slot->parts[0] = (struct iovec){slot->headers, headers};
		slot->parts[1] = (struct iovec){frames[i]->data, frames[i]->length};
		io->sent[i].msg_hdr = (struct msghdr){
			.msg_iov = headers ? slot->parts : slot->parts + 1,
			.msg_iovlen = headers ? 2 : 1,
		};
	}
	while (done < count) {
		int sent = sendmmsg(queue->io.fd, io->sent + done, count - done,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && !queue_send_failed(queue))
			break;
		if (sent < 0) {
			done++;
			continue;
		}
		for (int i = 0; i < sent; i++)
			port_count(port, MEMTUN_A_TO_CLIENT_BYTES, frames[done++]->length);
		port_count(port, MEMTUN_A_TO_CLIENT_FRAMES, (uint64_t)sent);
	}
	return done;
}

const struct queue_link queue_packet_link = {
	.receive = packet_receive,
	.send = packet_send,
};

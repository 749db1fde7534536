/* SPDX-License-Identifier: MIT */
/*
 * Lanes whose socket keeps the boundaries of frames (SEQPACKET, DGRAM, UDP). They read and send a
 * batch with recvmmsg() and sendmmsg().
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/engine/engine.h"
#include "broker/engine/packet_io.h"
#include "broker/switch/lane.h"
#include "broker/switch/port.h"
#include "common/descriptor.h"

/*
 * A length of 0 is an empty frame or the end of the socket. After the end, recvmmsg() returns as
 * many zero lengths as it was asked for. The end is certain once poll() reports POLLRDHUP and
 * nothing is left to read (SIOCINQ), because a client may send an empty frame, then other frames,
 * and then close its end. ECONNRESET means that the client closed its end with frames unread; the
 * frames that it had sent follow.
 */

/* Return the bytes of headers before each frame. */
static size_t packet_header_size(const struct lane *lane)
{
	return lane->envelope ? lane->envelope->header_size : frame_format_size(&lane->format);
}

static int packet_receive_batch(struct lane *lane, struct packet_io *io, unsigned int count)
{
	size_t headers = packet_header_size(lane);
	int received;

	for (unsigned int i = 0; i < count; i++) {
		struct packet_slot *slot = &io->receive[i];

		slot->parts[0] = (struct iovec){slot->headers, headers};
		slot->parts[1] = (struct iovec){batch_buffer(lane->engine->batch, i), FRAME_MAX};
		io->received[i].msg_hdr = (struct msghdr){
			.msg_iov = headers ? slot->parts : slot->parts + 1,
			.msg_iovlen = headers ? 2 : 1,
		};
		if (lane->envelope) {
			io->received[i].msg_hdr.msg_name = &io->from[i].address;
			io->received[i].msg_hdr.msg_namelen = sizeof(io->from[i].address);
		}
		/* A UNIX socket gets no control buffer: the kernel would install descriptors that a
		 * peer passes. */
		if (lane->envelope && lane->envelope->connectionless) {
			io->received[i].msg_hdr.msg_control = io->from[i].control;
			io->received[i].msg_hdr.msg_controllen = sizeof(io->from[i].control);
		}
	}
	do {
		received = recvmmsg(lane->io.fd, io->received, count, MSG_DONTWAIT, NULL);
	} while (received < 0 && (errno == EINTR || errno == ECONNRESET));
	return received;
}

/*
 * Count the datagrams that the kernel has dropped before this one. SO_RXQ_OVFL reports their total.
 */
static void packet_count_overrun(struct lane *lane, struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	uint32_t sum;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_RXQ_OVFL)
		return;
	memcpy(&sum, CMSG_DATA(control), sizeof(sum));
	if (lane->port)
		port_count(lane->port, MEMTUN_A_FROM_CLIENT_DROPPED_OVERRUN, sum - lane->overrun);
	lane->overrun = sum;
}

/* Have the envelope check the sender and the header. Returns MEMTUN_A_UNSPEC to accept the
 * datagram, else the counter of the drop. */
static enum memtun_attribute packet_envelope_fault(struct lane *lane, unsigned int index)
{
	struct packet_io *io = lane->engine->packet_io;
	struct msghdr *message = &io->received[index].msg_hdr;

	if (!lane->envelope || !lane->envelope->check)
		return MEMTUN_A_UNSPEC;
	return lane->envelope->check(lane, &io->from[index].address, message->msg_namelen,
				     io->receive[index].headers);
}

/* Make batch entry `index` a frame of the message. Returns false if it is no frame, which is
 * counted. */
static bool packet_take(struct lane *lane, unsigned int index, const struct mmsghdr *message)
{
	struct batch *batch = lane->engine->batch;
	size_t headers = packet_header_size(lane);
	enum memtun_attribute reason;

	if (lane->envelope)
		packet_count_overrun(lane, &lane->engine->packet_io->received[index].msg_hdr);
	if (message->msg_hdr.msg_flags & MSG_TRUNC)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	else if (message->msg_len == 0)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY;
	else if (message->msg_len <= headers)
		reason = MEMTUN_A_FROM_CLIENT_DROPPED_RUNT;
	else /* the message is long enough to have a header */
		reason = packet_envelope_fault(lane, index);
	if (reason == LANE_NOT_COUNTED)
		return false;
	if (!reason) {
		batch_set_read(batch, index, (uint32_t)(message->msg_len - headers));
		return lane_check(lane, &batch->frames[index],
				  lane->engine->packet_io->receive[index].headers);
	}
	lane_count(lane, reason);
	return false;
}

/* Return the number of messages up to the last one with bytes. Empty ones behind it may mean the
 * end. */
static unsigned int packet_count_filled(const struct packet_io *io, unsigned int received)
{
	while (received && io->received[received - 1].msg_len == 0)
		received--;
	return received;
}

/* Set how much to read next time: a whole batch if this one was full, else one frame more than this
 * time. It is less if there were GSO frames, which are likely to be followed by more. */
static void batch_hint_set(struct lane *lane, unsigned int received, uint64_t mask)
{
	unsigned int hint = received == lane->batch_hint ? BATCH_READ_MAX : received + 1;

	for (; mask; mask &= mask - 1)
		batch_limit_read(&hint, &lane->engine->batch->frames[__builtin_ctzll(mask)]);
	lane->batch_hint = (uint8_t)hint;
}

static enum lane_received packet_receive(struct lane *lane, unsigned int *count, uint64_t *mask)
{
	struct packet_io *io = lane->engine->packet_io;
	unsigned int asked = lane->batch_hint;
	unsigned int filled, received;
	int result = packet_receive_batch(lane, io, asked);

	if (result < 0) {
		/* UDP has no connection that could end: an error is about a datagram that was sent
		 * before, and the kernel reports it once. */
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ||
		    (lane->envelope && lane->envelope->connectionless))
			return LANE_RECEIVED_ALL;
		lane->error = errno;
		return LANE_RECEIVED_END;
	}
	received = (unsigned int)result;
	filled = packet_count_filled(io, received);
	if (filled < received && descriptor_at_end(lane->io.fd))
		received = filled;
	for (unsigned int i = 0; i < received; i++) {
		if (packet_take(lane, i, &io->received[i]))
			*mask |= UINT64_C(1) << i;
		else
			lane->engine->batch->frames[i].copy = NULL;
	}
	*count = received;
	if (received < (unsigned int)result)
		return LANE_RECEIVED_END;
	batch_hint_set(lane, received, *mask);
	return received == asked ? LANE_RECEIVED_SOME : LANE_RECEIVED_ALL;
}

static unsigned int packet_send(struct lane *lane, struct frame *const frames[], unsigned int count)
{
	struct packet_io *io = lane->engine->packet_io;
	size_t headers = packet_header_size(lane);
	struct port *port = lane->port;
	unsigned int done = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct packet_slot *slot = &io->send[i];

		if (lane->envelope && headers)
			lane->envelope->write(lane, slot->headers);
		else if (headers)
			frame_format_encode(&lane->format, lane->port->mode, frames[i]->data,
					    frames[i]->length, &frames[i]->offload, slot->headers);
		slot->parts[0] = (struct iovec){slot->headers, headers};
		slot->parts[1] = (struct iovec){frames[i]->data, frames[i]->length};
		io->sent[i].msg_hdr = (struct msghdr){
			.msg_iov = headers ? slot->parts : slot->parts + 1,
			.msg_iovlen = headers ? 2 : 1,
			.msg_name = lane->to ? (void *)(uintptr_t)lane->to : NULL,
			.msg_namelen = lane->to ? sizeof(*lane->to) : 0,
		};
	}
	while (done < count) {
		int sent = sendmmsg(lane->io.fd, io->sent + done, count - done,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && !lane_send_failed(lane, frames[done]))
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

const struct lane_link lane_packet_link = {
	.receive = packet_receive,
	.send = packet_send,
};

/* SPDX-License-Identifier: MIT */
/*
 * Lanes whose descriptor is a TUN or TAP device of the kernel. A read(2) or write(2) transfers one
 * frame, because the device has no call for several. A frame that the device has no room for waits,
 * as in other lanes. A frame that the device refuses, for example with EIO because the interface is
 * down, is counted.
 */
#include <errno.h>
#include <sys/uio.h>

#include "broker/engine/engine.h"
#include "broker/switch/lane.h"
#include "broker/engine/packet_io.h"
#include "broker/switch/port.h"

static ssize_t device_read(struct lane *lane, struct packet_slot *slot, unsigned int index)
{
	struct iovec parts[2] = {
		{slot->headers, frame_format_size(&lane->format)},
		{batch_buffer(lane->engine->batch, index), FRAME_MAX},
	};
	ssize_t length;

	do {
		length = readv(lane->io.fd, parts, 2);
	} while (length < 0 && errno == EINTR);
	return length;
}

static enum lane_received device_receive(struct lane *lane, unsigned int *count, uint64_t *mask)
{
	struct batch *batch = lane->engine->batch;
	size_t headers = frame_format_size(&lane->format);

	for (*count = 0; *count < BATCH_READ_MAX; (*count)++) {
		struct packet_slot *slot = &lane->engine->packet_io->receive[*count];
		ssize_t length = device_read(lane, slot, *count);

		/* EIO: the interface is down. */
		if (length < 0 && (errno == EAGAIN || errno == EIO || errno == ENOMEM))
			return LANE_RECEIVED_ALL;
		if (length < 0) {
			lane->error = errno;
			return LANE_RECEIVED_END;
		}
		batch_set_read(batch, *count, 0);
		if ((size_t)length <= headers) {
			lane_count(lane, MEMTUN_A_FROM_CLIENT_DROPPED_RUNT);
			continue;
		}
		batch->frames[*count].length = (uint32_t)((size_t)length - headers);
		if (lane_check(lane, &batch->frames[*count], slot->headers))
			*mask |= UINT64_C(1) << *count;
	}
	return LANE_RECEIVED_SOME;
}

static ssize_t device_write(struct lane *lane, struct frame *frame)
{
	_Alignas(8) unsigned char headers[FRAME_FORMAT_MAX];
	struct iovec parts[2] = {
		{headers, frame_format_size(&lane->format)},
		{frame->data, frame->length},
	};
	ssize_t written;

	frame_format_encode(&lane->format, lane->port->mode, frame->data, frame->length,
			    &frame->offload, headers);
	do {
		written = writev(lane->io.fd, parts, 2);
	} while (written < 0 && errno == EINTR);
	return written;
}

static unsigned int device_send(struct lane *lane, struct frame *const frames[], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (device_write(lane, frames[i]) >= 0) {
			port_count(lane->port, MEMTUN_A_TO_CLIENT_FRAMES, 1);
			port_count(lane->port, MEMTUN_A_TO_CLIENT_BYTES, frames[i]->length);
		} else if (!lane_send_failed(lane)) {
			return i;
		}
	}
	return count;
}

const struct lane_link lane_device_link = {
	.receive = device_receive,
	.send = device_send,
};

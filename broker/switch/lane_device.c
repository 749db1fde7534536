/* SPDX-License-Identifier: MIT */
/*
 * Lanes whose descriptor is a TUN or TAP device of the kernel, which transfers one frame in one
 * call. A frame that the device has no room for waits, as in other lanes. A frame that the device
 * refuses, for example with EIO because the interface is down, is counted.
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "broker/engine/engine.h"
#include "broker/switch/lane.h"
#include "broker/engine/packet_io.h"
#include "broker/switch/port.h"

/*
 * O_NONBLOCK belongs to the open file, so a client that has handed in a device can clear it at any
 * time. RWF_NOWAIT keeps one call from waiting whatever the open file has. Linux before 6.4 fails
 * with EOPNOTSUPP for this device. There the lane sets O_NONBLOCK before each call.
 */

/* Return whether to repeat the call that has failed: a signal came, or RWF_NOWAIT is not there,
 * which the lane notes. The C library makes EOPNOTSUPP of ENOSYS. */
static bool device_has_to_repeat(struct lane *lane)
{
	if (errno == EINTR)
		return true;
	if (errno != EOPNOTSUPP || lane->lacks_nowait)
		return false;
	lane->lacks_nowait = true;
	return true;
}

/* Set O_NONBLOCK, and leave the other flags of the open file as they are. */
static int device_set_nonblocking(int fd)
{
	int nonblocking = 1;

	return ioctl(fd, FIONBIO, &nonblocking);
}

/* Read without RWF_NOWAIT. A client can clear O_NONBLOCK again before readv(2), so read only if
 * there is a frame. */
static ssize_t device_read_polled(struct lane *lane, const struct iovec parts[2])
{
	struct pollfd polled = {.fd = lane->io.fd, .events = POLLIN};
	int ready;

	if (device_set_nonblocking(lane->io.fd) < 0)
		return -1;
	ready = poll(&polled, 1, 0);
	if (ready <= 0) {
		errno = ready == 0 ? EAGAIN : errno;
		return -1;
	}
	return readv(lane->io.fd, parts, 2);
}

/* Write without RWF_NOWAIT. poll(2) would not tell a full device from an interface that is down. */
static ssize_t device_write_nonblocking(struct lane *lane, const struct iovec parts[2])
{
	if (device_set_nonblocking(lane->io.fd) < 0)
		return -1;
	return writev(lane->io.fd, parts, 2);
}

static ssize_t device_read(struct lane *lane, struct packet_slot *slot, unsigned int index)
{
	struct iovec parts[2] = {
		{slot->headers, frame_format_size(&lane->format)},
		{batch_buffer(lane->engine->batch, index), FRAME_MAX},
	};
	ssize_t length;

	do {
		length = lane->lacks_nowait ? device_read_polled(lane, parts)
					    : preadv2(lane->io.fd, parts, 2, -1, RWF_NOWAIT);
	} while (length < 0 && device_has_to_repeat(lane));
	return length;
}

static enum lane_received device_receive(struct lane *lane, unsigned int *count, uint64_t *mask)
{
	struct batch *batch = lane->engine->batch;
	size_t headers = frame_format_size(&lane->format);
	unsigned int max = BATCH_READ_MAX;

	for (*count = 0; *count < max; (*count)++) {
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
		if (!lane_check(lane, &batch->frames[*count], slot->headers))
			continue;
		*mask |= UINT64_C(1) << *count;
		batch_limit_read(&max, &batch->frames[*count]);
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
		written = lane->lacks_nowait ? device_write_nonblocking(lane, parts)
					     : pwritev2(lane->io.fd, parts, 2, -1, RWF_NOWAIT);
	} while (written < 0 && device_has_to_repeat(lane));
	return written;
}

static unsigned int device_send(struct lane *lane, struct frame *const frames[], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (device_write(lane, frames[i]) >= 0) {
			port_count(lane->port, MEMTUN_A_TO_CLIENT_FRAMES, 1);
			port_count(lane->port, MEMTUN_A_TO_CLIENT_BYTES, frames[i]->length);
		} else if (!lane_send_failed(lane, frames[i])) {
			return i;
		}
	}
	return count;
}

const struct lane_link lane_device_link = {
	.receive = device_receive,
	.send = device_send,
};

/* SPDX-License-Identifier: MIT */
/*
 * The functions of memtun/testing.h, made of those in io_memory.h and io_parts.h. Those for UDP
 * datagrams are in testing_udp.c.
 */
#include "client/io/testing_parts.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_describe.h"
#include "common/frame/frame_view.h"

_Static_assert(MEMTUN_TESTING_DESCRIPTION == FRAME_DESCRIPTION_SIZE, "both are for one line");

struct memtun_testing_tunnel *memtun_testing_tunnel(struct memtun_io *io, int fd)
{
	return (struct memtun_testing_tunnel *)(fd == -1 ? io_memory_first(io)
							 : io_memory_find(io, fd));
}

int memtun_testing_mode(const struct memtun_testing_tunnel *tunnel)
{
	const struct tun_interface *interface =
		tunnel ? testing_tunnel(tunnel)->device.interface : NULL;

	if (!interface)
		return failed(ENODEV);
	return interface->flags & IFF_TAP ? MEMTUN_TAP : MEMTUN_TUN;
}

/* ------------------------------------------------------------------------------ to the program */

int memtun_testing_add_frame(struct memtun_testing_tunnel *tunnel, const void *frame, size_t length)
{
	if (!tunnel)
		return failed(ENODEV);
	return io_memory_inject(testing_tunnel(tunnel), frame, length);
}

/* The defaults of Twisted's Tunnel. */
static const uint8_t default_from[ETH_ALEN];
static const uint8_t default_to[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Add the packet with an Ethernet header before it. */
static int add_to_tap(struct memtun_testing_tunnel *tunnel, const void *packet, size_t length,
		      const uint8_t *from, const uint8_t *to, uint16_t type)
{
	uint8_t *frame;
	int result;

	if (length > IO_TUN_SEND_SIZE)
		return failed(EMSGSIZE);
	frame = malloc(ETH_HLEN + length);
	if (!frame)
		return -1;
	frame_build_ethernet(frame, ETH_HLEN, from ? from : default_from, to ? to : default_to, -1,
			     type);
	memcpy(frame + ETH_HLEN, packet, length);
	result = memtun_testing_add_frame(tunnel, frame, ETH_HLEN + length);
	free(frame);
	return result;
}

int memtun_testing_add_to_read_buffer(struct memtun_testing_tunnel *tunnel, const void *packet,
				      size_t length, const uint8_t *from_mac, const uint8_t *to_mac)
{
	int mode = memtun_testing_mode(tunnel);
	uint8_t version = packet_ip_version(packet, length);

	if (mode < 0)
		return -1;
	if (version != 4 && version != 6)
		return failed(EINVAL);
	if (mode == MEMTUN_TUN)
		return memtun_testing_add_frame(tunnel, packet, length);
	return add_to_tap(tunnel, packet, length, from_mac, to_mac,
			  version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

unsigned int memtun_testing_count_unread(struct memtun_testing_tunnel *tunnel)
{
	return tunnel ? io_memory_count_unread(testing_tunnel(tunnel)) : 0;
}

struct memtun_testing_frame *memtun_testing_peek_unread(struct memtun_testing_tunnel *tunnel,
							unsigned int index)
{
	if (tunnel)
		return testing_public_frame(io_memory_peek_unread(testing_tunnel(tunnel), index));
	errno = ENODEV;
	return NULL;
}

void memtun_testing_clear_unread(struct memtun_testing_tunnel *tunnel)
{
	if (tunnel)
		io_memory_clear_unread(testing_tunnel(tunnel));
}

/* --------------------------------------------------------------------------- from the program */

struct memtun_testing_frame *memtun_testing_take_frame(struct memtun_testing_tunnel *tunnel)
{
	if (tunnel)
		return testing_public_frame(io_memory_take(testing_tunnel(tunnel)));
	errno = ENODEV;
	return NULL;
}

ssize_t memtun_testing_take(struct memtun_testing_tunnel *tunnel, void *bytes, size_t size,
			    size_t *header_length)
{
	struct memtun_testing_frame *frame = memtun_testing_peek_written(tunnel, 0);
	const struct io_frame *self = testing_frame(frame);
	size_t length;

	if (!frame)
		return -1;
	length = self->length;
	if (length <= size) {
		memcpy(bytes, self->bytes, length);
		*header_length = self->header_size;
		memtun_testing_frame_free(memtun_testing_take_frame(tunnel));
	}
	memtun_testing_frame_free(frame);
	return length <= size ? (ssize_t)length : failed(EMSGSIZE);
}

unsigned int memtun_testing_count_written(struct memtun_testing_tunnel *tunnel)
{
	return tunnel ? io_memory_count_written(testing_tunnel(tunnel)) : 0;
}

struct memtun_testing_frame *memtun_testing_peek_written(struct memtun_testing_tunnel *tunnel,
							 unsigned int index)
{
	if (tunnel)
		return testing_public_frame(io_memory_peek_written(testing_tunnel(tunnel), index));
	errno = ENODEV;
	return NULL;
}

void memtun_testing_clear_written(struct memtun_testing_tunnel *tunnel)
{
	if (tunnel)
		io_memory_clear_written(testing_tunnel(tunnel));
}

const void *memtun_testing_frame_bytes(const struct memtun_testing_frame *frame, size_t *length)
{
	const struct io_frame *self = testing_frame(frame);

	*length = self->length - self->header_size;
	return self->bytes + self->header_size;
}

const void *memtun_testing_frame_headers(const struct memtun_testing_frame *frame, size_t *length)
{
	*length = testing_frame(frame)->header_size;
	return testing_frame(frame)->bytes;
}

int64_t memtun_testing_frame_time(const struct memtun_testing_frame *frame)
{
	return testing_frame(frame)->time;
}

void memtun_testing_frame_free(struct memtun_testing_frame *frame)
{
	free(frame);
}

/* ------------------------------------------------------------------------------ faults */

static void fail(struct memtun_io *io, unsigned int calls, unsigned int count, int error,
		 void (*set)(struct memtun_io *io, enum memtun_io_call call, unsigned int count,
			     int error))
{
	for (unsigned int i = 0; i < IO_CALLS; i++) {
		if (calls & 1u << i)
			set(io, (enum memtun_io_call)(1u << i), count, error);
	}
}

void memtun_testing_fail_next(struct memtun_io *io, unsigned int calls, unsigned int count,
			      int error)
{
	fail(io, calls, count, error, io_fail_next);
}

void memtun_testing_fail_every(struct memtun_io *io, unsigned int calls, unsigned int count,
			       int error)
{
	fail(io, calls, count, error, io_fail_every);
}

int memtun_testing_set_send_buffer(struct memtun_testing_tunnel *tunnel, size_t size)
{
	if (!tunnel)
		return failed(ENODEV);
	testing_tunnel(tunnel)->send_size = size;
	return 0;
}

int memtun_testing_set_error_when_empty(struct memtun_testing_tunnel *tunnel, int error)
{
	if (!tunnel)
		return failed(ENODEV);
	testing_tunnel(tunnel)->error_when_empty = error;
	return 0;
}

/* ------------------------------------------------------------------------------ messages */

int memtun_testing_describe(char *text, size_t size, enum memtun_mode mode, const void *frame,
			    size_t length)
{
	return frame_describe(text, size, mode, frame, length);
}

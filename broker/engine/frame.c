/* SPDX-License-Identifier: MIT */
#include "broker/engine/frame.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/checksum.h"

struct frame *frame_new(uint32_t length)
{
	struct frame *frame = malloc(sizeof(*frame) + FRAME_TAG_ROOM + length);

	if (frame)
		*frame = (struct frame){
			.data = (unsigned char *)(frame + 1) + FRAME_TAG_ROOM,
			.length = length,
			.references = 1,
			.headroom = FRAME_TAG_ROOM,
		};
	return frame;
}

struct frame *frame_keep(struct frame *frame)
{
	struct frame *copy = frame->copy;

	if (frame->references) {
		frame->references++;
		return frame;
	}
	if (!copy) {
		copy = frame_new(frame->length); /* with the batch's reference */
		if (!copy)
			return NULL;
		copy->offload = frame->offload;
		copy->id = frame->id;
		memcpy(copy->data, frame->data, frame->length);
		frame->copy = copy;
	}
	copy->references++;
	return copy;
}

void frame_release(struct frame *frame)
{
	if (--frame->references == 0)
		free(frame);
}

void frame_release_copy(struct frame *frame)
{
	if (frame->copy)
		frame_release(frame->copy);
	frame->copy = NULL;
}

/* Return the length of the headers that a bridge reads; 0 if this is no frame of that mode. */
static uint32_t frame_length_min(enum memtun_mode mode, const struct frame *frame)
{
	if (mode == MEMTUN_TAP)
		return ETH_HLEN;
	switch (frame->length ? frame->data[0] >> 4 : 4) {
	case 4:
		return sizeof(struct ip);
	case 6:
		return sizeof(struct ip6_hdr);
	default:
		return 0;
	}
}

enum memtun_attribute frame_fault(enum memtun_mode mode, const struct frame *frame)
{
	uint32_t min = frame_length_min(mode, frame);

	if (min == 0)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return frame->length < min ? MEMTUN_A_FROM_CLIENT_DROPPED_RUNT : MEMTUN_A_UNSPEC;
}

uint16_t frame_checksum(const struct frame *frame)
{
	uint16_t start = frame->offload.csum_start;

	return checksum_complete(frame->data + start, frame->length - start);
}

void frame_complete_checksum(struct frame *frame)
{
	struct virtio_net_hdr *offload = &frame->offload;
	uint16_t sum;

	if (!(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	sum = frame_checksum(frame);
	memcpy(frame->data + offload->csum_start + offload->csum_offset, &sum, sizeof(sum));
	/* The kernel's header of a frame without offloads is all zero. */
	*offload = (struct virtio_net_hdr){0};
	/* The copy keeps its bytes: a lane may have sent its header, which says "needs checksum". */
	frame_release_copy(frame);
}

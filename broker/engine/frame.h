/* SPDX-License-Identifier: MIT */
/*
 * One frame on its way through the broker: its bytes and its offload fields. A frame lies in the
 * batch that it was read into. A frame that has to wait is copied once, and the copy is counted by
 * reference, so that a flood to many full backlogs costs one copy.
 */
#ifndef MEMTUN_FRAME_H
#define MEMTUN_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/frame/frame_format.h"
#include "memtun/protocol.h"

/* Unused bytes before the data of a frame that frame_new() makes: room for a VLAN tag. It is a
 * multiple of the alignment of malloc(3), which the data keeps. */
#define FRAME_TAG_ROOM 16

/* A frame, without the headers that only encode it for one lane. */
struct frame {
	unsigned char *data;
	uint32_t length;
	uint32_t references;           /* 0: lies in a batch, not in a copy */
	struct virtio_net_hdr offload; /* host byte order */
	uint16_t headroom;             /* unused bytes before data */
	struct frame *copy;            /* of a batch's frame, if it was copied */
	uint64_t id; /* of all copies and pieces of one frame, for captures; 0: none yet */
};

/* Allocate a frame whose bytes are still to be written, with one reference. NULL with ENOMEM. */
struct frame *frame_new(uint32_t length);

/* Return a reference to a copy of the frame, made now or before. NULL with ENOMEM. */
struct frame *frame_keep(struct frame *frame);

/* Return a reference that frame_new() or frame_keep() gave. */
void frame_release(struct frame *frame);

/* Release the copy of a batch's frame, if it has one. */
void frame_release_copy(struct frame *frame);

/*
 * Check that the bytes are a frame of that mode. Returns MEMTUN_A_UNSPEC if so, else the counter of
 * the reason.
 */
enum memtun_attribute frame_fault(enum memtun_mode mode, const struct frame *frame);

/* Return whether the frame must be cut into segments before a network could carry it. */
static inline bool frame_is_gso(const struct frame *frame)
{
	return frame->offload.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/* Return the checksum that the sender left to the receiver, as it is stored in the frame. */
uint16_t frame_checksum(const struct frame *frame);

/* Write the checksum that the sender left to the receiver, if it did. The frame is not GSO. Copies
 * that were made before stay as they are. */
void frame_complete_checksum(struct frame *frame);

#endif

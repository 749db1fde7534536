/* SPDX-License-Identifier: MIT */
/*
 * Frames on their way through the broker. A read fills one batch, whose frames lie in buffers that
 * the next read uses again; what must wait is copied once, and the copy counted by reference, so
 * that a flood to many full queues costs one copy. Nothing is allocated for a frame that passes.
 */
#ifndef MEMTUN_FRAME_H
#define MEMTUN_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/* The largest frame: what QEMU takes, 64 KiB of GSO and some headers (NET_BUFSIZE). */
#define FRAME_MAX 69632

/* Frames a batch: recvmmsg and sendmmsg gain little beyond it, and a mask of them is one word. */
#define BATCH_FRAMES 32

/* One frame, without the headers that only encode it for a lane. */
struct frame {
	unsigned char *data;
	uint32_t length;
	uint32_t references;           /* 0: lies in a batch, not in a copy */
	struct virtio_net_hdr offload; /* host byte order */
	uint16_t headroom;             /* bytes before data that nobody uses */
	struct frame *copy;            /* of a batch's frame, if it was copied */
};

struct batch {
	struct frame frames[BATCH_FRAMES];
	unsigned char *buffers;
};

/* What is free before each buffer: room for headers that a frame is to get on its way. */
#define FRAME_HEADROOM 64

/* Distance of two frames' buffers. Off the page size, so that small frames don't all fall into the
 * same cache sets. */
#define BATCH_STRIDE (FRAME_MAX + 192)

struct batch *batch_new(void);
void batch_free(struct batch *batch);

/* The buffer a frame is read into: FRAME_MAX bytes. The buffers follow each other. */
static inline unsigned char *batch_buffer(const struct batch *batch, unsigned int index)
{
	return batch->buffers + (size_t)index * BATCH_STRIDE + FRAME_HEADROOM;
}

/* Makes entry `index` a frame of these bytes, with no offload and no headroom. */
void batch_set(struct batch *batch, unsigned int index, unsigned char *data, uint32_t length);

/* Makes it a frame of the first `length` bytes in its buffer. */
void batch_set_read(struct batch *batch, unsigned int index, uint32_t length);

/* Lets go of what the batch's frames were copied to. */
void batch_clear(struct batch *batch, unsigned int count);

/* A frame of its own, its bytes still to be written, and a reference to it; NULL with ENOMEM. */
struct frame *frame_new(uint32_t length);

/* A reference to a copy of the frame, made now or before; NULL with ENOMEM. */
struct frame *frame_keep(struct frame *frame);

/* Gives a reference back. */
void frame_release(struct frame *frame);

/* Why bytes are no frame of that mode, as a counter's attribute; MEMTUN_A_UNSPEC if they are one.
 */
enum memtun_attribute frame_fault(enum memtun_mode mode, const struct frame *frame);

/* Does it need to be cut into segments before a network could carry it? */
static inline bool frame_is_gso(const struct frame *frame)
{
	return frame->offload.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/* Writes the checksum that the sender left to others, if it did. Copies made before don't change.
 */
void frame_complete_checksum(struct frame *frame);

#endif

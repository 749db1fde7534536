/* SPDX-License-Identifier: MIT */
/*
 * The frames that one read of a lane brings, or that one frame is cut into. They are forwarded
 * together, with one send for each port, and a subset of them is a mask of bits. No memory is
 * allocated for a frame that passes.
 */
#ifndef MEMTUN_BATCH_H
#define MEMTUN_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "broker/engine/frame.h"

/* Frames in a batch: a mask of them is a word of 64 bits. */
#define BATCH_FRAMES 64

/* Frames that one read brings: recvmmsg and sendmmsg gain little beyond it. */
#define BATCH_READ_MAX 32

/* GSO frames and pieces of them that one read brings. A GSO frame has up to 64 KiB and 2340 pieces,
 * and all of a read is forwarded before another lane is read. */
#define BATCH_READ_GSO_MAX 4
#define BATCH_READ_PIECES_MAX 256

/* Unused bytes before each buffer: room for headers that a frame is to get on its way. */
#define FRAME_HEADROOM 64

/* Bytes from one frame's buffer to the next. Not a multiple of the page size, so that small frames
 * don't all fall into the same cache sets. */
#define BATCH_STRIDE (FRAME_MAX + 192)

struct batch {
	struct frame frames[BATCH_FRAMES];
	unsigned char *buffers; /* for BATCH_READ_MAX frames */
};

/* Allocate a batch and its buffers. NULL with ENOMEM. */
struct batch *batch_new(void);
void batch_free(struct batch *batch);

/* Return the buffer that a frame is read into: FRAME_MAX bytes. The buffers follow each other. The
 * index is below BATCH_READ_MAX. */
static inline unsigned char *batch_buffer(const struct batch *batch, unsigned int index)
{
	return batch->buffers + (size_t)index * BATCH_STRIDE + FRAME_HEADROOM;
}

/* Make entry `index` a frame of these bytes, with no offload and no headroom. */
void batch_set(struct batch *batch, unsigned int index, unsigned char *data, uint32_t length);

/* Make entry `index` a frame of the first `length` bytes in its buffer. */
void batch_set_read(struct batch *batch, unsigned int index, uint32_t length);

/* Lower *max, the maximum of frames in a read, to what it is for frames as costly as this one: 1 to
 * BATCH_READ_GSO_MAX for a GSO frame. Other frames change nothing. */
void batch_limit_read(unsigned int *max, const struct frame *frame);

/* Release the copies that were made of the first `count` frames. */
void batch_clear(struct batch *batch, unsigned int count);

#endif

/* SPDX-License-Identifier: MIT */
#include "broker/engine/batch.h"

#include <stdlib.h>
#include <sys/mman.h>

struct batch *batch_new(void)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	/* The kernel backs a page with memory when a frame first reaches it. */
	batch->buffers = mmap(NULL, (size_t)BATCH_READ_MAX * BATCH_STRIDE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (batch->buffers == MAP_FAILED) {
		free(batch);
		return NULL;
	}
	return batch;
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	munmap(batch->buffers, (size_t)BATCH_READ_MAX * BATCH_STRIDE);
	free(batch);
}

void batch_set(struct batch *batch, unsigned int index, unsigned char *data, uint32_t length)
{
	batch->frames[index] = (struct frame){.data = data, .length = length};
}

void batch_set_read(struct batch *batch, unsigned int index, uint32_t length)
{
	batch->frames[index] = (struct frame){
		.data = batch_buffer(batch, index),
		.length = length,
		.headroom = FRAME_HEADROOM,
	};
}

void batch_limit_read(unsigned int *max, const struct frame *frame)
{
	unsigned int frames;

	if (!frame_is_gso(frame))
		return;
	frames = BATCH_READ_PIECES_MAX / (frame->length / frame->offload.gso_size + 1);
	if (frames > BATCH_READ_GSO_MAX)
		frames = BATCH_READ_GSO_MAX;
	if (frames < 1)
		frames = 1;
	if (*max > frames)
		*max = frames;
}

void batch_clear(struct batch *batch, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		frame_release_copy(&batch->frames[i]);
}

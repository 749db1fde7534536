/* SPDX-License-Identifier: MIT */
#include "broker/engine/frame.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/frame/checksum.h"

struct batch *batch_new(void)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	/* Pages that no frame has reached yet cost nothing. */
	batch->buffers = mmap(NULL, (size_t)BATCH_FRAMES * BATCH_STRIDE, PROT_READ | PROT_WRITE,
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
	munmap(batch->buffers, (size_t)BATCH_FRAMES * BATCH_STRIDE);
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

void batch_clear(struct batch *batch, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (batch->frames[i].copy)
			frame_release(batch->frames[i].copy);
		batch->frames[i].copy = NULL;
	}
}

struct frame *frame_new(uint32_t length)
{
	struct frame *frame = malloc(sizeof(*frame) + length);

	if (frame)
		*frame = (struct frame){
			.data = (unsigned char *)(frame + 1),
			.length = length,
			.references = 1,
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
		copy = frame_new(frame->length); /* its reference is the batch's */
		if (!copy)
			return NULL;
		copy->offload = frame->offload;
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

/* The shortest frame that has the headers a bridge looks at. 0: no frame of this mode at all. */
static uint32_t frame_length_min(enum memtun_mode mode, const struct frame *frame)
{
	if (mode == MEMTUN_TAP)
		return ETH_HLEN;
	switch (frame->length ? frame->data[0] >> 4 : 4) {
	case 4:
		return 20;
	case 6:
		return 40;
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

void frame_complete_checksum(struct frame *frame)
{
	struct virtio_net_hdr *offload = &frame->offload;
	uint16_t sum;

	if (!(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	/* The field holds the pseudo header's sum already, as the sender of such a frame left it.
	 * A result of zero is sent as its other form: zero would mean "no checksum" to UDP. */
	sum = checksum_fold(checksum_add(0, frame->data + offload->csum_start,
					 frame->length - offload->csum_start));
	if (sum == 0)
		sum = 0xffff;
	memcpy(frame->data + offload->csum_start + offload->csum_offset, &sum, sizeof(sum));
	offload->flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
	/* The copy stays as it is: a lane may have sent its header already, and it says "needed".
	 */
	if (frame->copy)
		frame_release(frame->copy);
	frame->copy = NULL;
}

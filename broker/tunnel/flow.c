/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/flow.h"

#include <linux/if_ether.h>

#include "common/frame/frame_view.h"

/* FNV-1a: few bytes, no state. */
static uint32_t hash_bytes(uint32_t hash, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT32_C(16777619);
	return hash;
}

uint32_t flow_hash(enum memtun_mode mode, const struct frame *frame)
{
	uint32_t hash = UINT32_C(2166136261);
	struct frame_view view;

	if (frame_view_parse(&view, mode, frame->data, frame->length) < 0 || !view.ip_version)
		return mode == MEMTUN_TAP ? hash_bytes(hash, frame->data, 2 * ETH_ALEN) : hash;
	hash = view.ip_version == 4 ? hash_bytes(hash, frame->data + view.network + 12, 8)
				    : hash_bytes(hash, frame->data + view.network + 8, 32);
	/* Only the first fragment of a packet has the ports, so no fragment is hashed by ports. */
	if (!view.fragment && view.transport >= 0 &&
	    (view.kind == FRAME_TCP || view.kind == FRAME_UDP))
		hash = hash_bytes(hash, frame->data + view.transport, 4);
	return hash;
}

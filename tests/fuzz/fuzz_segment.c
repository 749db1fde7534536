/* SPDX-License-Identifier: MIT */
/*
 * The cut of GSO frames. The input's first byte is the mode (bit 0), the next ten are the vnet
 * header, and the rest is the frame. The pieces must be valid frames that have the payload of the
 * whole one.
 */
#include "tests/fuzz/fuzz.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_segment.h"
#include "common/frame/frame_view.h"

/* Write what a sender leaves in the checksum field: the sum of the pseudo header. */
static void pseudo_sum_write(const struct frame_view *view, uint8_t *frame, size_t length,
			     const struct virtio_net_hdr *offload)
{
	const uint8_t *network = frame + view->network;
	size_t transport = length - (size_t)view->transport;
	uint8_t protocol = (uint8_t)view->protocol;
	uint16_t sum;

	if (view->ip_version == 4)
		sum = checksum_fold(checksum_pseudo_ipv4(network + offsetof(struct ip, ip_src),
							 network + offsetof(struct ip, ip_dst),
							 protocol, (uint16_t)transport));
	else
		sum = checksum_fold(
			checksum_pseudo_ipv6(network + offsetof(struct ip6_hdr, ip6_src),
					     network + offsetof(struct ip6_hdr, ip6_dst), protocol,
					     (uint32_t)transport));
	sum = (uint16_t)~sum;
	memcpy(frame + offload->csum_start + offload->csum_offset, &sum, sizeof(sum));
}

/* Check one piece, and return how many bytes of payload it has. */
static size_t piece_check(enum memtun_mode mode, const uint8_t *piece, size_t length,
			  const struct frame_segment *segment)
{
	struct frame_view view;

	if (frame_view_parse(&view, mode, piece, length) < 0 || view.cut)
		abort();
	if (!frame_view_checksums_are_valid(&view, piece, length))
		abort();
	if (view.payload + view.payload_length != length)
		abort();
	return length - segment->headers - segment->inserted;
}

static void cut(enum memtun_mode mode, uint8_t *frame, size_t length,
		const struct virtio_net_hdr *offload)
{
	size_t payload = 0, size, longest;
	struct frame_segment segment;
	unsigned int pieces = 0;
	struct frame_view view;
	uint8_t *piece;

	if (frame_segment_begin(&segment, mode, frame, length, offload, 7) < 0)
		return;
	frame_view_parse(&view, mode, frame, length);
	if (!view.source_routed)
		pseudo_sum_write(&view, frame, length, offload);
	frame_segment_begin(&segment, mode, frame, length, offload, 7);
	longest = frame_segment_max(&segment);
	if (longest > frame_segment_piece_length(frame, length, offload) + segment.inserted)
		abort();
	piece = malloc(longest); /* of the exact size, so that a sanitizer sees a write beyond it */
	while (piece && (size = frame_segment_next(&segment, piece)) > 0) {
		if (size > longest)
			abort();
		if (segment.count > 1) {
			size_t here = piece_check(mode, piece, size, &segment);

			if (segment.gso_type != VIRTIO_NET_HDR_GSO_UDP &&
			    memcmp(piece + segment.headers, frame + segment.headers + payload,
				   here) != 0)
				abort();
			payload += here;
		}
		pieces++;
	}
	if (piece && (pieces != segment.count || pieces > FRAME_SEGMENTS_MAX ||
		      (pieces > 1 && payload != length - segment.headers)))
		abort();
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct frame_format format = {.vnet_size = sizeof(struct virtio_net_hdr)};
	size_t length = size - 1 - format.vnet_size;
	struct virtio_net_hdr offload;
	uint8_t *frame;

	if (size < 1u + format.vnet_size)
		return 0;
	if (frame_format_decode(&format, data + 1, length, &offload) < 0)
		return 0;
	frame = malloc(length);
	if (!frame)
		return 0;
	memcpy(frame, data + 1 + format.vnet_size, length);
	cut(data[0] & 1 ? MEMTUN_TAP : MEMTUN_TUN, frame, length, &offload);
	free(frame);
	return 0;
}

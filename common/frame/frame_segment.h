/* SPDX-License-Identifier: MIT */
/*
 * Cuts a GSO frame into pieces that a network can carry: TCP segments, UDP datagrams, or the IP
 * fragments of one UDP datagram (UFO). The pieces have the bytes that the kernel's segmentation
 * gives them, which a test compares. The caller owns all memory; nothing is allocated.
 */
#ifndef MEMTUN_FRAME_SEGMENT_H
#define MEMTUN_FRAME_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/frame/frame_format.h"

/*
 * The maximum of pieces, because a gso_size of 1 would make 65535 pieces of one frame. A packet of
 * 68 bytes, the smallest mtu of IPv4 (RFC 791, 3.2) and of a tunnel, has 28 bytes of TCP payload.
 * For UDP datagrams the maximum is the kernel's UDP_MAX_SEGMENTS.
 */
#define FRAME_SEGMENTS_MAX (65535 / 28)
#define FRAME_SEGMENTS_UDP_MAX 128

/* The maximum of bytes before the payload, which each piece repeats: Ethernet with two tags, and
 * IP and TCP with all options, take 142. The rest is for IPv6 extension headers. */
#define FRAME_SEGMENT_HEADERS_MAX 512

/* A frame that is being cut. */
struct frame_segment {
	const unsigned char *frame;
	size_t length;
	size_t network;   /* offset of the IP header */
	size_t transport; /* offset of the TCP or UDP header */
	size_t headers;   /* bytes that each piece begins with */
	size_t inserted;  /* bytes of the IPv6 fragment header that each piece gets besides */
	size_t size;      /* bytes of payload in each piece but the last */
	size_t done;      /* bytes of payload that were cut so far */
	unsigned int count;
	unsigned int index;
	uint32_t fragment_id;
	uint16_t check;      /* UFO: checksum of the whole datagram */
	uint8_t ip_version;  /* 4 or 6 */
	uint8_t gso_type;    /* without the ECN bit; NONE: the frame is the only piece */
	uint16_t csum_start; /* this and csum_offset: of the only piece */
	uint16_t csum_offset;
};

/*
 * Begin to cut the frame, whose offload fields frame_format_decode() has checked. The number of
 * pieces is segment->count. fragment_id is the identification of the fragments if a datagram in
 * IPv6 is cut. -1 with EINVAL if the frame cannot be cut: its headers contradict its offload
 * fields, its length or each other, or there would be too many pieces.
 */
int frame_segment_begin(struct frame_segment *segment, enum memtun_mode mode, const void *frame,
			size_t length, const struct virtio_net_hdr *offload, uint32_t fragment_id);

/* Return the length of the longest piece, in bytes. */
size_t frame_segment_max(const struct frame_segment *segment);

/*
 * Write the next piece, of at most frame_segment_max() bytes, with its checksums, and return its
 * length. Return 0 after the last one.
 */
size_t frame_segment_next(struct frame_segment *segment, void *piece);

/*
 * Make a GSO frame of a long TCP segment, such as one that was captured before it was cut: fill in
 * *offload so that its pieces are packets of at most `mtu` bytes, and write the sum of the pseudo
 * header into the frame's checksum field. -1 with EINVAL, and an unchanged frame, if this is no TCP
 * segment that can be cut.
 */
int frame_segment_prepare(enum memtun_mode mode, unsigned char *frame, size_t length, size_t mtu,
			  struct virtio_net_hdr *offload);

/* Return whether a reader with these TUN_F_* bits takes a frame of that gso_type as it is. */
bool frame_segment_is_taken(uint8_t gso_type, unsigned int offload);

/*
 * Return the bytes of the GSO frame's longest piece by its offload fields alone, for a comparison
 * with an mtu. It is the frame's length if that is less, or if the fields make no sense.
 */
size_t frame_segment_piece_length(const void *frame, size_t length,
				  const struct virtio_net_hdr *offload);

#endif

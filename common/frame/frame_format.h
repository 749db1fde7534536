/* SPDX-License-Identifier: MIT */
/*
 * The headers that the kernel's tun device puts before a frame: packet information (struct tun_pi)
 * and then a vnet header (struct virtio_net_hdr), each if it was asked for. They encode a frame for
 * one descriptor and are no part of the frame, which lies elsewhere.
 */
#ifndef MEMTUN_FRAME_FORMAT_H
#define MEMTUN_FRAME_FORMAT_H

#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/* Linux 6.2 has these; older headers do not. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* The TUN_F_* bits of a reader that takes each frame with what its sender has left to it. */
#define FRAME_OFFLOAD_ALL \
	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO | TUN_F_USO4 | TUN_F_USO6)

/* The largest frame, in bytes: QEMU's NET_BUFSIZE, which is 64 KiB of GSO and 4 KiB for headers. */
#define FRAME_MAX 69632

/* The maximum length of a vnet header, bytes: QEMU's has a hash (struct virtio_net_hdr_v1_hash). */
#define FRAME_VNET_MAX 20

/* Bytes for struct tun_pi and the longest vnet header. */
#define FRAME_FORMAT_MAX (4 + FRAME_VNET_MAX)

struct frame_format {
	bool packet_information;
	uint8_t vnet_size; /* bytes: 10 to 20; 0: no vnet header */
	uint8_t offload;   /* TUN_F_* bits of the reader; 0 if there is no vnet header */
};

/* Return whether TUNSETOFFLOAD of the kernel takes these bits. */
bool frame_offload_is_valid(unsigned long offload);

/* Return how many bytes the headers take. */
static inline size_t frame_format_size(const struct frame_format *format)
{
	return (format->packet_information ? 4 : 0) + (size_t)format->vnet_size;
}

/*
 * Read the headers of a frame of `length` bytes into *offload, which is all zero if there is no
 * vnet header. -1 with EINVAL if the vnet header contradicts the frame.
 */
int frame_format_decode(const struct frame_format *format, const void *headers, size_t length,
			struct virtio_net_hdr *offload);

/* Write the headers, frame_format_size() bytes, of the frame. */
void frame_format_encode(const struct frame_format *format, enum memtun_mode mode,
			 const void *frame, size_t length, const struct virtio_net_hdr *offload,
			 void *headers);

/*
 * Return the bytes of packet in a frame, as an mtu counts them: without the Ethernet header and one
 * VLAN tag. An Ethernet frame has its header.
 */
size_t frame_format_packet_length(enum memtun_mode mode, const void *frame, size_t length);

#endif

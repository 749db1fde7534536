/* SPDX-License-Identifier: MIT */
/*
 * The headers that the kernel's tun device puts before a frame: packet information (struct tun_pi),
 * then a virtio_net_hdr, each if asked for. They encode a frame for one descriptor and are no part
 * of it. Here they are checked and written; the frame itself lies elsewhere.
 */
#ifndef MEMTUN_FRAME_FORMAT_H
#define MEMTUN_FRAME_FORMAT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/* The largest frame, in bytes: QEMU's NET_BUFSIZE, which is 64 KiB of GSO and 4 KiB for headers. */
#define FRAME_MAX 69632

/* Room for struct tun_pi and the longest virtio_net_hdr. */
#define FRAME_FORMAT_MAX (4 + 20)

struct frame_format {
	bool packet_information;
	uint8_t vnet_size; /* 0: none, else 10, 12 or 20 */
};

static inline size_t frame_format_size(const struct frame_format *format)
{
	return (format->packet_information ? 4 : 0) + (size_t)format->vnet_size;
}

/*
 * Reads the headers before a frame of `length` bytes; offload is all zero without a vnet header.
 * -1 with EINVAL if they contradict the frame.
 */
int frame_format_decode(const struct frame_format *format, const void *headers, size_t length,
			struct virtio_net_hdr *offload);

/* Writes frame_format_size() bytes. */
void frame_format_encode(const struct frame_format *format, enum memtun_mode mode,
			 const void *frame, size_t length, const struct virtio_net_hdr *offload,
			 void *headers);

/* What packet information calls the frame's protocol: its ethertype, host byte order; 0: none. */
uint16_t frame_format_protocol(enum memtun_mode mode, const void *frame, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The arrays that the system calls for a batch take. One set serves all lanes, as the broker is one
 * thread.
 */
#ifndef MEMTUN_PACKET_IO_H
#define MEMTUN_PACKET_IO_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "broker/engine/batch.h"
#include "common/frame/frame_format.h"

struct packet_slot {
	struct iovec parts[2]; /* the headers, the frame */
	_Alignas(8) unsigned char headers[FRAME_FORMAT_MAX + 4];
};

/* The sender of a datagram, and ancillary data: how many datagrams the kernel has dropped. */
struct packet_from {
	struct sockaddr_storage address;
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(uint32_t))];
};

struct packet_io {
	struct mmsghdr received[BATCH_READ_MAX];
	struct packet_slot receive[BATCH_READ_MAX];
	struct packet_from from[BATCH_READ_MAX];
	struct mmsghdr sent[BATCH_FRAMES];
	struct packet_slot send[BATCH_FRAMES];
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The arrays that a batch's system calls take. One set serves all queues, as the broker is one
 * thread.
 */
#ifndef MEMTUN_PACKET_IO_H
#define MEMTUN_PACKET_IO_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "frame.h"
#include "frame_format.h"

struct packet_slot {
	struct iovec parts[2]; /* the headers, the frame */
	_Alignas(8) unsigned char headers[FRAME_FORMAT_MAX + 4];
};

struct packet_io {
	struct mmsghdr received[BATCH_FRAMES];
	struct packet_slot receive[BATCH_FRAMES];
	struct mmsghdr sent[BATCH_FRAMES];
	struct packet_slot send[BATCH_FRAMES];
};

#endif

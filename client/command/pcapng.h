/* SPDX-License-Identifier: MIT */
/*
 * Writes captures in pcapng format (draft-ietf-opsawg-pcapng) with one interface for each port,
 * times in nanoseconds, the direction of each frame, how many frames were missed before it, an id,
 * and a comment. libpcap can write none of these.
 */
#ifndef MEMTUN_PCAPNG_H
#define MEMTUN_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#include "memtun.h"

/* As for a kernel's TUN device, seen from the host: what the client writes is inbound. */
enum pcapng_direction {
	PCAPNG_INBOUND = 1,
	PCAPNG_OUTBOUND = 2,
};

/* The length of the longest comment, in bytes. */
#define PCAPNG_COMMENT_MAX 200

struct pcapng_frame {
	uint32_t interface; /* the number of its interface block, from 0 */
	uint64_t time;      /* nanoseconds since 1970 */
	enum pcapng_direction direction;
	uint64_t missed;     /* number of frames that the capture missed just before this one */
	uint64_t id;         /* that packets of one frame have in common; 0: none */
	const char *comment; /* NULL: none; else at most PCAPNG_COMMENT_MAX bytes */
	const void *data;
	uint32_t length;
};

/* Write one block to the descriptor. -1 with the errno of write(2), with the block incomplete. */
int pcapng_write_section(int fd);
int pcapng_write_interface(int fd, const char *name, enum memtun_mode mode);
int pcapng_write_frame(int fd, const struct pcapng_frame *frame);

/*
 * Write the block of an interface's totals: frames that were captured, and frames that were missed.
 */
int pcapng_write_statistics(int fd, uint32_t interface, uint64_t time, uint64_t captured,
			    uint64_t missed);

#endif

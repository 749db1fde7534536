/* SPDX-License-Identifier: MIT */
/*
 * Writes captures in pcapng (draft-ietf-opsawg-pcapng): one interface a port, nanoseconds, the
 * direction of each frame and how many were missed before it. libpcap writes none of this.
 */
#ifndef MEMTUN_PCAPNG_H
#define MEMTUN_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#include "memtun.h"

/* As seen from the host, as for a kernel's tun device: what its client writes comes in. */
enum pcapng_direction {
	PCAPNG_INBOUND = 1,
	PCAPNG_OUTBOUND = 2,
};

struct pcapng_frame {
	uint32_t interface; /* by the order in which they were announced, from 0 */
	uint64_t time;      /* nanoseconds since 1970 */
	enum pcapng_direction direction;
	uint64_t missed; /* frames lost to this capture since its last one; 0: none */
	const void *data;
	uint32_t length;
};

/*
 * Each writes one block to fd as a whole. -1 with errno, as write(2); a block may then be half
 * written.
 */
int pcapng_write_section(int fd);
int pcapng_write_interface(int fd, const char *name, enum memtun_mode mode);
int pcapng_write_frame(int fd, const struct pcapng_frame *frame);

/* What an interface saw in all: frames that were captured, and frames that were missed. */
int pcapng_write_statistics(int fd, uint32_t interface, uint64_t time, uint64_t captured,
			    uint64_t missed);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One injection of frames into a tunnel. The broker takes frames only as fast as it can deliver them,
 * and tells at the end which of them the tunnel dropped. A function that returns an exit status other
 * than 0 has printed a message.
 */
#ifndef MEMTUN_INJECTION_H
#define MEMTUN_INJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

struct memtun;

struct injection {
	const char *name; /* of the tunnel */
	enum memtun_direction direction;
	enum memtun_mode mode; /* of the tunnel, as the next */
	uint64_t mtu;          /* of frames to the client */
	int fd;                /* -1: not open; the caller closes it */
};

/* Begin to inject into the tunnel `name`, in that direction. -1 with memtun_error(). */
int injection_open(struct injection *injection, struct memtun *memtun);

/* Inject a frame. Return 0, or EXIT_REFUSED. */
int injection_frame(const struct injection *injection, const void *frame, size_t length);

/*
 * Inject a frame of a file. A TCP segment that is longer than the mtu was captured before it was
 * cut, so it becomes a GSO frame again, which the broker cuts for each port that does not take it.
 */
int injection_captured(const struct injection *injection, const void *data, size_t length);

/* Wait until the broker has read all frames. Return EXIT_REFUSED if the tunnel dropped some, unless
 * allow_drop. */
int injection_finish(const struct injection *injection, bool allow_drop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A frame's headers in one line for people, as in
 * 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5 IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 53 length 12
 */
#ifndef MEMTUN_FRAME_DESCRIBE_H
#define MEMTUN_FRAME_DESCRIBE_H

#include <stddef.h>

#include "memtun/protocol.h"

/* Enough for any frame: the longest has two MACs, two tags and two IPv6 addresses. */
#define FRAME_DESCRIPTION_SIZE 256

/*
 * Writes the line, without a newline, into text, cut to size and ended with a null byte, as
 * snprintf() does; returns its uncut length. -1 with errno EINVAL if mode is neither. The length
 * at the end is the payload's. What is wrong with the frame is part of the line: it ends in
 * "malformed", "cut" or "bad checksum".
 */
int frame_describe(char *text, size_t size, enum memtun_mode mode, const void *frame,
		   size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A frame's headers in one line for people, as in
 * 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5 IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 53 length 12
 */
#ifndef MEMTUN_FRAME_DESCRIBE_H
#define MEMTUN_FRAME_DESCRIBE_H

#include <stddef.h>

#include "memtun/protocol.h"

/* Bytes for any line: the longest has two MACs, two tags and two IPv6 addresses. */
#define FRAME_DESCRIPTION_SIZE 256

/*
 * Write the line, without a newline, into `text`. As with snprintf(), the line is cut to `size`
 * bytes and ends in a null byte, and the result is its uncut length. The length at the end of the
 * line is the payload's. A defective frame's line ends in "malformed", "cut" or "bad checksum". -1
 * with EINVAL if mode is neither MEMTUN_TUN nor MEMTUN_TAP.
 */
int frame_describe(char *text, size_t size, enum memtun_mode mode, const void *frame,
		   size_t length);

#endif

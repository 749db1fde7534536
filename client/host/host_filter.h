/* SPDX-License-Identifier: MIT */
/*
 * What a host has to check in a frame because lwIP does not: that the UDP length fits the packet,
 * and that UDP over IPv6 has a checksum. lwIP's UDP input takes the packet's length instead, and a
 * checksum of zero as "none" for both families.
 */
#ifndef MEMTUN_HOST_FILTER_H
#define MEMTUN_HOST_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/*
 * A datagram in fragments is checked by its first one only, which does not show the length of the
 * whole.
 */

/*
 * Prepare a frame for lwIP in place, and return its first byte and, in *length, its length. A tag
 * that has only a priority is removed. The packet of a datagram with bytes behind the UDP length is
 * cut to that length, as RFC 768 and RFC 8200, 8.1, read. Returns NULL if a host drops the frame.
 */
uint8_t *host_filter(uint8_t *frame, size_t *length, enum memtun_mode mode);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The error that a router sends for a packet which is longer than the MTU of the path: "fragmentation
 * needed" of ICMP (RFC 792, RFC 1191) or "packet too big" of ICMPv6 (RFC 4443). Its source is the
 * packet's destination, because there is no router with an address of its own.
 */
#ifndef MEMTUN_PATH_MTU_H
#define MEMTUN_PATH_MTU_H

#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/* The longest error, in bytes: an Ethernet header with two VLAN tags and the minimum MTU of IPv6,
 * which the error must not exceed (RFC 4443, 2.4 c). In IPv4 the limit is 576 (RFC 1812, 4.3.2.3). */
#define PATH_MTU_ERROR_MAX (14 + 2 * 4 + 1280)

/*
 * Write the error that answers the frame, and return its length. Return 0 if none may be sent: the
 * packet is no IP or may be cut into fragments, it is a later fragment, its source or destination is
 * no single host, or it is itself an error of ICMP (RFC 1122, 3.2.2; RFC 4443, 2.4 e).
 */
size_t path_mtu_error(unsigned char error[PATH_MTU_ERROR_MAX], enum memtun_mode mode,
		      const unsigned char *frame, uint32_t length, uint32_t mtu);

#endif

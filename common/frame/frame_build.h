/* SPDX-License-Identifier: MIT */
/*
 * Writes frames into the caller's memory: one header, or a whole frame. Each function writes at the
 * beginning of the buffer and returns the number of bytes written.
 */
#ifndef MEMTUN_FRAME_BUILD_H
#define MEMTUN_FRAME_BUILD_H

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "memtun/protocol.h"

/*
 * A function that fails writes nothing and returns -1: EMSGSIZE if the result is longer than `size`
 * or than the protocol's own length field can count, EINVAL if no frame has such values.
 */

/*
 * Write an Ethernet header. vlan is the id in its 802.1Q tag, 0 to 4094; -1: no tag. ethertype is
 * in host byte order.
 */
ssize_t frame_build_ethernet(void *buffer, size_t size, const uint8_t from[ETH_ALEN],
			     const uint8_t to[ETH_ALEN], int vlan, uint16_t ethertype);

/*
 * Write an IPv4 header without options, with its checksum. payload_length counts the bytes that
 * follow the header. "Don't fragment" is set, and the identification is 0 as RFC 6864 allows then.
 */
ssize_t frame_build_ipv4(void *buffer, size_t size, struct in_addr from, struct in_addr to,
			 uint8_t protocol, uint8_t ttl, size_t payload_length);

/* Write an IPv6 header. payload_length counts the bytes that follow it. */
ssize_t frame_build_ipv6(void *buffer, size_t size, const struct in6_addr *from,
			 const struct in6_addr *to, uint8_t protocol, uint8_t hop_limit,
			 size_t payload_length);

struct frame_udp {
	uint8_t from_mac[ETH_ALEN]; /* the MACs and vlan are for MEMTUN_TAP only */
	uint8_t to_mac[ETH_ALEN];
	int vlan; /* -1: no tag. A tag of 0 has only a priority, so a zeroed structure has a tag */
	struct sockaddr_storage from; /* struct sockaddr_in or sockaddr_in6, the same type as to */
	struct sockaddr_storage to;
	uint8_t ttl; /* in IPv6 the hop limit; 0 is written as 0 */
	const void *payload;
	size_t payload_length;
};

/* Write a whole frame with one UDP datagram, checksums included in IPv4 and IPv6. */
ssize_t frame_build_udp(void *buffer, size_t size, enum memtun_mode mode,
			const struct frame_udp *udp);

#endif

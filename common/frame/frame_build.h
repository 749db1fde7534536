/* SPDX-License-Identifier: MIT */
/*
 * Writes frames into the caller's memory: headers one by one, or whole frames.
 *
 * Each function writes at the buffer's beginning, returns how many bytes it wrote, and writes
 * nothing if it fails: -1 with errno EMSGSIZE if that is more than size or than the protocol's own
 * length field can say, EINVAL if the arguments make no such frame.
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

/* vlan: the id for an 802.1Q tag, 0 to 4094; -1: no tag. ethertype is in host order. */
ssize_t frame_build_ethernet(void *buffer, size_t size, const uint8_t from[ETH_ALEN],
			     const uint8_t to[ETH_ALEN], int vlan, uint16_t ethertype);

/*
 * A header without options, and its checksum; payload_length is that of what will follow it. It
 * says "don't fragment", with identification 0 as RFC 6864 allows then.
 */
ssize_t frame_build_ipv4(void *buffer, size_t size, struct in_addr from, struct in_addr to,
			 uint8_t protocol, uint8_t ttl, size_t payload_length);

ssize_t frame_build_ipv6(void *buffer, size_t size, const struct in6_addr *from,
			 const struct in6_addr *to, uint8_t protocol, uint8_t hop_limit,
			 size_t payload_length);

struct frame_udp {
	uint8_t from_mac[ETH_ALEN]; /* the MACs and vlan are for MEMTUN_TAP; no one resolves them */
	uint8_t to_mac[ETH_ALEN];
	int vlan; /* -1: no tag. 0 is a tag with priority only, so a zeroed structure has a tag */
	struct sockaddr_storage from; /* struct sockaddr_in or sockaddr_in6, and both the same */
	struct sockaddr_storage to;
	uint8_t ttl; /* the hop limit in IPv6; written as it is, 0 too */
	const void *payload;
	size_t payload_length;
};

/* A whole frame with one UDP datagram, checksums included in both families. */
ssize_t frame_build_udp(void *buffer, size_t size, enum memtun_mode mode,
			const struct frame_udp *udp);

/*
 * The reply to the echo request (ICMP or ICMPv6) in frame: addresses swapped, VLAN tags kept, IP
 * options and extension headers left out, ttl 64. The buffer may not overlap the frame. Not to be
 * answered (EINVAL): anything but a whole echo request from one host to one host. Not to be trusted
 * (EBADMSG): a frame that can't be parsed, or whose checksums don't hold.
 */
ssize_t frame_build_echo_reply(void *buffer, size_t size, enum memtun_mode mode, const void *frame,
			       size_t length);

#endif

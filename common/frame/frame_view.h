/* SPDX-License-Identifier: MIT */
/*
 * A view of a frame: where its headers are and what they contain, as offsets into the frame. The
 * view copies no bytes of the frame, and is valid until the frame changes.
 */
#ifndef MEMTUN_FRAME_VIEW_H
#define MEMTUN_FRAME_VIEW_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "memtun/protocol.h"

/* The innermost header that was parsed and is complete. */
enum frame_kind {
	FRAME_OTHER,
	FRAME_ARP,    /* for IPv4 over Ethernet; at `network` */
	FRAME_ICMP,   /* in IPv4 only; this one and the next are at `transport` */
	FRAME_ICMPV6, /* in IPv6 only */
	FRAME_TCP,
	FRAME_UDP,
};

/* Numbers are in host byte order, offsets and lengths in bytes. */
struct frame_view {
	enum memtun_mode mode; /* a MEMTUN_TAP frame begins with Ethernet, MEMTUN_TUN with IP */
	enum frame_kind kind;
	int vlan;       /* id in the outer 802.1Q or 802.1ad tag, 0: priority only; -1: no tag */
	int inner_vlan; /* id in the second tag; -1: none */
	uint16_t ethertype; /* after the tags; below 1536 it is an 802.3 length */
	uint8_t ip_version; /* 4, 6 or 0: not IP */
	int protocol;       /* after IPv6 extension headers; -1: not IP */
	bool dont_fragment; /* IPv4 only */
	bool fragment;      /* the packet is one fragment of several */
	bool more_fragments;
	size_t fragment_offset; /* of this fragment's data in the whole packet's */
	bool source_routed;     /* an IPv6 routing header has segments left */
	bool cut;               /* the frame ends before the IP packet in it */
	size_t network;         /* offset behind the Ethernet header and its tags */
	ssize_t transport;      /* offset; -1: not IP, a later fragment, or a cut or wrong header */
	size_t payload;         /* offset behind the last header that was parsed */
	size_t payload_length;  /* bytes that are present, without Ethernet padding */
};

/* What follows the type of a VLAN tag: IEEE 802.1Q, 9.6. Both are in network byte order. */
struct vlan_tag {
	uint16_t control; /* priority, drop eligible, and in the low 12 bits the id */
	uint16_t ethertype;
};

/* Return whether the ethertype is that of a VLAN tag, 802.1Q or 802.1ad. */
static inline bool ethertype_is_tag(uint16_t ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD;
}

/*
 * Return the bytes before the packet of an Ethernet frame, whose header is there, that is in no
 * VLAN: its header, and its tag if that has the VLAN id 0, which means that the tag has only a
 * priority (IEEE 802.1Q, 9.6). The two bytes before the packet are its ethertype. Of another tagged
 * frame these are the bytes before its tag.
 */
size_t ethernet_header_length(const void *frame, size_t length);

/* Return the version in the first four bits of an IP packet; 0 if the packet is empty. */
static inline uint8_t packet_ip_version(const void *packet, size_t length)
{
	return length > 0 ? *(const uint8_t *)packet >> 4 : 0;
}

/*
 * Fill in *view. The frame may have any alignment. -1 with EINVAL if mode is neither MEMTUN_TUN nor
 * MEMTUN_TAP; -1 with EBADMSG if the Ethernet header, its tags or the fixed IP header is cut or
 * contradicts itself, and then the view has what was parsed before. A frame that is not IP is no
 * error, and neither is a transport header that is cut or wrong.
 */
int frame_view_parse(struct frame_view *view, enum memtun_mode mode, const void *frame,
		     size_t length);

/*
 * Return false if the checksum of the IPv4 header, or of TCP, UDP, ICMP or ICMPv6, is wrong, or if
 * its header is cut or wrong. Return true for what this frame alone can't decide: other protocols,
 * fragments, cut frames, source routes, and UDP over IPv4 without a checksum. The view must be of
 * this frame.
 */
bool frame_view_checksums_are_valid(const struct frame_view *view, const void *frame,
				    size_t length);

#endif

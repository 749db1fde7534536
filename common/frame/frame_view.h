/* SPDX-License-Identifier: MIT */
/*
 * A view of a frame: where its headers are and what they say, as offsets into the frame. It copies
 * and keeps nothing of the frame, and is good for as long as the frame does not change.
 */
#ifndef MEMTUN_FRAME_VIEW_H
#define MEMTUN_FRAME_VIEW_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "memtun/protocol.h"

/* The innermost header that was understood, and is there as a whole. */
enum frame_kind {
	FRAME_OTHER,
	FRAME_ARP,  /* for IPv4 over Ethernet; at network */
	FRAME_ICMP, /* these are at transport; ICMP in IPv4 only, ICMPv6 in IPv6 only */
	FRAME_ICMPV6,
	FRAME_TCP,
	FRAME_UDP,
};

/* Numbers are in host order, offsets and lengths in bytes. */
struct frame_view {
	enum memtun_mode mode; /* MEMTUN_TAP: begins with an Ethernet header; MEMTUN_TUN: with IP */
	enum frame_kind kind;
	int vlan; /* of the outer 802.1Q or 802.1ad tag; -1: no tag. 0 is a tag with priority only
		   */
	int inner_vlan;     /* of the tag inside it; -1: none */
	uint16_t ethertype; /* after the tags; below 1536 it is an 802.3 length */
	uint8_t ip_version; /* 4, 6 or 0: not IP */
	int protocol;       /* after IPv6 extension headers; -1: not IP */
	bool dont_fragment; /* IPv4 only */
	bool fragment;      /* one of several: this is not the whole packet */
	bool more_fragments;
	size_t fragment_offset; /* of this fragment's data in the whole packet's */
	bool source_routed;     /* an IPv6 routing header names addresses still to visit */
	bool cut;               /* the frame ends before the IP packet in it should */
	size_t network;         /* behind the Ethernet header and its tags */
	ssize_t transport; /* -1: not IP, not the first fragment, or its header is cut or wrong */
	size_t payload;    /* behind the last header that was understood */
	size_t payload_length; /* what is there of it, without Ethernet padding */
};

/* Is it that of a VLAN tag, 802.1Q or 802.1ad? */
static inline bool ethertype_is_tag(uint16_t ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD;
}

/*
 * Fills in view and returns 0; -1 with errno EINVAL if mode is neither, or EBADMSG if the Ethernet
 * header, its tags or the fixed IP header is cut or contradicts itself. On EBADMSG the view says
 * what was read before that. A frame that is not IP is no error, nor is a bad transport header.
 * Nothing outside the frame is read; it may have any alignment.
 */
int frame_view_parse(struct frame_view *view, enum memtun_mode mode, const void *frame,
		     size_t length);

/*
 * False if the checksum of the IPv4 header or of TCP, UDP, ICMP or ICMPv6 is wrong, or the header
 * that has it is. What cannot be judged by this frame alone is let pass: other protocols,
 * fragments, cut frames, source routes, UDP over IPv4 without a checksum. The view must be this
 * frame's.
 */
bool frame_view_checksums_are_valid(const struct frame_view *view, const void *frame,
				    size_t length);

#endif

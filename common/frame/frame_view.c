/* SPDX-License-Identifier: MIT */
/*
 * Finds the headers of a frame, from the outside in. Every length in a header is checked against
 * the bytes that are present before it is used.
 */
#include "common/frame/frame_view.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/checksum.h"

/*
 * Each header is copied into the system's structure before it is read, because headers in a frame
 * are not aligned (the Ethernet header has 14 bytes). Each parse_ function sets the payload to what
 * follows the header that it parsed.
 */

/* IEEE 802.1Q, 9.6. */
static const uint16_t vlan_id_mask = 0x0fff;

/* Copy the header at `offset`. Return false if it does not end at or before `end`. */
static bool header_copy(void *header, size_t size, const uint8_t *frame, size_t offset, size_t end)
{
	if (offset > end || end - offset < size)
		return false;
	memcpy(header, frame + offset, size);
	return true;
}

static void payload_set(struct frame_view *view, size_t payload, size_t end)
{
	view->payload = payload;
	view->payload_length = end - payload;
}

static int parse_ethernet(struct frame_view *view, const uint8_t *frame, size_t length)
{
	int *const ids[] = {&view->vlan, &view->inner_vlan};
	struct ether_header ethernet;
	struct vlan_tag tag;

	if (!header_copy(&ethernet, sizeof(ethernet), frame, 0, length))
		return failed(EBADMSG);
	view->ethertype = ntohs(ethernet.ether_type);
	view->network = sizeof(ethernet);
	payload_set(view, view->network, length);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (!ethertype_is_tag(view->ethertype))
			break;
		if (!header_copy(&tag, sizeof(tag), frame, view->network, length))
			return failed(EBADMSG);
		*ids[i] = ntohs(tag.control) & vlan_id_mask;
		view->ethertype = ntohs(tag.ethertype);
		view->network += sizeof(tag);
		payload_set(view, view->network, length);
	}
	if (view->ethertype < ETH_P_802_3_MIN && view->payload_length > view->ethertype)
		view->payload_length = view->ethertype;
	return 0;
}

size_t ethernet_header_length(const void *frame, size_t length)
{
	struct ether_header ethernet;
	struct vlan_tag tag;

	if (!header_copy(&ethernet, sizeof(ethernet), frame, 0, length) ||
	    !ethertype_is_tag(ntohs(ethernet.ether_type)) ||
	    !header_copy(&tag, sizeof(tag), frame, sizeof(ethernet), length) ||
	    (ntohs(tag.control) & vlan_id_mask) != 0)
		return sizeof(ethernet);
	return sizeof(ethernet) + sizeof(tag);
}

static void parse_arp(struct frame_view *view, const uint8_t *frame, size_t length)
{
	struct ether_arp arp;

	if (!header_copy(&arp, sizeof(arp), frame, view->network, length))
		return;
	if (ntohs(arp.arp_hrd) != ARPHRD_ETHER || ntohs(arp.arp_pro) != ETH_P_IP ||
	    arp.arp_hln != sizeof(arp.arp_sha) || arp.arp_pln != sizeof(arp.arp_spa))
		return;
	view->kind = FRAME_ARP;
	view->payload = view->network + sizeof(arp);
	view->payload_length = 0; /* padding follows */
}

static void parse_tcp(struct frame_view *view, const uint8_t *frame, size_t start, size_t end)
{
	struct tcphdr tcp;
	size_t header_length;

	if (!header_copy(&tcp, sizeof(tcp), frame, start, end))
		return;
	header_length = tcp.doff * sizeof(uint32_t);
	if (header_length < sizeof(tcp) || header_length > end - start)
		return;
	view->kind = FRAME_TCP;
	view->transport = (ssize_t)start;
	payload_set(view, start + header_length, end);
}

static void parse_udp(struct frame_view *view, const uint8_t *frame, size_t start, size_t end)
{
	struct udphdr udp;
	size_t udp_length;

	if (!header_copy(&udp, sizeof(udp), frame, start, end))
		return;
	udp_length = ntohs(udp.len);
	if (udp_length < sizeof(udp))
		return;
	if (udp_length > end - start) {
		if (!view->fragment && !view->cut)
			return;
		udp_length = end - start;
	}
	view->kind = FRAME_UDP;
	view->transport = (ssize_t)start;
	payload_set(view, start + sizeof(udp), start + udp_length);
}

/* Every ICMP message has at least 8 bytes: RFC 792, and RFC 4443 and 4861 for ICMPv6. */
static void parse_icmp(struct frame_view *view, enum frame_kind kind, size_t start, size_t end)
{
	if (end - start < ICMP_MINLEN)
		return;
	view->kind = kind;
	view->transport = (ssize_t)start;
	payload_set(view, start + ICMP_MINLEN, end);
}

static void parse_transport(struct frame_view *view, const uint8_t *frame, size_t start, size_t end)
{
	payload_set(view, start, end);
	if (view->fragment_offset > 0)
		return;
	if (view->protocol == IPPROTO_TCP)
		parse_tcp(view, frame, start, end);
	else if (view->protocol == IPPROTO_UDP)
		parse_udp(view, frame, start, end);
	else if (view->protocol == IPPROTO_ICMP && view->ip_version == 4)
		parse_icmp(view, FRAME_ICMP, start, end);
	else if (view->protocol == IPPROTO_ICMPV6 && view->ip_version == 6)
		parse_icmp(view, FRAME_ICMPV6, start, end);
	else
		view->transport = (ssize_t)start;
}

static int parse_ipv4(struct frame_view *view, const uint8_t *frame, size_t length)
{
	struct ip ip;
	size_t header_length;
	size_t total_length;
	uint16_t fragment;

	if (!header_copy(&ip, sizeof(ip), frame, view->network, length))
		return failed(EBADMSG);
	header_length = ip.ip_hl * sizeof(uint32_t);
	total_length = ntohs(ip.ip_len);
	if (ip.ip_v != 4 || header_length < sizeof(ip) || header_length > total_length ||
	    header_length > length - view->network)
		return failed(EBADMSG);
	fragment = ntohs(ip.ip_off);
	view->ip_version = 4;
	view->protocol = ip.ip_p;
	view->dont_fragment = fragment & IP_DF;
	view->more_fragments = fragment & IP_MF;
	view->fragment_offset = (fragment & IP_OFFMASK) * 8u;
	view->fragment = view->more_fragments || view->fragment_offset > 0;
	view->cut = total_length > length - view->network;
	parse_transport(view, frame, view->network + header_length,
			view->cut ? length : view->network + total_length);
	return 0;
}

static bool protocol_is_extension(int protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_AH;
}

/*
 * Return the size of the extension header at `offset`, 0 if it isn't complete. view->protocol is
 * the header's number, and becomes that of the next header.
 */
static size_t extension_read(struct frame_view *view, const uint8_t *frame, size_t offset,
			     size_t end)
{
	struct ip6_ext extension;
	struct ip6_rthdr routing;
	struct ip6_frag fragment;
	size_t size;

	if (!header_copy(&extension, sizeof(extension), frame, offset, end))
		return 0;
	if (view->protocol == IPPROTO_FRAGMENT)
		size = sizeof(fragment);
	else if (view->protocol == IPPROTO_AH)
		size = (extension.ip6e_len + 2u) * 4; /* in 32-bit words less two: RFC 4302, 2.2 */
	else
		size = (extension.ip6e_len + 1u) * 8;
	if (size > end - offset)
		return 0;
	if (view->protocol == IPPROTO_FRAGMENT) {
		memcpy(&fragment, frame + offset, sizeof(fragment));
		view->more_fragments = fragment.ip6f_offlg & IP6F_MORE_FRAG;
		view->fragment_offset = ntohs(fragment.ip6f_offlg & IP6F_OFF_MASK);
		view->fragment = view->more_fragments || view->fragment_offset > 0;
	} else if (view->protocol == IPPROTO_ROUTING) {
		memcpy(&routing, frame + offset, sizeof(routing));
		view->source_routed |= routing.ip6r_segleft > 0;
	}
	view->protocol = extension.ip6e_nxt;
	return size;
}

static int parse_ipv6(struct frame_view *view, const uint8_t *frame, size_t length)
{
	struct ip6_hdr ip;
	size_t offset = view->network + sizeof(ip);
	size_t end = length;
	size_t size;

	if (!header_copy(&ip, sizeof(ip), frame, view->network, length) || ip.ip6_vfc >> 4 != 6)
		return failed(EBADMSG);
	view->ip_version = 6;
	view->protocol = ip.ip6_nxt;
	/* A jumbogram (RFC 2675) has length 0 here and its real length in an option. Its end is
	 * taken to be the frame's. */
	if (ip.ip6_plen != 0 || ip.ip6_nxt != IPPROTO_HOPOPTS) {
		view->cut = ntohs(ip.ip6_plen) > length - offset;
		if (!view->cut)
			end = offset + ntohs(ip.ip6_plen);
	}
	while (view->fragment_offset == 0 && protocol_is_extension(view->protocol)) {
		size = extension_read(view, frame, offset, end);
		if (size == 0) {
			payload_set(view, offset, end);
			return 0;
		}
		offset += size;
	}
	parse_transport(view, frame, offset, end);
	return 0;
}

int frame_view_parse(struct frame_view *view, enum memtun_mode mode, const void *frame,
		     size_t length)
{
	const uint8_t *bytes = frame;

	*view = (struct frame_view){
		.mode = mode,
		.vlan = -1,
		.inner_vlan = -1,
		.protocol = -1,
		.transport = -1,
		.payload_length = length,
	};
	if (mode == MEMTUN_TAP) {
		if (parse_ethernet(view, bytes, length) < 0)
			return -1;
	} else if (mode == MEMTUN_TUN) {
		if (packet_ip_version(frame, length) == 4)
			view->ethertype = ETH_P_IP;
		else if (packet_ip_version(frame, length) == 6)
			view->ethertype = ETH_P_IPV6;
		else
			return failed(EBADMSG);
	} else {
		return failed(EINVAL);
	}
	switch (view->ethertype) {
	case ETH_P_ARP:
		parse_arp(view, bytes, length);
		return 0;
	case ETH_P_IP:
		return parse_ipv4(view, bytes, length);
	case ETH_P_IPV6:
		return parse_ipv6(view, bytes, length);
	default:
		return 0;
	}
}

static bool ipv4_header_is_valid(const uint8_t *header)
{
	struct ip ip;

	memcpy(&ip, header, sizeof(ip));
	return checksum_fold(checksum_add(0, header, ip.ip_hl * sizeof(uint32_t))) == 0;
}

static uint32_t pseudo_header_sum(const struct frame_view *view, const uint8_t *network,
				  size_t length)
{
	struct ip6_hdr ip6;
	struct ip ip4;

	if (view->ip_version == 4) {
		memcpy(&ip4, network, sizeof(ip4));
		return checksum_pseudo_ipv4(&ip4.ip_src, &ip4.ip_dst, (uint8_t)view->protocol,
					    (uint16_t)length);
	}
	memcpy(&ip6, network, sizeof(ip6));
	return checksum_pseudo_ipv6(&ip6.ip6_src, &ip6.ip6_dst, (uint8_t)view->protocol,
				    (uint32_t)length);
}

static bool udp_has_no_checksum(const uint8_t *transport)
{
	struct udphdr udp;

	memcpy(&udp, transport, sizeof(udp));
	return udp.check == 0;
}

static bool transport_is_valid(const struct frame_view *view, const uint8_t *frame)
{
	const uint8_t *transport = frame + view->transport;
	size_t length = view->payload + view->payload_length - (size_t)view->transport;
	uint32_t sum = 0;

	/* RFC 8200, 8.1, allows only some tunnels to omit the checksum in IPv6, and kernels drop
	 * such datagrams. */
	if (view->kind == FRAME_UDP && udp_has_no_checksum(transport))
		return view->ip_version == 4;
	if (view->kind != FRAME_ICMP)
		sum = pseudo_header_sum(view, frame + view->network, length);
	return checksum_fold(checksum_add(sum, transport, length)) == 0;
}

bool frame_view_checksums_are_valid(const struct frame_view *view, const void *frame, size_t length)
{
	assert(view->payload + view->payload_length <= length);
	if (view->ip_version == 0)
		return true;
	if (view->ip_version == 4 && !ipv4_header_is_valid((const uint8_t *)frame + view->network))
		return false;
	if (view->fragment || view->cut || view->source_routed)
		return true;
	if (view->transport < 0)
		return false;
	return view->kind == FRAME_OTHER || transport_is_valid(view, frame);
}

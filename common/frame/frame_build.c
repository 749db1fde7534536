/* SPDX-License-Identifier: MIT */
/*
 * Builds frames from the outside in. Sizes are checked before the first byte is written, so that a
 * frame that is refused leaves the buffer unchanged.
 */
#include "common/frame/frame_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/checksum.h"
#include "common/frame/frame_view.h"

/* RFC 1700, "IP TIME TO LIVE PARAMETER"; the kernel's default too (IPDEFTTL). */
static const uint8_t default_ttl = 64;

/* 4095 is reserved: IEEE 802.1Q, table 9-2. */
static const int vlan_id_last = 4094;

ssize_t frame_build_ethernet(void *buffer, size_t size, const uint8_t from[ETH_ALEN],
			     const uint8_t to[ETH_ALEN], int vlan, uint16_t ethertype)
{
	const struct vlan_tag tag = {htons((uint16_t)vlan), htons(ethertype)};
	size_t length = sizeof(struct ether_header) + (vlan < 0 ? 0 : sizeof(tag));
	struct ether_header header;

	if (vlan < -1 || vlan > vlan_id_last)
		return failed(EINVAL);
	if (length > size)
		return failed(EMSGSIZE);
	memcpy(header.ether_dhost, to, ETH_ALEN);
	memcpy(header.ether_shost, from, ETH_ALEN);
	header.ether_type = htons(vlan < 0 ? ethertype : ETHERTYPE_VLAN);
	memcpy(buffer, &header, sizeof(header));
	if (vlan >= 0)
		memcpy((uint8_t *)buffer + sizeof(header), &tag, sizeof(tag));
	return (ssize_t)length;
}

ssize_t frame_build_ipv4(void *buffer, size_t size, struct in_addr from, struct in_addr to,
			 uint8_t protocol, uint8_t ttl, size_t payload_length)
{
	struct ip header = {
		.ip_v = 4,
		.ip_hl = sizeof(header) / sizeof(uint32_t),
		.ip_off = htons(IP_DF),
		.ip_ttl = ttl,
		.ip_p = protocol,
		.ip_src = from,
		.ip_dst = to,
	};

	if (sizeof(header) > size || payload_length > IP_MAXPACKET - sizeof(header))
		return failed(EMSGSIZE);
	header.ip_len = htons((uint16_t)(sizeof(header) + payload_length));
	header.ip_sum = checksum_fold(checksum_add(0, &header, sizeof(header)));
	memcpy(buffer, &header, sizeof(header));
	return sizeof(header);
}

ssize_t frame_build_ipv6(void *buffer, size_t size, const struct in6_addr *from,
			 const struct in6_addr *to, uint8_t protocol, uint8_t hop_limit,
			 size_t payload_length)
{
	struct ip6_hdr header = {
		.ip6_flow = htonl(6u << 28),
		.ip6_nxt = protocol,
		.ip6_hlim = hop_limit,
	};

	if (sizeof(header) > size || payload_length > UINT16_MAX)
		return failed(EMSGSIZE);
	header.ip6_plen = htons((uint16_t)payload_length);
	memcpy(&header.ip6_src, from, sizeof(*from));
	memcpy(&header.ip6_dst, to, sizeof(*to));
	memcpy(buffer, &header, sizeof(header));
	return sizeof(header);
}

/* Return the length of the IP header for these addresses; 0 if their families differ. */
static size_t addresses_header_length(const struct frame_udp *udp)
{
	if (udp->from.ss_family != udp->to.ss_family)
		return 0;
	if (udp->from.ss_family == AF_INET)
		return sizeof(struct ip);
	if (udp->from.ss_family == AF_INET6)
		return sizeof(struct ip6_hdr);
	return 0;
}

/* Write the IPv4 header and *ports, and return the sum of the pseudo header. */
static uint32_t write_ipv4_udp(uint8_t *network, const struct frame_udp *udp, struct udphdr *ports,
			       size_t length)
{
	const struct sockaddr_in *from = (const struct sockaddr_in *)&udp->from;
	const struct sockaddr_in *to = (const struct sockaddr_in *)&udp->to;

	ports->source = from->sin_port;
	ports->dest = to->sin_port;
	frame_build_ipv4(network, sizeof(struct ip), from->sin_addr, to->sin_addr, IPPROTO_UDP,
			 udp->ttl, length);
	return checksum_pseudo_ipv4(&from->sin_addr, &to->sin_addr, IPPROTO_UDP, (uint16_t)length);
}

/* The same for IPv6. */
static uint32_t write_ipv6_udp(uint8_t *network, const struct frame_udp *udp, struct udphdr *ports,
			       size_t length)
{
	const struct sockaddr_in6 *from = (const struct sockaddr_in6 *)&udp->from;
	const struct sockaddr_in6 *to = (const struct sockaddr_in6 *)&udp->to;

	ports->source = from->sin6_port;
	ports->dest = to->sin6_port;
	frame_build_ipv6(network, sizeof(struct ip6_hdr), &from->sin6_addr, &to->sin6_addr,
			 IPPROTO_UDP, udp->ttl, length);
	return checksum_pseudo_ipv6(&from->sin6_addr, &to->sin6_addr, IPPROTO_UDP,
				    (uint32_t)length);
}

static void write_udp(uint8_t *network, size_t header_length, const struct frame_udp *udp)
{
	uint8_t *transport = network + header_length;
	size_t length = sizeof(struct udphdr) + udp->payload_length;
	struct udphdr header = {.len = htons((uint16_t)length)};
	uint32_t sum;

	if (udp->from.ss_family == AF_INET)
		sum = write_ipv4_udp(network, udp, &header, length);
	else
		sum = write_ipv6_udp(network, udp, &header, length);
	sum = checksum_add(sum, &header, sizeof(header));
	header.check = checksum_fold(checksum_add(sum, udp->payload, udp->payload_length));
	if (header.check == 0)
		header.check = UINT16_MAX; /* 0 means that there is no checksum */
	memcpy(transport, &header, sizeof(header));
	if (udp->payload_length > 0)
		memcpy(transport + sizeof(header), udp->payload, udp->payload_length);
}

ssize_t frame_build_udp(void *buffer, size_t size, enum memtun_mode mode,
			const struct frame_udp *udp)
{
	uint16_t ethertype = udp->from.ss_family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6;
	size_t ip_length = addresses_header_length(udp);
	size_t network = 0;
	size_t longest = UINT16_MAX - sizeof(struct udphdr);
	uint8_t link[sizeof(struct ether_header) + sizeof(struct vlan_tag)];
	ssize_t written;

	if (ip_length == 0 || (mode != MEMTUN_TUN && mode != MEMTUN_TAP))
		return failed(EINVAL);
	if (mode == MEMTUN_TAP) {
		written = frame_build_ethernet(link, sizeof(link), udp->from_mac, udp->to_mac,
					       udp->vlan, ethertype);
		if (written < 0)
			return -1;
		network = (size_t)written;
	}
	if (udp->from.ss_family == AF_INET)
		longest -= sizeof(struct ip); /* IPv4's length field counts the header too */
	if (udp->payload_length > longest ||
	    network + ip_length + sizeof(struct udphdr) + udp->payload_length > size)
		return failed(EMSGSIZE);
	memcpy(buffer, link, network);
	write_udp((uint8_t *)buffer + network, ip_length, udp);
	return (ssize_t)(network + ip_length + sizeof(struct udphdr) + udp->payload_length);
}

/* Return whether the address is one host's. The broadcast address of a subnet passes, because the
 * subnet isn't known here. */
static bool ipv4_is_host(struct in_addr address)
{
	return address.s_addr != INADDR_ANY && address.s_addr != INADDR_BROADCAST &&
	       !IN_MULTICAST(ntohl(address.s_addr));
}

static bool ipv6_is_host(const struct in6_addr *address)
{
	return !IN6_IS_ADDR_UNSPECIFIED(address) && !IN6_IS_ADDR_MULTICAST(address);
}

static bool is_from_host_to_host(const struct frame_view *view, const uint8_t *frame)
{
	struct ether_header ethernet;
	struct ip6_hdr ip6;
	struct ip ip4;

	if (view->mode == MEMTUN_TAP) {
		memcpy(&ethernet, frame, sizeof(ethernet));
		/* IEEE 802, 8.2.2: group addresses have the lowest bit of the first byte set. */
		if ((ethernet.ether_shost[0] & 1) != 0 || (ethernet.ether_dhost[0] & 1) != 0)
			return false;
	}
	if (view->ip_version == 4) {
		memcpy(&ip4, frame + view->network, sizeof(ip4));
		return ipv4_is_host(ip4.ip_src) && ipv4_is_host(ip4.ip_dst);
	}
	memcpy(&ip6, frame + view->network, sizeof(ip6));
	return ipv6_is_host(&ip6.ip6_src) && ipv6_is_host(&ip6.ip6_dst);
}

static bool is_echo_request(const struct frame_view *view, const uint8_t *frame)
{
	struct icmp6_hdr message; /* type and code are at the same place in ICMP */

	if (view->kind != FRAME_ICMP && view->kind != FRAME_ICMPV6)
		return false;
	if (view->fragment || view->cut || view->source_routed)
		return false;
	memcpy(&message, frame + view->transport, sizeof(message));
	return message.icmp6_type == (view->kind == FRAME_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST) &&
	       message.icmp6_code == 0;
}

/* Write the request's Ethernet header and tags, with the MACs swapped. */
static void write_link_reply(uint8_t *buffer, const struct frame_view *view, const uint8_t *frame)
{
	struct ether_header request, reply;

	if (view->mode != MEMTUN_TAP)
		return;
	memcpy(buffer, frame, view->network);
	memcpy(&request, frame, sizeof(request));
	reply = request;
	memcpy(reply.ether_dhost, request.ether_shost, ETH_ALEN);
	memcpy(reply.ether_shost, request.ether_dhost, ETH_ALEN);
	memcpy(buffer, &reply, sizeof(reply));
}

/*
 * Write the reply's IP header, and return the sum that its ICMP checksum starts from. header is the
 * request's IP header, length that of the ICMP message.
 */
static uint32_t write_ip_reply(uint8_t *network, uint8_t ip_version, const uint8_t *header,
			       size_t length)
{
	struct ip6_hdr request6;
	struct ip request4;

	if (ip_version == 4) {
		memcpy(&request4, header, sizeof(request4));
		frame_build_ipv4(network, sizeof(struct ip), request4.ip_dst, request4.ip_src,
				 IPPROTO_ICMP, default_ttl, length);
		return 0;
	}
	memcpy(&request6, header, sizeof(request6));
	frame_build_ipv6(network, sizeof(struct ip6_hdr), &request6.ip6_dst, &request6.ip6_src,
			 IPPROTO_ICMPV6, default_ttl, length);
	return checksum_pseudo_ipv6(&request6.ip6_dst, &request6.ip6_src, IPPROTO_ICMPV6,
				    (uint32_t)length);
}

ssize_t frame_build_echo_reply(void *buffer, size_t size, enum memtun_mode mode, const void *frame,
			       size_t length)
{
	const uint8_t *request = frame;
	struct frame_view view;
	struct icmp6_hdr header; /* ICMP's has the same type and checksum fields */
	uint8_t *network, *message;
	size_t message_length, ip_length;
	uint32_t sum;

	if (frame_view_parse(&view, mode, frame, length) < 0)
		return -1;
	if (!is_echo_request(&view, request) || !is_from_host_to_host(&view, request))
		return failed(EINVAL);
	if (!frame_view_checksums_are_valid(&view, frame, length))
		return failed(EBADMSG);
	ip_length = view.ip_version == 4 ? sizeof(struct ip) : sizeof(struct ip6_hdr);
	message_length = view.payload + view.payload_length - (size_t)view.transport;
	if (message_length > UINT16_MAX || view.network + ip_length + message_length > size)
		return failed(EMSGSIZE);
	network = (uint8_t *)buffer + view.network;
	message = network + ip_length;
	write_link_reply(buffer, &view, request);
	sum = write_ip_reply(network, view.ip_version, request + view.network, message_length);
	memcpy(message, request + view.transport, message_length);
	memcpy(&header, message, sizeof(header));
	header.icmp6_type = view.kind == FRAME_ICMP ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	header.icmp6_cksum = 0;
	memcpy(message, &header, sizeof(header));
	header.icmp6_cksum = checksum_fold(checksum_add(sum, message, message_length));
	memcpy(message, &header, sizeof(header));
	return (ssize_t)(view.network + ip_length + message_length);
}

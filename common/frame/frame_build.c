/* SPDX-License-Identifier: MIT */
/*
 * Builds frames from the outside in. Sizes are checked before the first byte is written, so that a
 * frame that is refused leaves the buffer unchanged.
 */
#include "common/frame/frame_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/checksum.h"
#include "common/frame/frame_view.h"

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

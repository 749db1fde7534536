/* SPDX-License-Identifier: MIT */
#include "broker/impair/path_mtu.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <string.h>

#include "common/address.h"
#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"

/* The hop limit of Linux for packets of its own. */
#define HOP_LIMIT 64

#define IPV4_ERROR_MAX 576
#define IPV6_ERROR_MAX 1280

/* Swap the addresses of an Ethernet header, and keep its tags. */
static size_t write_ethernet(unsigned char *error, const unsigned char *frame, size_t length)
{
	memcpy(error, frame, length);
	memcpy(error, frame + ETH_ALEN, ETH_ALEN);
	memcpy(error + ETH_ALEN, frame, ETH_ALEN);
	return length;
}

/* Return whether the packet is an error of ICMP, which no error may answer. */
static bool is_icmp_error(const struct frame_view *view, const unsigned char *frame)
{
	uint8_t type = frame[view->transport];

	if (view->kind == FRAME_ICMPV6)
		return type < ICMP6_ECHO_REQUEST;
	return view->kind == FRAME_ICMP && type != ICMP_ECHO && type != ICMP_ECHOREPLY &&
	       type != ICMP_TSTAMP && type != ICMP_TSTAMPREPLY;
}

static size_t write_ipv4(unsigned char *error, const unsigned char *packet, size_t length,
			 uint32_t mtu)
{
	const size_t headers = sizeof(struct ip) + ICMP_MINLEN;
	struct icmp icmp = {.icmp_type = ICMP_UNREACH, .icmp_code = ICMP_UNREACH_NEEDFRAG};
	struct ip ip;

	memcpy(&ip, packet, sizeof(ip));
	if (length > IPV4_ERROR_MAX - headers)
		length = IPV4_ERROR_MAX - headers;
	icmp.icmp_nextmtu = htons((uint16_t)mtu);
	memcpy(error + sizeof(ip), &icmp, ICMP_MINLEN);
	memcpy(error + headers, packet, length);
	icmp.icmp_cksum = checksum_fold(checksum_add(0, error + sizeof(ip), ICMP_MINLEN + length));
	memcpy(error + sizeof(ip), &icmp, ICMP_MINLEN);
	frame_build_ipv4(error, sizeof(ip), ip.ip_dst, ip.ip_src, IPPROTO_ICMP, HOP_LIMIT,
			 ICMP_MINLEN + length);
	return headers + length;
}

static size_t write_ipv6(unsigned char *error, const unsigned char *packet, size_t length,
			 uint32_t mtu)
{
	const size_t headers = sizeof(struct ip6_hdr) + sizeof(struct icmp6_hdr);
	struct icmp6_hdr icmp = {.icmp6_type = ICMP6_PACKET_TOO_BIG};
	struct ip6_hdr ip;
	uint32_t sum;

	memcpy(&ip, packet, sizeof(ip));
	if (length > IPV6_ERROR_MAX - headers)
		length = IPV6_ERROR_MAX - headers;
	icmp.icmp6_mtu = htonl(mtu);
	memcpy(error + sizeof(ip), &icmp, sizeof(icmp));
	memcpy(error + headers, packet, length);
	sum = checksum_pseudo_ipv6(&ip.ip6_dst, &ip.ip6_src, IPPROTO_ICMPV6,
				   (uint32_t)(sizeof(icmp) + length));
	icmp.icmp6_cksum =
		checksum_fold(checksum_add(sum, error + sizeof(ip), sizeof(icmp) + length));
	memcpy(error + sizeof(ip), &icmp, sizeof(icmp));
	frame_build_ipv6(error, sizeof(ip), &ip.ip6_dst, &ip.ip6_src, IPPROTO_ICMPV6, HOP_LIMIT,
			 sizeof(icmp) + length);
	return headers + length;
}

size_t path_mtu_error(unsigned char error[PATH_MTU_ERROR_MAX], enum memtun_mode mode,
		      const unsigned char *frame, uint32_t length, uint32_t mtu)
{
	struct address from, to;
	struct frame_view view;
	const unsigned char *packet;
	size_t header = 0;

	if (frame_view_parse(&view, mode, frame, length) < 0 || view.ip_version == 0 ||
	    view.fragment_offset || (view.ip_version == 4 && !view.dont_fragment) ||
	    (view.transport >= 0 && is_icmp_error(&view, frame)))
		return 0;
	packet = frame + view.network;
	address_read_packet(packet, &from, &to);
	if (!address_is_host(&from) || !address_is_host(&to) ||
	    (mode == MEMTUN_TAP && frame[0] & 1))
		return 0;
	if (mode == MEMTUN_TAP)
		header = write_ethernet(error, frame, view.network);
	length -= (uint32_t)view.network;
	if (view.ip_version == 4)
		return header + write_ipv4(error + header, packet, length, mtu);
	return header + write_ipv6(error + header, packet, length, mtu);
}

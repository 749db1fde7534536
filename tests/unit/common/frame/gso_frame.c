/* SPDX-License-Identifier: MIT */
#include "tests/unit/common/frame/gso_frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "common/frame/checksum.h"

/* Append bytes to the frame. */
static void put(unsigned char **at, const void *bytes, size_t length)
{
	memcpy(*at, bytes, length);
	*at += length;
}

static void put_ethernet(const struct gso_frame *gso, unsigned char **at)
{
	static const unsigned char addresses[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	static const unsigned char tags[][4] = {{0x81, 0, 0x60, 5}, {0x81, 0, 0, 7}};
	uint16_t type = htons(gso->ip_version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);

	put(at, addresses, sizeof(addresses));
	for (unsigned int i = 0; i < gso->tags; i++)
		put(at, tags[i], sizeof(tags[i]));
	put(at, &type, sizeof(type));
}

/* Append an extension header, and write its number into the header before it. */
static void put_extension(unsigned char **at, unsigned char **next, uint8_t number,
			  const char *bytes, size_t length)
{
	**next = number;
	*next = *at;
	put(at, bytes, length);
}

static void put_extensions(const struct gso_frame *gso, unsigned char **at, unsigned char **next)
{
	if (gso->extensions & GSO_FRAME_HOP_BY_HOP)
		put_extension(at, next, IPPROTO_HOPOPTS, "\0\0\1\4\0\0\0\0", 8);
	if (gso->extensions & GSO_FRAME_ROUTING)
		put_extension(at, next, IPPROTO_ROUTING,
			      "\0\2\2\0\0\0\0\0\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3", 24);
	if (gso->extensions & GSO_FRAME_DESTINATION)
		put_extension(at, next, IPPROTO_DSTOPTS, "\0\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	if (gso->extensions & GSO_FRAME_AUTHENTICATION)
		put_extension(at, next, IPPROTO_AH, "\0\4\0\0\0\0\0\1\0\0\0\1abcdefghijkl", 24);
	if (gso->extensions & GSO_FRAME_FRAGMENT)
		put_extension(at, next, IPPROTO_FRAGMENT, "\0\0\0\0\0\0\0\7", 8);
}

static void put_tcp(const struct gso_frame *gso, unsigned char **at)
{
	static const unsigned char options[40] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
	struct tcphdr tcp = {
		.th_sport = htons(5000),
		.th_dport = htons(6000),
		.th_seq = htonl(UINT32_MAX - 2000), /* it wraps */
		.th_ack = htonl(77),
		.th_off = (uint8_t)(5 + gso->tcp_options / 4) & 15,
		.th_flags = gso->flags,
		.th_win = htons(500),
	};

	put(at, &tcp, sizeof(tcp));
	put(at, options, gso->tcp_options);
}

/* Append TCP or UDP, whose checksum field has the sum of the pseudo header. */
static void put_transport(const struct gso_frame *gso, unsigned char **at, uint32_t pseudo,
			  bool is_tcp)
{
	uint16_t sum = (uint16_t)~checksum_fold(pseudo);
	struct udphdr udp = {
		.uh_sport = htons(5000),
		.uh_dport = htons(6000),
		.uh_ulen = htons((uint16_t)(sizeof(udp) + gso->payload)),
	};
	unsigned char *start = *at;

	if (is_tcp)
		put_tcp(gso, at);
	else
		put(at, &udp, sizeof(udp));
	memcpy(start + (is_tcp ? 16 : 6), &sum, sizeof(sum));
}

static uint32_t put_ipv4(const struct gso_frame *gso, unsigned char **at, uint8_t protocol,
			 size_t transport)
{
	static const unsigned char options[40] = {148, 4}; /* router alert */
	struct ip ip = {
		.ip_v = 4,
		.ip_hl = (5u + gso->ip_options / 4u) & 15,
		.ip_tos = 0x10,
		.ip_len = htons((uint16_t)(sizeof(ip) + gso->ip_options + transport)),
		.ip_id = htons(gso->id),
		.ip_off = htons(gso->dont_fragment ? IP_DF : 0),
		.ip_ttl = 64,
		.ip_p = protocol,
	};
	unsigned char *start = *at;

	inet_pton(AF_INET, "10.0.0.1", &ip.ip_src);
	inet_pton(AF_INET, "10.0.0.2", &ip.ip_dst);
	put(at, &ip, sizeof(ip));
	put(at, options, gso->ip_options);
	ip.ip_sum = checksum_fold(checksum_add(0, start, sizeof(ip) + gso->ip_options));
	memcpy(start + 10, &ip.ip_sum, sizeof(ip.ip_sum));
	return checksum_pseudo_ipv4(&ip.ip_src, &ip.ip_dst, protocol, (uint16_t)transport);
}

static uint32_t put_ipv6(const struct gso_frame *gso, unsigned char **at, uint8_t protocol,
			 size_t transport)
{
	struct ip6_hdr ip = {.ip6_hlim = 64};
	unsigned char *start = *at, *next = start + 6;
	uint16_t length;

	ip.ip6_vfc = 0x60;
	inet_pton(AF_INET6, "fd00::1", &ip.ip6_src);
	inet_pton(AF_INET6, "fd00::2", &ip.ip6_dst);
	put(at, &ip, sizeof(ip));
	put_extensions(gso, at, &next);
	*next = protocol;
	length = htons((uint16_t)((size_t)(*at - start) - sizeof(ip) + transport));
	memcpy(start + 4, &length, sizeof(length));
	return checksum_pseudo_ipv6(&ip.ip6_src, &ip.ip6_dst, protocol, (uint32_t)transport);
}

size_t gso_frame_make(const struct gso_frame *gso, unsigned char *frame,
		      struct virtio_net_hdr *offload)
{
	uint8_t type = gso->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool is_tcp = type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6;
	uint8_t protocol = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	size_t transport = (is_tcp ? 20u + gso->tcp_options : 8u) + gso->payload;
	unsigned char *at = frame;
	uint32_t pseudo;

	if (gso->mode != MEMTUN_TUN)
		put_ethernet(gso, &at);
	pseudo = gso->ip_version == 4 ? put_ipv4(gso, &at, protocol, transport)
				      : put_ipv6(gso, &at, protocol, transport);
	*offload = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso->gso_type,
		.gso_size = gso->gso_size,
		.csum_start = (uint16_t)(at - frame),
		.csum_offset = is_tcp ? 16 : 6,
	};
	put_transport(gso, &at, pseudo, is_tcp);
	offload->hdr_len = (uint16_t)(at - frame);
	for (size_t i = 0; i < gso->payload; i++)
		*at++ = (unsigned char)(i * 7 + (i >> 8));
	return (size_t)(at - frame);
}

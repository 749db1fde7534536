/* SPDX-License-Identifier: MIT */
/*
 * Writes one line about what frame_view found in a frame. A header is read here only if the view
 * has found that it is complete.
 */
#include "common/frame/frame_describe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/frame/frame_view.h"

/* The caller's text as it grows. length counts also the characters that did not fit. */
struct line {
	char *text;
	size_t size;
	size_t length;
};

static void line_add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
	bool fits = line->length < line->size;
	va_list arguments;
	int added;

	va_start(arguments, format);
	added = vsnprintf(fits ? line->text + line->length : NULL,
			  fits ? line->size - line->length : 0, format, arguments);
	va_end(arguments);
	if (added > 0)
		line->length += (size_t)added;
}

static void add_mac(struct line *line, const uint8_t *mac)
{
	line_add(line, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
}

static void add_address(struct line *line, int family, const void *address)
{
	char text[INET6_ADDRSTRLEN];

	line_add(line, "%s", inet_ntop(family, address, text, sizeof(text)));
}

static void add_addresses(struct line *line, int family, const void *from, const void *to)
{
	add_address(line, family, from);
	line_add(line, " > ");
	add_address(line, family, to);
}

static void add_ethernet(struct line *line, const struct frame_view *view, const uint8_t *frame)
{
	struct ether_header ethernet;

	memcpy(&ethernet, frame, sizeof(ethernet));
	add_mac(line, ethernet.ether_shost);
	line_add(line, " > ");
	add_mac(line, ethernet.ether_dhost);
	line_add(line, " ");
	if (view->vlan >= 0)
		line_add(line, "vlan %d ", view->vlan);
	if (view->inner_vlan >= 0)
		line_add(line, "vlan %d ", view->inner_vlan);
}

static void add_arp(struct line *line, const uint8_t *header)
{
	struct ether_arp arp;

	memcpy(&arp, header, sizeof(arp));
	if (ntohs(arp.arp_op) == ARPOP_REQUEST) {
		line_add(line, "ARP who has ");
		add_address(line, AF_INET, arp.arp_tpa);
		line_add(line, ", tell ");
		add_address(line, AF_INET, arp.arp_spa);
	} else if (ntohs(arp.arp_op) == ARPOP_REPLY) {
		line_add(line, "ARP ");
		add_address(line, AF_INET, arp.arp_spa);
		line_add(line, " is at ");
		add_mac(line, arp.arp_sha);
	} else {
		line_add(line, "ARP operation %u", ntohs(arp.arp_op));
	}
}

static void add_ip(struct line *line, const struct frame_view *view, const uint8_t *header)
{
	struct ip6_hdr ip6;
	struct ip ip4;

	if (view->ip_version == 4) {
		memcpy(&ip4, header, sizeof(ip4));
		line_add(line, "IPv4 ");
		add_addresses(line, AF_INET, &ip4.ip_src, &ip4.ip_dst);
	} else {
		memcpy(&ip6, header, sizeof(ip6));
		line_add(line, "IPv6 ");
		add_addresses(line, AF_INET6, &ip6.ip6_src, &ip6.ip6_dst);
	}
	if (view->fragment)
		line_add(line, " fragment %zu%s", view->fragment_offset,
			 view->more_fragments ? " more" : "");
}

static const char *icmp_name(const struct frame_view *view, uint8_t type)
{
	if (view->kind == FRAME_ICMP) {
		switch (type) {
		case ICMP_ECHO:
			return "echo request";
		case ICMP_ECHOREPLY:
			return "echo reply";
		case ICMP_UNREACH:
			return "unreachable";
		case ICMP_TIMXCEED:
			return "time exceeded";
		default:
			return NULL;
		}
	}
	switch (type) {
	case ICMP6_ECHO_REQUEST:
		return "echo request";
	case ICMP6_ECHO_REPLY:
		return "echo reply";
	case ICMP6_DST_UNREACH:
		return "unreachable";
	case ICMP6_PACKET_TOO_BIG:
		return "packet too big";
	case ICMP6_TIME_EXCEEDED:
		return "time exceeded";
	case ND_ROUTER_SOLICIT:
		return "router solicitation";
	case ND_ROUTER_ADVERT:
		return "router advertisement";
	case ND_NEIGHBOR_SOLICIT:
		return "neighbour solicitation";
	case ND_NEIGHBOR_ADVERT:
		return "neighbour advertisement";
	default:
		return NULL;
	}
}

static bool icmp_is_echo(const struct frame_view *view, uint8_t type)
{
	if (view->kind == FRAME_ICMP)
		return type == ICMP_ECHO || type == ICMP_ECHOREPLY;
	return type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
}

static void add_icmp(struct line *line, const struct frame_view *view, const uint8_t *header)
{
	struct icmp6_hdr icmp; /* an ICMP echo message has the same fields */
	const char *name;

	memcpy(&icmp, header, sizeof(icmp));
	name = icmp_name(view, icmp.icmp6_type);
	line_add(line, view->kind == FRAME_ICMP ? " ICMP " : " ICMPv6 ");
	if (!name)
		line_add(line, "type %u code %u", icmp.icmp6_type, icmp.icmp6_code);
	else if (icmp_is_echo(view, icmp.icmp6_type))
		line_add(line, "%s id %u seq %u", name, ntohs(icmp.icmp6_id),
			 ntohs(icmp.icmp6_seq));
	else if (icmp.icmp6_code != 0)
		line_add(line, "%s code %u", name, icmp.icmp6_code);
	else
		line_add(line, "%s", name);
}

static void add_tcp(struct line *line, const uint8_t *header)
{
	struct tcphdr tcp;

	memcpy(&tcp, header, sizeof(tcp));
	line_add(line, " TCP %u > %u%s%s%s%s seq %u", ntohs(tcp.source), ntohs(tcp.dest),
		 tcp.syn ? " SYN" : "", tcp.fin ? " FIN" : "", tcp.rst ? " RST" : "",
		 tcp.psh ? " PSH" : "", ntohl(tcp.seq));
	if (tcp.ack)
		line_add(line, " ack %u", ntohl(tcp.ack_seq));
}

static void add_udp(struct line *line, const uint8_t *header)
{
	struct udphdr udp;

	memcpy(&udp, header, sizeof(udp));
	line_add(line, " UDP %u > %u", ntohs(udp.source), ntohs(udp.dest));
}

static void add_innermost(struct line *line, const struct frame_view *view, const uint8_t *frame)
{
	switch (view->kind) {
	case FRAME_ARP:
		add_arp(line, frame + view->network);
		return;
	case FRAME_ICMP:
	case FRAME_ICMPV6:
		add_icmp(line, view, frame + view->transport);
		break;
	case FRAME_TCP:
		add_tcp(line, frame + view->transport);
		break;
	case FRAME_UDP:
		add_udp(line, frame + view->transport);
		break;
	case FRAME_OTHER:
		if (view->ip_version != 0)
			line_add(line, " protocol %d", view->protocol);
		else if (view->ethertype < ETH_P_802_3_MIN)
			line_add(line, "802.3");
		else
			line_add(line, "type 0x%04x", view->ethertype);
		break;
	}
	line_add(line, " length %zu", view->payload_length);
}

int frame_describe(char *text, size_t size, enum memtun_mode mode, const void *frame, size_t length)
{
	struct line line = {.text = text, .size = size};
	const uint8_t *bytes = frame;
	struct frame_view view;
	bool malformed = frame_view_parse(&view, mode, frame, length) < 0;

	if (malformed && errno != EBADMSG)
		return -1;
	if (view.mode == MEMTUN_TAP && view.network > 0)
		add_ethernet(&line, &view, bytes);
	if (malformed) {
		if (view.ethertype != 0)
			line_add(&line, "type 0x%04x ", view.ethertype);
		line_add(&line, "length %zu malformed", length - view.network);
		return (int)line.length;
	}
	if (view.ip_version != 0)
		add_ip(&line, &view, bytes + view.network);
	add_innermost(&line, &view, bytes);
	if (view.cut)
		line_add(&line, " cut");
	if (!frame_view_checksums_are_valid(&view, frame, length))
		line_add(&line, view.transport < 0 ? " malformed" : " bad checksum");
	return (int)line.length;
}

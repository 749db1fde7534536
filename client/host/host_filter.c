/* SPDX-License-Identifier: MIT */
#include "client/host/host_filter.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_view.h"

/* Remove a tag that has only a priority. Return the frame's new first byte. */
static uint8_t *priority_tag_remove(uint8_t *frame, size_t *length)
{
	size_t tag;

	if (*length < ETH_HLEN)
		return frame;
	tag = ethernet_header_length(frame, *length) - ETH_HLEN;
	if (tag == 0)
		return frame;
	/* The MAC addresses move up to the packet's ethertype. */
	memmove(frame + tag, frame, 2 * ETH_ALEN);
	*length -= tag;
	return frame + tag;
}

/* End the IP packet, whose checksums are valid, after that many bytes. */
static void packet_cut(uint8_t *packet, uint8_t version, size_t length)
{
	struct ip6_hdr ipv6;
	struct ip ipv4;

	if (version == 6) {
		memcpy(&ipv6, packet, sizeof(ipv6));
		ipv6.ip6_plen = htons((uint16_t)(length - sizeof(ipv6)));
		memcpy(packet, &ipv6, sizeof(ipv6));
		return;
	}
	memcpy(&ipv4, packet, sizeof(ipv4));
	ipv4.ip_len = htons((uint16_t)length);
	ipv4.ip_sum = 0;
	memcpy(packet, &ipv4, sizeof(ipv4));
	ipv4.ip_sum = checksum_fold(checksum_add(0, packet, (size_t)ipv4.ip_hl * 4));
	memcpy(packet, &ipv4, sizeof(ipv4));
}

/* Return the length of the IP packet by its header. */
static size_t packet_length(const uint8_t *packet, uint8_t version)
{
	struct ip6_hdr ipv6;
	struct ip ipv4;

	if (version == 6) {
		memcpy(&ipv6, packet, sizeof(ipv6));
		return sizeof(ipv6) + ntohs(ipv6.ip6_plen);
	}
	memcpy(&ipv4, packet, sizeof(ipv4));
	return ntohs(ipv4.ip_len);
}

/* Check a datagram, and cut its packet to its length. Returns false if a host drops it. */
static bool datagram_check(const struct frame_view *view, uint8_t *frame, size_t length)
{
	uint8_t *packet = frame + view->network;
	struct udphdr udp;
	size_t end;

	/* The header is cut, or has a length that is less than its own or more than there is. */
	if (view->kind != FRAME_UDP)
		return false;
	memcpy(&udp, frame + view->transport, sizeof(udp));
	if (view->ip_version == 6 && udp.check == 0)
		return false;
	if (view->fragment)
		return true;
	end = (size_t)view->transport - view->network + ntohs(udp.len);
	if (packet_length(packet, view->ip_version) <= end)
		return true;
	if (!frame_view_checksums_are_valid(view, frame, length))
		return false;
	packet_cut(packet, view->ip_version, end);
	return true;
}

uint8_t *host_filter(uint8_t *frame, size_t *length, enum memtun_mode mode)
{
	struct frame_view view;

	if (mode == MEMTUN_TAP)
		frame = priority_tag_remove(frame, length);
	/* lwIP drops by itself what has no valid IP header. */
	if (frame_view_parse(&view, mode, frame, *length) < 0 || view.protocol != IPPROTO_UDP ||
	    view.fragment_offset > 0)
		return frame;
	return datagram_check(&view, frame, *length) ? frame : NULL;
}

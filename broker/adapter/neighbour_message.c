/* SPDX-License-Identifier: MIT */
#include "broker/adapter/neighbour_message.h"

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"

/* No router lets such a message pass with this: so it comes from the link (RFC 4861, 3.1). */
#define HOP_LIMIT 255

/* Options count their length in this. */
#define OPTION_UNIT 8

/* A solicitation or an advertisement with the one option that it may have. */
struct discovery {
	uint8_t type, code;
	uint16_t checksum;
	uint8_t flags, reserved[3];
	struct in6_addr target;
	uint8_t option_type, option_units;
	uint8_t option_mac[ETH_ALEN];
};

_Static_assert(sizeof(struct discovery) == 32, "it is laid out as on the wire");

static const struct in6_addr all_nodes = {
	.s6_addr = {0xff, 0x02, [15] = 1},
};

static const unsigned char everybody[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool mac_is_host(const unsigned char mac[ETH_ALEN])
{
	static const unsigned char zero[ETH_ALEN];

	return !(mac[0] & 1) && memcmp(mac, zero, ETH_ALEN) != 0;
}

static struct address address_read(uint32_t kind, const void *bytes)
{
	struct address address = {.kind = kind};

	memcpy(address.words, bytes, kind == ADDRESS_IPV4 ? 4 : 16);
	return address;
}

/* ------------------------------------------------------------------------------ reading */

static enum neighbour_reading arp_read(struct neighbour_message *message, const unsigned char *at)
{
	struct ether_arp arp;

	memcpy(&arp, at, sizeof(arp));
	message->host = address_read(ADDRESS_IPV4, arp.arp_spa);
	message->target = address_read(ADDRESS_IPV4, arp.arp_tpa);
	memcpy(message->mac, arp.arp_sha, ETH_ALEN);
	if ((arp.arp_op != htons(ARPOP_REQUEST) && arp.arp_op != htons(ARPOP_REPLY)) ||
	    !mac_is_host(message->mac))
		return NEIGHBOUR_BAD;
	/* Who looks whether an address is free says no address of its own (RFC 5227). */
	message->tells = address_is_host(&message->host);
	message->has_mac = true;
	message->overrides = true;
	/* Who asks for its own address tells the others of it. */
	message->asks = arp.arp_op == htons(ARPOP_REQUEST) && address_is_host(&message->target) &&
			!address_equal(&message->target, &message->host);
	return message->tells || message->asks ? NEIGHBOUR_GOOD : NEIGHBOUR_BAD;
}

/* Finds the MAC address among the options; false if one of them can't be. */
static bool options_read(struct neighbour_message *message, unsigned int type,
			 const unsigned char *at, size_t length)
{
	while (length) {
		size_t size;

		if (length < 2 || at[1] == 0)
			return false;
		size = (size_t)at[1] * OPTION_UNIT;
		if (size > length)
			return false;
		if (at[0] == type && !message->has_mac) {
			memcpy(message->mac, at + 2, ETH_ALEN);
			message->has_mac = true;
			if (!mac_is_host(message->mac))
				return false;
		}
		at += size;
		length -= size;
	}
	return true;
}

static enum neighbour_reading solicitation_read(struct neighbour_message *message)
{
	message->asks = true;
	message->overrides = true;
	if (address_is_host(&message->host))
		message->tells = message->has_mac;
	else if (message->host.words[0] || message->host.words[1] || message->has_mac)
		return NEIGHBOUR_BAD;
	return NEIGHBOUR_GOOD;
}

static enum neighbour_reading advertisement_read(struct neighbour_message *message,
						 const struct nd_neighbor_advert *advertisement)
{
	uint32_t flags = advertisement->nd_na_flags_reserved;

	message->host = message->target;
	message->overrides = flags & ND_NA_FLAG_OVERRIDE;
	message->tells = message->has_mac || (flags & ND_NA_FLAG_SOLICITED);
	return message->tells ? NEIGHBOUR_GOOD : NEIGHBOUR_BAD;
}

/* An ICMPv6 message of such a type: all that RFC 4861 (7.1) and RFC 6980 demand. */
static enum neighbour_reading discovery_read(struct neighbour_message *message,
					     const struct frame_view *view,
					     const unsigned char *frame, size_t length)
{
	const unsigned char *network = frame + view->network;
	const unsigned char *at = frame + view->transport;
	size_t size = view->payload + view->payload_length - (size_t)view->transport;
	struct nd_neighbor_advert head; /* a solicitation begins alike */
	bool asks = at[0] == ND_NEIGHBOR_SOLICIT;

	if (view->fragment || view->cut || view->source_routed || size < sizeof(head) ||
	    network[offsetof(struct ip6_hdr, ip6_hlim)] != HOP_LIMIT || at[1] != 0 ||
	    !frame_view_checksums_are_valid(view, frame, length))
		return NEIGHBOUR_BAD;
	memcpy(&head, at, sizeof(head));
	message->host = address_read(ADDRESS_IPV6, network + offsetof(struct ip6_hdr, ip6_src));
	message->target = address_read(ADDRESS_IPV6, &head.nd_na_target);
	if (!address_is_host(&message->target) ||
	    !options_read(message, asks ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR,
			  at + sizeof(head), size - sizeof(head)))
		return NEIGHBOUR_BAD;
	return asks ? solicitation_read(message) : advertisement_read(message, &head);
}

enum neighbour_reading neighbour_message_read(struct neighbour_message *message,
					      const unsigned char *frame, size_t length)
{
	uint16_t ethertype = (uint16_t)(frame[12] << 8 | frame[13]);
	struct frame_view view;
	unsigned int type;

	if (ethertype != ETH_P_ARP && ethertype != ETH_P_IPV6)
		return NEIGHBOUR_OTHER;
	*message = (struct neighbour_message){0};
	memcpy(message->sender, frame + ETH_ALEN, ETH_ALEN);
	if (frame_view_parse(&view, MEMTUN_TAP, frame, length) < 0)
		return ethertype == ETH_P_ARP ? NEIGHBOUR_BAD : NEIGHBOUR_OTHER;
	if (ethertype == ETH_P_ARP)
		return view.kind == FRAME_ARP && mac_is_host(message->sender)
			       ? arp_read(message, frame + view.network)
			       : NEIGHBOUR_BAD;
	if (view.kind != FRAME_ICMPV6)
		return NEIGHBOUR_OTHER;
	type = frame[view.transport];
	if (type != ND_NEIGHBOR_SOLICIT && type != ND_NEIGHBOR_ADVERT)
		return NEIGHBOUR_OTHER;
	return mac_is_host(message->sender) ? discovery_read(message, &view, frame, length)
					    : NEIGHBOUR_BAD;
}

/* ------------------------------------------------------------------------------ writing */

static size_t arp_write(unsigned char *frame, uint16_t operation, const unsigned char *mac,
			const struct address *from, const struct address *to,
			const unsigned char *to_mac)
{
	struct ether_arp arp = {
		.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
			   .ar_pro = htons(ETH_P_IP),
			   .ar_hln = ETH_ALEN,
			   .ar_pln = 4,
			   .ar_op = htons(operation)},
	};

	memcpy(arp.arp_sha, mac, ETH_ALEN);
	memcpy(arp.arp_spa, from->words, 4);
	if (to_mac)
		memcpy(arp.arp_tha, to_mac, ETH_ALEN);
	if (to)
		memcpy(arp.arp_tpa, to->words, 4);
	frame_build_ethernet(frame, ETH_HLEN, mac, to_mac ? to_mac : everybody, -1, ETH_P_ARP);
	memcpy(frame + ETH_HLEN, &arp, sizeof(arp));
	return ETH_HLEN + sizeof(arp);
}

/* The multicast MAC address of an IPv6 group: RFC 2464, 7. */
static void group_mac(const struct in6_addr *group, unsigned char mac[ETH_ALEN])
{
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(mac + 2, group->s6_addr + 12, 4);
}

/* to_mac NULL: the group's. */
static size_t discovery_write(unsigned char *frame, struct discovery *discovery,
			      const unsigned char *mac, const struct in6_addr *from,
			      const struct in6_addr *to, const unsigned char *to_mac)
{
	unsigned char group[ETH_ALEN];
	uint32_t sum;

	group_mac(to, group);
	memcpy(discovery->option_mac, mac, ETH_ALEN);
	discovery->option_units = 1;
	sum = checksum_pseudo_ipv6(from, to, IPPROTO_ICMPV6, sizeof(*discovery));
	discovery->checksum = checksum_fold(checksum_add(sum, discovery, sizeof(*discovery)));
	frame_build_ethernet(frame, ETH_HLEN, mac, to_mac ? to_mac : group, -1, ETH_P_IPV6);
	frame_build_ipv6(frame + ETH_HLEN, sizeof(struct ip6_hdr), from, to, IPPROTO_ICMPV6,
			 HOP_LIMIT, sizeof(*discovery));
	memcpy(frame + ETH_HLEN + sizeof(struct ip6_hdr), discovery, sizeof(*discovery));
	return ETH_HLEN + sizeof(struct ip6_hdr) + sizeof(*discovery);
}

static struct in6_addr address_in6(const struct address *address)
{
	struct in6_addr in6;

	memcpy(&in6, address->words, sizeof(in6));
	return in6;
}

/* The group in which a host of that address is: RFC 4291, 2.7.1. */
static struct in6_addr solicited_node(const struct in6_addr *target)
{
	struct in6_addr group = {.s6_addr = {0xff, 0x02, [11] = 1, [12] = 0xff}};

	memcpy(group.s6_addr + 13, target->s6_addr + 13, 3);
	return group;
}

size_t neighbour_request_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			       const unsigned char mac[ETH_ALEN], const struct address *from,
			       const struct address *target, const unsigned char *to_mac)
{
	struct discovery discovery = {
		.type = ND_NEIGHBOR_SOLICIT,
		.option_type = ND_OPT_SOURCE_LINKADDR,
	};
	struct in6_addr source, to;

	if (target->kind == ADDRESS_IPV4)
		return arp_write(frame, ARPOP_REQUEST, mac, from, target, to_mac);
	source = address_in6(from);
	discovery.target = address_in6(target);
	to = to_mac ? discovery.target : solicited_node(&discovery.target);
	return discovery_write(frame, &discovery, mac, &source, &to, to_mac);
}

size_t neighbour_reply_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			     const unsigned char mac[ETH_ALEN], const struct address *address,
			     const struct address *to, const unsigned char *to_mac)
{
	const uint32_t flags = ND_NA_FLAG_OVERRIDE | (to ? ND_NA_FLAG_SOLICITED : 0);
	struct discovery discovery = {
		.type = ND_NEIGHBOR_ADVERT,
		.option_type = ND_OPT_TARGET_LINKADDR,
	};
	struct in6_addr target;

	if (address->kind == ADDRESS_IPV4)
		return arp_write(frame, ARPOP_REPLY, mac, address, to, to_mac);
	/* The flags' four bytes are in network order, the flags in the first. */
	memcpy(&discovery.flags, &flags, 1);
	discovery.target = address_in6(address);
	target = to ? address_in6(to) : all_nodes;
	return discovery_write(frame, &discovery, mac, &discovery.target, &target,
			       to ? to_mac : NULL);
}

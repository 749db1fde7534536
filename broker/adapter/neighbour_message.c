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

/* A router decrements the hop limit, so a message with 255 comes from the link (RFC 4861, 3.1). */
#define HOP_LIMIT 255

/* The unit of an option's length, bytes (RFC 4861, 4.6). */
#define OPTION_UNIT 8

/* A solicitation or an advertisement with its one option, a link-layer address. */
struct discovery {
	uint8_t type, code;
	uint16_t checksum;
	uint8_t flags, reserved[3];
	struct in6_addr target;
	uint8_t option_type, option_units;
	uint8_t option_mac[ETH_ALEN];
};

_Static_assert(sizeof(struct discovery) == 32, "it is laid out as on the wire");

static const struct address all_nodes = {
	.bytes = {0xff, 0x02, [15] = 1},
	.kind = ADDRESS_IPV6,
};

static const unsigned char everybody[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool mac_is_host(const unsigned char mac[ETH_ALEN])
{
	const struct address address = address_ethernet(mac, 0);

	return address_is_host(&address);
}

/* ------------------------------------------------------------------------------ reading */

static enum neighbour_reading arp_read(struct neighbour_message *message, const unsigned char *at)
{
	struct ether_arp arp;

	memcpy(&arp, at, sizeof(arp));
	message->host = address_ipv4(arp.arp_spa);
	message->target = address_ipv4(arp.arp_tpa);
	memcpy(message->mac, arp.arp_sha, ETH_ALEN);
	if ((arp.arp_op != htons(ARPOP_REQUEST) && arp.arp_op != htons(ARPOP_REPLY)) ||
	    !mac_is_host(message->mac))
		return NEIGHBOUR_BAD;
	/* A host that probes whether an address is in use sends no address of its own (RFC 5227,
	 * 2.1.1). */
	message->tells = address_is_host(&message->host);
	message->has_mac = true;
	message->overrides = true;
	/* A request for the sender's own address is an announcement (RFC 5227, 2.3). */
	message->asks = arp.arp_op == htons(ARPOP_REQUEST) && address_is_host(&message->target) &&
			!address_equal(&message->target, &message->host);
	return message->tells || message->asks ? NEIGHBOUR_GOOD : NEIGHBOUR_BAD;
}

/* Read the MAC address from the options. Returns false if an option is invalid. */
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

/* Read and validate a solicitation or an advertisement, as RFC 4861, 7.1 and RFC 6980 demand. */
static enum neighbour_reading discovery_read(struct neighbour_message *message,
					     const struct frame_view *view,
					     const unsigned char *frame, size_t length)
{
	const unsigned char *at = frame + view->transport;
	size_t size = view->payload + view->payload_length - (size_t)view->transport;
	struct nd_neighbor_advert head; /* a solicitation has the same size and target */
	struct ip6_hdr ip;
	bool asks;

	if (view->fragment || view->cut || view->source_routed || size < sizeof(head))
		return NEIGHBOUR_BAD;
	memcpy(&ip, frame + view->network, sizeof(ip));
	memcpy(&head, at, sizeof(head));
	asks = head.nd_na_type == ND_NEIGHBOR_SOLICIT;
	if (ip.ip6_hlim != HOP_LIMIT || head.nd_na_code != 0 ||
	    !frame_view_checksums_are_valid(view, frame, length))
		return NEIGHBOUR_BAD;
	message->host = address_ipv6(&ip.ip6_src);
	message->target = address_ipv6(&head.nd_na_target);
	if (!address_is_host(&message->target) ||
	    !options_read(message, asks ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR,
			  at + sizeof(head), size - sizeof(head)))
		return NEIGHBOUR_BAD;
	return asks ? solicitation_read(message) : advertisement_read(message, &head);
}

enum neighbour_reading neighbour_message_read(struct neighbour_message *message,
					      const unsigned char *frame, size_t length)
{
	struct icmp6_hdr icmp;
	size_t header = ethernet_header_length(frame, length);
	struct ethhdr ethernet;
	struct frame_view view;
	uint16_t protocol;
	bool is_arp;

	memcpy(&ethernet, frame, sizeof(ethernet));
	memcpy(&protocol, frame + header - sizeof(protocol), sizeof(protocol));
	is_arp = protocol == htons(ETH_P_ARP);
	if (!is_arp && protocol != htons(ETH_P_IPV6))
		return NEIGHBOUR_OTHER;
	*message = (struct neighbour_message){0};
	memcpy(message->sender, ethernet.h_source, ETH_ALEN);
	if (frame_view_parse(&view, MEMTUN_TAP, frame, length) < 0)
		return is_arp ? NEIGHBOUR_BAD : NEIGHBOUR_OTHER;
	if (is_arp)
		return view.kind == FRAME_ARP && mac_is_host(message->sender)
			       ? arp_read(message, frame + view.network)
			       : NEIGHBOUR_BAD;
	if (view.kind != FRAME_ICMPV6)
		return NEIGHBOUR_OTHER;
	memcpy(&icmp, frame + view.transport, sizeof(icmp));
	if (icmp.icmp6_type != ND_NEIGHBOR_SOLICIT && icmp.icmp6_type != ND_NEIGHBOR_ADVERT)
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
	memcpy(arp.arp_spa, &from->ipv4, sizeof(arp.arp_spa));
	if (to_mac)
		memcpy(arp.arp_tha, to_mac, ETH_ALEN);
	if (to)
		memcpy(arp.arp_tpa, &to->ipv4, sizeof(arp.arp_tpa));
	frame_build_ethernet(frame, ETH_HLEN, mac, to_mac ? to_mac : everybody, -1, ETH_P_ARP);
	memcpy(frame + ETH_HLEN, &arp, sizeof(arp));
	return ETH_HLEN + sizeof(arp);
}

/* Write a solicitation. to_mac is NULL for the group of the target. */
static size_t discovery_write(unsigned char *frame, struct discovery *discovery,
			      const unsigned char *mac, const struct address *from,
			      const struct address *to, const unsigned char *to_mac)
{
	unsigned char group[ETH_ALEN];
	uint32_t sum;

	if (!to_mac && address_multicast_mac(to, group))
		to_mac = group;
	memcpy(discovery->option_mac, mac, ETH_ALEN);
	discovery->option_units = 1;
	sum = checksum_pseudo_ipv6(&from->ipv6, &to->ipv6, IPPROTO_ICMPV6, sizeof(*discovery));
	discovery->checksum = checksum_fold(checksum_add(sum, discovery, sizeof(*discovery)));
	frame_build_ethernet(frame, ETH_HLEN, mac, to_mac, -1, ETH_P_IPV6);
	frame_build_ipv6(frame + ETH_HLEN, sizeof(struct ip6_hdr), &from->ipv6, &to->ipv6,
			 IPPROTO_ICMPV6, HOP_LIMIT, sizeof(*discovery));
	memcpy(frame + ETH_HLEN + sizeof(struct ip6_hdr), discovery, sizeof(*discovery));
	return ETH_HLEN + sizeof(struct ip6_hdr) + sizeof(*discovery);
}

struct address neighbour_group(const struct address *address)
{
	struct address group = {
		.bytes = {0xff, 0x02, [11] = 1, [12] = 0xff},
		.kind = ADDRESS_IPV6,
	};

	memcpy(group.bytes + 13, address->bytes + 13, 3);
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
	struct address group;

	if (target->kind == ADDRESS_IPV4)
		return arp_write(frame, ARPOP_REQUEST, mac, from, target, to_mac);
	discovery.target = target->ipv6;
	group = neighbour_group(target);
	return discovery_write(frame, &discovery, mac, from, to_mac ? target : &group, to_mac);
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
	if (address->kind == ADDRESS_IPV4)
		return arp_write(frame, ARPOP_REPLY, mac, address, to, to_mac);
	/* The flags are in the first of four bytes, in network byte order. */
	memcpy(&discovery.flags, &flags, 1);
	discovery.target = address->ipv6;
	return discovery_write(frame, &discovery, mac, address, to ? to : &all_nodes,
			       to ? to_mac : NULL);
}

size_t neighbour_announcement_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
				    const unsigned char mac[ETH_ALEN],
				    const struct address *address)
{
	if (address->kind == ADDRESS_IPV4)
		return arp_write(frame, ARPOP_REQUEST, mac, address, address, NULL);
	return neighbour_reply_write(frame, mac, address, NULL, NULL);
}

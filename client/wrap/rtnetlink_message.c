/* SPDX-License-Identifier: MIT */
#include "client/wrap/rtnetlink_message.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#include "client/wrap/interface.h"

/* Of RFC 2863, as linux/if.h numbers them; that header and net/if.h exclude each other. */
#define OPERSTATE_UNKNOWN 0
#define OPERSTATE_DOWN 2

/* Bytes: the kernel's ETH_MIN_MTU, and MAX_MTU of tun.c with and without an Ethernet header. */
#define MTU_MIN 68
#define MTU_MAX_TUN 65535
#define MTU_MAX_TAP 65521

static bool is_tap(const struct interface *interface)
{
	return interface->tun.flags & IFF_TAP;
}

static unsigned char family_of(const struct address *address)
{
	return address->kind == ADDRESS_IPV4 ? AF_INET : AF_INET6;
}

static void put_address(struct nlmsghdr *header, uint16_t type, const struct address *address)
{
	if (address->kind)
		mnl_attr_put(header, type, address_bits(address) / 8, address->bytes);
}

/* Begin a message with that payload structure, and return it, all zero. */
static void *begin(union message *message, const struct message_to *to, uint16_t type, size_t size)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message);

	header->nlmsg_type = type;
	header->nlmsg_flags = (uint16_t)to->flags;
	header->nlmsg_seq = to->sequence;
	header->nlmsg_pid = to->port;
	return mnl_nlmsg_put_extra_header(header, size);
}

/* ------------------------------------------------------------------------------ link */

static void put_kind(struct nlmsghdr *header, const struct interface *interface)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO), *data;
	unsigned int flags = interface->tun.flags;

	mnl_attr_put_strz(header, IFLA_INFO_KIND, "tun");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u8(header, IFLA_TUN_TYPE, is_tap(interface) ? IFF_TAP : IFF_TUN);
	if (interface->tun.owner != (uid_t)-1)
		mnl_attr_put_u32(header, IFLA_TUN_OWNER, interface->tun.owner);
	if (interface->tun.group != (gid_t)-1)
		mnl_attr_put_u32(header, IFLA_TUN_GROUP, interface->tun.group);
	mnl_attr_put_u8(header, IFLA_TUN_PI, !(flags & IFF_NO_PI));
	mnl_attr_put_u8(header, IFLA_TUN_VNET_HDR, !!(flags & IFF_VNET_HDR));
	mnl_attr_put_u8(header, IFLA_TUN_PERSIST, !!(flags & IFF_PERSIST));
	mnl_attr_put_u8(header, IFLA_TUN_MULTI_QUEUE, !!(flags & IFF_MULTI_QUEUE));
	if (flags & IFF_MULTI_QUEUE) {
		mnl_attr_put_u32(header, IFLA_TUN_NUM_QUEUES, interface->tun.queues);
		mnl_attr_put_u32(header, IFLA_TUN_NUM_DISABLED_QUEUES,
				 interface->tun.disabled_queues);
	}
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
}

static void put_mac(struct nlmsghdr *header, const struct interface *interface)
{
	static const unsigned char broadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (interface->tun.type != ARPHRD_ETHER)
		return;
	mnl_attr_put(header, IFLA_ADDRESS, ETH_ALEN, interface->tun.address);
	mnl_attr_put(header, IFLA_BROADCAST, ETH_ALEN, broadcast);
}

/* The kernel's counters are those of its own traffic, and there is none. */
static void put_counters(struct nlmsghdr *header)
{
	static const struct rtnl_link_stats64 stats64;
	static const struct rtnl_link_stats stats;

	mnl_attr_put(header, IFLA_STATS64, sizeof(stats64), &stats64);
	mnl_attr_put(header, IFLA_STATS, sizeof(stats), &stats);
}

/* Put how IPv6 addresses are made. */
static void put_address_mode(struct nlmsghdr *header, const struct interface *interface)
{
	struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
	struct nlattr *ipv6 = mnl_attr_nest_start(header, AF_INET6);

	/* As in the kernel, without NLA_F_NESTED, for which ip(8) does not look here. */
	families->nla_type = IFLA_AF_SPEC;
	ipv6->nla_type = AF_INET6;
	mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, interface->address_mode);
	mnl_attr_nest_end(header, ipv6);
	mnl_attr_nest_end(header, families);
}

void message_link(union message *message, const struct message_to *to, uint16_t type,
		  const struct interface *interface)
{
	struct ifinfomsg *info = begin(message, to, type, sizeof(*info));
	struct nlmsghdr *header = &message->header;
	unsigned int flags = interface_flags(interface);
	bool has_carrier = interface->tun.carrier && interface->tun.queues;
	bool is_running = flags & IFF_RUNNING;
	bool is_multi = interface->tun.flags & IFF_MULTI_QUEUE;

	info->ifi_type = interface->tun.type;
	info->ifi_index = interface_index(interface);
	info->ifi_flags = flags;
	mnl_attr_put_strz(header, IFLA_IFNAME, interface->tun.name);
	mnl_attr_put_u32(header, IFLA_TXQLEN, (uint32_t)interface->transmit_queue);
	mnl_attr_put_u8(header, IFLA_OPERSTATE, is_running ? OPERSTATE_UNKNOWN : OPERSTATE_DOWN);
	mnl_attr_put_u8(header, IFLA_LINKMODE, 0);
	mnl_attr_put_u32(header, IFLA_MTU, interface->mtu);
	mnl_attr_put_u32(header, IFLA_MIN_MTU, MTU_MIN);
	mnl_attr_put_u32(header, IFLA_MAX_MTU, is_tap(interface) ? MTU_MAX_TAP : MTU_MAX_TUN);
	mnl_attr_put_u32(header, IFLA_GROUP, 0);
	mnl_attr_put_u32(header, IFLA_PROMISCUITY, !!(flags & IFF_PROMISC));
	mnl_attr_put_u32(header, IFLA_NUM_TX_QUEUES, is_multi ? interface->tun.queues : 1);
	mnl_attr_put_u32(header, IFLA_NUM_RX_QUEUES, is_multi ? interface->tun.queues : 1);
	mnl_attr_put_u8(header, IFLA_CARRIER, has_carrier);
	mnl_attr_put_strz(header, IFLA_QDISC, flags & IFF_UP ? "pfifo_fast" : "noop");
	put_mac(header, interface);
	put_counters(header);
	put_kind(header, interface);
	put_address_mode(header, interface);
}

/* ------------------------------------------------------------------------------ address */

void message_address(union message *message, const struct message_to *to, uint16_t type,
		     const struct interface *interface, const struct state_address *address)
{
	struct ifaddrmsg *info = begin(message, to, type, sizeof(*info));
	struct nlmsghdr *header = &message->header;
	bool has_peer = !address_equal(&address->local, &address->peer);
	struct ifa_cacheinfo lifetimes = {
		.ifa_prefered = address->preferred,
		.ifa_valid = address->valid,
	};

	info->ifa_family = family_of(&address->local);
	info->ifa_prefixlen = address->length;
	info->ifa_flags = (unsigned char)address->flags;
	info->ifa_scope = address->scope;
	info->ifa_index = (uint32_t)interface_index(interface);
	put_address(header, IFA_ADDRESS, &address->peer);
	if (has_peer || info->ifa_family == AF_INET)
		put_address(header, IFA_LOCAL, &address->local);
	put_address(header, IFA_BROADCAST, &address->broadcast);
	if (info->ifa_family == AF_INET)
		mnl_attr_put_strz(header, IFA_LABEL,
				  address->label[0] ? address->label : interface->tun.name);
	mnl_attr_put_u32(header, IFA_FLAGS, address->flags);
	if (address->metric)
		mnl_attr_put_u32(header, IFA_RT_PRIORITY, address->metric);
	mnl_attr_put(header, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
}

/* ------------------------------------------------------------------------------ route */

static void put_gateway(struct nlmsghdr *header, const struct state_route *route)
{
	struct {
		uint16_t family;
		unsigned char bytes[16];
	} via;

	if (!route->gateway.kind || route->gateway.kind == route->destination.kind) {
		put_address(header, RTA_GATEWAY, &route->gateway);
		return;
	}
	via.family = family_of(&route->gateway);
	memcpy(via.bytes, route->gateway.bytes, sizeof(via.bytes));
	mnl_attr_put(header, RTA_VIA, sizeof(via.family) + address_bits(&route->gateway) / 8, &via);
}

static void put_metrics(struct nlmsghdr *header, const struct state_route *route)
{
	struct nlattr *metrics;

	if (!route->mtu)
		return;
	metrics = mnl_attr_nest_start(header, RTA_METRICS);
	mnl_attr_put_u32(header, RTAX_MTU, route->mtu);
	mnl_attr_nest_end(header, metrics);
}

static struct rtmsg *route_begin(union message *message, const struct message_to *to, uint16_t type,
				 const struct state_route *route)
{
	struct rtmsg *info = begin(message, to, type, sizeof(*info));

	info->rtm_family = family_of(&route->destination);
	info->rtm_dst_len = route->length;
	info->rtm_tos = route->tos;
	info->rtm_table = (unsigned char)(route->table < 256 ? route->table : RT_TABLE_COMPAT);
	info->rtm_protocol = route->protocol;
	info->rtm_scope = route->scope;
	info->rtm_type = route->type;
	info->rtm_flags = route->is_on_link ? RTNH_F_ONLINK : 0;
	return info;
}

static void route_end(struct nlmsghdr *header, const struct interface *interface,
		      const struct state_route *route)
{
	if (route->metric)
		mnl_attr_put_u32(header, RTA_PRIORITY, route->metric);
	put_metrics(header, route);
	put_address(header, RTA_PREFSRC, &route->source);
	put_gateway(header, route);
	mnl_attr_put_u32(header, RTA_OIF, (uint32_t)interface_index(interface));
	if (route->destination.kind == ADDRESS_IPV6)
		mnl_attr_put_u8(header, RTA_PREF, 0);
}

void message_route(union message *message, const struct message_to *to, uint16_t type,
		   const struct interface *interface, const struct state_route *route)
{
	struct nlmsghdr *header = &message->header;

	route_begin(message, to, type, route);
	mnl_attr_put_u32(header, RTA_TABLE, route->table);
	if (route->length)
		put_address(header, RTA_DST, &route->destination);
	route_end(header, interface, route);
}

/* Return the source address of packets by this route: the first one of its family. */
static struct address source_of(const struct interface *interface, const struct state_route *route,
				const struct address *destination)
{
	if (route->source.kind)
		return route->source;
	for (size_t i = 0; i < interface->state.address_count; i++) {
		const struct state_address *address = &interface->state.addresses[i];

		if (address->local.kind == destination->kind)
			return address->local;
	}
	return (struct address){0};
}

void message_route_to(union message *message, const struct message_to *to,
		      const struct interface *interface, const struct state_route *route,
		      const struct address *destination, bool is_whole)
{
	struct nlmsghdr *header = &message->header;
	struct state_route found = *route;
	struct rtmsg *info;

	if (is_whole) {
		message_route(message, to, RTM_NEWROUTE, interface, route);
		return;
	}
	found.source = source_of(interface, route, destination);
	found.length = (unsigned char)address_bits(destination);
	found.scope = RT_SCOPE_UNIVERSE;
	if (destination->kind == ADDRESS_IPV4)
		found.protocol = RTPROT_UNSPEC;
	info = route_begin(message, to, RTM_NEWROUTE, &found);
	if (destination->kind == ADDRESS_IPV4)
		info->rtm_flags |= RTM_F_CLONED;
	mnl_attr_put_u32(header, RTA_TABLE, found.table);
	put_address(header, RTA_DST, destination);
	route_end(header, interface, &found);
}

/* ------------------------------------------------------------------------------ neighbour */

void message_neighbour(union message *message, const struct message_to *to, uint16_t type,
		       const struct interface *interface, const struct state_neighbour *neighbour)
{
	struct ndmsg *info = begin(message, to, type, sizeof(*info));
	struct nlmsghdr *header = &message->header;
	const struct nda_cacheinfo cache = {0};

	info->ndm_family = family_of(&neighbour->address);
	info->ndm_ifindex = interface_index(interface);
	info->ndm_state = neighbour->state;
	info->ndm_flags = neighbour->flags;
	info->ndm_type = RTN_UNICAST;
	put_address(header, NDA_DST, &neighbour->address);
	if (neighbour->has_mac)
		mnl_attr_put(header, NDA_LLADDR, ETH_ALEN, neighbour->mac);
	mnl_attr_put(header, NDA_CACHEINFO, sizeof(cache), &cache);
}

/* ------------------------------------------------------------------------------ changes */

unsigned int message_change(union message *message, const struct interface *interface,
			    const struct state_change *change, bool is_gone)
{
	static const struct message_to all;

	if (!change) {
		message_link(message, &all, is_gone ? RTM_DELLINK : RTM_NEWLINK, interface);
		return RTNLGRP_LINK;
	}
	if (change->address) {
		message_address(message, &all, change->is_removal ? RTM_DELADDR : RTM_NEWADDR,
				interface, change->address);
		return change->address->local.kind == ADDRESS_IPV4 ? RTNLGRP_IPV4_IFADDR
								   : RTNLGRP_IPV6_IFADDR;
	}
	if (change->route) {
		message_route(message, &all, change->is_removal ? RTM_DELROUTE : RTM_NEWROUTE,
			      interface, change->route);
		return change->route->destination.kind == ADDRESS_IPV4 ? RTNLGRP_IPV4_ROUTE
								       : RTNLGRP_IPV6_ROUTE;
	}
	message_neighbour(message, &all, change->is_removal ? RTM_DELNEIGH : RTM_NEWNEIGH,
			  interface, change->neighbour);
	return RTNLGRP_NEIGH;
}

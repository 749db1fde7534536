/* SPDX-License-Identifier: MIT */
/* RTM_GETROUTE, RTM_NEWROUTE and RTM_DELROUTE. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/interface_route.h"
#include "client/wrap/rtnetlink_request.h"
#include "common/address.h"

static int kind_of(int family)
{
	return family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6;
}

static uint32_t table_of(const struct rtmsg *info, const struct attributes *attributes)
{
	return attributes->at[RTA_TABLE] ? attribute_number(attributes, RTA_TABLE)
					 : info->rtm_table;
}

/* ------------------------------------------------------------------------------ dump */

/* Return whether the route passes the filters, which the kernel heeds only on a strict socket. */
static bool is_wanted(const struct request *request, const struct rtmsg *info,
		      const struct attributes *attributes, int family,
		      const struct state_route *route)
{
	uint32_t table = table_of(info, attributes);

	if (family != AF_UNSPEC && (int)route->destination.kind != kind_of(family))
		return false;
	if (!request->is_strict)
		return true;
	return (!table || table == route->table) &&
	       (!info->rtm_protocol || info->rtm_protocol == route->protocol) &&
	       (!info->rtm_type || info->rtm_type == route->type);
}

static void append_all(const struct request *request, const struct interface *interface,
		       const struct rtmsg *info, const struct attributes *attributes, int family)
{
	union message message;

	for (size_t i = 0; i < interface->state.route_count; i++) {
		const struct state_route *route = &interface->state.routes[i];

		if (!is_wanted(request, info, attributes, family, route))
			continue;
		message_route(&message, &request->to, RTM_NEWROUTE, interface, route);
		request_append(request, &message);
	}
}

static struct rtnetlink_result route_dump(const struct request *request, const struct rtmsg *info,
					  const struct attributes *attributes)
{
	uint32_t index = attribute_number(attributes, RTA_OIF);
	int family = request_dump_family(info->rtm_family);
	const struct interface *interface;

	if (request_is_our_index(index)) {
		interface = request_interface(request, (int)index);
		if (!interface)
			return rtnetlink_ours(-ENODEV);
		append_all(request, interface, info, attributes, family);
		return rtnetlink_ours(0);
	}
	/* The kernel keeps cloned routes apart; there are none of ours. */
	if (family < 0 || info->rtm_flags & RTM_F_CLONED || (index && request->is_strict))
		return rtnetlink_kernel;
	LIST_FOREACH(interface, &request->interfaces->list, link)
		append_all(request, interface, info, attributes, family);
	return rtnetlink_both;
}

/* ------------------------------------------------------------------------------ look-up */

static struct rtnetlink_result route_get(const struct request *request, const struct rtmsg *info,
					 const struct attributes *attributes)
{
	uint32_t index = attribute_number(attributes, RTA_OIF);
	const struct interface *only = NULL;
	struct address destination;
	union message message;
	struct interface_found found;

	if (request_is_our_index(index)) {
		only = request_interface(request, (int)index);
		if (!only)
			return rtnetlink_ours(-ENODEV);
	} else if (index || attribute_number(attributes, RTA_IIF)) {
		return rtnetlink_kernel;
	}
	if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) ||
	    attribute_address(attributes, RTA_DST, info->rtm_family, &destination) < 0 ||
	    !destination.kind)
		return rtnetlink_kernel;
	found = interface_route_find(request->interfaces, only, &destination);
	if (!found.route)
		return only ? rtnetlink_ours(-ENETUNREACH) : rtnetlink_kernel;
	message_route_to(&message, &request->to, found.interface, found.route, &destination,
			 info->rtm_flags & RTM_F_FIB_MATCH);
	request_append(request, &message);
	if (only)
		return rtnetlink_ours(0);
	return (struct rtnetlink_result){
		.part = RTNETLINK_LONGER,
		.route_length = found.route->length,
	};
}

/* ------------------------------------------------------------------------------ set */

/* Read a gateway of another family than the route's. */
static int via_read(const struct nlattr *attribute, struct address *gateway)
{
	size_t length = mnl_attr_get_payload_len(attribute);
	const unsigned char *bytes = mnl_attr_get_payload(attribute);
	uint16_t family;

	if (length < sizeof(family))
		return -1;
	memcpy(&family, bytes, sizeof(family));
	bytes += sizeof(family);
	length -= sizeof(family);
	if (family == AF_INET && length == sizeof(struct in_addr))
		*gateway = address_ipv4(bytes);
	else if (family == AF_INET6 && length == sizeof(struct in6_addr))
		*gateway = address_ipv6(bytes);
	else
		return -1;
	return 0;
}

/* Read RTAX_MTU of the metrics; 0: it has none. */
static uint32_t mtu_read(const struct nlattr *metrics)
{
	const struct nlattr *metric;

	if (!metrics)
		return 0;
	mnl_attr_for_each_nested(metric, metrics)
	{
		if (mnl_attr_get_type(metric) == RTAX_MTU &&
		    mnl_attr_get_payload_len(metric) >= sizeof(uint32_t))
			return mnl_attr_get_u32(metric);
	}
	return 0;
}

/* Read the route of the request. -1: it is malformed, or of another family. */
static int route_read(const struct rtmsg *info, const struct attributes *attributes,
		      struct state_route *route)
{
	unsigned char family = info->rtm_family;

	memset(route, 0, sizeof(*route));
	if ((family != AF_INET && family != AF_INET6) ||
	    attribute_address(attributes, RTA_DST, family, &route->destination) < 0 ||
	    attribute_address(attributes, RTA_GATEWAY, family, &route->gateway) < 0 ||
	    attribute_address(attributes, RTA_PREFSRC, family, &route->source) < 0)
		return -1;
	if (attributes->at[RTA_VIA] && via_read(attributes->at[RTA_VIA], &route->gateway) < 0)
		return -1;
	/* An address of zeros is no gateway: OpenVPN deletes a route without one that way. */
	if (!route->gateway.words[0] && !route->gateway.words[1])
		route->gateway.kind = 0;
	route->destination.kind = (uint32_t)kind_of(family);
	route->length = info->rtm_dst_len;
	route->table = table_of(info, attributes);
	if (!route->table)
		route->table = RT_TABLE_MAIN;
	route->metric = attribute_number(attributes, RTA_PRIORITY);
	route->mtu = mtu_read(attributes->at[RTA_METRICS]);
	route->protocol = info->rtm_protocol;
	route->scope = info->rtm_scope;
	route->type = info->rtm_type;
	route->tos = info->rtm_tos;
	route->is_on_link = info->rtm_flags & RTNH_F_ONLINK;
	return 0;
}

/* Return whether one of the next hops is on an interface of a tunnel. */
static bool has_our_hop(const struct nlattr *hops)
{
	size_t left = hops ? mnl_attr_get_payload_len(hops) : 0;
	const char *at = hops ? mnl_attr_get_payload(hops) : NULL;
	struct rtnexthop hop;

	while (left >= sizeof(hop)) {
		size_t length;

		memcpy(&hop, at, sizeof(hop));
		length = NLMSG_ALIGN((size_t)hop.rtnh_len);
		if (request_is_our_index(hop.rtnh_ifindex))
			return true;
		if (length < sizeof(hop) || length > left)
			break;
		at += length;
		left -= length;
	}
	return false;
}

/* Check the scope and type, as fib_create_info() in the kernel. */
static int route_check(const struct state_route *route)
{
	if (route->type == RTN_UNSPEC || route->type > RTN_MULTICAST)
		return -EINVAL;
	if (route->destination.kind == ADDRESS_IPV6)
		return 0;
	if (route->scope > RT_SCOPE_HOST ||
	    (route->gateway.kind && route->scope >= RT_SCOPE_LINK) ||
	    (route->type == RTN_UNICAST && route->scope >= RT_SCOPE_HOST))
		return -EINVAL;
	return 0;
}

/* Look for the same route of another interface: *result is -EEXIST then, or the route is
 * removed. */
static int others_check(const struct request *request, const struct interface *own,
			const struct state_route *route, unsigned int flags)
{
	struct interface *interface;

	LIST_FOREACH(interface, &request->interfaces->list, link) {
		const struct state_route *same;

		if (interface == own)
			continue;
		same = state_route_same(&interface->state, route);
		if (!same)
			continue;
		if (flags & NLM_F_EXCL)
			return -EEXIST;
		if (flags & NLM_F_REPLACE) {
			struct state_route gone = *same;

			state_route_delete(&interface->state, &gone);
		}
	}
	return 0;
}

static int route_new(const struct request *request, struct interface *interface,
		     struct state_route *route)
{
	unsigned int flags = request->header->nlmsg_flags, mode = 0;
	int result = route_check(route);

	if (route->destination.kind == ADDRESS_IPV6)
		route->scope = RT_SCOPE_UNIVERSE;
	if (result == 0)
		result = others_check(request, interface, route, flags);
	if (result < 0)
		return result;
	mode |= flags & NLM_F_CREATE ? STATE_CREATE : 0;
	mode |= flags & NLM_F_EXCL ? STATE_EXCLUSIVE : 0;
	mode |= flags & NLM_F_REPLACE ? STATE_REPLACE : 0;
	mode |= flags & NLM_F_APPEND ? STATE_APPEND : 0;
	return state_route_add(&interface->state, route, mode);
}

static struct rtnetlink_result route_delete(const struct request *request,
					    struct interface *interface, struct state_route *route)
{
	int result = -ESRCH;

	if (route->destination.kind == ADDRESS_IPV6) {
		route->scope = RT_SCOPE_NOWHERE;
		route->type = RTN_UNSPEC;
	}
	if (interface)
		return rtnetlink_ours(state_route_delete(&interface->state, route));
	LIST_FOREACH(interface, &request->interfaces->list, link) {
		result = state_route_delete(&interface->state, route);
		if (result == 0)
			return rtnetlink_ours(0);
	}
	return rtnetlink_kernel;
}

static struct rtnetlink_result route_set(const struct request *request, const struct rtmsg *info,
					 const struct attributes *attributes)
{
	uint32_t index = attribute_number(attributes, RTA_OIF);
	struct interface *interface = NULL;
	struct state_route route;

	if (has_our_hop(attributes->at[RTA_MULTIPATH]))
		return rtnetlink_ours(-EINVAL); /* as a kernel without multipath routes */
	if (index && !request_is_our_index(index))
		return rtnetlink_kernel;
	if (route_read(info, attributes, &route) < 0)
		return index ? rtnetlink_ours(-EINVAL) : rtnetlink_kernel;
	if (index) {
		interface = request_interface(request, (int)index);
		if (!interface)
			return rtnetlink_ours(-ENODEV);
	}
	if (request->header->nlmsg_type == RTM_DELROUTE)
		return route_delete(request, interface, &route);
	if (!interface)
		interface = interface_gateway_find(request->interfaces, &route.gateway);
	return interface ? rtnetlink_ours(route_new(request, interface, &route)) : rtnetlink_kernel;
}

struct rtnetlink_result rtnetlink_route(const struct request *request)
{
	struct attributes attributes;
	const struct rtmsg *info;
	struct rtmsg spare;

	info = request_head(request, &spare, sizeof(spare));
	if (!info || request_attributes(request, sizeof(spare), &attributes) < 0)
		return rtnetlink_kernel;
	if (request->is_dump)
		return route_dump(request, info, &attributes);
	if (request->header->nlmsg_type == RTM_GETROUTE)
		return route_get(request, info, &attributes);
	return route_set(request, info, &attributes);
}

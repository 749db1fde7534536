/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/route.h>
#include <string.h>

#include "client/wrap/call.h"
#include "client/wrap/interface.h"
#include "client/wrap/interface_request.h"
#include "client/wrap/memory.h"

struct interface_found interface_route_find(struct interfaces *interfaces,
					    const struct interface *only,
					    const struct address *address)
{
	struct interface_found best = {0};
	struct interface *interface;

	LIST_FOREACH(interface, &interfaces->list, link) {
		const struct state_route *route = state_route_to(&interface->state, address);

		if (!route || (only && interface != only))
			continue;
		if (!best.route || route->length > best.route->length ||
		    (route->length == best.route->length && route->metric < best.route->metric))
			best = (struct interface_found){interface, route};
	}
	return best;
}

struct interface *interface_gateway_find(struct interfaces *interfaces,
					 const struct address *gateway)
{
	struct interface *interface, *best = NULL;
	unsigned int length = 1;

	if (!gateway->kind || address_is_link_local(gateway))
		return NULL;
	LIST_FOREACH(interface, &interfaces->list, link) {
		const struct interface_state *state = &interface->state;

		for (size_t i = 0; i < state->route_count; i++) {
			const struct state_route *route = &state->routes[i];

			if (route->type != RTN_UNICAST || route->table != RT_TABLE_MAIN ||
			    route->gateway.kind || route->length <= length ||
			    !address_shares_prefix(&route->destination, gateway, route->length))
				continue;
			length = route->length;
			best = interface;
		}
	}
	return best;
}

/* ------------------------------------------------------------------------------ ioctl */

/* struct rtentry of a 32-bit program. */
struct rtentry_32 {
	uint32_t pad1;
	struct sockaddr dst, gateway, genmask;
	uint16_t flags;
	int16_t pad2;
	uint32_t pad3;
	unsigned char tos, class;
	int16_t pad4;
	int16_t metric;
	uint32_t dev;
	uint32_t mtu, window;
	uint16_t irtt;
};

/* Read the call's structure. -1 with errno. */
static int entry_read(const struct call *call, struct rtentry *entry)
{
	struct rtentry_32 entry_32;

	if (!call->is_32_bit)
		return memory_copy(call, entry, call->argument, sizeof(*entry), false);
	if (memory_copy(call, &entry_32, call->argument, sizeof(entry_32), false) < 0)
		return -1;
	*entry = (struct rtentry){
		.rt_dst = entry_32.dst,
		.rt_gateway = entry_32.gateway,
		.rt_genmask = entry_32.genmask,
		.rt_flags = entry_32.flags,
		.rt_metric = entry_32.metric,
		.rt_dev = (char *)(uintptr_t)entry_32.dev,
		.rt_mtu = entry_32.mtu,
	};
	return 0;
}

/* Read an IPv4 address. -1: it is of another family. */
static int ipv4_read(const struct sockaddr *given, struct address *address)
{
	struct sockaddr_in ipv4;

	memcpy(&ipv4, given, sizeof(ipv4));
	if (ipv4.sin_family != AF_INET)
		return -1;
	*address = address_ipv4(&ipv4.sin_addr);
	return 0;
}

/* Return the length of the prefix that the mask has; -1: it has holes. */
static int length_of(const struct rtentry *entry)
{
	struct sockaddr_in mask;
	in_addr_t zeros;

	if (entry->rt_flags & RTF_HOST)
		return 32;
	memcpy(&mask, &entry->rt_genmask, sizeof(mask));
	zeros = ~ntohl(mask.sin_addr.s_addr);
	return zeros & (zeros + 1) ? -1 : __builtin_popcount(mask.sin_addr.s_addr);
}

/* Make the route of the entry, as rtentry_to_fib_config() in the kernel. */
static int route_of(const struct rtentry *entry, bool is_removal, struct state_route *route)
{
	int length = length_of(entry);

	*route = (struct state_route){
		.table = RT_TABLE_MAIN,
		.metric = entry->rt_metric > 1 ? (uint32_t)entry->rt_metric - 1 : 0,
		.mtu = entry->rt_flags & RTF_MTU ? (uint32_t)entry->rt_mtu : 0,
		.length = (unsigned char)length,
		.protocol = is_removal ? RTPROT_UNSPEC : RTPROT_BOOT,
		.scope = is_removal ? RT_SCOPE_NOWHERE : RT_SCOPE_LINK,
		.type = is_removal ? RTN_UNSPEC : RTN_UNICAST,
	};
	if (length < 0 || ipv4_read(&entry->rt_dst, &route->destination) < 0)
		return -EINVAL;
	if (!(entry->rt_flags & RTF_GATEWAY))
		return 0;
	if (ipv4_read(&entry->rt_gateway, &route->gateway) < 0)
		return -EINVAL;
	if (!is_removal)
		route->scope = RT_SCOPE_UNIVERSE;
	return 0;
}

/* Return the interface with the name, without the label that may follow it. */
static struct interface *interface_named(struct interfaces *interfaces, const struct call *call,
					 unsigned long at)
{
	char name[IFNAMSIZ];

	if (memory_read_string(call, at, name, sizeof(name)) < 0)
		return NULL;
	name[strcspn(name, ":")] = '\0';
	return interface_find(interfaces, name);
}

int interface_route_request(struct interfaces *interfaces, const struct call *call)
{
	bool is_removal = call->request == SIOCDELRT;
	struct interface *interface;
	struct state_route route;
	struct rtentry entry;
	int result;

	if (entry_read(call, &entry) < 0 || entry.rt_flags & RTF_REJECT)
		return INTERFACE_REQUEST_PASS;
	result = route_of(&entry, is_removal, &route);
	interface = entry.rt_dev ? interface_named(interfaces, call, (unsigned long)entry.rt_dev)
				 : NULL;
	if (entry.rt_dev && !interface)
		return INTERFACE_REQUEST_PASS;
	if (result < 0)
		return interface ? result : INTERFACE_REQUEST_PASS;
	if (!interface)
		interface = interface_gateway_find(interfaces, &route.gateway);
	if (interface)
		return is_removal ? state_route_delete(&interface->state, &route)
				  : state_route_add(&interface->state, &route, STATE_CREATE);
	LIST_FOREACH(interface, &interfaces->list, link) {
		if (is_removal && state_route_delete(&interface->state, &route) == 0)
			return 0;
	}
	return INTERFACE_REQUEST_PASS;
}

/* SPDX-License-Identifier: MIT */
/*
 * The routes of an interface. Read in fib_table_insert(), fib_check_nh(), fib_add_ifaddr() and
 * ip6_route_add() of Linux 6.18.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface_state.h"

/* IP6_RT_PRIO_USER, and IP6_RT_PRIO_ADDRCONF of the routes that addresses bring. */
#define METRIC_IPV6 1024
#define METRIC_IPV6_ADDRESS 256

static bool is_same_key(const struct state_route *one, const struct state_route *other)
{
	return address_equal(&one->destination, &other->destination) &&
	       one->length == other->length && one->table == other->table &&
	       one->metric == other->metric && one->tos == other->tos;
}

static bool is_same(const struct state_route *one, const struct state_route *other)
{
	return is_same_key(one, other) && address_equal(&one->gateway, &other->gateway) &&
	       address_equal(&one->source, &other->source) && one->type == other->type &&
	       one->scope == other->scope;
}

const struct state_route *state_route_same(const struct interface_state *state,
					   const struct state_route *route)
{
	struct state_route key = *route;

	if (key.destination.kind == ADDRESS_IPV6 && !key.metric)
		key.metric = METRIC_IPV6;
	for (size_t i = 0; i < state->route_count; i++) {
		if (is_same_key(&state->routes[i], &key))
			return &state->routes[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------------------ look-up */

static bool is_better(const struct state_route *one, const struct state_route *other)
{
	if (!other)
		return true;
	/* The rule of the local table comes before that of the main one. */
	if ((one->table == RT_TABLE_LOCAL) != (other->table == RT_TABLE_LOCAL))
		return one->table == RT_TABLE_LOCAL;
	if (one->length != other->length)
		return one->length > other->length;
	return one->metric < other->metric;
}

const struct state_route *state_route_to(const struct interface_state *state,
					 const struct address *address)
{
	const struct state_route *best = NULL;

	for (size_t i = 0; i < state->route_count; i++) {
		const struct state_route *route = &state->routes[i];

		if ((route->table == RT_TABLE_MAIN || route->table == RT_TABLE_LOCAL) &&
		    address_shares_prefix(&route->destination, address, route->length) &&
		    is_better(route, best))
			best = route;
	}
	return best;
}

/* ------------------------------------------------------------------------------ adding */

/* Check the gateway, as fib_check_nh() and ip6_route_check_nh(). */
static int gateway_check(const struct interface_state *state, const struct state_route *route)
{
	const struct state_route *way;

	if (!route->gateway.kind || route->is_on_link)
		return 0;
	if (state_address_has(state, &route->gateway))
		return -EINVAL;
	if (address_is_link_local(&route->gateway))
		return 0;
	way = state_route_to(state, &route->gateway);
	return way && way->type == RTN_UNICAST && !way->gateway.kind ? 0 : -ENETUNREACH;
}

static int route_check(const struct interface_state *state, const struct state_route *route)
{
	struct address masked = route->destination;

	if (route->length > address_bits(&masked))
		return -EINVAL;
	state_mask(&masked, route->length);
	if (!address_equal(&masked, &route->destination))
		return -EINVAL;
	if (!state->is_up)
		return -ENETDOWN;
	if (route->source.kind && !state_address_has(state, &route->source))
		return -EINVAL;
	return gateway_check(state, route);
}

static int insert(struct interface_state *state, const struct state_route *route, size_t at)
{
	struct state_route *grown = state_grow(state->routes, state->route_count, sizeof(*grown));

	if (!grown)
		return -errno;
	state->routes = grown;
	memmove(&grown[at + 1], &grown[at], (state->route_count - at) * sizeof(*grown));
	grown[at] = *route;
	state->route_count++;
	state_route_changed(state, route, false);
	return 0;
}

int state_route_add(struct interface_state *state, const struct state_route *given,
		    unsigned int mode)
{
	struct state_route route = *given;
	size_t first = state->route_count, after = state->route_count;
	int result = route_check(state, given);

	if (result < 0)
		return result;
	if (route.destination.kind == ADDRESS_IPV6 && !route.metric)
		route.metric = METRIC_IPV6;
	for (size_t i = state->route_count; i-- > 0;) {
		if (!is_same_key(&state->routes[i], &route))
			continue;
		first = i;
		after = after == state->route_count ? i + 1 : after;
		if (!(mode & STATE_REPLACE) && is_same(&state->routes[i], &route))
			result = -EEXIST;
	}
	if (first == state->route_count)
		return mode & STATE_CREATE ? insert(state, &route, first) : -ENOENT;
	if (mode & STATE_EXCLUSIVE)
		return -EEXIST;
	if (mode & STATE_REPLACE) {
		state->routes[first] = route;
		state_route_changed(state, &route, false);
		return 0;
	}
	if (result < 0)
		return result;
	if (!(mode & STATE_CREATE))
		return -ENOENT;
	return insert(state, &route, mode & STATE_APPEND ? after : first);
}

/* ------------------------------------------------------------------------------ removing */

static void remove_at(struct interface_state *state, size_t at)
{
	struct state_route gone = state->routes[at];

	state->route_count--;
	memmove(&state->routes[at], &state->routes[at + 1],
		(state->route_count - at) * sizeof(gone));
	state_route_changed(state, &gone, true);
}

static bool fits(const struct state_route *route, const struct state_route *wanted)
{
	return address_equal(&route->destination, &wanted->destination) &&
	       route->length == wanted->length && route->table == wanted->table &&
	       route->tos == wanted->tos && (!wanted->metric || route->metric == wanted->metric) &&
	       (!wanted->type || route->type == wanted->type) &&
	       (!wanted->protocol || route->protocol == wanted->protocol) &&
	       (wanted->scope == RT_SCOPE_NOWHERE || route->scope == wanted->scope) &&
	       (!wanted->source.kind || address_equal(&route->source, &wanted->source)) &&
	       (!wanted->gateway.kind || address_equal(&route->gateway, &wanted->gateway));
}

int state_route_delete(struct interface_state *state, const struct state_route *wanted)
{
	for (size_t i = 0; i < state->route_count; i++) {
		if (!fits(&state->routes[i], wanted))
			continue;
		remove_at(state, i);
		return 0;
	}
	return -ESRCH;
}

void state_route_flush(struct interface_state *state, bool all)
{
	for (size_t i = state->route_count; i-- > 0;) {
		const struct state_route *route = &state->routes[i];

		if (all || route->type != RTN_LOCAL || route->destination.kind != ADDRESS_IPV4)
			remove_at(state, i);
	}
}

/* ------------------------------------------------------------------------------ of addresses */

/* How many routes an address brings at most. */
#define CONNECTED_MAX 4

static struct state_route connected(const struct state_address *address, unsigned char type,
				    const struct address *destination, unsigned int length)
{
	bool is_ipv6 = destination->kind == ADDRESS_IPV6;
	struct state_route route = {
		.destination = *destination,
		.length = (unsigned char)length,
		.table = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
		.protocol = RTPROT_KERNEL,
		.type = type,
	};

	state_mask(&route.destination, length);
	if (is_ipv6) {
		route.metric = type == RTN_UNICAST ? METRIC_IPV6_ADDRESS : 0;
	} else {
		route.scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
		route.source = address->local;
	}
	if (type == RTN_UNICAST && address->metric)
		route.metric = address->metric;
	return route;
}

/* Return the address of all hosts in the address's prefix. */
static struct address directed_broadcast(const struct state_address *address)
{
	struct address all = address->peer;

	all.ipv4.s_addr |= htonl(address->length ? UINT32_MAX >> address->length : UINT32_MAX);
	return all;
}

/* Write the routes of an address of an interface that is up. Return how many. */
static size_t connected_list(const struct state_address *address,
			     struct state_route routes[CONNECTED_MAX])
{
	unsigned int bits = address_bits(&address->local);
	struct address prefix = address->peer;
	size_t count = 0;

	state_mask(&prefix, address->length);
	routes[count++] = connected(address, RTN_LOCAL, &address->local, bits);
	if (address->local.kind == ADDRESS_IPV4 && address->broadcast.kind &&
	    address->broadcast.ipv4.s_addr != INADDR_BROADCAST)
		routes[count++] = connected(address, RTN_BROADCAST, &address->broadcast, 32);
	if (address->flags & IFA_F_SECONDARY)
		return count;
	if (address->local.kind == ADDRESS_IPV4 &&
	    (prefix.bytes[0] == 0 ||
	     (address_equal(&prefix, &address->local) && address->length == 32)))
		return count;
	if (address->local.kind == ADDRESS_IPV6 && address->length == 128 &&
	    address_equal(&address->peer, &address->local))
		return count;
	if (!(address->flags & IFA_F_NOPREFIXROUTE))
		routes[count++] = connected(address, RTN_UNICAST, &prefix, address->length);
	if (address->local.kind == ADDRESS_IPV4 && address->length < 31) {
		struct address all = directed_broadcast(address);

		routes[count++] = connected(address, RTN_BROADCAST, &all, 32);
	}
	return count;
}

int state_route_connect(struct interface_state *state, const struct state_address *address)
{
	struct state_route routes[CONNECTED_MAX];
	size_t count = connected_list(address, routes);
	/* The route of the IPv4 address itself does not wait until the interface is up. */
	size_t added = state->is_up ? count : address->local.kind == ADDRESS_IPV4 ? 1 : 0;

	for (size_t i = 0; i < added; i++) {
		int result;

		if (state_route_same(state, &routes[i]))
			continue;
		result = insert(state, &routes[i], state->route_count);
		if (result < 0)
			return result;
	}
	return 0;
}

/* Return whether another address of the interface also needs the route. */
static bool is_needed(const struct interface_state *state, const struct state_route *route)
{
	struct state_route routes[CONNECTED_MAX];

	for (size_t i = 0; i < state->address_count; i++) {
		size_t count = connected_list(&state->addresses[i], routes);

		while (count-- > 0) {
			if (is_same_key(&routes[count], route))
				return true;
		}
	}
	return false;
}

/* Remove the routes whose source is an address that the interface has no longer. */
static void source_flush(struct interface_state *state, const struct address *address)
{
	if (state_address_has(state, address))
		return;
	for (size_t i = state->route_count; i-- > 0;) {
		if (address_equal(&state->routes[i].source, address) &&
		    !is_needed(state, &state->routes[i]))
			remove_at(state, i);
	}
}

void state_route_disconnect(struct interface_state *state, const struct state_address *address)
{
	struct state_route routes[CONNECTED_MAX];
	size_t count = connected_list(address, routes);

	while (count-- > 0) {
		if (is_needed(state, &routes[count]))
			continue;
		for (size_t i = 0; i < state->route_count; i++) {
			if (is_same_key(&state->routes[i], &routes[count]) &&
			    state->routes[i].protocol == RTPROT_KERNEL) {
				remove_at(state, i);
				break;
			}
		}
	}
	source_flush(state, &address->local);
}

/* SPDX-License-Identifier: MIT */
/*
 * Tells the differences between two states of an interface as changes: first what has gone, then what
 * is new, each in the kernel's order.
 */
#include <string.h>

#include "client/wrap/interface_state.h"

static bool address_has(const struct interface_state *state, const struct state_address *wanted)
{
	for (size_t i = 0; i < state->address_count; i++) {
		const struct state_address *one = &state->addresses[i];

		if (address_equal(&one->local, &wanted->local) &&
		    address_equal(&one->peer, &wanted->peer) &&
		    address_equal(&one->broadcast, &wanted->broadcast) &&
		    one->length == wanted->length && one->scope == wanted->scope &&
		    one->flags == wanted->flags && strcmp(one->label, wanted->label) == 0)
			return true;
	}
	return false;
}

static bool route_has(const struct interface_state *state, const struct state_route *wanted)
{
	for (size_t i = 0; i < state->route_count; i++) {
		const struct state_route *one = &state->routes[i];

		if (address_equal(&one->destination, &wanted->destination) &&
		    address_equal(&one->gateway, &wanted->gateway) &&
		    address_equal(&one->source, &wanted->source) && one->table == wanted->table &&
		    one->metric == wanted->metric && one->length == wanted->length &&
		    one->type == wanted->type && one->tos == wanted->tos)
			return true;
	}
	return false;
}

static bool neighbour_has(const struct interface_state *state, const struct state_neighbour *wanted)
{
	for (size_t i = 0; i < state->neighbour_count; i++) {
		const struct state_neighbour *one = &state->neighbours[i];

		if (address_equal(&one->address, &wanted->address) && one->state == wanted->state &&
		    one->has_mac == wanted->has_mac &&
		    (!one->has_mac || memcmp(one->mac, wanted->mac, sizeof(one->mac)) == 0))
			return true;
	}
	return false;
}

/* Tell, for `state`, what `one` has and `other` has not. */
static void difference_tell(struct interface_state *state, const struct interface_state *one,
			    const struct interface_state *other, bool is_removal)
{
	for (size_t i = 0; i < one->neighbour_count; i++) {
		if (!neighbour_has(other, &one->neighbours[i]))
			state_neighbour_changed(state, &one->neighbours[i], is_removal);
	}
	for (size_t i = 0; i < one->address_count; i++) {
		if (!address_has(other, &one->addresses[i]))
			state_address_changed(state, &one->addresses[i], is_removal);
	}
	for (size_t i = 0; i < one->route_count; i++) {
		if (!route_has(other, &one->routes[i]))
			state_route_changed(state, &one->routes[i], is_removal);
	}
}

void interface_state_tell(struct interface_state *state, const struct interface_state *former)
{
	difference_tell(state, former, state, true);
	difference_tell(state, state, former, false);
}

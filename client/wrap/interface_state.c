/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_state.h"

#include <errno.h>
#include <stdlib.h>

void *state_grow(void *array, size_t count, size_t size)
{
	if (count >= STATE_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	return reallocarray(array, count + 1, size);
}

void state_mask(struct address *address, unsigned int length)
{
	for (unsigned int i = 0; i < address_bits(address) / 8; i++) {
		unsigned int kept = length > i * 8 ? length - i * 8 : 0;

		if (kept < 8)
			address->bytes[i] &= (unsigned char)~(0xff >> kept);
	}
}

static void tell(struct interface_state *state, const struct state_change *change)
{
	if (state->changed)
		state->changed(state, change);
}

void state_address_changed(struct interface_state *state, const struct state_address *address,
			   bool is_removal)
{
	struct state_change change = {.is_removal = is_removal, .address = address};

	tell(state, &change);
}

void state_route_changed(struct interface_state *state, const struct state_route *route,
			 bool is_removal)
{
	struct state_change change = {.is_removal = is_removal, .route = route};

	tell(state, &change);
}

void state_neighbour_changed(struct interface_state *state, const struct state_neighbour *neighbour,
			     bool is_removal)
{
	struct state_change change = {.is_removal = is_removal, .neighbour = neighbour};

	tell(state, &change);
}

/* Remove the IPv6 addresses, as addrconf_ifdown() in the kernel. */
static void ipv6_remove(struct interface_state *state)
{
	for (size_t i = state->address_count; i-- > 0;) {
		if (state->addresses[i].local.kind == ADDRESS_IPV6) {
			struct state_address gone = state->addresses[i];

			state_address_delete(state, &gone);
		}
	}
}

void interface_state_set_up(struct interface_state *state, bool is_up)
{
	if (state->is_up == is_up)
		return;
	state->is_up = is_up;
	if (!is_up) {
		state_neighbour_flush(state);
		ipv6_remove(state);
		state_route_flush(state, false);
		return;
	}
	for (size_t i = 0; i < state->address_count; i++)
		/* Without memory for a route, the address stays without it, as in the kernel. */
		(void)state_route_connect(state, &state->addresses[i]);
}

void interface_state_free(struct interface_state *state)
{
	interface_state_set_up(state, false);
	while (state->address_count > 0) {
		struct state_address gone = state->addresses[state->address_count - 1];

		state_address_delete(state, &gone);
	}
	state_route_flush(state, true);
	free(state->addresses);
	free(state->routes);
	free(state->neighbours);
	*state = (struct interface_state){0};
}

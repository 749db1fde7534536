/* SPDX-License-Identifier: MIT */
/* The neighbours of an interface: neigh_add() and neigh_delete() of Linux 6.18. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface_state.h"

static struct state_neighbour *neighbour_find(const struct interface_state *state,
					      const struct address *address)
{
	for (size_t i = 0; i < state->neighbour_count; i++) {
		if (address_equal(&state->neighbours[i].address, address))
			return &state->neighbours[i];
	}
	return NULL;
}

int state_neighbour_add(struct interface_state *state, const struct state_neighbour *neighbour,
			unsigned int mode)
{
	struct state_neighbour *same = neighbour_find(state, &neighbour->address);

	if (same && mode & STATE_EXCLUSIVE)
		return -EEXIST;
	if (!same && !(mode & STATE_CREATE))
		return -ENOENT;
	if (!same) {
		struct state_neighbour *grown =
			state_grow(state->neighbours, state->neighbour_count, sizeof(*grown));

		if (!grown)
			return -errno;
		state->neighbours = grown;
		same = &grown[state->neighbour_count++];
	}
	*same = *neighbour;
	state_neighbour_changed(state, neighbour, false);
	return 0;
}

int state_neighbour_delete(struct interface_state *state, const struct address *address)
{
	struct state_neighbour *neighbour = neighbour_find(state, address);
	struct state_neighbour gone;

	if (!neighbour)
		return -ENOENT;
	gone = *neighbour;
	*neighbour = state->neighbours[--state->neighbour_count];
	state_neighbour_changed(state, &gone, true);
	return 0;
}

void state_neighbour_flush(struct interface_state *state)
{
	while (state->neighbour_count > 0) {
		struct address address = state->neighbours[state->neighbour_count - 1].address;

		state_neighbour_delete(state, &address);
	}
}

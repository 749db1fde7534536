/* SPDX-License-Identifier: MIT */
/*
 * The addresses of an interface. Read in inet_insert_ifa(), inet_rtm_newaddr() and
 * inet6_addr_add() of Linux 6.18.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface_state.h"

/* Return whether both addresses are in one IPv4 prefix, so that the second one is secondary. */
static bool is_same_prefix(const struct state_address *one, const struct state_address *other)
{
	return one->local.kind == ADDRESS_IPV4 && one->length == other->length &&
	       address_shares_prefix(&one->peer, &other->peer, one->length);
}

/* Return whether both are the same address, for which the kernel fails with EEXIST. */
static bool is_same(const struct state_address *one, const struct state_address *other)
{
	return address_equal(&one->local, &other->local) &&
	       (one->local.kind == ADDRESS_IPV6 || is_same_prefix(one, other));
}

/* Find the same address. Set the flag of a secondary one if *address would be one. */
static int place_find(const struct interface_state *state, struct state_address *address,
		      struct state_address **same)
{
	*same = NULL;
	address->flags &= ~(uint32_t)IFA_F_SECONDARY;
	for (size_t i = 0; i < state->address_count; i++) {
		struct state_address *other = &state->addresses[i];

		if (is_same(other, address)) {
			*same = other;
			return 0;
		}
		if (!is_same_prefix(other, address))
			continue;
		if (other->scope != address->scope)
			return -EINVAL;
		address->flags |= IFA_F_SECONDARY;
	}
	return 0;
}

/* Change what NLM_F_REPLACE may change: the lifetimes, the metric and some flags. */
static int replace(struct interface_state *state, struct state_address *same,
		   const struct state_address *address)
{
	const uint32_t kept = IFA_F_SECONDARY;
	struct state_address former = *same;

	same->flags = (same->flags & kept) | (address->flags & ~kept);
	same->metric = address->metric;
	same->preferred = address->preferred;
	same->valid = address->valid;
	if (address->local.kind == ADDRESS_IPV6)
		same->peer = address->peer;
	state_address_changed(state, same, false);
	state_route_disconnect(state, &former);
	return state_route_connect(state, same);
}

int state_address_add(struct interface_state *state, const struct state_address *given,
		      unsigned int mode)
{
	struct state_address address = *given, *same, *grown;
	int result = place_find(state, &address, &same);

	if (result < 0)
		return result;
	if (address.valid == UINT32_MAX)
		address.flags |= IFA_F_PERMANENT;
	if (same)
		return mode & STATE_EXCLUSIVE || !(mode & STATE_REPLACE)
			       ? -EEXIST
			       : replace(state, same, &address);
	grown = state_grow(state->addresses, state->address_count, sizeof(*grown));
	if (!grown)
		return -errno;
	state->addresses = grown;
	grown[state->address_count++] = address;
	state_address_changed(state, &address, false);
	return state_route_connect(state, &address);
}

static void remove_at(struct interface_state *state, size_t at)
{
	struct state_address gone = state->addresses[at];

	state->address_count--;
	memmove(&state->addresses[at], &state->addresses[at + 1],
		(state->address_count - at) * sizeof(gone));
	state_route_disconnect(state, &gone);
	state_address_changed(state, &gone, true);
}

static bool fits(const struct state_address *address, const struct state_address *wanted)
{
	if (wanted->local.kind && !address_equal(&address->local, &wanted->local))
		return false;
	if (wanted->label[0] && strcmp(address->label, wanted->label) != 0)
		return false;
	return !wanted->peer.kind ||
	       (address->length == wanted->length &&
		address_shares_prefix(&address->peer, &wanted->peer, wanted->length));
}

int state_address_delete(struct interface_state *state, const struct state_address *wanted)
{
	for (size_t i = 0; i < state->address_count; i++) {
		struct state_address gone = state->addresses[i];

		if (!fits(&gone, wanted))
			continue;
		remove_at(state, i);
		/* As by the kernel's default, a primary address takes its secondary ones with
		 * it. */
		for (size_t j = state->address_count; !(gone.flags & IFA_F_SECONDARY) && j-- > 0;) {
			if (is_same_prefix(&state->addresses[j], &gone))
				remove_at(state, j);
		}
		return 0;
	}
	return -EADDRNOTAVAIL;
}

struct state_address *state_address_labelled(const struct interface_state *state, const char *label)
{
	for (size_t i = 0; i < state->address_count; i++) {
		if (state->addresses[i].local.kind == ADDRESS_IPV4 &&
		    strcmp(state->addresses[i].label, label) == 0)
			return &state->addresses[i];
	}
	return NULL;
}

bool state_address_has(const struct interface_state *state, const struct address *address)
{
	for (size_t i = 0; i < state->address_count; i++) {
		if (address_equal(&state->addresses[i].local, address))
			return true;
	}
	return false;
}

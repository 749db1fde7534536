/* SPDX-License-Identifier: MIT */
/* A bounded set of addresses. When it is full, the oldest address is removed for a new one. An
 * address that is still in use is soon added again. */
#ifndef MEMTUN_ADDRESS_RING_H
#define MEMTUN_ADDRESS_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/address.h"

#define ADDRESS_RING_MAX 256

struct ring_entry {
	SLIST_ENTRY(ring_entry) link;
	struct address address; /* kind 0: none */
};

struct address_ring {
	SLIST_HEAD(, ring_entry) buckets[ADDRESS_RING_MAX];
	struct ring_entry entries[ADDRESS_RING_MAX];
	unsigned int next; /* the oldest entry, which is replaced next */
	uint64_t seed;
};

/* Initialize zeroed memory. The seed is for address_hash(). */
void address_ring_init(struct address_ring *ring, uint64_t seed);

bool address_ring_has(const struct address_ring *ring, const struct address *address);

/* Add an address. Returns whether it is new and has replaced no other one. */
bool address_ring_add(struct address_ring *ring, const struct address *address);

void address_ring_remove(struct address_ring *ring, const struct address *address);

#endif

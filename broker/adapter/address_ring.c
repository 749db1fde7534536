/* SPDX-License-Identifier: MIT */
#include "broker/adapter/address_ring.h"

#include <stddef.h>

static unsigned int ring_bucket(const struct address_ring *ring, const struct address *address)
{
	return address_hash(ring->seed, address) % ADDRESS_RING_MAX;
}

void address_ring_init(struct address_ring *ring, uint64_t seed)
{
	ring->seed = seed;
}

static struct ring_entry *ring_find(const struct address_ring *ring, const struct address *address)
{
	struct ring_entry *entry;

	SLIST_FOREACH(entry, &ring->buckets[ring_bucket(ring, address)], link) {
		if (address_equal(&entry->address, address))
			return entry;
	}
	return NULL;
}

bool address_ring_has(const struct address_ring *ring, const struct address *address)
{
	return ring_find(ring, address) != NULL;
}

static void ring_empty(struct address_ring *ring, struct ring_entry *entry)
{
	unsigned int bucket = ring_bucket(ring, &entry->address);

	SLIST_REMOVE(&ring->buckets[bucket], entry, ring_entry, link);
	entry->address.kind = 0;
}

bool address_ring_add(struct address_ring *ring, const struct address *address)
{
	struct ring_entry *entry = &ring->entries[ring->next];
	bool replaces = entry->address.kind != 0;

	if (address_ring_has(ring, address))
		return false;
	if (replaces)
		ring_empty(ring, entry);
	entry->address = *address;
	SLIST_INSERT_HEAD(&ring->buckets[ring_bucket(ring, address)], entry, link);
	ring->next = (ring->next + 1) % ADDRESS_RING_MAX;
	return !replaces;
}

void address_ring_remove(struct address_ring *ring, const struct address *address)
{
	struct ring_entry *entry = ring_find(ring, address);

	if (entry)
		ring_empty(ring, entry);
}

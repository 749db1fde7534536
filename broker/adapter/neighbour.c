/* SPDX-License-Identifier: MIT */
#include "broker/adapter/neighbour.h"

#include <string.h>

static unsigned int table_bucket(const struct neighbour_table *table, const struct address *address)
{
	return address_hash(table->seed, address) % NEIGHBOURS_MAX;
}

void neighbour_table_init(struct neighbour_table *table, uint64_t seed,
			  void (*forgotten)(void *context, struct neighbour *neighbour),
			  void *context)
{
	table->seed = seed;
	table->forgotten = forgotten;
	table->context = context;
	TAILQ_INIT(&table->order);
	TAILQ_INIT(&table->asked);
	for (unsigned int i = 0; i < NEIGHBOURS_MAX; i++)
		TAILQ_INSERT_TAIL(&table->order, &table->entries[i], in_order);
}

struct neighbour *neighbour_find(const struct neighbour_table *table, const struct address *address)
{
	struct neighbour *neighbour;

	SLIST_FOREACH(neighbour, &table->buckets[table_bucket(table, address)], in_bucket) {
		if (address_equal(&neighbour->address, address))
			return neighbour;
	}
	return NULL;
}

void neighbour_use(struct neighbour_table *table, struct neighbour *neighbour)
{
	TAILQ_REMOVE(&table->order, neighbour, in_order);
	TAILQ_INSERT_TAIL(&table->order, neighbour, in_order);
}

struct neighbour *neighbour_add(struct neighbour_table *table, const struct address *address,
				const struct address *sender)
{
	struct neighbour *neighbour = TAILQ_FIRST(&table->order);

	if (neighbour->address.kind)
		neighbour_forget(table, neighbour);
	neighbour->address = *address;
	neighbour->sender = *sender;
	neighbour->known = false;
	SLIST_INSERT_HEAD(&table->buckets[table_bucket(table, address)], neighbour, in_bucket);
	neighbour_use(table, neighbour);
	return neighbour;
}

/* Stop probing the neighbour. */
static void neighbour_stop_probing(struct neighbour_table *table, struct neighbour *neighbour)
{
	if (neighbour->probes)
		TAILQ_REMOVE(&table->asked, neighbour, in_probed);
	neighbour->probes = 0;
}

void neighbour_forget(struct neighbour_table *table, struct neighbour *neighbour)
{
	unsigned int bucket = table_bucket(table, &neighbour->address);

	table->forgotten(table->context, neighbour);
	neighbour_stop_probing(table, neighbour);
	SLIST_REMOVE(&table->buckets[bucket], neighbour, neighbour, in_bucket);
	neighbour->address.kind = 0;
	TAILQ_REMOVE(&table->order, neighbour, in_order);
	TAILQ_INSERT_HEAD(&table->order, neighbour, in_order);
}

void neighbour_forget_all(struct neighbour_table *table)
{
	struct neighbour *last;

	/* Free entries are first in the order. */
	while ((last = TAILQ_LAST(&table->order, neighbours))->address.kind)
		neighbour_forget(table, last);
}

void neighbour_confirm(struct neighbour_table *table, struct neighbour *neighbour,
		       const unsigned char mac[ETH_ALEN], int64_t now)
{
	neighbour_stop_probing(table, neighbour);
	memcpy(neighbour->mac, mac, ETH_ALEN);
	neighbour->known = true;
	neighbour->confirmed = now;
}

bool neighbour_is_old(const struct neighbour *neighbour, int64_t now)
{
	return neighbour->known && !neighbour->probes &&
	       now - neighbour->confirmed > NEIGHBOUR_CONFIRMED;
}

void neighbour_probed(struct neighbour_table *table, struct neighbour *neighbour, int64_t now)
{
	/* All probes wait for the same time, so the list stays in the order of due times. */
	if (neighbour->probes++)
		TAILQ_REMOVE(&table->asked, neighbour, in_probed);
	TAILQ_INSERT_TAIL(&table->asked, neighbour, in_probed);
	neighbour->due = now + NEIGHBOUR_INTERVAL;
}

struct neighbour *neighbour_overdue(const struct neighbour_table *table, int64_t now)
{
	struct neighbour *first = TAILQ_FIRST(&table->asked);

	return first && first->due <= now ? first : NULL;
}

int64_t neighbour_deadline(const struct neighbour_table *table)
{
	const struct neighbour *first = TAILQ_FIRST(&table->asked);

	return first ? first->due : -1;
}

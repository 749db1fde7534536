/* SPDX-License-Identifier: MIT */
#include "address_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "port.h"

/* A power of two; eight entries a bucket when the table is full. */
#define BUCKETS 1024

struct entry {
	SLIST_ENTRY(entry) link;
	struct address address;
	struct port *port;
	double seen;
};

struct address_table {
	SLIST_HEAD(, entry) buckets[BUCKETS];
	uint64_t seed; /* so that no sender can choose addresses that share a bucket */
	unsigned int count;
};

struct address_table *address_table_new(void)
{
	struct address_table *table = calloc(1, sizeof(*table));

	/* Without randomness there is still a table. */
	if (table && getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
		table->seed = 0;
	return table;
}

static unsigned int address_hash(const struct address_table *table, const struct address *address)
{
	/* A multiplication by an odd constant spreads its input to the upper bits. */
	uint64_t hash = table->seed ^ address->kind;

	hash = (hash ^ address->words[0]) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ (hash >> 32) ^ address->words[1]) * UINT64_C(0xd6e8feb86659fd93);
	return (unsigned int)(hash >> 54) % BUCKETS;
}

static bool address_equal(const struct address *one, const struct address *other)
{
	return one->words[0] == other->words[0] && one->words[1] == other->words[1] &&
	       one->kind == other->kind;
}

static void entry_remove(struct address_table *table, unsigned int bucket, struct entry *entry)
{
	SLIST_REMOVE(&table->buckets[bucket], entry, entry, link);
	entry->port->addresses--;
	table->count--;
	free(entry);
}

/* Removes what `port` (NULL: any) had there and was last seen before `since`. */
static void table_remove(struct address_table *table, const struct port *port, double since)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		struct entry *entry, *next;

		SLIST_FOREACH_SAFE(entry, &table->buckets[i], link, next)
		{
			if ((!port || entry->port == port) && entry->seen < since)
				entry_remove(table, i, entry);
		}
	}
}

void address_table_free(struct address_table *table)
{
	if (!table)
		return;
	table_remove(table, NULL, __builtin_inf());
	free(table);
}

static struct entry *table_find(struct address_table *table, const struct address *address,
				unsigned int bucket)
{
	struct entry *entry;

	SLIST_FOREACH(entry, &table->buckets[bucket], link) {
		if (address_equal(&entry->address, address))
			return entry;
	}
	return NULL;
}

void address_table_learn(struct address_table *table, const struct address *address,
			 struct port *port, double now)
{
	unsigned int bucket = address_hash(table, address);
	struct entry *entry = table_find(table, address, bucket);

	if (entry) {
		if (entry->port != port) {
			entry->port->addresses--;
			entry->port = port;
			port->addresses++;
		}
		entry->seen = now;
		return;
	}
	if (table->count >= ADDRESS_TABLE_MOST || port->addresses >= ADDRESS_TABLE_MOST_A_PORT)
		return;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return; /* then it is flooded to */
	*entry = (struct entry){.address = *address, .port = port, .seen = now};
	SLIST_INSERT_HEAD(&table->buckets[bucket], entry, link);
	port->addresses++;
	table->count++;
}

struct port *address_table_find(struct address_table *table, const struct address *address,
				double now)
{
	unsigned int bucket = address_hash(table, address);
	struct entry *entry = table_find(table, address, bucket);

	if (!entry)
		return NULL;
	if (entry->seen < now - ADDRESS_AGEING) {
		entry_remove(table, bucket, entry);
		return NULL;
	}
	return entry->port;
}

void address_table_forget(struct address_table *table, struct port *port)
{
	if (port->addresses)
		table_remove(table, port, __builtin_inf());
}

unsigned int address_table_count(struct address_table *table, double now)
{
	table_remove(table, NULL, now - ADDRESS_AGEING);
	return table->count;
}

/* SPDX-License-Identifier: MIT */
#include "broker/switch/address_table.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "broker/switch/port.h"

/* A power of two; eight entries a bucket when the table is full. */
#define BUCKETS 1024

struct entry {
	SLIST_ENTRY(entry) link;
	struct address address;
	struct port *port;
	int64_t seen;
	int64_t moving_since; /* the first of the moves */
	unsigned int moves;   /* within a second of that */
};

struct address_table {
	SLIST_HEAD(, entry) buckets[BUCKETS];
	uint64_t seed; /* secret, so that a sender cannot choose addresses that share a bucket */
	unsigned int count;
	bool real_moves; /* `moving_since` is by clock_now() */
	int64_t swept;   /* when aged ones last made room */
};

struct address_table *address_table_new(void)
{
	struct address_table *table = calloc(1, sizeof(*table));

	/* Without randomness there is still a table. */
	if (table && getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
		table->seed = 0;
	return table;
}

void address_table_count_real_moves(struct address_table *table)
{
	table->real_moves = true;
}

static unsigned int table_bucket(const struct address_table *table, const struct address *address)
{
	return address_hash(table->seed, address) % BUCKETS;
}

static void entry_remove(struct address_table *table, unsigned int bucket, struct entry *entry)
{
	SLIST_REMOVE(&table->buckets[bucket], entry, entry, link);
	entry->port->addresses--;
	table->count--;
	free(entry);
}

/* Remove the entries of `port` (NULL: of all ports) that were last seen before `since`. */
static void table_remove(struct address_table *table, const struct port *port, int64_t since)
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
	table_remove(table, NULL, INT64_MAX);
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

static bool table_is_full(const struct address_table *table, const struct port *port)
{
	return table->count >= ADDRESS_TABLE_MAX || port->addresses >= ADDRESS_TABLE_PORT_MAX;
}

/* Return the move of the entry to another port. */
static struct address_move entry_move(struct entry *entry, int64_t now)
{
	if (!entry->moves || now - entry->moving_since >= CLOCK_SECOND) {
		entry->moving_since = now;
		entry->moves = 0;
	}
	entry->moves++;
	return (struct address_move){.from = entry->port, .count = entry->moves};
}

struct address_move address_table_learn(struct address_table *table, const struct address *address,
					struct port *port, int64_t now)
{
	unsigned int bucket = table_bucket(table, address);
	struct entry *entry = table_find(table, address, bucket);
	struct entry learned = {.address = *address, .port = port, .seen = now};
	struct address_move move = {0};

	if (entry && entry->port == port) {
		entry->seen = now;
		return move;
	}
	/* The address has moved. Learn it anew, because its new port may have reached its limit. */
	if (entry) {
		move = entry_move(entry, table->real_moves ? clock_now() : now);
		learned.moving_since = entry->moving_since;
		learned.moves = entry->moves;
		entry_remove(table, bucket, entry);
	}
	if (table_is_full(table, port) && now - table->swept >= CLOCK_SECOND) {
		table->swept = now;
		table_remove(table, NULL, now - ADDRESS_AGEING);
	}
	if (table_is_full(table, port))
		return move;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return move; /* then it is flooded to */
	*entry = learned;
	SLIST_INSERT_HEAD(&table->buckets[bucket], entry, link);
	port->addresses++;
	table->count++;
	return move;
}

struct port *address_table_find(struct address_table *table, const struct address *address,
				int64_t now)
{
	unsigned int bucket = table_bucket(table, address);
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
		table_remove(table, port, INT64_MAX);
}

bool address_table_next(struct address_table *table, uint32_t *cursor, int64_t now,
			struct address_entry *next)
{
	/* The cursor has the number of the bucket, and how many of its entries were returned. */
	unsigned int bucket = *cursor >> 16, told = *cursor & 0xffff;

	for (; bucket < BUCKETS; bucket++, told = 0) {
		unsigned int i = 0;
		struct entry *entry;

		SLIST_FOREACH(entry, &table->buckets[bucket], link) {
			if (entry->seen < now - ADDRESS_AGEING || i++ < told)
				continue;
			*next = (struct address_entry){entry->address, entry->port, entry->seen};
			*cursor = bucket << 16 | (told + 1);
			return true;
		}
	}
	return false;
}

unsigned int address_table_count(struct address_table *table, int64_t now)
{
	if (table->count)
		table_remove(table, NULL, now - ADDRESS_AGEING);
	return table->count;
}

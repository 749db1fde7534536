/* SPDX-License-Identifier: MIT */
/*
 * Which port an address was last seen behind: a bridge's memory. Bounded, for the whole table and
 * for each port, since the addresses are whatever the ports care to send from; what no longer fits
 * is not learned, and frames to it are flooded.
 */
#ifndef MEMTUN_ADDRESS_TABLE_H
#define MEMTUN_ADDRESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/clock.h"

struct port;
struct address_table;

/* As IEEE 802.1D has it: an address that wasn't seen for so long is forgotten. */
#define ADDRESS_AGEING (300 * CLOCK_SECOND)

#define ADDRESS_TABLE_MAX 8192
#define ADDRESS_TABLE_PORT_MAX 4096

/* NULL with ENOMEM. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table);

/* Remembers, or remembers anew, that the address is behind the port. now: clock_now(). */
void address_table_learn(struct address_table *table, const struct address *address,
			 struct port *port, int64_t now);

/* The port the address is behind, NULL if that isn't known (any more). */
struct port *address_table_find(struct address_table *table, const struct address *address,
				int64_t now);

/* Forgets what is behind that port. */
void address_table_forget(struct address_table *table, struct port *port);

/* One address that the table holds. */
struct address_entry {
	struct address address;
	struct port *port;
	int64_t seen;
};

/*
 * The next of its addresses, aged ones left out: *cursor begins at 0 and is for the table to use.
 * If others are learned or forgotten between two calls, one may be missed or told twice. False:
 * that was all.
 */
bool address_table_next(struct address_table *table, uint32_t *cursor, int64_t now,
			struct address_entry *next);

/* How many addresses it holds, the aged among them not counted. */
unsigned int address_table_count(struct address_table *table, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The addresses that a bridge has learned, each with the port behind which it was last seen. The
 * table is bounded, and so is the number of addresses of one port, because a client can send from
 * any address. Beyond that no address is learned, and frames to it are flooded.
 */
#ifndef MEMTUN_ADDRESS_TABLE_H
#define MEMTUN_ADDRESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/clock.h"

struct port;
struct address_table;

/*
 * An address that was not seen for this time is forgotten: the default Ageing Time of IEEE 802.1D.
 */
#define ADDRESS_AGEING (300 * CLOCK_SECOND)

#define ADDRESS_TABLE_MAX 8192
#define ADDRESS_TABLE_PORT_MAX 4096

/* Allocate an empty one. NULL with ENOMEM. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table);

/* Count moves by the real clock, as the times that the other functions get are those of a manual one. */
void address_table_count_real_moves(struct address_table *table);

/* How an address has moved from one port to another. */
struct address_move {
	struct port *from;  /* NULL: it hasn't moved */
	unsigned int count; /* this move, and those of at most a second before it */
};

/* Learn that the address is behind the port, or update when it was seen. Return
 * its move, if the address was behind another port. */
struct address_move address_table_learn(struct address_table *table, const struct address *address,
					struct port *port, int64_t now);

/* Return the port behind which the address is. NULL if the address is unknown or has aged. */
struct port *address_table_find(struct address_table *table, const struct address *address,
				int64_t now);

/* Forget all addresses behind the port. */
void address_table_forget(struct address_table *table, struct port *port);

/* One address that the table holds. */
struct address_entry {
	struct address address;
	struct port *port;
	int64_t seen;
};

/*
 * Get the next address that has not aged. *cursor is 0 before the first call, and belongs to the
 * table afterwards. If addresses are learned or forgotten between two calls, an address may be
 * missed or returned twice. Returns false after the last address.
 */
bool address_table_next(struct address_table *table, uint32_t *cursor, int64_t now,
			struct address_entry *next);

/* Return how many addresses the table has. Removes those that have aged. */
unsigned int address_table_count(struct address_table *table, int64_t now);

#endif

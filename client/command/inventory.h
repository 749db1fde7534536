/* SPDX-License-Identifier: MIT */
/*
 * The bridges of a broker and their ports at one moment: three lists, of bridges, tunnels and
 * uplinks, which are read again if they change in the meantime. Learned addresses are not part of
 * it, because there may be many: bridge_tree.c requests them for one bridge at a time.
 */
#ifndef MEMTUN_INVENTORY_H
#define MEMTUN_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "memtun.h"

struct record_list {
	struct memtun_record **records; /* owned */
	size_t count;
	size_t room;
	bool failed; /* out of memory */
};

struct inventory {
	struct record_list bridges; /* sorted by name */
	struct record_list ports; /* tunnels and uplinks on a bridge, sorted by the bridge's name */
};

/*
 * Read the inventory of one bridge, or of all (NULL); statistics: with counters. The caller frees
 * it by inventory_free(), also after an error. -1 with errno: ENOMEM, or another with
 * memtun_error().
 */
int inventory_read(struct inventory *inventory, struct memtun *memtun, const char *bridge,
		   bool statistics);
void inventory_free(struct inventory *inventory);

/* Return the first port of that bridge, and set *count to how many there are from there on. */
struct memtun_record **inventory_ports(const struct inventory *inventory, const char *bridge,
				       size_t *count);

#endif

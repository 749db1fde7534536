/* SPDX-License-Identifier: MIT */
/*
 * What a broker's bridges join, at one moment: the bridges, and all ports with those of one bridge
 * next to each other. It is one list of bridges, one of tunnels and one of uplinks; where they
 * change while they are read, they are read again. Learned addresses are no part of it, as they may
 * be many: who wants them asks for one bridge's after the other.
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
	bool failed; /* memory was short */
};

struct inventory {
	struct record_list bridges; /* by name */
	struct record_list ports;   /* tunnels and uplinks that are in a bridge, by its name */
};

/*
 * Reads it; bridge: of that one only, NULL: of all. statistics: with counters. -1 with errno,
 * ENOMEM or as memtun_error() says. To be freed by inventory_free() in any case.
 */
int inventory_read(struct inventory *inventory, struct memtun *memtun, const char *bridge,
		   bool statistics);
void inventory_free(struct inventory *inventory);

/* The ports of that bridge: *count of them from the one returned on. */
struct memtun_record **inventory_ports(const struct inventory *inventory, const char *bridge,
				       size_t *count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What memtun bridge show prints of an inventory: a tree, JSON or a graph. Each function prints
 * an error itself and returns the exit status.
 */
#ifndef MEMTUN_BRIDGE_VIEW_H
#define MEMTUN_BRIDGE_VIEW_H

#include "client/command/command.h"
#include "client/command/inventory.h"

/*
 * Print bridges, their ports, and the addresses behind these, which it requests from the broker: a
 * tree, or with -j one object for each of them.
 */
int bridge_tree_print(const struct invocation *invocation, struct memtun *memtun,
		      const struct inventory *inventory);

/* Return whether rules impair the port. */
static inline bool bridge_view_is_impaired(const struct memtun_record *port)
{
	uint64_t rules = 0;

	memtun_record_number(port, "rules", &rules);
	return rules > 0;
}

/* Print bridges, their ports and what uplinks are joined to, in Graphviz's language. */
int bridge_dot_print(const struct inventory *inventory);

#endif

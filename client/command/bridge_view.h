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

/* Print bridges, their ports and what uplinks are joined to, in Graphviz's language. */
int bridge_dot_print(const struct inventory *inventory);

#endif

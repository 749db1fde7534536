/* SPDX-License-Identifier: MIT */
/*
 * What memtun bridge show makes of an inventory: a tree or JSON, or a graph. Each function returns
 * the exit status, and has said what failed.
 */
#ifndef MEMTUN_BRIDGE_VIEW_H
#define MEMTUN_BRIDGE_VIEW_H

#include "client/command/command.h"
#include "client/command/inventory.h"

/*
 * Bridges, their ports and, asked for meanwhile, the addresses learned behind them: a tree of names
 * or, with invocation->json, a row each that says what it is.
 */
int bridge_tree_print(const struct invocation *invocation, struct memtun *memtun,
		      const struct inventory *inventory);

/* Bridges, their ports and what uplinks are joined to, in Graphviz's language. */
int bridge_dot_print(const struct inventory *inventory);

#endif

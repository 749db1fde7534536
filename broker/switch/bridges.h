/* SPDX-License-Identifier: MIT */
/*
 * The register of bridges: by name for requests and ports, by id for lists. It adds and deletes
 * bridges, and publishes both.
 */
#ifndef MEMTUN_BRIDGES_H
#define MEMTUN_BRIDGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/tree.h>

struct bridge;
struct engine;

RB_HEAD(bridge_name_tree, bridge);
RB_HEAD(bridge_id_tree, bridge);

struct bridges {
	struct engine *engine;
	struct bridge_name_tree by_name;
	struct bridge_id_tree by_id;
};

/* Return the bridge of that name, or NULL. */
struct bridge *bridges_find(struct bridges *bridges, const char *name);

/* Return the bridge with the lowest id above `id`, or NULL: the order of lists. */
struct bridge *bridges_next(struct bridges *bridges, uint32_t id);

/* Make a bridge of a free name. options: enum bridge_option, or'ed. NULL with ENOMEM. */
struct bridge *bridges_add(struct bridges *bridges, const char *name, unsigned int options);

/* Delete a bridge. Its ports are then on no bridge. */
void bridges_delete(struct bridges *bridges, struct bridge *bridge);

/* Delete a bridge that has no ports and is not persistent. */
void bridges_delete_if_unused(struct bridges *bridges, struct bridge *bridge);

#endif

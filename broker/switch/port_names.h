/* SPDX-License-Identifier: MIT */
/*
 * The names of all ports, tunnels and uplinks alike, in one tree. Templates are expanded here:
 * `tap%d` is the lowest name that no port has. For the templates that were used last the tree
 * remembers where to begin, so that the cost of a name doesn't grow with the number of ports.
 */
#ifndef MEMTUN_PORT_NAMES_H
#define MEMTUN_PORT_NAMES_H

#include <stdint.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "memtun/protocol.h"

struct fault;
struct port;

RB_HEAD(port_name_tree, port);
RB_HEAD(port_id_tree, port);

/* The templates that are remembered: `tap%d`, `tun%d` and two more. */
#define PORT_NAME_TEMPLATES 4

struct port_names {
	struct port_name_tree tree;
	struct {
		char text[MEMTUN_NAME_SIZE];
		unsigned int below; /* none of its names below this number is free */
	} templates[PORT_NAME_TEMPLATES];
	unsigned int next; /* the entry that a new template replaces */
};

/* Add a port, whose name must be free; and remove it. */
void port_names_add(struct port_names *names, struct port *port);
void port_names_remove(struct port_names *names, struct port *port);

/* Return the port of that name, or NULL. */
struct port *port_names_find(const struct port_names *names, const char *name);

/*
 * Check that the name is free for this user's new port. A port that only waits for the broker to
 * see its clients' end is deleted first. -1 with the fault filled: EBUSY, EPERM.
 */
int port_names_check(struct port_names *names, const char *name, uid_t uid, struct fault *fault);

/* Write the template's lowest free name. -1 with ENFILE. */
int port_names_expand(struct port_names *names, const char *template, char name[MEMTUN_NAME_SIZE]);

/* Ports by id, for lists. port_ids_next() returns the first with an id above `id`, or NULL. */
void port_ids_add(struct port_id_tree *ids, struct port *port);
void port_ids_remove(struct port_id_tree *ids, struct port *port);
struct port *port_ids_next(const struct port_id_tree *ids, uint32_t id);

#endif

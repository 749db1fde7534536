/* SPDX-License-Identifier: MIT */
/*
 * The names of all ports, tunnels and uplinks alike, in one tree. Templates are expanded here:
 * `tap%d` is the lowest name that no port has.
 *
 * So that the cost of a template does not grow with the number of ports, a second tree has the
 * numbers in names: of each name the first and the last run of digits. The tree keeps consecutive
 * numbers between the same texts as one interval, so the lowest free number is behind the interval
 * that has the lowest number. Only where a digit follows the %d of a template, or digits are on both
 * sides of it, is each number tried. For a batch of such names the search goes on where it ended.
 */
#ifndef MEMTUN_PORT_NAMES_H
#define MEMTUN_PORT_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "memtun/protocol.h"

struct fault;
struct port;

RB_HEAD(port_name_tree, port);
RB_HEAD(port_id_tree, port);

RB_HEAD(name_number_tree, name_number);

/* A run of digits in a name. */
struct name_number {
	RB_ENTRY(name_number) by_number; /* if it is the first number of its interval */
	const char *name;
	uint64_t value;
	uint64_t end;           /* the last number of its interval */
	uint8_t before, digits; /* bytes before the run and in it; no digits: there is no run */
};

struct port_names {
	struct port_name_tree tree;
	struct name_number_tree numbers; /* the first of each interval */
	char tried[MEMTUN_NAME_SIZE]; /* the template of the last search that tried each number */
	unsigned int tried_below;     /* its numbers below this one are taken */
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

/* SPDX-License-Identifier: MIT */
/*
 * The names of all ports, tunnels and uplinks alike, in one tree. Templates are expanded here:
 * `tap%d` is the lowest name that no port has.
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

/*
 * So that the cost of a template does not grow with the number of ports, a second tree has the
 * numbers in names: each run of digits. The tree keeps consecutive numbers between the same texts
 * as one interval, so the lowest free number is behind the interval that has the lowest number.
 * Where a digit follows the %d directly, the number is not a run but a part of one; it has two
 * digits at the most, and each is tried.
 */

RB_HEAD(port_name_tree, port);
RB_HEAD(port_id_tree, port);

RB_HEAD(name_number_tree, name_number);

/* A run of digits in a name. */
struct name_number {
	RB_ENTRY(name_number) by_number; /* if it is the first number of its interval */
	const char *name;
	uint64_t value;
	uint64_t end;           /* the last number of its interval */
	uint8_t before, digits; /* bytes before the run and in it */
};

/* All runs of digits in a name. */
struct name_numbers {
	struct name_number *runs;
	unsigned int count;
};

struct port_names {
	struct port_name_tree tree;
	struct name_number_tree numbers; /* the first of each interval */
};

/* Find the numbers in a name, which must outlive them. -1 with ENOMEM. */
int name_numbers_init(struct name_numbers *numbers, const char *name);
void name_numbers_free(struct name_numbers *numbers);

/* Add a port, whose name must be free; and remove it. */
void port_names_add(struct port_names *names, struct port *port);
void port_names_remove(struct port_names *names, struct port *port);

/* Give a port another name, which must be free. -1 with ENOMEM. */
int port_names_rename(struct port_names *names, struct port *port, const char *name);

/* Return the port of that name, or NULL. */
struct port *port_names_find(const struct port_names *names, const char *name);

/*
 * Check that the name is free for this user's new port. A port that only waits for the broker to
 * see its clients' end is deleted first. -1 with the fault filled: EBUSY, EPERM.
 */
int port_names_check(struct port_names *names, const char *name, uid_t uid, struct fault *fault);

/* Write the template's free name with the lowest number that is not below `from`, and store the
 * number. -1 with ENFILE. */
int port_names_expand(const struct port_names *names, const char *template, unsigned int from,
		      unsigned int *number, char name[MEMTUN_NAME_SIZE]);

/* Ports by id, for lists. port_ids_next() returns the first with an id above `id`, or NULL. */
void port_ids_add(struct port_id_tree *ids, struct port *port);
void port_ids_remove(struct port_id_tree *ids, struct port *port);
struct port *port_ids_next(const struct port_id_tree *ids, uint32_t id);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Adds, checks and describes the rules of a port, for requests and for the options of a new port.
 */
#ifndef MEMTUN_PORT_IMPAIR_H
#define MEMTUN_PORT_IMPAIR_H

#include "broker/switch/port.h"
#include "common/attribute_set.h"

struct rule;

/* Add a rule to the port. NULL with the fault filled: EINVAL, ENOMEM, E2BIG. */
struct rule *port_impair_add(struct port *port, const struct attribute_set *options,
			     struct fault *fault);

/* Add the rule that the options of a new port have, if they have one. `bypass` says where the port's
 * frames go, if not through the broker; else it is NULL. -1 with the fault filled: EINVAL, ENOMEM. */
int port_impair_new(struct port *port, const char *bypass, const struct attribute_set *options,
		    struct fault *fault);

/* Check that an existing port has the rule that the options have, if they have one. -1 with the fault
 * filled: EINVAL. */
int port_impair_check(const struct port *port, const struct attribute_set *options,
		      struct fault *fault);

/* Describe a rule of the port in the set, which is cleared first. holding has room for a text. */
void port_impair_describe(const struct port *port, const struct rule *rule,
			  struct attribute_set *set, char holding[MEMTUN_TEXT_SIZE]);

#endif

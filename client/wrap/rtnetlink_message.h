/* SPDX-License-Identifier: MIT */
/*
 * The rtnetlink messages about the interfaces of interface.h, as the kernel writes them for its
 * own.
 */
#ifndef MEMTUN_RTNETLINK_MESSAGE_H
#define MEMTUN_RTNETLINK_MESSAGE_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/wrap/rtnetlink_reply.h"

struct interface;
struct state_address;
struct state_change;
struct state_neighbour;
struct state_route;
struct address;

/* To whom a message goes, and what it answers. All zero for a notification. */
struct message_to {
	unsigned int sequence;
	unsigned int port;
	unsigned int flags; /* NLM_F_* */
};

/* Room for a message, aligned for its header. */
union message {
	struct nlmsghdr header;
	char bytes[REPLY_MESSAGE];
};

/* Write a message of that type. */
void message_link(union message *message, const struct message_to *to, uint16_t type,
		  const struct interface *interface);
void message_address(union message *message, const struct message_to *to, uint16_t type,
		     const struct interface *interface, const struct state_address *address);
void message_route(union message *message, const struct message_to *to, uint16_t type,
		   const struct interface *interface, const struct state_route *route);
void message_neighbour(union message *message, const struct message_to *to, uint16_t type,
		       const struct interface *interface, const struct state_neighbour *neighbour);

/* Write the route that a packet to `destination` takes, as the answer to RTM_GETROUTE. */
void message_route_to(union message *message, const struct message_to *to,
		      const struct interface *interface, const struct state_route *route,
		      const struct address *destination, bool is_whole);

/* Write the notification of a change, and return its group, RTNLGRP_*. `change` is NULL for the
 * interface itself. */
unsigned int message_change(union message *message, const struct interface *interface,
			    const struct state_change *change, bool is_gone);

#endif

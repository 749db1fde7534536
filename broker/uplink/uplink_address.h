/* SPDX-License-Identifier: MIT */
/*
 * Addresses in the options of uplinks: `10.0.0.1`, `fd00::1`, `10.0.0.1:7777`, `[fd00::1]:7777`.
 * Numbers only, as looking up a name would make the broker wait.
 */
#ifndef MEMTUN_UPLINK_ADDRESS_H
#define MEMTUN_UPLINK_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attribute.h"

/*
 * Reads an option's address, with port: a struct sockaddr_in or sockaddr_in6. -1 with the fault
 * filled (EINVAL).
 */
int uplink_address_parse(const struct attribute_set *options, enum memtun_attribute which,
			 uint16_t port, struct sockaddr_storage *address, struct fault *fault);

/* The same with the port in the text. */
int uplink_address_parse_port(const struct attribute_set *options, enum memtun_attribute which,
			      struct sockaddr_storage *address, struct fault *fault);

/* Are they the same address, and (with_port) the same port? */
bool uplink_address_equal(const struct sockaddr_storage *one, const struct sockaddr_storage *other,
			  bool with_port);

/* Room for any address with its port: [ADDRESS6]:65535. */
#define UPLINK_ADDRESS_SIZE 56

/* Writes it as it is read, with its port. */
const char *uplink_address_format(const struct sockaddr_storage *address,
				  char text[UPLINK_ADDRESS_SIZE]);

/* The length of the structure that its family has. */
socklen_t uplink_address_length(const struct sockaddr_storage *address);

#endif

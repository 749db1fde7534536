/* SPDX-License-Identifier: MIT */
/*
 * Addresses in the options of uplinks: `10.0.0.1`, `fd00::1`, `10.0.0.1:7777`, `[fd00::1]:7777`.
 */
#ifndef MEMTUN_UPLINK_ADDRESS_H
#define MEMTUN_UPLINK_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "common/attribute_set.h"

/* Read an option that is an IP address, with this port. -1 with the fault filled (EINVAL). */
int uplink_address_parse(const struct attribute_set *options, enum memtun_attribute which,
			 uint16_t port, struct sockaddr_storage *address, struct fault *fault);

/* Read an option that is an IP address with a port, which isn't 0. -1 with the fault filled
 * (EINVAL). */
int uplink_address_parse_with_port(const struct attribute_set *options, enum memtun_attribute which,
				   struct sockaddr_storage *address, struct fault *fault);

#endif

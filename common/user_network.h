/* SPDX-License-Identifier: MIT */
/*
 * Parses the options that describe the network of an uplink of type user. The broker parses them to
 * report errors, and memtun-user parses them again for libslirp.
 */
#ifndef MEMTUN_USER_NETWORK_H
#define MEMTUN_USER_NETWORK_H

#include <stdbool.h>

#include "common/address.h"
#include "common/fault.h"

/* Forwards that one value has room for. */
#define USER_FORWARDS_MAX 8

struct user_forward {
	bool is_udp;
	struct sockaddr_storage local, target; /* of one family */
};

struct user_network {
	struct address ipv4, ipv6; /* the host in the network, which is its gateway */
	unsigned int prefix4, prefix6;
	struct user_forward forwards[USER_FORWARDS_MAX];
	unsigned int forward_count;
};

/* Set the default networks: 10.0.2.2/24 and fec0::2/64, as QEMU has them. */
void user_network_init(struct user_network *network);

/*
 * Parse `net A/P`, `net6 P/L` and `forward tcp/LOCAL:PORT/ADDRESS:PORT+...`. NULL leaves the default.
 * -1 with the fault filled: EINVAL.
 */
int user_network_parse(struct user_network *network, const char *net, const char *net6,
		       const char *forwards, struct fault *fault);

#endif

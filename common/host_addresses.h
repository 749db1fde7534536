/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a `memtun host`: parses them from the words of the command line, and checks them
 * against each other and against the tunnel. It needs no lwIP, because both memtun and memtun-host
 * use it: memtun reports errors before it becomes memtun-host, which takes the same words.
 */
#ifndef MEMTUN_HOST_ADDRESSES_H
#define MEMTUN_HOST_ADDRESSES_H

#include <stdbool.h>

#include "common/address.h"

/* The index of the first of these words on memtun-host's command line. */
#define HOST_FIRST_ADDRESS 6

/* The address and the gateway of one family. */
struct host_address {
	bool is_given;
	bool has_gateway;
	unsigned int prefix; /* length in bits */
	struct address address;
	struct address gateway;
};

struct host_addresses {
	struct host_address ipv4, ipv6;
};

/* Return whether the key is `address` or `gateway`. */
bool host_addresses_has_key(const char *key);

/*
 * Parse `address A/P` or `gateway G`, in either order. -1 with *reason, which a message prints
 * behind `KEY VALUE: `.
 */
int host_addresses_set(struct host_addresses *addresses, const char *key, const char *value,
		       const char **reason);

/* Check that the addresses fit together. Return NULL, or what is wrong. */
const char *host_addresses_check(const struct host_addresses *addresses);

/* Check that lwIP can use the addresses on such a tunnel. Return NULL, or what is wrong. */
const char *host_addresses_check_tunnel(const struct host_addresses *addresses, bool ethernet,
					unsigned int mtu);

#endif

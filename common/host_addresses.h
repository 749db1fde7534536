/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a `memtun host`, from the words of the command line: parsed, and checked against
 * each other and against the tunnel. Knows no lwIP: memtun says what is wrong with them before it
 * starts memtun-host, which takes the same words.
 */
#ifndef MEMTUN_HOST_ADDRESSES_H
#define MEMTUN_HOST_ADDRESSES_H

#include <stdbool.h>

#include "common/address.h"

/* Where these words begin on memtun-host's command line. */
#define HOST_FIRST_ADDRESS 6

/* One of each family at most. */
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

/* Is it one of the keys below? */
bool host_addresses_has_key(const char *key);

/*
 * Takes `address A/P` or `gateway G`; a gateway's address may come after it. -1 and *reason, which
 * goes behind `KEY VALUE: `.
 */
int host_addresses_set(struct host_addresses *addresses, const char *key, const char *value,
		       const char **reason);

/* Do they fit together? NULL, or what is wrong. */
const char *host_addresses_check(const struct host_addresses *addresses);

/* Can lwIP use them on such a tunnel? NULL, or why not. */
const char *host_addresses_check_tunnel(const struct host_addresses *addresses, bool ethernet,
					unsigned int mtu);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The addresses and gateways of one interface, as the keys `address` and `gateway` give them. They
 * are parsed once, strictly, from A[/P]+A[/P]... and G+G... A prefix as long as the address has no
 * other hosts, so it counts as no prefix.
 */
#ifndef MEMTUN_ADDRESS_CONFIG_H
#define MEMTUN_ADDRESS_CONFIG_H

#include <stdbool.h>

#include "common/address.h"
#include "common/fault.h"

#define ADDRESS_CONFIG_ADDRESSES_MAX 8
#define ADDRESS_CONFIG_GATEWAYS_MAX 4

struct own_address {
	struct address address;
	unsigned int prefix_length; /* all bits of the address: no prefix */
};

struct address_config {
	unsigned int address_count, gateway_count;
	struct own_address addresses[ADDRESS_CONFIG_ADDRESSES_MAX];
	struct address gateways[ADDRESS_CONFIG_GATEWAYS_MAX];
};

/*
 * Parse both texts; NULL and "none" mean none. The struct need not be initialized. -1 with the
 * fault filled: EINVAL.
 */
int address_config_parse(struct address_config *config, const char *addresses, const char *gateways,
			 struct fault *fault);

/*
 * Parse the first of the addresses in *text, which '+' separates, and advance *text behind it; at
 * the last one set it to NULL. `what` is what a message calls it. -1 with the fault filled: EINVAL.
 */
int address_config_take(const char **text, const char *what, struct address *address,
			struct fault *fault);

/* Return whether the address is one of the configured ones. */
bool address_config_has(const struct address_config *config, const struct address *address);

/* Return the first IPv4 address, or NULL. */
const struct address *address_config_first_ipv4(const struct address_config *config);

/* Return whether the own address has a prefix that has the other one. */
bool own_address_reaches(const struct own_address *own, const struct address *address);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which port an address was last seen behind: a bridge's memory. Bounded, for the whole table and
 * for each port, since the addresses are whatever the ports care to send from; what no longer fits
 * is not learned, and frames to it are flooded.
 */
#ifndef MEMTUN_ADDRESS_TABLE_H
#define MEMTUN_ADDRESS_TABLE_H

#include <stdint.h>

struct port;
struct address_table;

/* A MAC address and its VLAN, or an IP address; what isn't used is zero. */
struct address {
	uint64_t words[2];
	uint32_t kind; /* ADDRESS_ and the VLAN */
};

#define ADDRESS_ETHERNET 0x10000 /* the VLAN id is in the lower bits */
#define ADDRESS_IPV4 0x20000
#define ADDRESS_IPV6 0x30000

/* As IEEE 802.1D has it: an address that wasn't seen for so long is forgotten. Seconds. */
#define ADDRESS_AGEING 300.0

#define ADDRESS_TABLE_MOST 8192
#define ADDRESS_TABLE_MOST_A_PORT 4096

/* NULL with ENOMEM. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table);

/* Remembers, or remembers anew, that the address is behind the port. now: seconds. */
void address_table_learn(struct address_table *table, const struct address *address,
			 struct port *port, double now);

/* The port the address is behind, NULL if that isn't known (any more). */
struct port *address_table_find(struct address_table *table, const struct address *address,
				double now);

/* Forgets what is behind that port. */
void address_table_forget(struct address_table *table, struct port *port);

/* How many addresses it holds, the aged among them not counted. */
unsigned int address_table_count(struct address_table *table, double now);

#endif

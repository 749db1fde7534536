/* SPDX-License-Identifier: MIT */
/*
 * Which port an address was last seen behind: a bridge's memory. Bounded, for the whole table and
 * for each port, since the addresses are whatever the ports care to send from; what no longer fits
 * is not learned, and frames to it are flooded.
 */
#ifndef MEMTUN_ADDRESS_TABLE_H
#define MEMTUN_ADDRESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

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

/* Room for any address as text. */
#define ADDRESS_TEXT_SIZE 46

/* Writes it as people do: 02:00:00:00:00:01, 10.0.0.1, fd00::1. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

/* The VLAN that it was seen in; -1 for IP. 0: none. */
static inline int address_vlan(const struct address *address)
{
	return address->kind < ADDRESS_IPV4 ? (int)(address->kind & 0xfff) : -1;
}

/* Is it an IP address that one host can have: not multicast, broadcast or unspecified? */
bool address_is_host(const struct address *address);

static inline bool address_equal(const struct address *one, const struct address *other)
{
	return one->words[0] == other->words[0] && one->words[1] == other->words[1] &&
	       one->kind == other->kind;
}

/* 10 bits; the seed is for no sender to know, so that none can choose addresses that share them. */
static inline unsigned int address_hash(uint64_t seed, const struct address *address)
{
	/* A multiplication by an odd constant spreads its input to the upper bits. */
	uint64_t hash = seed ^ address->kind;

	hash = (hash ^ address->words[0]) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ (hash >> 32) ^ address->words[1]) * UINT64_C(0xd6e8feb86659fd93);
	return (unsigned int)(hash >> 54);
}

/* As IEEE 802.1D has it: an address that wasn't seen for so long is forgotten. */
#define ADDRESS_AGEING (300 * CLOCK_SECOND)

#define ADDRESS_TABLE_MAX 8192
#define ADDRESS_TABLE_PORT_MAX 4096

/* NULL with ENOMEM. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table);

/* Remembers, or remembers anew, that the address is behind the port. now: clock_now(). */
void address_table_learn(struct address_table *table, const struct address *address,
			 struct port *port, int64_t now);

/* The port the address is behind, NULL if that isn't known (any more). */
struct port *address_table_find(struct address_table *table, const struct address *address,
				int64_t now);

/* Forgets what is behind that port. */
void address_table_forget(struct address_table *table, struct port *port);

/* One address that the table holds. */
struct address_entry {
	struct address address;
	struct port *port;
	int64_t seen;
};

/*
 * The next of its addresses, aged ones left out: *cursor begins at 0 and is for the table to use.
 * If others are learned or forgotten between two calls, one may be missed or told twice. False:
 * that was all.
 */
bool address_table_next(struct address_table *table, uint32_t *cursor, int64_t now,
			struct address_entry *next);

/* How many addresses it holds, the aged among them not counted. */
unsigned int address_table_count(struct address_table *table, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The cache of neighbours: the hosts of a link by IP address, with their MAC addresses. The cache
 * is bounded, and the least recently used neighbour is removed for a new one. It keeps count of
 * probes and when they are due, but it sends none.
 */
#ifndef MEMTUN_NEIGHBOUR_H
#define MEMTUN_NEIGHBOUR_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/address.h"
#include "common/clock.h"

#define NEIGHBOURS_MAX 256

/* The time between two probes, and their number (RFC 4861, 10: RETRANS_TIMER, MAX_MULTICAST_SOLICIT
 * and MAX_UNICAST_SOLICIT). */
#define NEIGHBOUR_INTERVAL CLOCK_SECOND
#define NEIGHBOUR_PROBES_MAX 3

/* How long a reply is valid before the neighbour is probed again. */
#define NEIGHBOUR_CONFIRMED (60 * CLOCK_SECOND)

struct neighbour {
	SLIST_ENTRY(neighbour) in_bucket;
	TAILQ_ENTRY(neighbour) in_order;
	TAILQ_ENTRY(neighbour) in_probed;
	struct address address; /* kind 0: the entry is free */
	struct address sender;  /* our address that the first packet came from or went to */
	unsigned char mac[ETH_ALEN];
	bool known;           /* the MAC address is known; it may be probed nevertheless */
	uint8_t probes;       /* sent since the last reply */
	unsigned int waiting; /* packets that wait for the MAC address */
	int64_t confirmed,
		due; /* times of the last reply, and of the next probe or the end of probing */
};

struct neighbour_table {
	SLIST_HEAD(, neighbour) buckets[NEIGHBOURS_MAX];
	TAILQ_HEAD(neighbours, neighbour)
	order;                   /* free entries first, then the least recently used */
	struct neighbours asked; /* with a probe that has no reply, in the order of due times */
	struct neighbour entries[NEIGHBOURS_MAX];
	uint64_t seed;
	void (*forgotten)(void *context, struct neighbour *neighbour);
	void *context;
};

/* Initialize zeroed memory. The seed is for address_hash(). forgotten() is called for each
 * neighbour before it is removed. */
void neighbour_table_init(struct neighbour_table *table, uint64_t seed,
			  void (*forgotten)(void *context, struct neighbour *neighbour),
			  void *context);

/* Return the neighbour of that IP address, or NULL. */
struct neighbour *neighbour_find(const struct neighbour_table *table,
				 const struct address *address);

/* Add a neighbour, whose MAC address is unknown. Another one may be removed for it. */
struct neighbour *neighbour_add(struct neighbour_table *table, const struct address *address,
				const struct address *sender);

/* Mark the neighbour as the most recently used. */
void neighbour_use(struct neighbour_table *table, struct neighbour *neighbour);

/* Record a reply of the neighbour, and stop probing it. */
void neighbour_confirm(struct neighbour_table *table, struct neighbour *neighbour,
		       const unsigned char mac[ETH_ALEN], int64_t now);

/* Return whether the last reply is no longer valid, and no probe has been sent since. */
bool neighbour_is_old(const struct neighbour *neighbour, int64_t now);

/* Record a probe that was sent. */
void neighbour_probed(struct neighbour_table *table, struct neighbour *neighbour, int64_t now);

/* Return the next neighbour whose reply is overdue, or NULL. */
struct neighbour *neighbour_overdue(const struct neighbour_table *table, int64_t now);

/* Return when the next reply will be overdue, or -1 if no probe waits for one. */
int64_t neighbour_deadline(const struct neighbour_table *table);

void neighbour_forget(struct neighbour_table *table, struct neighbour *neighbour);
void neighbour_forget_all(struct neighbour_table *table);

#endif

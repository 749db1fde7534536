/* SPDX-License-Identifier: MIT */
/*
 * Neighbours: the hosts of a link, by IP address, and what is known of their MAC addresses. The
 * table has room for so many; the one that was not used for longest gives way. It says when one is
 * to be asked, and how often one was; it asks nobody, and knows no frames.
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

/* How long between two questions, and how many there are (RFC 4861: RETRANS_TIMER, and
 * MAX_MULTICAST_SOLICIT as MAX_UNICAST_SOLICIT). */
#define NEIGHBOUR_INTERVAL CLOCK_SECOND
#define NEIGHBOUR_PROBES_MAX 3

/* How long an answer is good for. */
#define NEIGHBOUR_CONFIRMED (60 * CLOCK_SECOND)

struct neighbour {
	SLIST_ENTRY(neighbour) in_bucket;
	TAILQ_ENTRY(neighbour) in_order;
	TAILQ_ENTRY(neighbour) in_probed;
	struct address address; /* kind 0: the entry is free */
	struct address sender;  /* the address of ours that it was first to be known by */
	unsigned char mac[ETH_ALEN];
	bool known;             /* its MAC address is; questions may be asked all the same */
	uint8_t probes;         /* asked since its last answer */
	unsigned int waiting;   /* what the table's owner has waiting for it */
	int64_t confirmed, due; /* its last answer; the next question, or the end of waiting */
};

struct neighbour_table {
	SLIST_HEAD(, neighbour) buckets[NEIGHBOURS_MAX];
	TAILQ_HEAD(neighbours, neighbour) order; /* by use, the free and the longest unused first */
	struct neighbours asked;                 /* without an answer so far, the first due first */
	struct neighbour entries[NEIGHBOURS_MAX];
	uint64_t seed;
	void (*forgotten)(void *context, struct neighbour *neighbour);
	void *context;
};

/*
 * Makes zeroed memory an empty one. The seed is for address_hash(); forgotten() is told of each
 * neighbour before it is no more.
 */
void neighbour_table_init(struct neighbour_table *table, uint64_t seed,
			  void (*forgotten)(void *context, struct neighbour *neighbour),
			  void *context);

/* NULL: it isn't there. */
struct neighbour *neighbour_find(const struct neighbour_table *table,
				 const struct address *address);

/* One that isn't there yet, whose MAC address is unknown; another may be forgotten for it. */
struct neighbour *neighbour_add(struct neighbour_table *table, const struct address *address,
				const struct address *sender);

/* Notes that it is being used: it is forgotten last. */
void neighbour_use(struct neighbour_table *table, struct neighbour *neighbour);

/* It said where it is: what was asked is answered. */
void neighbour_confirm(struct neighbour_table *table, struct neighbour *neighbour,
		       const unsigned char mac[ETH_ALEN], int64_t now);

/* Is it so long since it said where it is that it has to be asked, and wasn't yet? */
bool neighbour_is_old(const struct neighbour *neighbour, int64_t now);

/* Notes that it is being asked. */
void neighbour_probed(struct neighbour_table *table, struct neighbour *neighbour, int64_t now);

/* The next whose answer is overdue, to be asked again or forgotten; NULL: none. */
struct neighbour *neighbour_overdue(const struct neighbour_table *table, int64_t now);

/* When the next will be; -1: nobody has been asked. */
int64_t neighbour_deadline(const struct neighbour_table *table);

void neighbour_forget(struct neighbour_table *table, struct neighbour *neighbour);

#endif

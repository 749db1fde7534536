/* SPDX-License-Identifier: MIT */
/*
 * Liveness: once a second, poll what may have ended without an event of the loop, such as the other
 * end of a datagram socket, or an interface of the kernel. Nothing runs while the list is empty.
 */
#ifndef MEMTUN_LIVENESS_H
#define MEMTUN_LIVENESS_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>

struct polled {
	LIST_ENTRY(polled) in_list;
	bool is_listed;

	/* Check whether it has ended. May remove any entry from the list, itself included. */
	void (*poll)(struct polled *polled);
};

LIST_HEAD(polled_list, polled);

struct liveness {
	struct ev_loop *loop;
	ev_timer timer;
	struct polled_list list;
	struct polled_list due; /* while a round runs: the entries that are still to be polled */
};

/* Initialize an empty list, which is polled on that loop. */
void liveness_init(struct liveness *liveness, struct ev_loop *loop);

/* Poll the entry from now on, or no longer. Does nothing where that is so already. */
void liveness_set(struct liveness *liveness, struct polled *polled, bool is_polled);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Two tunnels wired to each other, as veth devices are: both clients' ends are the ends of one
 * socketpair, and the broker sees none of their frames. It keeps an end only while that end's
 * client has yet to come; when both are taken it has nothing of them left.
 */
#ifndef MEMTUN_PAIR_H
#define MEMTUN_PAIR_H

#include <stdbool.h>
#include <sys/types.h>

struct broker;
struct tunnel;

struct pair {
	struct tunnel *ends[2];
	int held[2];     /* the end that waits to be taken, or -1 */
	ino_t inodes[2]; /* of the ends of the present socketpair; 0: there is none */
};

/* Wires them. -1 with ENOMEM. */
int pair_new(struct tunnel *one, struct tunnel *other);

/* Unwires both, and frees the pair. */
void pair_free(struct pair *pair);

/* The tunnel at the other end. */
struct tunnel *pair_other(const struct tunnel *tunnel);

/*
 * Takes this tunnel's end: of the present socketpair if it waits for it, else of a fresh one. -1
 * with EBUSY (taken, and the other end not yet) or what socketpair(2) says.
 */
int pair_take(struct tunnel *tunnel, int *client_fd);

/* Is this tunnel's end in some client's hands? Unknown counts as yes. */
bool pair_is_open(const struct tunnel *tunnel);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What kept memtun netns from making a namespace or an interface: a text for people, with the reason
 * as far as it can be found out, and what to do about it.
 */
#ifndef MEMTUN_OBSTACLE_H
#define MEMTUN_OBSTACLE_H

#include <stdbool.h>

/* The longest text has a sentence about the error, one about its reason, and a command line. */
#define OBSTACLE_SIZE 600

struct obstacle {
	char text[OBSTACLE_SIZE];
	const char *zero_limit; /* a sysctl that forbids namespaces of some kind; NULL: none is 0 */
};

/*
 * Note the limits of namespaces, before the process enters one: in a new user namespace it would see
 * that one's own.
 */
void obstacle_note_limits(struct obstacle *obstacle);

/* Write "TEXT: ERROR", where ERROR is that of errno. Return -1. */
int obstacle_set(struct obstacle *obstacle, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The system call that makes a user namespace (is_first), or one after it that needs the rights of
 * its first process, has failed with errno. Write what was tried, the error, its reason and what to
 * do. Return -1.
 */
int obstacle_set_namespace(struct obstacle *obstacle, const char *tried, bool is_first);

/* The same for open(2) of the tun device. */
int obstacle_set_device(struct obstacle *obstacle, const char *device);

#endif

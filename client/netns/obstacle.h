/* SPDX-License-Identifier: MIT */
/*
 * Why memtun netns cannot make a namespace or an interface: a text for people, with the error, its
 * reason if that can be found out, and what to do about it.
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
 * Note the limits of namespaces (namespaces(7)) before the process enters one, because a new user
 * namespace has limits of its own.
 */
void obstacle_note_limits(struct obstacle *obstacle);

/* Write "TEXT: ERROR", where ERROR is the text of errno. Return -1. */
int obstacle_set(struct obstacle *obstacle, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Write what was tried, the error of errno, its reason and what to do. is_first: the call that
 * makes the user namespace has failed, and not a later one, which needs the rights of that
 * namespace's first process. Return -1.
 */
int obstacle_set_namespace(struct obstacle *obstacle, const char *tried, bool is_first);

/* Do the same for open(2) of the tun device. */
int obstacle_set_device(struct obstacle *obstacle, const char *device);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The descriptors that this process has open, as /proc/self/fd lists them. A search takes a time
 * that grows with their number, so it is for rare requests only.
 */
#ifndef MEMTUN_OWN_DESCRIPTORS_H
#define MEMTUN_OWN_DESCRIPTORS_H

#include <stdbool.h>

/* Return whether the descriptor is the one that is searched for. */
typedef bool own_descriptor_match(int fd, const void *context);

/* Call `match` for each open descriptor until it returns true. Return 1 if it did, 0 if not. -1
 * with an errno of opendir(3). */
int own_descriptors_search(own_descriptor_match *match, const void *context);

/*
 * Return whether two descriptors of this process refer to one open file description, as after
 * dup(2) or after passing a descriptor. False also where the kernel cannot tell: fcntl(2)'s
 * F_DUPFD_QUERY is in Linux 6.10 and later, and a seccomp filter may refuse kcmp(2).
 */
bool own_descriptors_same(int one, int other);

#endif

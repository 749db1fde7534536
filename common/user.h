/* SPDX-License-Identifier: MIT */
/*
 * Users, as the kernel reports them of a socket's peer (SO_PEERCRED) or of a file's owner (stat).
 * In a user namespace, the overflow uid of user_namespaces(7) stands for each user that the
 * namespace does not map, so it names no user, although a process there may have it as its own.
 */
#ifndef MEMTUN_USER_H
#define MEMTUN_USER_H

#include <stdbool.h>
#include <sys/types.h>

/* Return whether the uid is the overflow uid in a user namespace that does not map all users. */
bool user_is_unmapped(uid_t uid);

/* Return whether this process is root, but only of a user namespace that does not map all users. */
bool user_is_root_of_namespace(void);

/* Return whether the uid that the kernel reports is this user's, and no unmapped user's. */
bool user_is(uid_t reported, uid_t user);

#endif

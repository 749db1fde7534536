/* SPDX-License-Identifier: MIT */
/*
 * Names of users and groups. user_names.c asks the system's databases (nsswitch.conf(5)), and
 * user_names_files.c stands in its place in a static program, which reads /etc/passwd and /etc/group
 * alone: the C library would load other databases as shared libraries, which must be of its version.
 */
#ifndef MEMTUN_USER_NAMES_H
#define MEMTUN_USER_NAMES_H

#include <sys/types.h>

/* Return the name of a user, valid until the next call; NULL if it has none. */
const char *user_name(uid_t uid);

/* Set *gid to the number of the group. -1 if there is no such group. */
int user_group_find(const char *name, gid_t *gid);

#endif

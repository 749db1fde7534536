/* SPDX-License-Identifier: MIT */
/* The system calls that memtun-user gives up, because libslirp parses what guests send. */
#ifndef MEMTUN_USER_CONFINE_H
#define MEMTUN_USER_CONFINE_H

/*
 * Forbid calls that run programs, write or change files, reach other processes, or make sockets of
 * other families than IPv4 and IPv6: they fail with EPERM from now on. Without libseccomp nothing is
 * forbidden. -1 with errno.
 */
int user_confine(void);

#endif

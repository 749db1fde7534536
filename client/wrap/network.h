/* SPDX-License-Identifier: MIT */
/*
 * The network namespace of a process. The supervisor asks the kernel about interfaces in its own.
 */
#ifndef MEMTUN_NETWORK_H
#define MEMTUN_NETWORK_H

#include <stdbool.h>
#include <sys/types.h>

/* Return whether the thread is in the supervisor's network namespace. False also if that cannot be
 * seen, as of a process that is not dumpable. */
bool network_is_ours(pid_t thread);

/*
 * Return whether the thread may change the network namespace: it has CAP_NET_ADMIN, in the
 * supervisor's user namespace.
 */
bool network_may_change(pid_t thread);

#endif

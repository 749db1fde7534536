/* SPDX-License-Identifier: MIT */
/*
 * The calls that the filter reports, as seccomp_unotify(2) has them: receiving and answering.
 */
#ifndef MEMTUN_NOTIFICATION_H
#define MEMTUN_NOTIFICATION_H

#include "client/wrap/call.h"

/*
 * Prepare a listener. -1 with EOPNOTSUPP: the kernel cannot give the program a descriptor and
 * answer its call at once, which takes Linux 5.14. *direct: the kernel hands the processor to the
 * supervisor and back without a detour over the scheduler (Linux 6.6).
 */
int notification_prepare(int listener, bool *direct);

/* Receive one call. -1 with errno: there is none after all, because its thread has ended. */
int notification_receive(int listener, struct call *call);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter that reports a few system calls of the program to the supervisor: opens for
 * reading and writing, and the ioctls of tun devices and network interfaces. All other calls pass
 * the filter untouched. Above all, read(2) and write(2) are never reported.
 */
#ifndef MEMTUN_FILTER_H
#define MEMTUN_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/*
 * The filter cannot see the path of an open or the kind of a descriptor, so it reports more calls
 * than the supervisor answers. The supervisor lets the others continue.
 */

/*
 * Make the filter for this machine's architecture and for its 32-bit one. The caller frees it with
 * filter_free(). -1 with ENOMEM, EOPNOTSUPP (the kernel, or this build of memtun, has no user
 * notification) or another errno of libseccomp.
 */
int filter_build(struct sock_fprog *program);
void filter_free(struct sock_fprog *program);

/*
 * Install the filter for this process and its children, with no_new_privs. It cannot be removed.
 * Return the listener, which is close-on-exec. -1 with EBUSY (there is a listener already), EINVAL
 * (the kernel is too old), EPERM or EACCES (a sandbox forbids it). *killable: only a fatal signal
 * interrupts a reported call (Linux 5.19); else each signal does, and the kernel repeats the call.
 */
int filter_install(const struct sock_fprog *program, bool *killable);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Privilege separation: the parent asks memtund for a tunnel; the worker, which reads what strangers
 * send, has no rights. It gets the tunnel as a descriptor and answers ping on it, for any address.
 *
 *	memtun add left peer right mode tun
 *	privsep right
 *
 * The worker first gives up its user (if it is root), its capabilities, and by a seccomp filter
 * every system call but the few that it needs; only then does it take the descriptor, with a
 * memtun transport. It could open nothing, connect to nothing and run nothing, and says so.
 */
#include <cap-ng.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memtun.h>
#include <memtun/transport.h>

/* "nobody" and "nogroup" in Debian; a real program has a user of its own. */
#define WORKER_USER 65534
#define WORKER_GROUP 65534

/* --- the worker --- */

static void worker_drop_rights(void)
{
	/* What a transport and ping need. Anything else fails with EPERM. */
	static const int allowed[] = {
		SCMP_SYS(read),         SCMP_SYS(write),           SCMP_SYS(close),
		SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg),         SCMP_SYS(recv),
		SCMP_SYS(poll),         SCMP_SYS(ppoll),           SCMP_SYS(ppoll_time64),
		SCMP_SYS(fcntl),        SCMP_SYS(fcntl64),         SCMP_SYS(getsockopt),
		SCMP_SYS(socketcall),   SCMP_SYS(clock_gettime),   SCMP_SYS(clock_gettime64),
		SCMP_SYS(getpid),       SCMP_SYS(getuid),          SCMP_SYS(getuid32),
		SCMP_SYS(brk),          SCMP_SYS(mmap),            SCMP_SYS(mmap2),
		SCMP_SYS(munmap),       SCMP_SYS(mprotect),        SCMP_SYS(exit_group),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	};
	scmp_filter_ctx filter;

	capng_clear(CAPNG_SELECT_BOTH);
	if (getuid() == 0
		    ? capng_change_id(WORKER_USER, WORKER_GROUP,
				      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)
		    : capng_apply(CAPNG_SELECT_CAPS))
		errx(1, "cannot give up privileges");
	/* Also undoes that a process which has changed its user can be looked at by root only. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err(1, "cannot set no_new_privs");
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		errx(1, "cannot make a filter");
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
			errx(1, "cannot allow system call %d", allowed[i]);
	}
	if (seccomp_load(filter) < 0)
		errx(1, "cannot load the filter");
	seccomp_release(filter);
}

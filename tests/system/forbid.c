/* SPDX-License-Identifier: MIT */
/*
 * Runs a program under a seccomp filter that forbids a system call, as a container's may:
 *
 *	forbid CALL ERROR[:FLAGS] PROGRAM [ARGUMENT]...
 *
 * ERROR is the number of the errno that the call gives. With FLAGS, a number, only calls that have
 * all of these bits in their first argument are forbidden. The filter allows all calls of programs
 * for another architecture: a 32-bit build of memtun is tested with 64-bit tools.
 */
#include <err.h>
#include <seccomp.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	unsigned long error, flags;
	char *end;
	int call;

	if (argc < 4)
		errx(2, "usage: forbid CALL ERROR[:FLAGS] PROGRAM [ARGUMENT]...");
	call = seccomp_syscall_resolve_name(argv[1]);
	error = strtoul(argv[2], &end, 10);
	flags = *end == ':' ? strtoul(end + 1, NULL, 0) : 0;
	if (!filter || call == __NR_SCMP_ERROR ||
	    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), call, 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, flags, flags)) < 0 ||
	    seccomp_load(filter) < 0)
		errx(77, "cannot forbid %s", argv[1]);
	seccomp_release(filter);
	execvp(argv[3], argv + 3);
	err(127, "%s", argv[3]);
}

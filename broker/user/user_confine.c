/* SPDX-License-Identifier: MIT */
#include "broker/user/user_confine.h"

#include <errno.h>

#include "config.h"
#ifdef HAVE_SECCOMP
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef HAVE_SECCOMP
/* Calls that the program never makes. */
static const char *const forbidden[] = {
	"execve",
	"execveat",
	"fork",
	"vfork",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"kill",
	"tkill",
	"rt_sigqueueinfo",
	"rt_tgsigqueueinfo",
	"pidfd_open",
	"pidfd_getfd",
	"pidfd_send_signal",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"unshare",
	"setns",
	"bpf",
	"io_uring_setup",
	"perf_event_open",
	"keyctl",
	"add_key",
	"request_key",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"mkdirat",
	"rmdir",
	"mknod",
	"mknodat",
	"symlink",
	"symlinkat",
	"link",
	"linkat",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"chown",
	"fchown",
	"lchown",
	"fchownat",
	"truncate",
	"truncate64",
	"creat",
	"setxattr",
	"lsetxattr",
	"removexattr",
	"lremovexattr",
	"utime",
	"utimes",
	"utimensat",
	"utimensat_time64",
	"futimesat",
	"mq_open",
	"open_by_handle_at",
	"userfaultfd",
	"setrlimit",
};

/* Deny the call with these arguments. A call that this libseccomp or this architecture does not have
 * needs no rule. 0, or a negative errno. */
static int rule_deny(scmp_filter_ctx filter, const char *name, unsigned int count,
		     const struct scmp_arg_cmp *arguments)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), number, count, arguments);
}

/* Deny to open files otherwise than for reading. */
static int rules_files(scmp_filter_ctx filter, const char *name, unsigned int argument)
{
	const struct scmp_arg_cmp writing[] = {
		SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE, O_WRONLY),
		SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDWR),
		SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT),
		SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_TRUNC, O_TRUNC),
	};
	int error = 0;

	for (unsigned int i = 0; !error && i < sizeof(writing) / sizeof(writing[0]); i++)
		error = rule_deny(filter, name, 1, &writing[i]);
	return error;
}

/*
 * Deny sockets of other families than IPv4 and IPv6: a UNIX socket leads to memtund's control socket
 * and to the other services of the user. Where sockets are made by socketcall(2), as on i386, the
 * kernel's filters do not see the family.
 */
static int rules_sockets(scmp_filter_ctx filter)
{
	int error = 0;

#ifndef SYS_socketcall
	const struct scmp_arg_cmp is_above = SCMP_A0(SCMP_CMP_GT, AF_INET6);

	for (unsigned int family = 0; !error && family < AF_INET6; family++) {
		struct scmp_arg_cmp is_family = SCMP_A0(SCMP_CMP_EQ, family);

		if (family != AF_INET)
			error = rule_deny(filter, "socket", 1, &is_family);
	}
	if (!error)
		error = rule_deny(filter, "socket", 1, &is_above);
#else
	(void)filter;
#endif
	return error;
}

/* Deny processes, but not threads; signals to other processes; and to type into a terminal. */
static int rules_processes(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp process = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
	const struct scmp_arg_cmp other = SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid());
	const struct scmp_arg_cmp typing = SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI);
	int error = rule_deny(filter, "clone", 1, &process);

	/* Without these calls, glibc makes others whose arguments the filter can see. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
	if (!error)
		error = rule_deny(filter, "tgkill", 1, &other);
	return error ? error : rule_deny(filter, "ioctl", 1, &typing);
}

int user_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error = filter ? 0 : -ENOMEM;

	for (unsigned int i = 0; !error && i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		error = rule_deny(filter, forbidden[i], 0, NULL);
	if (!error)
		error = rules_files(filter, "open", 1);
	if (!error)
		error = rules_files(filter, "openat", 2);
	if (!error)
		error = rules_sockets(filter);
	if (!error)
		error = rules_processes(filter);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error ? -1 : 0;
}
#else
int user_confine(void)
{
	return 0;
}
#endif

/* SPDX-License-Identifier: MIT */
#include "broker/user/user_confine.h"

#include <errno.h>

#include "config.h"
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#ifdef HAVE_SECCOMP
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
	"chown",
	"fchown",
	"lchown",
	"fchownat",
	"truncate",
	"creat",
	"open_by_handle_at",
	"userfaultfd",
	"setrlimit",
};

int user_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error = filter ? 0 : -ENOMEM;

	for (unsigned int i = 0; !error && i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int number = seccomp_syscall_resolve_name(forbidden[i]);

		/* A call that this libseccomp or architecture does not have. */
		if (number < 0)
			continue;
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
	}
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

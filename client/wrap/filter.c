/* SPDX-License-Identifier: MIT */
#include "client/wrap/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/failed.h"

/* The kernel refuses longer filters: BPF_MAXINSNS. */
#define INSTRUCTIONS_MAX 4096

/* The ioctl requests to report: those that equal `value` in the bits of `mask`. */
static const struct range {
	unsigned int mask, value;
} ranges[] = {
	/* TUNSETNOCSUM and up: type 'T', numbers from 0xc8. Terminals have the lower numbers. */
	{0xfff8, 0x54c8},
	{0xfff0, 0x54d0},
	{0xffe0, 0x54e0},
	/* SIOCADDRT, 0x890b, to 0x894f. */
	{0xffffffff, SIOCADDRT},
	{0xfffffffc, 0x890c},
	{0xfffffff0, 0x8910},
	{0xffffffe0, 0x8920},
	{0xfffffff0, 0x8940},
};

/* The 32-bit architecture whose programs run on this kernel, too. */
static uint32_t other_architecture(void)
{
	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64:
		return SCMP_ARCH_X86;
	case SCMP_ARCH_AARCH64:
		return SCMP_ARCH_ARM;
	default:
		return 0;
	}
}

/* Report an open if its flags, in that argument, ask for reading and writing of what exists. */
static int report_open(scmp_filter_ctx context, int call, unsigned int argument)
{
	return seccomp_rule_add(
		context, SCMP_ACT_NOTIFY, call, 1,
		SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_DIRECTORY, O_RDWR));
}

/* Add all rules. Return 0 or a negative errno, as libseccomp does. */
static int rules_add(scmp_filter_ctx context)
{
	uint32_t other = other_architecture();
	/* Calls of a program of another architecture pass. */
	int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);

	if (result == 0 && other)
		result = seccomp_arch_add(context, other);
	if (result == 0)
		result = report_open(context, SCMP_SYS(open), 1);
	if (result == 0)
		result = report_open(context, SCMP_SYS(openat), 2);
	/* The flags of openat2 are in memory, where the filter cannot look. */
	if (result == 0)
		result = seccomp_rule_add(context, SCMP_ACT_NOTIFY, SCMP_SYS(openat2), 0);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && result == 0; i++)
		result = seccomp_rule_add(
			context, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1,
			SCMP_CMP(1, SCMP_CMP_MASKED_EQ, ranges[i].mask, ranges[i].value));
	return result;
}

/* Read what libseccomp has exported. */
static int program_read(int fd, struct sock_fprog *program)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	if (status.st_size <= 0 ||
	    status.st_size > (off_t)(INSTRUCTIONS_MAX * sizeof(*program->filter)))
		return failed(E2BIG);
	program->filter = malloc((size_t)status.st_size);
	if (!program->filter)
		return -1;
	if (pread(fd, program->filter, (size_t)status.st_size, 0) != status.st_size) {
		filter_free(program);
		return failed(EIO);
	}
	program->len = (unsigned short)((size_t)status.st_size / sizeof(*program->filter));
	return 0;
}

int filter_build(struct sock_fprog *program)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	descriptor_owned fd = memfd_create("filter", MFD_CLOEXEC);
	int result = !context ? -ENOMEM : fd < 0 ? -errno : rules_add(context);

	memset(program, 0, sizeof(*program));
	if (result == 0)
		result = seccomp_export_bpf(context, fd);
	seccomp_release(context);
	if (result < 0)
		return failed(-result);
	return program_read(fd, program);
}

void filter_free(struct sock_fprog *program)
{
	free(program->filter);
	program->filter = NULL;
}

static int install(const struct sock_fprog *program, unsigned long flags)
{
	/* glibc has no wrapper for it. */
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
}

int filter_install(const struct sock_fprog *program, bool *killable)
{
	int listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	listener = install(program, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	*killable = listener >= 0;
	if (listener < 0 && errno == EINVAL)
		listener = install(program, 0);
	return listener;
}

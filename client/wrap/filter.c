/* SPDX-License-Identifier: MIT */
#include "client/wrap/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/wrap/netlink_number.h"
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

/* Report a call on one of the numbers of netlink_number.h, with one more comparison or none. */
static int report_number(scmp_filter_ctx context, int call, const struct scmp_arg_cmp *more)
{
	struct scmp_arg_cmp comparisons[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, (uint32_t) ~(NETLINK_NUMBERS - 1),
			 (uint32_t)netlink_number_first()),
		more ? *more : (struct scmp_arg_cmp){0},
	};

	return seccomp_rule_add_array(context, SCMP_ACT_NOTIFY, call, more ? 2 : 1, comparisons);
}

/* Report the calls that make a netlink socket, and those on the ones that were replaced. */
static int netlink_rules_add(scmp_filter_ctx context)
{
	static const int calls[] = {
		SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(setsockopt),
		SCMP_SYS(getsockopt),  SCMP_SYS(sendto),      SCMP_SYS(sendmsg),
		SCMP_SYS(sendmmsg),    SCMP_SYS(recvmsg),     SCMP_SYS(recvmmsg),
	};
	/* The length of a struct sockaddr_nl. */
	const struct scmp_arg_cmp length =
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, sizeof(struct sockaddr_nl));
	/* read(2) and recv(2) without an address are the kernel's. */
	const struct scmp_arg_cmp address = SCMP_CMP(4, SCMP_CMP_NE, 0);
	int result = seccomp_rule_add(context, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 2,
				      SCMP_CMP(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK),
				      SCMP_CMP(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, NETLINK_ROUTE));

	if (result == 0)
		result = seccomp_rule_add_array(context, SCMP_ACT_NOTIFY, SCMP_SYS(bind), 1,
						&length);
	if (result == 0)
		result = seccomp_rule_add_array(context, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 1,
						&length);
	if (result == 0)
		result = report_number(context, SCMP_SYS(recvfrom), &address);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && result == 0; i++)
		result = report_number(context, calls[i], NULL);
	return result;
}

/* Make a context for one architecture. NULL: no memory, or another error of libseccomp. */
static scmp_filter_ctx context_new(uint32_t architecture)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);

	/* Calls of a program of another architecture pass. */
	if (context && (seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) < 0 ||
			(architecture != seccomp_arch_native() &&
			 (seccomp_arch_add(context, architecture) < 0 ||
			  seccomp_arch_remove(context, seccomp_arch_native()) < 0)))) {
		seccomp_release(context);
		return NULL;
	}
	/* A tree of the calls instead of a list. libseccomp before 2.5 has none. */
	if (context)
		seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return context;
}

/* Add the rules for opens and ioctls. Return 0 or a negative errno, as libseccomp does. */
static int rules_add(scmp_filter_ctx context)
{
	int result = report_open(context, SCMP_SYS(open), 1);

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

/* Add the rules of the 32-bit architecture. Its netlink sockets stay the kernel's: their calls go
 * through socketcall(2), whose arguments the filter cannot see. */
static int other_merge(scmp_filter_ctx context)
{
	scmp_filter_ctx other = context_new(other_architecture());
	int result = other ? rules_add(other) : -ENOMEM;

	if (result == 0)
		result = seccomp_merge(context, other);
	/* On success the context has become a part of the first. */
	if (result < 0)
		seccomp_release(other);
	return result;
}

static bool is_64_bit(void)
{
	return sizeof(long) == 8;
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
	scmp_filter_ctx context = context_new(seccomp_arch_native());
	descriptor_owned fd = memfd_create("filter", MFD_CLOEXEC);
	int result = !context ? -ENOMEM : fd < 0 ? -errno : rules_add(context);

	memset(program, 0, sizeof(*program));
	if (result == 0 && is_64_bit())
		result = netlink_rules_add(context);
	if (result == 0 && other_architecture())
		result = other_merge(context);
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
	/* The filter protects nothing, so it needs no mitigation of speculative stores, which kernels
	 * before 5.16 turn on with a filter. glibc has no wrapper for the call. */
	return (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		flags | SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW, program);
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

/* SPDX-License-Identifier: MIT */
#include "client/wrap/notification.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "common/failed.h"

/* Linux 6.6 has these; older headers do not. */
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

static int respond(const struct call *call, struct seccomp_notif_resp *response)
{
	response->id = call->id;
	return ioctl(call->channel, SECCOMP_IOCTL_NOTIF_SEND, response);
}

static int notification_answer(struct call *call, long value)
{
	struct seccomp_notif_resp response = {
		.val = value < 0 ? 0 : value,
		.error = value < 0 ? (int)value : 0,
	};

	return respond(call, &response);
}

static int notification_pass(struct call *call)
{
	struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return respond(call, &response);
}

static int notification_give(struct call *call, int fd, int flags)
{
	struct seccomp_notif_addfd given = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (unsigned int)fd,
		.newfd_flags = (unsigned int)flags & O_CLOEXEC,
	};

	return ioctl(call->channel, SECCOMP_IOCTL_NOTIF_ADDFD, &given);
}

static int notification_give_at(struct call *call, int fd, int flags, int number)
{
	struct seccomp_notif_addfd given = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (unsigned int)fd,
		.newfd = (unsigned int)number,
		.newfd_flags = (unsigned int)flags & O_CLOEXEC,
	};

	return ioctl(call->channel, SECCOMP_IOCTL_NOTIF_ADDFD, &given);
}

static bool notification_is_waiting(const struct call *call)
{
	uint64_t id = call->id;

	return ioctl(call->channel, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static const struct call_operations operations = {
	.answer = notification_answer,
	.pass = notification_pass,
	.give = notification_give,
	.give_at = notification_give_at,
	.is_waiting = notification_is_waiting,
};

int notification_prepare(int listener, bool *direct)
{
	struct seccomp_notif_addfd probe = {
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (unsigned int)listener,
	};

	*direct = ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
			SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
	/* No call has the number 0. A kernel that does not know the flag says so first. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &probe) == 0 || errno == ENOENT)
		return 0;
	return failed(EOPNOTSUPP);
}

/* The numbers of the system calls on an architecture; -1: it has none. */
struct numbers {
	uint32_t architecture;
	int open, openat, openat2, ioctl;
};

/* Of the 32-bit programs that a 64-bit kernel runs: arch/x86/entry/syscalls/syscall_32.tbl, and
 * arch/arm/tools/syscall.tbl. */
#if defined(__x86_64__)
static const struct numbers other = {AUDIT_ARCH_I386, 5, 295, 437, 54};
#elif defined(__aarch64__)
static const struct numbers other = {AUDIT_ARCH_ARM, 5, 322, 437, 54};
#else
static const struct numbers other = {0, -1, -1, -1, -1};
#endif

static const struct numbers native = {
	.openat = SYS_openat,
	.openat2 = SYS_openat2,
	.ioctl = SYS_ioctl,
#ifdef SYS_open
	.open = SYS_open,
#else
	.open = -1,
#endif
};

/* The calls on sockets, which are reported on the native architecture only. */
static const struct socket_call {
	int number;
	enum call_kind kind;
	const char *name;
} socket_calls[] = {
	{SYS_socket, CALL_SOCKET, "socket"},
	{SYS_bind, CALL_BIND, "bind"},
	{SYS_connect, CALL_CONNECT, "connect"},
	{SYS_getsockname, CALL_GETSOCKNAME, "getsockname"},
	{SYS_getpeername, CALL_GETPEERNAME, "getpeername"},
	{SYS_setsockopt, CALL_SETSOCKOPT, "setsockopt"},
	{SYS_getsockopt, CALL_GETSOCKOPT, "getsockopt"},
	{SYS_sendto, CALL_SENDTO, "sendto"},
	{SYS_sendmsg, CALL_SENDMSG, "sendmsg"},
	{SYS_sendmmsg, CALL_SENDMMSG, "sendmmsg"},
	{SYS_recvfrom, CALL_RECVFROM, "recvfrom"},
	{SYS_recvmsg, CALL_RECVMSG, "recvmsg"},
	{SYS_recvmmsg, CALL_RECVMMSG, "recvmmsg"},
};

/* Find out whether it is a call on a socket, and which one. */
static bool socket_call_decode(struct call *call, const struct seccomp_data *data)
{
	for (size_t i = 0; i < sizeof(socket_calls) / sizeof(socket_calls[0]); i++) {
		if (call->is_32_bit || socket_calls[i].number != data->nr)
			continue;
		call->kind = socket_calls[i].kind;
		call->name = socket_calls[i].name;
		call->fd = (int)data->args[0];
		for (size_t j = 0; j < 6; j++)
			call->arguments[j] = (unsigned long)data->args[j];
		return true;
	}
	return false;
}

/* Find out which system call it is. */
static void call_decode(struct call *call, const struct seccomp_data *data)
{
	bool is_other = other.architecture && data->arch == other.architecture;
	const struct numbers *numbers = is_other ? &other : &native;
	const __u64 *arguments = data->args;
	int at = 1; /* where the path is */

	call->is_32_bit = is_other;
	if (data->nr == numbers->ioctl) {
		call->kind = CALL_IOCTL;
		call->name = "ioctl";
		call->fd = (int)arguments[0];
		call->request = (unsigned int)arguments[1];
		call->argument = (unsigned long)arguments[2];
		return;
	}
	if (socket_call_decode(call, data))
		return;
	call->kind = CALL_OPEN;
	call->directory = (int)arguments[0];
	if (data->nr == numbers->open) {
		call->name = "open";
		call->directory = AT_FDCWD;
		at = 0;
	} else if (data->nr == numbers->openat) {
		call->name = "openat";
	} else if (data->nr == numbers->openat2) {
		call->name = "openat2";
		call->how = (unsigned long)arguments[2];
		call->how_size = (unsigned long)arguments[3];
	} else {
		call->kind = CALL_OTHER;
	}
	call->path = (unsigned long)arguments[at];
	if (!call->how)
		call->flags = (unsigned int)arguments[at + 1];
}

int notification_receive(int listener, struct call *call)
{
	struct seccomp_notif notification = {0};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
		return -1;
	memset(call, 0, sizeof(*call));
	call->operations = &operations;
	call->channel = listener;
	call->id = notification.id;
	call->thread = (pid_t)notification.pid;
	call_decode(call, &notification.data);
	return 0;
}

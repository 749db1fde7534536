/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Declare the wrapper and the wrapped function. */
#define WRAPPED(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t count, size_t size);
WRAPPED(char *, strdup, const char *string);
WRAPPED(void, free, void *pointer);
WRAPPED(int, socketpair, int domain, int type, int protocol, int ends[2]);
WRAPPED(int, fcntl, int fd, int command, ...);
WRAPPED(int, fcntl64, int fd, int command, ...);
WRAPPED(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags);
WRAPPED(ssize_t, recvmsg, int fd, struct msghdr *message, int flags);
WRAPPED(int, sendmmsg, int fd, struct mmsghdr *messages, unsigned int count, int flags);
WRAPPED(int, recvmmsg, int fd, struct mmsghdr *messages, unsigned int count, int flags,
	struct timespec *timeout);
WRAPPED(int, accept4, int fd, struct sockaddr *name, socklen_t *size, int flags);
WRAPPED(int, fstat, int fd, struct stat *status);
WRAPPED(int, fstat64, int fd, struct stat64 *status);
WRAPPED(int, setsockopt, int fd, int level, int name, const void *value, socklen_t size);
WRAPPED(int, getsockopt, int fd, int level, int name, void *value, socklen_t *size);
WRAPPED(int, poll, struct pollfd *fds, nfds_t count, int timeout);

const char *const faulty_names[FAULTY_COUNT] = {
	[FAULTY_MALLOC] = "malloc",         [FAULTY_CALLOC] = "calloc",
	[FAULTY_STRDUP] = "strdup",         [FAULTY_SOCKETPAIR] = "socketpair",
	[FAULTY_FCNTL] = "fcntl",           [FAULTY_SENDMSG] = "sendmsg",
	[FAULTY_RECVMSG] = "recvmsg",       [FAULTY_SENDMMSG] = "sendmmsg",
	[FAULTY_RECVMMSG] = "recvmmsg",     [FAULTY_ACCEPT4] = "accept4",
	[FAULTY_FSTAT] = "fstat",           [FAULTY_SETSOCKOPT] = "setsockopt",
	[FAULTY_GETSOCKOPT] = "getsockopt",
};

static struct {
	bool armed;
	bool struck;
	enum faulty which;
	unsigned int left; /* calls until the one that fails */
	int error;
} plan;

static long allocations;
static bool (*turn)(void *context);
static void *turn_context;

void faults_arm(enum faulty which, unsigned int nth, int error)
{
	plan.armed = true;
	plan.struck = false;
	plan.which = which;
	plan.left = nth;
	plan.error = error;
}

bool faults_disarm(void)
{
	plan.armed = false;
	return plan.struck;
}

bool faults_struck(void)
{
	return plan.struck;
}

long faults_allocations(void)
{
	return allocations;
}

void faults_set_turn(bool (*function)(void *context), void *context)
{
	turn = function;
	turn_context = context;
}

/* Count a call. Return whether it has to fail. */
static bool faulty(enum faulty which)
{
	if (!plan.armed || plan.struck || plan.which != which || --plan.left)
		return false;
	plan.struck = true;
	errno = plan.error;
	return true;
}

static void *counted(void *pointer)
{
	if (pointer)
		allocations++;
	return pointer;
}

void *__wrap_malloc(size_t size)
{
	return faulty(FAULTY_MALLOC) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return faulty(FAULTY_CALLOC) ? NULL : counted(__real_calloc(count, size));
}

char *__wrap_strdup(const char *string)
{
	return faulty(FAULTY_STRDUP) ? NULL : counted(__real_strdup(string));
}

void __wrap_free(void *pointer)
{
	if (pointer)
		allocations--;
	__real_free(pointer);
}

int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
	return faulty(FAULTY_SOCKETPAIR) ? -1 : __real_socketpair(domain, type, protocol, ends);
}

/* The fcntl commands of the product take an int or nothing, and a long can pass both. */
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return faulty(FAULTY_FCNTL) ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_fcntl64(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return faulty(FAULTY_FCNTL) ? -1 : __real_fcntl64(fd, command, argument);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return faulty(FAULTY_SENDMSG) ? -1 : __real_sendmsg(fd, message, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	return faulty(FAULTY_RECVMSG) ? -1 : __real_recvmsg(fd, message, flags);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	return faulty(FAULTY_SENDMMSG) ? -1 : __real_sendmmsg(fd, messages, count, flags);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
		    struct timespec *timeout)
{
	return faulty(FAULTY_RECVMMSG) ? -1 : __real_recvmmsg(fd, messages, count, flags, timeout);
}

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *size, int flags)
{
	return faulty(FAULTY_ACCEPT4) ? -1 : __real_accept4(fd, name, size, flags);
}

int __wrap_fstat(int fd, struct stat *status)
{
	return faulty(FAULTY_FSTAT) ? -1 : __real_fstat(fd, status);
}

int __wrap_fstat64(int fd, struct stat64 *status)
{
	return faulty(FAULTY_FSTAT) ? -1 : __real_fstat64(fd, status);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	return faulty(FAULTY_SETSOCKOPT) ? -1 : __real_setsockopt(fd, level, name, value, size);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	return faulty(FAULTY_GETSOCKOPT) ? -1 : __real_getsockopt(fd, level, name, value, size);
}

/* Poll a millisecond at a time, and run the broker's loop in between. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	bool (*other_side)(void *context) = turn;
	int ready = 0;

	if (!other_side || timeout == 0)
		return __real_poll(fds, count, timeout);
	turn = NULL; /* the loop calls poll too */
	do {
		if (!other_side(turn_context)) {
			errno = ETIME;
			ready = -1;
			break;
		}
		ready = __real_poll(fds, count, 1);
	} while (ready == 0 && (timeout < 0 || timeout-- > 1));
	turn = other_side;
	return ready;
}

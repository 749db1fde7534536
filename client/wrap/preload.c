/* SPDX-License-Identifier: MIT */
/*
 * libmemtun-preload.so: the part of memtun wrap that runs in the program where the kernel cannot
 * report its calls. It replaces open(2), openat(2) and ioctl(2) of the C library, asks the
 * supervisor about the same calls that the filter reports (filter.h), and keeps no state.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/wrap/preload_protocol.h"

/*
 * The functions may be called from signal handlers, and before the library's constructors have run.
 * Therefore they allocate nothing, and look up the function that they replace only once.
 */

#define EXPORTED __attribute__((visibility("default")))

/* Not in a header: what open() becomes in a program that was compiled with _FORTIFY_SOURCE. */
EXPORTED int __open_2(const char *path, int flags);
EXPORTED int __open64_2(const char *path, int flags);
EXPORTED int __openat_2(int directory, const char *path, int flags);
EXPORTED int __openat64_2(int directory, const char *path, int flags);

typedef int open_function(const char *path, int flags, ...);
typedef int openat_function(int directory, const char *path, int flags, ...);
typedef int ioctl_function(int fd, unsigned long request, ...);

/* ------------------------------------------------------------------------------ asking */

/* Connect to the supervisor. -1: there is none any more. */
static int supervisor_connect(void)
{
	const char *address = getenv(PRELOAD_VARIABLE);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length = address ? strlen(address) : 0;
	int fd;

	if (length < 2 || length > sizeof(name.sun_path))
		return -1;
	memcpy(name.sun_path + 1, address + 1, length - 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&name,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Receive the answer, and in *received its descriptor or -1. */
static bool answer_receive(int fd, struct preload_answer *answer, bool close_on_exec, int *received)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {answer, sizeof(*answer)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;
	ssize_t length;

	*received = -1;
	do
		length = recvmsg(fd, &message, close_on_exec ? MSG_CMSG_CLOEXEC : 0);
	while (length < 0 && errno == EINTR);
	if (length != (ssize_t)sizeof(*answer))
		return false;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(received, CMSG_DATA(header), sizeof(int));
	else if (message.msg_flags & MSG_CTRUNC)
		answer->value = -EMFILE;
	return true;
}

/* Move the descriptor to the lowest free number, as open(2) promises: the connection had it. */
static int descriptor_lowest(int fd, bool close_on_exec)
{
	int lowest = fcntl(fd, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);

	if (lowest >= 0 && lowest < fd) {
		close(fd);
		return lowest;
	}
	if (lowest >= 0)
		close(lowest);
	return fd;
}

/*
 * Ask the supervisor. Return true and store the call's value and errno; or false: the caller calls
 * the C library's function.
 */
static bool supervisor_ask(const struct preload_request *request, bool close_on_exec, int *value)
{
	struct preload_answer answer;
	int saved = errno;
	int fd = supervisor_connect();
	int received = -1;
	bool answered;

	if (fd < 0) {
		errno = saved;
		return false;
	}
	answered = send(fd, request, sizeof(*request), MSG_NOSIGNAL) == (ssize_t)sizeof(*request) &&
		   answer_receive(fd, &answer, close_on_exec, &received) && !answer.pass;
	close(fd);
	if (received >= 0)
		received = descriptor_lowest(received, close_on_exec);
	errno = saved;
	if (!answered)
		return false;
	*value = received >= 0 ? received : (int)answer.value;
	if (answer.value < 0 && received < 0) {
		errno = (int)-answer.value;
		*value = -1;
	}
	return true;
}

static bool open_asked(int directory, const char *path, int flags, int *value)
{
	struct preload_request request = {
		.kind = PRELOAD_OPEN,
		.word_size = sizeof(long),
		.fd = directory,
		.request = (uint32_t)flags,
		.argument = (uintptr_t)path,
	};
	const char *base;

	if (!path || (flags & (O_ACCMODE | O_CREAT | O_DIRECTORY)) != O_RDWR)
		return false;
	base = strrchr(path, '/');
	return strcmp(base ? base + 1 : path, "tun") == 0 &&
	       supervisor_ask(&request, flags & O_CLOEXEC, value);
}

static bool ioctl_asked(int fd, unsigned long number, void *argument, int *value)
{
	struct preload_request request = {
		.kind = PRELOAD_IOCTL,
		.word_size = sizeof(long),
		.fd = fd,
		.request = (uint32_t)number,
		.argument = (uintptr_t)argument,
	};
	bool is_tun = _IOC_TYPE(number) == 'T' && _IOC_NR(number) >= 0xc8;
	bool is_interface = (uint32_t)number >= 0x890b && (uint32_t)number <= 0x894f;

	return (is_tun || is_interface) && supervisor_ask(&request, false, value);
}

/* ------------------------------------------------------------------------------ replaced */

/* Return the C library's function, or that of another preloaded library, and remember it. */
static void *next(const char *name, void **found)
{
	void *function = __atomic_load_n(found, __ATOMIC_RELAXED);

	if (!function)
		function = dlsym(RTLD_NEXT, name);
	if (!function)
		abort();
	__atomic_store_n(found, function, __ATOMIC_RELAXED);
	return function;
}

/* The mode of an open is there with these flags only. */
#define OPEN_MODE(flags, mode)                                    \
	do {                                                      \
		if ((flags) & (O_CREAT | O_TMPFILE)) {            \
			va_list arguments;                        \
			va_start(arguments, flags);               \
			(mode) = va_arg(arguments, unsigned int); \
			va_end(arguments);                        \
		}                                                 \
	} while (0)

#define OPEN(name)                                                                \
	EXPORTED int name(const char *path, int flags, ...)                       \
	{                                                                         \
		unsigned int mode = 0;                                            \
		static void *found;                                               \
		int value;                                                        \
                                                                                  \
		OPEN_MODE(flags, mode);                                           \
		if (open_asked(AT_FDCWD, path, flags, &value))                    \
			return value;                                             \
		return ((open_function *)next(#name, &found))(path, flags, mode); \
	}

#define OPENAT(name)                                                                           \
	EXPORTED int name(int directory, const char *path, int flags, ...)                     \
	{                                                                                      \
		unsigned int mode = 0;                                                         \
		static void *found;                                                            \
		int value;                                                                     \
                                                                                               \
		OPEN_MODE(flags, mode);                                                        \
		if (open_asked(directory, path, flags, &value))                                \
			return value;                                                          \
		return ((openat_function *)next(#name, &found))(directory, path, flags, mode); \
	}

#define OPEN_2(name)                                                        \
	EXPORTED int name(const char *path, int flags)                      \
	{                                                                   \
		static void *found;                                         \
		int value;                                                  \
                                                                            \
		if (open_asked(AT_FDCWD, path, flags, &value))              \
			return value;                                       \
		return ((open_function *)next(#name, &found))(path, flags); \
	}

#define OPENAT_2(name)                                                                   \
	EXPORTED int name(int directory, const char *path, int flags)                    \
	{                                                                                \
		static void *found;                                                      \
		int value;                                                               \
                                                                                         \
		if (open_asked(directory, path, flags, &value))                          \
			return value;                                                    \
		return ((openat_function *)next(#name, &found))(directory, path, flags); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

EXPORTED int ioctl(int fd, unsigned long request, ...)
{
	static void *found;
	va_list arguments;
	void *argument;
	int value;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (ioctl_asked(fd, request, argument, &value))
		return value;
	return ((ioctl_function *)next("ioctl", &found))(fd, request, argument);
}

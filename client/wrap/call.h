/* SPDX-License-Identifier: MIT */
/*
 * One system call of the program that the supervisor is asked about. The program's thread waits
 * until the call is answered. notification.c brings the calls that the filter reports,
 * preload_server.c those of the preloaded library.
 */
#ifndef MEMTUN_CALL_H
#define MEMTUN_CALL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct call;

/* The number of a given descriptor that only the program knows. */
#define CALL_FD_UNKNOWN INT_MAX

/* How a call is answered. Each function returns 0 or more; -1: the thread no longer waits. */
struct call_operations {
	/* Let the call return the value, or with a negative value -1 and that errno. */
	int (*answer)(struct call *call, long value);
	/* Let the kernel carry out the call. */
	int (*pass)(struct call *call);
	/*
	 * Let the call return a new descriptor of the program for `fd`, close-on-exec if `flags`
	 * have O_CLOEXEC, and return its number, or CALL_FD_UNKNOWN. -1 also with EMFILE or
	 * ENFILE: the call is not answered yet.
	 */
	int (*give)(struct call *call, int fd, int flags);
	/* The same with that number, which should be free. Only for the calls on sockets. */
	int (*give_at)(struct call *call, int fd, int flags, int number);
	/* Return whether the thread still waits, so that what was read is its process's memory. */
	bool (*is_waiting)(const struct call *call);
};

enum call_kind {
	CALL_OTHER, /* to be passed on */
	CALL_OPEN,
	CALL_IOCTL,
	CALL_SOCKET, /* of AF_NETLINK; the next ones may be on such a socket */
	CALL_BIND,
	CALL_CONNECT,
	CALL_GETSOCKNAME,
	CALL_GETPEERNAME,
	CALL_SETSOCKOPT,
	CALL_GETSOCKOPT,
	CALL_SENDTO,
	CALL_SENDMSG,
	CALL_SENDMMSG,
	CALL_RECVFROM,
	CALL_RECVMSG,
	CALL_RECVMMSG,
};

struct call {
	const struct call_operations *operations;
	int channel; /* the listener, or the connection of the library; borrowed */
	uint64_t id; /* of the notification */
	enum call_kind kind;
	const char *name; /* of the system call */
	pid_t thread;
	bool is_32_bit; /* on a 64-bit kernel: another layout of structures */
	/* These members are set for open(2), openat(2) and openat2(2) only. */
	int directory;
	unsigned long path;
	unsigned long flags;
	unsigned long how; /* of openat2: where the flags are; 0: they are in `flags` */
	unsigned long how_size;
	/* The arguments of a call on a socket, such as bind(2). */
	unsigned long arguments[6];
	/* An ioctl has these three members; a call on an existing socket has `fd`. */
	int fd;
	unsigned int request;
	unsigned long argument;
};

#endif

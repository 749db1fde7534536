/* SPDX-License-Identifier: MIT */
/*
 * The program's NETLINK_ROUTE sockets. Each is replaced by one end of a UNIX SEQPACKET pair, which
 * ignores a destination address, as netlink(7) programs give one. A socket is known by the inode of
 * the program's end, like a device (device.h).
 */
#ifndef MEMTUN_NETLINK_SOCKET_H
#define MEMTUN_NETLINK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "client/wrap/call.h"
#include "client/wrap/rtnetlink_reply.h"

struct interface;
struct interfaces;
struct state_change;

/*
 * A socket has these descriptors:
 *
 *   theirs  the program's end. The supervisor keeps a copy, to answer recvmsg(2)
 *   ours    the supervisor's end: requests come out of it, answers and notifications go in
 *   twin    a NETLINK_ROUTE socket of the supervisor with the name, the groups and the options that
 *           the program has set: for what is the kernel's
 *
 * The copy hides that the program has closed its end, so /proc is searched for closed ones when
 * there are many.
 */

struct netlink_socket {
	RB_ENTRY(netlink_socket) by_inode;
	struct netlink_sockets *sockets;
	ino_t inode;
	int ours, theirs, twin; /* owned */
	int type;               /* SOCK_RAW or SOCK_DGRAM */
	pid_t process;          /* that has made it */
	uint32_t port;          /* of the twin; 0: it has no name yet */
	bool is_used;           /* found by the search for closed ones */
	/* Datagrams that `ours` did not take: the length of each, a size_t, and its bytes. */
	char *waiting; /* owned */
	size_t waiting_used, waiting_size;
};

RB_HEAD(netlink_tree, netlink_socket);
RB_PROTOTYPE(netlink_tree, netlink_socket, by_inode, )

/* A receiving call that waits for a datagram. */
struct netlink_held {
	LIST_ENTRY(netlink_held) link;
	struct netlink_socket *socket;
	struct call call;
	int64_t deadline; /* CLOCK_MONOTONIC, nanoseconds; -1: none */
};

struct netlink_sockets {
	struct interfaces *interfaces; /* borrowed */
	struct netlink_tree by_inode;
	LIST_HEAD(, netlink_held) held;
	unsigned int count;
	unsigned int search_at; /* look for closed ones when there are so many */
	uint32_t serial;        /* of the last name */
	int first;              /* number of a socket in the program */
	int epoll; /* owned: the descriptors of all of them; -1: none can be replaced */
};

/* Begin without sockets. `interfaces` is borrowed. Without memory no socket will be replaced. */
void netlink_sockets_init(struct netlink_sockets *sockets, struct interfaces *interfaces);
void netlink_sockets_free(struct netlink_sockets *sockets);

/* Make a socket of that type, which *sockets owns. NULL with errno. */
struct netlink_socket *netlink_socket_new(struct netlink_sockets *sockets, int type);
void netlink_socket_free(struct netlink_socket *socket);

/* Return the socket whose end has that inode. NULL: none has. */
struct netlink_socket *netlink_socket_find(struct netlink_sockets *sockets, ino_t inode);

/* Give the twin a name, if it has none: `port`, or with 0 the process's number if that is free. -1
 * with errno. */
int netlink_socket_name(struct netlink_socket *socket, uint32_t port, uint32_t groups);

/*
 * Send the datagrams of the reply to the program, without waiting. What does not fit is kept, but
 * never more than a bound: as the kernel does, further datagrams are dropped.
 */
void netlink_socket_send(struct netlink_socket *socket, const struct reply *reply);
void netlink_socket_send_one(struct netlink_socket *socket, const void *datagram, size_t length);

/* Send what was kept. */
void netlink_socket_flush(struct netlink_socket *socket);

/* ------------------------------------------------------------------------------ events */

/* Serve the sockets when sockets->epoll can be read. */
void netlink_dispatch(struct netlink_sockets *sockets);

/* Return when to call netlink_held_check() at the latest, in milliseconds. -1: never. */
int netlink_timeout(const struct netlink_sockets *sockets);

/* ------------------------------------------------------------------------------ calls */

/* Replace the socket that the call, a CALL_SOCKET, makes, or let the kernel make its own. Return
 * the result for the trace; INT_MAX: it was the kernel's. */
long netlink_open(struct netlink_sockets *sockets, struct call *call);

/* Carry out a call on a replaced socket. */
void netlink_call(struct netlink_socket *socket, struct call *call);

/* Carry out a receiving call: netlink_receive.c. */
void netlink_receive(struct netlink_socket *socket, struct call *call);

/* Try the waiting calls of the socket again. */
void netlink_held_retry(struct netlink_socket *socket);

/* End the waiting calls whose time is over, or whose thread has a signal to handle. */
void netlink_held_check(struct netlink_sockets *sockets);

/* ------------------------------------------------------------------------------ requests */

/* Answer the requests in a datagram of the process. */
void netlink_serve(struct netlink_socket *socket, pid_t process, const void *datagram,
		   size_t length);

/* Tell all sockets in the group of a change of an interface. */
void netlink_notify(struct netlink_sockets *sockets, const struct interface *interface,
		    const struct state_change *change, bool is_gone);

#endif

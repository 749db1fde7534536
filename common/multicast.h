/* SPDX-License-Identifier: MIT */
/*
 * The sockets of a User Mode Linux multicast LAN, which QEMU's `-netdev socket,mcast=` speaks too:
 * a raw Ethernet frame in each UDP datagram to a group, and nothing else.
 *
 * There are two. The receiver is bound to the group, and so can't know what address it would send
 * from; the sender has a port of its own, by which this side's own frames are known when the group
 * returns them. Both are non-blocking. Nothing here waits.
 */
#ifndef MEMTUN_MULTICAST_H
#define MEMTUN_MULTICAST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What fits into a UDP datagram over IPv4: 65,535 less 20 and 8 bytes of headers. */
#define MULTICAST_FRAME_MAX 65507

/* The most that multicast_receive() takes at once. */
#define MULTICAST_BATCH 32

/* Addresses and the port are in network order. */
struct multicast_options {
	struct in_addr group;
	in_port_t port;
	struct in_addr interface; /* one of its addresses; the members on other interfaces are
				     another LAN */
	int ttl;                  /* 0 to 255; 0: not beyond this host, 1: not beyond this LAN */
	bool loop;                /* own frames are received as well */
};

struct multicast {
	int receiver; /* wait for this one to be readable */
	int sender;   /* and for this one to be writable */
	struct sockaddr_in group;
	struct sockaddr_in own; /* where own frames come from */
	bool loop;
};

/*
 * Joins the LAN. -1 with errno and nothing open: EINVAL (the group is no multicast address, or the
 * port is 0, or the ttl out of bounds), ENODEV (no interface has that address), and those of
 * socket(2), bind(2) and setsockopt(2).
 */
int multicast_open(struct multicast *multicast, const struct multicast_options *options);

/*
 * Only hears: a receiver, the caller's to close, of what is sent to the group on the interface with
 * that address. -1 with errno, as multicast_open().
 */
int multicast_join(const struct sockaddr_in *group, struct in_addr interface);

/* Leaves it. May be called twice. */
void multicast_close(struct multicast *multicast);

/*
 * As recvmmsg(2) without waiting, with at most MULTICAST_BATCH messages, whose msg_iov the caller
 * has set; msg_name is set here. Returns how many were received. A message that ends up with
 * msg_len 0 is to be skipped: it was an own frame, or empty. -1 with errno: EAGAIN if there is
 * none.
 */
int multicast_receive(struct multicast *multicast, struct mmsghdr *messages, unsigned int count);

/*
 * Sends one frame to all members. -1 with errno: EINVAL if it is empty, EMSGSIZE if it has more
 * than MULTICAST_FRAME_MAX bytes, EAGAIN if there is no room now, and those of send(2).
 */
ssize_t multicast_send(struct multicast *multicast, const void *frame, size_t length);

#endif

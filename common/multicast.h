/* SPDX-License-Identifier: MIT */
/*
 * The sockets of a User Mode Linux multicast LAN, which QEMU's `-netdev socket,mcast=` uses too:
 * each UDP datagram to a group carries a raw Ethernet frame and nothing else.
 */
#ifndef MEMTUN_MULTICAST_H
#define MEMTUN_MULTICAST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * There are two sockets. The receiver is bound to the group, so that it has no address of its own
 * to send from. The sender has a port of its own, by which its frames are recognised when the group
 * returns them. Both are non-blocking, and no function here waits.
 */

/* The longest payload of a UDP datagram over IPv4: 65,535 less 20 and 8 bytes of headers. */
#define MULTICAST_FRAME_MAX 65507

/* The maximum number of messages that multicast_receive() takes at once. */
#define MULTICAST_BATCH 32

/* Addresses and the port are in network order. */
struct multicast_options {
	struct in_addr group;
	in_port_t port;
	struct in_addr interface; /* an address of it; each interface has a LAN of its own */
	int ttl;                  /* 0 to 255; 0: to this host only, 1: to this LAN only */
	bool loop;                /* receive the sender's own frames as well */
};

struct multicast {
	int receiver; /* wait until it is readable */
	int sender;   /* wait until it is writable */
	struct sockaddr_in group;
	struct sockaddr_in own; /* the address of the sender */
	bool loop;
};

/*
 * Join the LAN. -1 with errno and nothing open: EINVAL (the group is no multicast address, or the
 * port is 0, or the ttl out of bounds), ENODEV (no interface has that address), and those of
 * socket(2), bind(2) and setsockopt(2).
 */
int multicast_open(struct multicast *multicast, const struct multicast_options *options);

/*
 * Return a receiver alone for the group, on the interface with that address. The caller closes it.
 * -1 with errno, as multicast_open().
 */
int multicast_join(const struct sockaddr_in *group, struct in_addr interface);

/* Leave the LAN. May be called twice. */
void multicast_close(struct multicast *multicast);

/*
 * Receive at most MULTICAST_BATCH messages, as recvmmsg(2) does without waiting. The caller has set
 * each msg_iov; this function uses msg_name. Return how many were received. The caller skips
 * messages with msg_len 0, which were empty or the sender's own. -1 with errno: EAGAIN if there is
 * none.
 */
int multicast_receive(struct multicast *multicast, struct mmsghdr *messages, unsigned int count);

/*
 * Send one frame to all members. -1 with errno: EINVAL if it is empty, EMSGSIZE if it has more
 * than MULTICAST_FRAME_MAX bytes, EAGAIN if there is no room now, and those of send(2).
 */
ssize_t multicast_send(struct multicast *multicast, const void *frame, size_t length);

#endif

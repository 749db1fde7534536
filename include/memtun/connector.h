/* SPDX-License-Identifier: MIT */
/*
 * Connectors: a test's end of a tunnel or of a multicast LAN. A connector sends frames, reads
 * frames and finds their headers, and waits for an expected frame. See memtun_connector(3).
 *
 * A connector belongs to one thread at a time. The library starts no threads, touches no signals
 * and writes nothing to standard error. Timeouts are in milliseconds; -1 means no timeout.
 */
#ifndef MEMTUN_CONNECTOR_H
#define MEMTUN_CONNECTOR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <memtun/protocol.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memtun_connector;

enum memtun_connector_flag {
	/* A tunnel: struct tun_pi is before each frame. The connector removes and adds it. */
	MEMTUN_CONNECTOR_PI = 1,
	/* A LAN: the connector also reads the frames that it has sent. */
	MEMTUN_CONNECTOR_LOOP = 2
};

/*
 * Make a connector on a tunnel's descriptor, which is a message socket, such as memtun_open()
 * returns by default, or a kernel's tun device. flags: MEMTUN_CONNECTOR_PI or 0. On success the
 * connector owns the descriptor and closes it; O_NONBLOCK is neither needed nor changed. On failure
 * the caller still owns it. NULL with errno: EINVAL (an unknown mode or flag), EPROTOTYPE (the
 * descriptor is neither a UNIX socket of type SOCK_SEQPACKET or SOCK_DGRAM nor a character device),
 * EBADF, ENOMEM.
 */
struct memtun_connector *memtun_connector_open_fd(int fd, enum memtun_mode mode,
						  unsigned int flags);

/*
 * Make a connector that joins a User Mode Linux multicast LAN. group is an IPv4 multicast address,
 * port a UDP port in host byte order. ifaddr is an address of the interface that the LAN is on;
 * NULL: 127.0.0.1, so that all members are on this host. ttl is the value of IP_MULTICAST_TTL, 0 to
 * 255; QEMU uses 1. flags: MEMTUN_CONNECTOR_LOOP or 0. NULL with errno: EINVAL (group or ifaddr is
 * not an IPv4 address, group is not multicast, port is 0, ttl is out of bounds, or a flag is
 * unknown), ENODEV (no interface has the address ifaddr), EMFILE, ENFILE, ENOMEM, or the errno of
 * socket(2), bind(2) or setsockopt(2).
 */
struct memtun_connector *memtun_connector_open_multicast(const char *group, uint16_t port,
							 const char *ifaddr, int ttl,
							 unsigned int flags);

/*
 * Close the connector's descriptors, and free the connector and all packets that it has returned.
 * connector may be NULL.
 */
void memtun_connector_close(struct memtun_connector *connector);

/*
 * Return the descriptor to poll for POLLIN; the connector still owns it. When it is readable, read
 * packets until EAGAIN. Do so after memtun_connector_expect() too: the connector may then have
 * frames that are no longer in the descriptor.
 */
int memtun_connector_fd(const struct memtun_connector *connector);

/*
 * Return the descriptor to poll for POLLOUT; the connector still owns it. It is the same one as
 * above for a tunnel, and another for a LAN.
 */
int memtun_connector_write_fd(const struct memtun_connector *connector);

/*
 * Write into *address the LAN's group and port, or the address and port from which this connector
 * sends. Return 0; -1 with EOPNOTSUPP if the connector is on a tunnel.
 */
int memtun_connector_group_address(const struct memtun_connector *connector,
				   struct sockaddr_in *address);
int memtun_connector_own_address(const struct memtun_connector *connector,
				 struct sockaddr_in *address);

/*
 * A frame and its headers. The members from ethernet to udp are offsets into data, in bytes; -1
 * means that the frame has no such header, or that the header is cut or contradicts itself. Numbers
 * are in host byte order. Checksums are not verified. The connector owns the packet, which is valid
 * until the next call of memtun_connector_poll_read(), _read_packet(), _blocking_read(), _expect()
 * or _close().
 */
struct memtun_packet {
	size_t size; /* of this structure, bytes: a later version has more members at its end */
	const uint8_t *data;
	size_t length;         /* bytes, 69,632 at most */
	int64_t time;          /* when it was read: CLOCK_MONOTONIC, nanoseconds */
	enum memtun_mode mode; /* MEMTUN_TAP: begins with an Ethernet header; MEMTUN_TUN: with IP */
	ssize_t ethernet;
	ssize_t vlan;       /* the outer tag: offset of its type, 0x8100 or 0x88a8 */
	ssize_t inner_vlan; /* the tag inside the outer one */
	ssize_t arp;        /* for IPv4 over Ethernet */
	ssize_t ipv4;
	ssize_t ipv6;
	ssize_t icmp;
	ssize_t icmpv6;
	ssize_t tcp;
	ssize_t udp;
	size_t payload;        /* offset behind the last header that was found */
	size_t payload_length; /* bytes */
	int vlan_id;           /* -1: no tag */
	int inner_vlan_id;
	uint16_t ethertype;     /* after the tags */
	int protocol;           /* after IPv6 extension headers; -1: not IP */
	size_t fragment_offset; /* of this fragment's data in the whole packet's, bytes */
	bool fragment;          /* the packet is one fragment of several */
	bool malformed;         /* the Ethernet or the IP header is cut or contradicts itself */
	bool cut;               /* data ends before the IP packet, or the frame was too long */
};

/*
 * Wait until a frame can be read. Return 1 as soon as one can be; 0 after `timeout` milliseconds;
 * -1 with errno: EPIPE (the tunnel has ended and all its frames were read), ENOMEM, or the errno of
 * poll(2), recvmsg(2) or read(2).
 */
int memtun_connector_poll_read(struct memtun_connector *connector, int timeout);

/*
 * Return the next frame without waiting. NULL with errno: EAGAIN (there is no frame now), or as of
 * memtun_connector_poll_read().
 */
const struct memtun_packet *memtun_connector_read_packet(struct memtun_connector *connector);

/* Wait for the next frame and return it. NULL with errno as of memtun_connector_poll_read(). */
const struct memtun_packet *memtun_connector_blocking_read(struct memtun_connector *connector);

/*
 * Send one frame of `length` bytes, and return its length. flags: 0 waits until there is room;
 * MSG_DONTWAIT fails with EAGAIN instead. -1 with errno: EINVAL (the frame is empty, or another
 * flag), EMSGSIZE (the frame is longer than the descriptor takes; on a LAN, than 65,507 bytes),
 * EPIPE (the tunnel has ended), or the errno of poll(2), sendmsg(2) or write(2).
 */
ssize_t memtun_connector_write(struct memtun_connector *connector, const void *frame, size_t length,
			       int flags);

enum memtun_pattern_kind {
	MEMTUN_PATTERN_FILTER,
	MEMTUN_PATTERN_CALLBACK,
	MEMTUN_PATTERN_EOF,
	MEMTUN_PATTERN_TIMEOUT,
	MEMTUN_PATTERN_LIMIT
};

struct memtun_pattern {
	enum memtun_pattern_kind kind;
	const char *filter; /* an expression of pcap-filter(7) */
	/* Return whether the packet matches. It must not call into the connector. */
	bool (*callback)(const struct memtun_packet *packet, void *context);
	void *context; /* passed to callback */
};

/*
 * Patterns as expressions of type struct memtun_pattern. In C they are compound literals: with
 * -pedantic, gcc warns where one initializes a static variable.
 */
#ifdef __cplusplus
#define MEMTUN_PATTERN(kind, filter, callback, context) \
	memtun_pattern                                  \
	{                                               \
		kind, filter, callback, context         \
	}
#else
#define MEMTUN_PATTERN(kind, filter, callback, context) \
	(struct memtun_pattern)                         \
	{                                               \
		kind, filter, callback, context         \
	}
#endif
#define MEMTUN_FILTER(expression) MEMTUN_PATTERN(MEMTUN_PATTERN_FILTER, expression, NULL, NULL)
#define MEMTUN_CALLBACK(function, context) \
	MEMTUN_PATTERN(MEMTUN_PATTERN_CALLBACK, NULL, function, context)
#define MEMTUN_EOF MEMTUN_PATTERN(MEMTUN_PATTERN_EOF, NULL, NULL, NULL)
#define MEMTUN_TIMEOUT MEMTUN_PATTERN(MEMTUN_PATTERN_TIMEOUT, NULL, NULL, NULL)
#define MEMTUN_LIMIT MEMTUN_PATTERN(MEMTUN_PATTERN_LIMIT, NULL, NULL, NULL)

/*
 * Read frames until one matches one of the `count` patterns, and return the index of the first
 * pattern that it matches. Frames that were read before the match are discarded. Frames behind it
 * that have arrived already are read too: those that match the same pattern become matches (see
 * memtun_connector_match()), and the others remain to be read next.
 *
 * Without a match, return the index of the pattern for what has happened, or -1 with errno if there
 * is no such pattern:
 *	MEMTUN_EOF, EPIPE: the tunnel has ended
 *	MEMTUN_TIMEOUT, ETIMEDOUT: `timeout` milliseconds are over
 *	MEMTUN_LIMIT, ENOMSG: `limit` frames were read; a limit of 0 means no limit
 * Frames that have arrived are matched before the end or the timeout counts.
 *
 * -1 with errno also: EINVAL (a pattern of unknown kind, or a filter that does not compile),
 * ENOSYS (a filter, and the library was built without libpcap), ENOMEM, or the errno of poll(2),
 * recvmsg(2) or read(2). memtun_connector_error() has the failure's text.
 */
int memtun_connector_expect(struct memtun_connector *connector,
			    const struct memtun_pattern *patterns, size_t count, int timeout,
			    size_t limit);

/*
 * Return a packet that the last reading call returned; after memtun_connector_expect(), the match
 * number `index`, counted from 0 in order of arrival. NULL if there are no more. The connector owns
 * the packet.
 */
const struct memtun_packet *memtun_connector_match(const struct memtun_connector *connector,
						   size_t index);

/*
 * Return a text that says why the last memtun_connector_expect() failed; "" if it did not fail. The
 * connector owns the text, which is valid until the next memtun_connector_expect().
 */
const char *memtun_connector_error(const struct memtun_connector *connector);

#ifdef __cplusplus
}
#endif

#endif

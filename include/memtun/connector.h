/* SPDX-License-Identifier: MIT */
/*
 * Connectors: a test's end of a tunnel or of a LAN. It sends frames, reads them with their headers
 * found, and waits for the one it expects. See memtun_connector(3).
 *
 * A connector belongs to one thread at a time. The library starts no threads, touches no signals
 * and writes nothing to standard error. Timeouts are in milliseconds, -1: none.
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
	/* A tunnel's frames have struct tun_pi before them: it is taken off and put on. */
	MEMTUN_CONNECTOR_PI = 1,
	/* A LAN returns one's own frames as well. */
	MEMTUN_CONNECTOR_LOOP = 2,
};

/*
 * A connector on a tunnel's descriptor: a message socket, as memtun_open() returns by default, or
 * a kernel's tun device. On success it is the connector's, to be closed with it; its flags are left
 * alone, so either O_NONBLOCK will do. NULL with errno, and the descriptor still the caller's:
 * EINVAL (an unknown mode or flag), EPROTOTYPE (neither a UNIX socket that keeps frames apart nor a
 * character device), EBADF, ENOMEM.
 */
struct memtun_connector *memtun_connector_open_fd(int fd, enum memtun_mode mode,
						  unsigned int flags);

/*
 * A connector that is a member of a User Mode Linux multicast LAN, in this process. ifaddr is an
 * address of the interface that the LAN is on; NULL: 127.0.0.1, so only this host. ttl as
 * IP_MULTICAST_TTL; QEMU has 1. NULL with errno: EINVAL (group or ifaddr is no IPv4 address, the
 * group is not multicast, the port 0, the ttl not 0 to 255, or an unknown flag), ENODEV (no
 * interface has that ifaddr), EMFILE, ENFILE, ENOMEM, and those of socket(2), bind(2) and
 * setsockopt(2).
 */
struct memtun_connector *memtun_connector_open_multicast(const char *group, uint16_t port,
							 const char *ifaddr, int ttl,
							 unsigned int flags);

/* Frees it and what it has returned, and closes its descriptors. connector may be NULL. */
void memtun_connector_close(struct memtun_connector *connector);

/*
 * What to wait on in a loop of one's own. When it is readable, read packets until EAGAIN: a
 * connector may hold frames that its descriptor no longer has. It stays the connector's.
 */
int memtun_connector_fd(const struct memtun_connector *connector);

/* What writes go to: the same descriptor for a tunnel, another for a LAN. */
int memtun_connector_write_fd(const struct memtun_connector *connector);

/*
 * The LAN's group and port; the address and port that this connector's frames come from. -1 with
 * EOPNOTSUPP if it is on a tunnel.
 */
int memtun_connector_group_address(const struct memtun_connector *connector,
				   struct sockaddr_in *address);
int memtun_connector_own_address(const struct memtun_connector *connector,
				 struct sockaddr_in *address);

/*
 * A frame and where its headers are: offsets into data, -1 for what is not there, is cut or
 * contradicts itself. Numbers are in host order. It is the connector's, and is there until the
 * next call of poll_read, read_packet, blocking_read, expect or close.
 */
struct memtun_packet {
	const uint8_t *data;
	size_t length;
	int64_t time;          /* when it was read: CLOCK_MONOTONIC, nanoseconds */
	enum memtun_mode mode; /* MEMTUN_TAP: begins with an Ethernet header; MEMTUN_TUN: with IP */
	ssize_t ethernet;
	ssize_t vlan;       /* the outer tag: its 0x8100 or 0x88a8 */
	ssize_t inner_vlan; /* the tag inside it */
	ssize_t arp;        /* for IPv4 over Ethernet */
	ssize_t ipv4;
	ssize_t ipv6;
	ssize_t icmp;
	ssize_t icmpv6;
	ssize_t tcp;
	ssize_t udp;
	size_t payload; /* behind the last header that was found */
	size_t payload_length;
	int vlan_id; /* -1: no tag */
	int inner_vlan_id;
	uint16_t ethertype;     /* behind the tags */
	int protocol;           /* behind IPv6 extension headers; -1: not IP */
	size_t fragment_offset; /* of this fragment's data in the whole packet's */
	bool fragment;          /* one of several */
	bool malformed;         /* the Ethernet or the IP header is cut or contradicts itself */
	bool cut;               /* it ends before the IP packet in it should, or was too long */
};

/*
 * 1: a frame can be read at once; 0: TIMEOUT; -1 with errno: EPIPE (the tunnel has ended, and all
 * its frames were read), ENOMEM, or what the descriptor's reading failed with.
 */
int memtun_connector_poll_read(struct memtun_connector *connector, int timeout);

/* The next frame, without waiting. NULL with errno: EAGAIN (there is none now), or as above. */
const struct memtun_packet *memtun_connector_read_packet(struct memtun_connector *connector);

/* The next frame; waits for it. NULL with errno as above. */
const struct memtun_packet *memtun_connector_blocking_read(struct memtun_connector *connector);

/*
 * Sends one frame, and returns its length. flags: 0 waits until there is room; MSG_DONTWAIT answers
 * EAGAIN instead. -1 with errno: EINVAL (the frame is empty, or another flag), EMSGSIZE (more than
 * the descriptor takes; a LAN: more than 65,507 bytes), EPIPE (the tunnel has ended), and those of
 * write(2).
 */
ssize_t memtun_connector_write(struct memtun_connector *connector, const void *frame, size_t length,
			       int flags);

enum memtun_pattern_kind {
	MEMTUN_PATTERN_FILTER,
	MEMTUN_PATTERN_CALLBACK,
	MEMTUN_PATTERN_EOF,
	MEMTUN_PATTERN_TIMEOUT,
	MEMTUN_PATTERN_LIMIT,
};

struct memtun_pattern {
	enum memtun_pattern_kind kind;
	const char *filter; /* as in pcap-filter(7) */
	/* Whether it is one; it must not call into the connector. */
	bool (*callback)(const struct memtun_packet *packet, void *context);
	void *context;
};

/* Patterns, as values and as initializers. */
#define MEMTUN_PATTERN(kind, filter, callback, context) \
	(struct memtun_pattern)                         \
	{                                               \
		kind, filter, callback, context         \
	}
#define MEMTUN_FILTER(expression) MEMTUN_PATTERN(MEMTUN_PATTERN_FILTER, expression, NULL, NULL)
#define MEMTUN_CALLBACK(function, context) \
	MEMTUN_PATTERN(MEMTUN_PATTERN_CALLBACK, NULL, function, context)
#define MEMTUN_EOF MEMTUN_PATTERN(MEMTUN_PATTERN_EOF, NULL, NULL, NULL)
#define MEMTUN_TIMEOUT MEMTUN_PATTERN(MEMTUN_PATTERN_TIMEOUT, NULL, NULL, NULL)
#define MEMTUN_LIMIT MEMTUN_PATTERN(MEMTUN_PATTERN_LIMIT, NULL, NULL, NULL)

/*
 * Reads frames until one matches a pattern, and returns the index of the first pattern that it
 * matches. Frames before it are gone. Of those behind it that are there already, each match of the
 * same pattern is taken too (see memtun_connector_match()); the others stay, to be read next.
 *
 * What ends it otherwise returns the index of the pattern that stands for it, or, if there is none,
 * -1 with errno: MEMTUN_EOF, EPIPE: the tunnel has ended; MEMTUN_TIMEOUT, ETIMEDOUT: no match in
 * that time; MEMTUN_LIMIT, ENOMSG: `limit` frames were read, matching or not, and none did (limit
 * 0: no limit). Frames that are there are looked at before EOF or TIMEOUT is decided.
 *
 * -1 also with EINVAL (no such kind, or a filter that isn't one: memtun_connector_error() says what
 * is wrong with it), ENOMEM, or what reading failed with.
 */
int memtun_connector_expect(struct memtun_connector *connector,
			    const struct memtun_pattern *patterns, size_t count, int timeout,
			    size_t limit);

/* What the last call that reads returned: of an expect, all matches, from 0. NULL: no more. */
const struct memtun_packet *memtun_connector_match(const struct memtun_connector *connector,
						   size_t index);

/* What the last expect failed with, in words; "" if it did not. */
const char *memtun_connector_error(const struct memtun_connector *connector);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A TUN and a TAP on one bridge, time that a test makes pass, and what hosts of an Ethernet say to
 * each other, byte by byte. Host n of the link has the MAC address 02:00:00:00:00:0n.
 */
#ifndef MEMTUN_TESTS_ADAPTER_FIXTURE_H
#define MEMTUN_TESTS_ADAPTER_FIXTURE_H

#include "tests/unit/broker/broker_fixture.h"

#include <linux/if_ether.h>

struct link {
	struct broker_fixture *fixture;
	int tun, tap;
	const unsigned char *mac; /* of the TUN's adapter */
};

/* Opens both: `tun` with these options more (",address=..."). */
void link_open(struct link *link, void **state, const char *options);
void link_close(struct link *link);

/* The adapter of a tunnel, which has one. */
struct adapter *adapter_of(struct broker_fixture *fixture, const char *name);

/* The clock of a program linked with --wrap=clock_gettime goes on by so much, and the adapter of
 * that tunnel is told if it wanted to be. */
void time_passes(struct broker_fixture *fixture, const char *name, double seconds);

/* Of a program linked with --wrap=getrandom: there is no randomness to be had. */
extern bool random_fails;

/* The packet behind an Ethernet header. */
size_t frame_wrap(unsigned char *frame, const unsigned char to[ETH_ALEN],
		  const unsigned char from[ETH_ALEN], const unsigned char *packet, size_t length);

/* Host n's MAC address. */
const unsigned char *host_mac(unsigned int n);

extern const unsigned char everybody[ETH_ALEN];

/* operation: 1 asks, 2 answers. A MAC address inside may be NULL: zero. */
struct arp {
	const unsigned char *to; /* in the Ethernet header; it is from sender_mac */
	int operation;
	const unsigned char *sender_mac;
	const char *sender;
	const unsigned char *target_mac;
	const char *target;
};

size_t arp_make(unsigned char *bytes, const struct arp *arp);

/* A neighbour solicitation (135) or advertisement (136). */
struct discovery {
	const unsigned char *to_mac, *from_mac;
	int type;
	const char *from, *to, *target;
	unsigned char flags;             /* the first byte of them */
	int option;                      /* 1: source, 2: target link-layer address; 0: none */
	const unsigned char *option_mac; /* NULL: from_mac */
};

size_t discovery_make(unsigned char *bytes, const struct discovery *discovery);

/* Makes the ICMPv6 checksum of such a frame right again. */
void discovery_sum(unsigned char *bytes, size_t length);

/* Exactly these bytes come next; nothing comes. After the broker has settled. */
void assert_comes(struct link *link, int fd, const unsigned char *bytes, size_t length);
void assert_nothing(struct link *link, int fd);

/* Sends a packet of the TUN's client. */
void packet_send(struct link *link, const char *from, const char *to);

/* On the TAP comes a question for `target` from `from`; to_mac NULL: to everybody. */
void assert_asks(struct link *link, const char *from, const char *target,
		 const unsigned char *to_mac);

/* Host n answers that `address` is with it, to `to`. */
void host_answers(struct link *link, unsigned int n, const char *address, const char *to);

/* On the TAP comes that packet, for that MAC address. */
void assert_packet(struct link *link, const char *from, const char *to, const unsigned char *mac);

/* What the TUN's tunnel counts. */
uint64_t counted(struct link *link, const char *word);

#endif

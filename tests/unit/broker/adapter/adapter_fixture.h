/* SPDX-License-Identifier: MIT */
/*
* A TUN and a TAP on one bridge, the manual clock, and the frames by which hosts on an
 * Ethernet find each other. Host n has the MAC address 02:00:00:00:00:0n.
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

/* Open both; `tun` with more options, such as ",address=...". Its announcements are discarded. */
void link_open(struct link *link, void **state, const char *options);
void link_close(struct link *link);

/* Return the adapter of a tunnel. Fails the test if it has none. */
struct adapter *adapter_of(struct broker_fixture *fixture, const char *name);

/* Advance the manual clock, and run what is due until then. */
void time_passes(struct broker_fixture *fixture, double seconds);

/* Whether getrandom() fails, in a program that is linked with --wrap=getrandom. */
extern bool random_fails;

/* Write the packet behind an Ethernet header. Return the frame's length. */
size_t frame_wrap(unsigned char *frame, const unsigned char to[ETH_ALEN],
		  const unsigned char from[ETH_ALEN], const unsigned char *packet, size_t length);

/* Return host n's MAC address. */
const unsigned char *host_mac(unsigned int n);

extern const unsigned char everybody[ETH_ALEN];

/* ARP: operation 1 is a request, 2 a reply. A target_mac of NULL is the zero address. */
struct arp {
	const unsigned char *to; /* in the Ethernet header, whose source is sender_mac */
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
	unsigned char flags;             /* their first byte */
	int option;                      /* 1: source, 2: target link-layer address; 0: none */
	const unsigned char *option_mac; /* NULL: from_mac */
};

size_t discovery_make(unsigned char *bytes, const struct discovery *discovery);

/* Set the ICMPv6 checksum of such a frame. */
void discovery_sum(unsigned char *bytes, size_t length);

/* Discard all frames that have come. Return whether a frame is a report of MLD. */
void frames_discard(int fd);
bool frame_is_report(const unsigned char *bytes, size_t length);

/* Run the loop until it is idle. Assert that the next frame is these bytes; that there is none.
 * Reports of MLD are skipped. */
void assert_comes(struct link *link, int fd, const unsigned char *bytes, size_t length);
void assert_nothing(struct link *link, int fd);

/* Send a packet from the TUN's client. */
void packet_send(struct link *link, const char *from, const char *to);

/* Assert that the TAP receives a request for `target` from `from`; broadcast if to_mac is NULL. */
void assert_asks(struct link *link, const char *from, const char *target,
		 const unsigned char *to_mac);

/* Send host n's answer to `to` that it has `address`. */
void host_answers(struct link *link, unsigned int n, const char *address, const char *to);

/* Assert that the TAP receives that packet, for that MAC address. */
void assert_packet(struct link *link, const char *from, const char *to, const unsigned char *mac);

/* Return a counter of the TUN's tunnel. */
uint64_t counted(struct link *link, const char *word);

#endif

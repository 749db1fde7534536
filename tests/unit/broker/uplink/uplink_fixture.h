/* SPDX-License-Identifier: MIT */
/*
 * What the tests of uplinks share, besides broker_fixture.h: requests about uplinks, and sockets on
 * loopback for whatever is at the other side. A datagram on loopback has arrived when send(2)
 * returns.
 */
#ifndef MEMTUN_TESTS_UPLINK_FIXTURE_H
#define MEMTUN_TESTS_UPLINK_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/broker/broker_fixture.h"
#include "broker/uplink/uplink.h"

/* Adds an uplink; fails the test with the broker's words if it is refused. The options are a
 * format. */
void uplink_added(struct broker_fixture *fixture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Asserts that it is refused with that errno, with these words among others. */
void uplink_refused(struct broker_fixture *fixture, int error, const char *words,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What is said of an uplink: a number, the counters among them. */
uint64_t uplink_shown(struct broker_fixture *fixture, const char *name, const char *word);

/* A text; "" if it isn't there. Good until the next call. */
const char *uplink_text(struct broker_fixture *fixture, const char *name, const char *word);

/* Asserts that what was offered to it is delivered, waiting or dropped for a reason. */
void uplink_accounted(struct broker_fixture *fixture, const char *name);

/* One that is down doesn't try again by itself from now on, however slow this process is. */
void uplink_rest(struct broker_fixture *fixture, const char *name);

/* Has one that is down try again now. */
void uplink_retry(struct broker_fixture *fixture, const char *name);

/* A non-blocking UDP socket, bound to that loopback address; *port 0: any, and is told. */
int udp_open(const char *address, uint16_t *port);

/* Ends the test as skipped where the loopback interface has no IPv6, as in many containers. */
void ipv6_needed(void);

/* A UDP port that nobody has on that address just now. */
uint16_t udp_port_find(const char *address);

/* Sends bytes to that port. */
void udp_send(int fd, const char *address, uint16_t port, const void *bytes, size_t length);

/* Sends a frame of frame_make(), and takes one: its number, -1: there is none. */
void udp_frame_send(int fd, const char *address, uint16_t port, unsigned char from,
		    unsigned char to, uint32_t number);
int64_t udp_frame_receive(int fd);

#endif

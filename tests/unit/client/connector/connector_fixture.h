/* SPDX-License-Identifier: MIT */
/*
 * What the tests of connectors share: a connector on one end of a socket pair, a LAN of one's own,
 * frames by their UDP port, and the time.
 */
#ifndef MEMTUN_TESTS_CONNECTOR_FIXTURE_H
#define MEMTUN_TESTS_CONNECTOR_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "memtun/connector.h"
#include "tests/unit/runner.h"

#define LAN_GROUP "230.0.0.1"

/* Two connectors that hear each other, or one and a peer: what is -1 or NULL is not there. */
struct ends {
	struct memtun_connector *connector;
	int peer;
	struct memtun_connector *other;
};

/* A TUN connector on a socket pair of that type; its other end is peer. */
void ends_open(struct ends *ends, int type);

/* Two members of a LAN on loopback with a port of its own. */
void ends_open_lan(struct ends *ends);
void ends_close(struct ends *ends);

/* A UDP port that no one has on loopback just now. */
uint16_t port_find(void);

/* Writes an IPv4 packet (or, for a TAP, a frame with one) to that UDP port; returns its length. */
size_t udp_frame_make(uint8_t *buffer, size_t size, enum memtun_mode mode, uint16_t udp_port);

/* The peer, or the other member, sends frames to these UDP ports. The list ends with 0. */
void ends_send(struct ends *ends, const uint16_t *udp_ports);
#define SEND(ends, ...) ends_send(ends, (const uint16_t[]){__VA_ARGS__, 0})

/* The UDP port that a packet goes to. */
unsigned int packet_port(const struct memtun_packet *packet);

/* Has SIGALRM interrupt whatever waits, again and again, and each time call function if not NULL.
 */
void alarms_start(void (*function)(void));
void alarms_stop(void);

/* Asserts that at least so many milliseconds have passed since then. */
void assert_elapsed(int64_t since, int milliseconds);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * For the tests of connectors: a connector on one end of a socket pair, a multicast LAN with a free
 * port, frames that are known by their UDP port, and time.
 */
#ifndef MEMTUN_TESTS_CONNECTOR_FIXTURE_H
#define MEMTUN_TESTS_CONNECTOR_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "memtun/connector.h"
#include "tests/unit/runner.h"

#define LAN_GROUP "230.0.0.1"

/* Two connectors on one LAN, or a connector and a peer socket. The other member is NULL or -1. */
struct ends {
	struct memtun_connector *connector;
	int peer;
	struct memtun_connector *other;
};

/* The ends of the test that runs: ON_PAIR, ON_DATAGRAMS and ON_LAN open them before a test and close
 * them after it. */
extern struct ends ends;

int ends_pair_setup(void **state);
int ends_datagram_setup(void **state);
int ends_lan_setup(void **state);
int ends_teardown(void **state);

#define ON_PAIR(test) cmocka_unit_test_setup_teardown(test, ends_pair_setup, ends_teardown)
#define ON_DATAGRAMS(test) cmocka_unit_test_setup_teardown(test, ends_datagram_setup, ends_teardown)
#define ON_LAN(test) cmocka_unit_test_setup_teardown(test, ends_lan_setup, ends_teardown)

/* Open a TUN connector on a socket pair of that type, whose other end is `peer`. */
void ends_open(int type);

/* Open two members of a LAN on loopback with a free port. */
void ends_open_lan(void);
void ends_close(void);

/* Return a UDP port that is free on loopback now. */
uint16_t port_find(void);

/* Write an IPv4 packet (for a TAP, a frame with one) to that UDP port. Return its length. */
size_t udp_frame_make(uint8_t *buffer, size_t size, enum memtun_mode mode, uint16_t udp_port);

/* Send frames to these UDP ports from the peer or the other member. The list ends with 0. */
void ends_send(const uint16_t *udp_ports);
#define SEND(...) ends_send((const uint16_t[]){__VA_ARGS__, 0})

/* Return the destination UDP port of a packet. */
unsigned int packet_port(const struct memtun_packet *packet);

/* Interrupt waiting system calls by SIGALRM, again and again. Each signal calls the function, if it
 * is not NULL. */
void alarms_start(void (*function)(void));
void alarms_stop(void);

/* Assert that at least so many milliseconds have passed since then. */
void assert_elapsed(int64_t since, int milliseconds);

#endif

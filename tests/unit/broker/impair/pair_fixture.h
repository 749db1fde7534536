/* SPDX-License-Identifier: MIT */
/*
 * For the tests of rules: two tunnels on one bridge, numbered frames from the first to the second, and
 * the manual clock.
 */
#ifndef MEMTUN_TESTS_PAIR_FIXTURE_H
#define MEMTUN_TESTS_PAIR_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/broker/broker_fixture.h"

/* Tunnels `vm0` and `vm1` on bridge `b`: frames go from the first to the second. */
struct pair {
	struct broker_fixture *fixture;
	enum socket_type type;
	int from, to;
};

/* Open both, with more options such as ",loss=5%". */
void pair_open(struct pair *pair, struct broker_fixture *fixture, enum socket_type type,
	       const char *from_options, const char *to_options);

/* Assert that each frame to the second is accounted for, and close both. */
void pair_close(struct pair *pair);

/* Send frames with these numbers, one after the other. */
void pair_send(struct pair *pair, uint32_t first, uint32_t last);

/* Assert that exactly these frames have come, up to a 0. */
void assert_came(struct pair *pair, const uint32_t *numbers);

#define CAME(pair, ...) assert_came(pair, (const uint32_t[]){__VA_ARGS__ __VA_OPT__(, ) 0})

/* Have the broker use the manual clock, and return its queue. */
struct due_queue *manual_clock(struct broker_fixture *fixture);

/* Move the clock to that time. */
void clock_to(struct broker_fixture *fixture, int64_t time);

/* Write an IPv4 packet of that length which is not to be cut into fragments. */
void unfragmented_make(unsigned char *packet, size_t length);

#endif

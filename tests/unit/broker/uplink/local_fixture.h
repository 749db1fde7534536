/* SPDX-License-Identifier: MIT */
/*
 * What the tests of uplinks to UNIX sockets share: a directory for them, sockets at paths in it,
 * and waiting for the uplink `up`.
 */
#ifndef MEMTUN_TESTS_LOCAL_FIXTURE_H
#define MEMTUN_TESTS_LOCAL_FIXTURE_H

#include "tests/unit/broker/uplink/uplink_fixture.h"

/* Around all tests of a program. Each takes away what it made, else the second fails. */
int places_set_up(void **state);
int places_tear_down(void **state);

/* A path in the directory, good for the next three calls. */
const char *place(const char *name);

/* A non-blocking socket that is bound to a path, or to an abstract name (@NAME). */
int socket_bound(int type, const char *path);

/* connect(2). */
int try_connect(int fd, const char *path);

/* Fail the test if the uplink `up` isn't soon. */
void wait_up(struct broker_fixture *fixture);
void wait_down(struct broker_fixture *fixture);

/* Deletes it. */
void uplink_gone(struct broker_fixture *fixture);

#endif

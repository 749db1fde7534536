/* SPDX-License-Identifier: MIT */
/*
* For the tests of uplinks to UNIX sockets: a directory, sockets at paths in it, and waits for the
 * uplink `up`.
 */
#ifndef MEMTUN_TESTS_LOCAL_FIXTURE_H
#define MEMTUN_TESTS_LOCAL_FIXTURE_H

#include "tests/unit/broker/uplink/uplink_fixture.h"

/* Make and remove the directory, around all tests of a program. Each test must remove its files, or
 * the second fails. */
int places_set_up(void **state);
int places_tear_down(void **state);

/* Return the path of a name in the directory. It is valid during the next three calls. */
const char *place(const char *name);

/* Return a non-blocking socket that is bound to a path, or to an abstract name (@NAME). */
int socket_bound(int type, const char *path);

/* Call connect(2) with a path or an abstract name. */
int try_connect(int fd, const char *path);

/* Wait until the uplink `up` is up, or down. Fail the test if that takes too long. */
void wait_up(struct broker_fixture *fixture);
void wait_down(struct broker_fixture *fixture);

/* Delete the uplink `up`. */
void uplink_gone(struct broker_fixture *fixture);

#endif

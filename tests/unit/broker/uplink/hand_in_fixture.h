/* SPDX-License-Identifier: MIT */
/*
 * For the tests of descriptors that are handed in, besides uplink_fixture.h. A test moves its own
 * descriptors up by foreign(), so that the broker's search passes over them, as if they were
 * another process's: see own_search.h.
 */
#ifndef MEMTUN_TESTS_HAND_IN_FIXTURE_H
#define MEMTUN_TESTS_HAND_IN_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/broker/uplink/own_search.h"
#include "tests/unit/broker/uplink/uplink_fixture.h"

/* Move a descriptor to where the broker does not find it. Return it. */
int foreign(int fd);

/* Make a UNIX socket pair of that type (SOCK_SEQPACKET, ...), non-blocking at ends[1] only, both
 * ends foreign. */
void foreign_pair(int type, int ends[2]);

/* Make a pipe with both ends foreign. */
void foreign_pipe(int ends[2]);

/* Ask for a hand-in. Return its socket, and its id in *id. */
int hand_in_opened(struct client *client, uint32_t *id);

/* Send a record of these bytes and descriptors. Return 0, or the errno of sendmsg(2). */
int hand_in_sent(int through, const void *bytes, size_t length, const int fds[], size_t count);

/* Hand in the descriptors, of which life may be -1. Return the hand-in's id. */
uint32_t handed_in(struct client *client, int fd, int life);

/* Hand the descriptors in, and add an uplink `name` on bridge b with further options, such as
 * ",mode=tun". Return the answer's error. */
int fd_uplink_asked(struct client *client, struct answer *answer, const char *name, int fd,
		    int life, const char *options);

/* Do the same, and fail the test if it is refused; or if it is not, with that error and those words
 * in the message. */
void fd_uplink_added(struct broker_fixture *fixture, const char *name, int fd, int life,
		     const char *options);
void fd_uplink_refused(struct broker_fixture *fixture, int error, const char *words, int fd,
		       int life, const char *options);

/* Return whether there is an uplink of that name, once the loop is idle. */
bool uplink_exists(struct broker_fixture *fixture, const char *name);

#endif

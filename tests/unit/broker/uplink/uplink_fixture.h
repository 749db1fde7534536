/* SPDX-License-Identifier: MIT */
/*
* For the tests of uplinks, besides broker_fixture.h: requests about uplinks, and sockets on
 * loopback for the remote side. A datagram on loopback has arrived when send(2) returns.
 */
#ifndef MEMTUN_TESTS_UPLINK_FIXTURE_H
#define MEMTUN_TESTS_UPLINK_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/broker/broker_fixture.h"
#include "broker/uplink/uplink.h"

/* Add an uplink, with options from a format. Fails the test with the broker's message if the
 * request is refused. */
void uplink_added(struct broker_fixture *fixture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Assert that the request is refused with that errno and a message that has these words. */
void uplink_refused(struct broker_fixture *fixture, int error, const char *words,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Assert that each request with such options is refused with EINVAL and these words. */
struct uplink_refusal {
	const char *options, *words;
};
void uplinks_refused(struct broker_fixture *fixture, const struct uplink_refusal *refusals,
		     size_t count);

/* Return a number from an uplink's record, such as a counter. */
uint64_t uplink_shown(struct broker_fixture *fixture, const char *name, const char *word);

/* Return a text from the record, "" if it is not there. It is valid until the next call. */
const char *uplink_text(struct broker_fixture *fixture, const char *name, const char *word);

/* Assert that each frame that was offered to it is delivered, queued or dropped for a reason. */
void uplink_accounted(struct broker_fixture *fixture, const char *name);

/* Keep an uplink that is down from retrying by itself, however slow this process is. */
void uplink_rest(struct broker_fixture *fixture, const char *name);

/* Make an uplink that is down retry now. */
void uplink_retry(struct broker_fixture *fixture, const char *name);

/* Return a non-blocking UDP socket that is bound to that loopback address. A *port of 0 is any free
 * port, and is set to its number. */
int udp_open(const char *address, uint16_t *port);

/* Skip the test where the loopback interface has no IPv6, as in many containers. */
void ipv6_needed(void);

/* Return a UDP port that is free on that address now. */
uint16_t udp_port_find(const char *address);

/* Send bytes to that port. */
void udp_send(int fd, const char *address, uint16_t port, const void *bytes, size_t length);

/* Send and receive a frame of frame_make(). The second returns its number, -1 if there is none. */
void udp_frame_send(int fd, const char *address, uint16_t port, unsigned char from,
		    unsigned char to, uint32_t number);
int64_t udp_frame_receive(int fd);

#endif

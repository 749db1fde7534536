/* SPDX-License-Identifier: MIT */
/*
 * A broker in this process, on a loop that a test turns by hand until nothing more can happen, and
 * clients of it that write requests as `key=value,…` and read records. Nothing waits: what an
 * answer depends on has happened when the loop is idle.
 */
#ifndef MEMTUN_TESTS_BROKER_FIXTURE_H
#define MEMTUN_TESTS_BROKER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/attribute.h"
#include "broker/broker.h"
#include "broker/control/control.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/bridge.h"
#include "broker/switch/bridges.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "common/message.h"
#include "tests/unit/runner.h"

/* A test with a broker in *state. */
#define WITH_BROKER(test) \
	cmocka_unit_test_setup_teardown(test, broker_fixture_set_up, broker_fixture_tear_down)

#define FIXTURE_UID 1000

struct client {
	struct broker_fixture *fixture;
	int fd;
	uint32_t sequence;
};

struct broker_fixture {
	struct broker *broker;
	struct client client; /* of FIXTURE_UID, and has said hello */
	bool idle;
};

/* One record of the broker's. */
struct answer {
	_Alignas(8) unsigned char bytes[65536];
	ssize_t length; /* 0: the broker has closed the connection */
	struct message message;
	int error; /* NLMSG_ERROR's; 0 for other records */
	struct fault fault;
	int fd; /* -1: none */
};

int broker_fixture_set_up(void **state);
int broker_fixture_tear_down(void **state);

/* Turns the loop until nothing is left to do; fails if that never comes. */
void broker_quiesce(struct broker_fixture *fixture);

/* Turns it until the condition holds or the seconds are over; tells which. */
bool broker_wait(struct broker_fixture *fixture, bool (*condition)(void *context), void *context,
		 double seconds);

/* A client that has (greeted) or hasn't said hello. */
void client_open(struct client *client, struct broker_fixture *fixture, uid_t uid, bool greeted);
void client_close(struct client *client);

/* Sends a request without waiting; its sequence number. */
uint32_t client_send(struct client *client, uint16_t command, uint16_t flags, const char *options);
void client_send_raw(struct client *client, const void *record, size_t length);

/* Takes the next record, if there is one once the broker has settled. */
bool client_receive(struct client *client, struct answer *answer);

/* Sends, settles and takes the one answer; returns its error. */
int client_ask(struct client *client, struct answer *answer, uint16_t command, const char *options);

/* What a test says of the fixture's own client. Each fails the test if the broker says no. */
int tunnel_opened(struct broker_fixture *fixture, const char *options);
int capture_opened(struct broker_fixture *fixture, const char *options);
int injector_opened(struct broker_fixture *fixture, const char *options);
void done(struct broker_fixture *fixture, uint16_t command, const char *options);
uint64_t shown(struct broker_fixture *fixture, const char *name, const char *word);

/* The error of a request that must fail with words. */
int refused(struct broker_fixture *fixture, uint16_t command, const char *options);
bool exists(struct broker_fixture *fixture, const char *name);

/* What was dropped of what was offered to a tunnel, for whatever reason. */
uint64_t dropped(struct broker_fixture *fixture, const char *name);

/* Asserts that what was offered to it is delivered, waiting or dropped for a reason; the second: to
 * whatever the answer's counters are of. */
void assert_accounted(struct broker_fixture *fixture, const char *name);
void assert_answer_accounted(const struct answer *answer);

/* Opens three tunnels, `vm0` to `vm2`, of bridge `b`, with these options more (",queue=10"). */
void three_open(struct broker_fixture *fixture, const char *rest, int fds[3]);
void three_close(const int fds[3]);

/* Takes all the frames that they have got; which of them got any, as bits. */
unsigned int three_reached(struct broker_fixture *fixture, const int fds[3]);

/*
 * An Ethernet frame of `length` bytes, 18 or more, from one host to another (their MACs' last
 * bytes; 0xff: everybody), that carries a number.
 */
#define FRAME_SIZE 60
void frame_make(unsigned char *bytes, size_t length, unsigned char from, unsigned char to,
		uint32_t number);

/* Sends one of FRAME_SIZE. False: there is no room. */
bool frame_send(int fd, unsigned char from, unsigned char to, uint32_t number);

/* Takes one; its number, -1: there is none now, -2: the end. */
int64_t frame_receive(int fd);

/* The same on a stream. */
bool stream_frame_send(int fd, unsigned char from, unsigned char to, uint32_t number);
int64_t stream_frame_receive(int fd);

/* An IPv4 or IPv6 address with its port; *length is that of its structure. */
struct sockaddr_storage internet_address(const char *text, uint16_t port, socklen_t *length);

/* A UDP packet of IPv4 or IPv6, which carries twelve bytes; its length. */
size_t packet_make(unsigned char bytes[256], const char *from, const char *to);

/* The types of a tunnel's socket, and their names as the option `socket` takes them. */
enum socket_type {
	SOCKET_SEQPACKET,
	SOCKET_DGRAM,
	SOCKET_STREAM,
	SOCKET_TYPES,
};

extern const char *const socket_names[SOCKET_TYPES];

/* Do the same as frame_send() and frame_receive(), on a socket of this type. */
bool typed_frame_send(enum socket_type type, int fd, unsigned char from, unsigned char to,
		      uint32_t number);
int64_t typed_frame_receive(enum socket_type type, int fd);

/* Sends all of it, without waiting. */
void bytes_send(int fd, const void *bytes, size_t length);

/* Has it hung up? */
bool fd_ended(int fd);

/* How many descriptors this process has, for comparing with later. */
int descriptors_count(void);

#endif

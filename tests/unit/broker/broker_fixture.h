/* SPDX-License-Identifier: MIT */
/*
 * A broker in this process, and clients of it that write requests as `key=value,…` and read
 * records. The test runs the broker's loop itself, until nothing more can happen. So nothing waits:
 * once the loop is idle, all that an answer depends on has happened.
 */
#ifndef MEMTUN_TESTS_BROKER_FIXTURE_H
#define MEMTUN_TESTS_BROKER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/attribute_set.h"
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

/* A test whose *state is a struct broker_fixture. */
#define WITH_BROKER(test) \
	cmocka_unit_test_setup_teardown(test, broker_fixture_set_up, broker_fixture_tear_down)

/* The same, and the broker has the manual clock. */
#define WITH_MANUAL_CLOCK(test)                                                   \
	cmocka_unit_test_setup_teardown(test, broker_fixture_set_up_manual_clock, \
					broker_fixture_tear_down)

#define FIXTURE_UID 1000

struct client {
	struct broker_fixture *fixture;
	int fd;
	uint32_t sequence;
};

struct broker_fixture {
	struct broker *broker;
	struct client client; /* of FIXTURE_UID; it has sent its hello */
	bool idle;
};

/* One record from the broker. */
struct answer {
	_Alignas(8) unsigned char bytes[65536];
	ssize_t length; /* 0: the broker has closed the connection */
	struct message message;
	int error; /* that of NLMSG_ERROR; 0 for other records */
	struct fault fault;
	int fd; /* -1: none */
};

int broker_fixture_set_up(void **state);
int broker_fixture_set_up_manual_clock(void **state);
int broker_fixture_tear_down(void **state);

/* Run the loop until nothing is left to do. Fails the test if there is always more. */
void broker_quiesce(struct broker_fixture *fixture);

/* Run the loop until the condition is true or the seconds are over. Return the condition. */
bool broker_wait(struct broker_fixture *fixture, bool (*condition)(void *context), void *context,
		 double seconds);

/* Connect a client of that user. A greeted client has sent its hello. */
void client_open(struct client *client, struct broker_fixture *fixture, uid_t uid, bool greeted);
void client_close(struct client *client);

/* Send a request without waiting for the answer. The first returns its sequence number. */
uint32_t client_send(struct client *client, uint16_t command, uint16_t flags, const char *options);
void client_send_raw(struct client *client, const void *record, size_t length);

/* Run the loop until it is idle, and receive the next record. Return false if there is none. */
bool client_receive(struct client *client, struct answer *answer);

/* Send a request and receive its only answer. Return the answer's error. */
int client_ask(struct client *client, struct answer *answer, uint16_t command, const char *options);

/*
 * Send a request of the fixture's own client, and fail the test if the broker refuses it. The first
 * three return the descriptor that the answer brings.
 */
int tunnel_opened(struct broker_fixture *fixture, const char *options);
int capture_opened(struct broker_fixture *fixture, const char *options);
int injector_opened(struct broker_fixture *fixture, const char *options);
void done(struct broker_fixture *fixture, uint16_t command, const char *options);

/*
 * Ask for the record of a name with its counters by a command such as MEMTUN_CMD_UPLINK_SHOW:
 * record_show() stores it in *answer, record_shown() returns one of its numbers, and shown() returns
 * one of a tunnel's.
 */
void record_show(struct broker_fixture *fixture, uint16_t command, const char *name,
		 struct answer *answer);
uint64_t record_shown(struct broker_fixture *fixture, uint16_t command, const char *name,
		      const char *word);
uint64_t shown(struct broker_fixture *fixture, const char *name, const char *word);

/* Return the error of a request, which must fail and say why. */
int refused(struct broker_fixture *fixture, uint16_t command, const char *options);

/* Return whether there is a tunnel of that name. */
bool exists(struct broker_fixture *fixture, const char *name);

/* Return how many frames to a tunnel were dropped, for all reasons together. */
uint64_t dropped(struct broker_fixture *fixture, const char *name);

/* Assert that each frame that was offered to a tunnel is delivered, queued or dropped for a reason.
 * The second does so with the counters in an answer. */
void assert_accounted(struct broker_fixture *fixture, const char *name);
void assert_answer_accounted(const struct answer *answer);

/* Open three tunnels, `vm0` to `vm2`, on bridge `b`, with more options, such as ",queue=10". */
void three_open(struct broker_fixture *fixture, const char *rest, int fds[3]);
void three_close(const int fds[3]);

/* Receive all frames that have reached them. Return which of the three got any, as bits. */
unsigned int three_reached(struct broker_fixture *fixture, const int fds[3]);

/*
 * Write an Ethernet frame of `length` bytes, at least 18, that carries a number. `from` and `to`
 * are the last bytes of the hosts' MAC addresses; `to` 0xff is the broadcast address.
 */
#define FRAME_SIZE 60
void frame_make(unsigned char *bytes, size_t length, unsigned char from, unsigned char to,
		uint32_t number);

/* Send such a frame, of FRAME_SIZE bytes. Return false if the socket is full. */
bool frame_send(int fd, unsigned char from, unsigned char to, uint32_t number);

/* Receive such a frame. Return its number, -1 if there is none now, -2 at the end. */
int64_t frame_receive(int fd);

/* Do the same on a stream socket. */
bool stream_frame_send(int fd, unsigned char from, unsigned char to, uint32_t number);
int64_t stream_frame_receive(int fd);

/* Return an IPv4 or IPv6 socket address, and its length in *length. */
struct sockaddr_storage internet_address(const char *text, uint16_t port, socklen_t *length);

/* Write a UDP packet of IPv4 or IPv6 that carries twelve bytes. Return the packet's length. */
size_t packet_make(unsigned char bytes[256], const char *from, const char *to);

/* The types of a tunnel's socket, and their names as the option `socket` takes them. */
enum socket_type {
	SOCKET_SEQPACKET,
	SOCKET_DGRAM,
	SOCKET_STREAM,
	SOCKET_TYPES,
};

extern const char *const socket_names[SOCKET_TYPES];

/* Do the same on a socket of this type. */
bool typed_frame_send(enum socket_type type, int fd, unsigned char from, unsigned char to,
		      uint32_t number);
int64_t typed_frame_receive(enum socket_type type, int fd);

/* Send all of the bytes, without waiting. */
void bytes_send(int fd, const void *bytes, size_t length);

/* Return whether the socket's peer has closed or shut it down. */
bool fd_ended(int fd);

/* Return a number that changes with the number of open descriptors of this process. */
int descriptors_count(void);

#endif

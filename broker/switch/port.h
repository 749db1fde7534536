/* SPDX-License-Identifier: MIT */
/*
 * A port: what a bridge can send frames to and get frames from, a tunnel or an uplink. What is
 * outside of it, a tunnel's programs or whatever an uplink is joined to, is its client. It counts
 * every frame: what was offered to it is delivered, waiting or dropped for a reason that has a
 * counter.
 */
#ifndef MEMTUN_PORT_H
#define MEMTUN_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attribute.h"
#include "memtun/protocol.h"

struct adapter;
struct batch;
struct bridge;
struct broker;
struct capture;
struct pause_edge;
struct port;

enum {
	PORT_FIRST_COUNTER = MEMTUN_A_FROM_CLIENT_FRAMES,
	PORT_LAST_COUNTER = MEMTUN_A_TO_CLIENT_COPIED_BYTES,
};

/* What may wait unless told otherwise, frames. */
#define PORT_QUEUE_LIMIT 1000

LIST_HEAD(captures, capture);

struct port_operations {
	/* Delivers, queues or drops, and counts, the batch's frames whose bits are set in mask. */
	void (*send)(struct port *port, struct port *source, struct batch *batch, uint32_t mask);

	/* Reads no more (port->holds has become 1), or again (0). */
	void (*set_reading)(struct port *port, bool reading);

	/* Opens its lanes' valves: it leaves those behind whom they hold. */
	void (*resume_sources)(struct port *port);
};

struct port {
	const struct port_operations *operations;
	struct broker *broker;
	struct bridge *bridge;   /* NULL: what comes from here goes nowhere */
	struct adapter *adapter; /* of a TUN on an Ethernet bridge; NULL: no need of one */
	struct adapter_config *adapter_config; /* NULL: it was told nothing */
	LIST_ENTRY(port) in_bridge;
	SLIST_ENTRY(port) in_touched;   /* while a batch is being forwarded */
	SLIST_ENTRY(port) in_unflushed; /* while its adapter has something to say */
	bool unflushed;
	uint32_t pending;                  /* the batch's frames that go here, as bits */
	unsigned int pause_count;          /* full queues that wait for this port to be quiet */
	LIST_HEAD(, pause_edge) paused_by; /* those, see valve.h */
	unsigned int addresses;            /* that its bridge has learned from it */
	bool lossless;                     /* what it sends is never dropped: it is held instead */
	uint32_t id;
	uint32_t mtu;         /* of frames to the client: bytes of packet */
	uint32_t queue_limit; /* frames that may wait in a lane */
	enum memtun_mode mode;
	enum memtun_overflow overflow;
	char name[MEMTUN_NAME_SIZE];
	struct captures captures;
	uint64_t counters[PORT_LAST_COUNTER - PORT_FIRST_COUNTER + 1];
};

static inline void port_count(struct port *port, enum memtun_attribute counter, uint64_t number)
{
	port->counters[counter - PORT_FIRST_COUNTER] += number;
}

/* Its name, id, mtu, queue_limit and overflow, as the options say or else by default. */
void port_init(struct port *port, struct broker *broker, const char *name,
	       const struct attribute_set *options);

/* Takes mtu, queue and overflow from the options where they have them. */
void port_set(struct port *port, const struct attribute_set *options);

/*
 * What the options say of its place on Ethernet, where they leave something out as it was, is made
 * into *config; NULL: they say nothing of it. -1 with the fault filled (EINVAL, ENOMEM).
 */
int port_read_config(const struct port *port, const struct attribute_set *options,
		     struct adapter_config **config, struct fault *fault);

/* Takes such a config, unless it is NULL. */
void port_take_config(struct port *port, struct adapter_config *config);

/*
 * Moves it to the bridge of that name, which is made if it isn't there; "" is none. -1 with the
 * fault filled (EINVAL, ENOMEM), and it is where it was.
 */
int port_join(struct port *port, const char *name, struct fault *fault);

/* Leaves its bridge, which goes if it is then empty and nobody made it to stay. */
void port_leave(struct port *port);

/* Counts and forwards frames of the batch, which its client has sent. */
void port_forward(struct port *port, struct batch *batch, uint32_t mask);

/* What is said of every port; and its counters. */
void port_describe(const struct port *port, struct attribute_set *set);
void port_describe_counters(const struct port *port, struct attribute_set *set);

#endif

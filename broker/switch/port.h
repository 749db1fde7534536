/* SPDX-License-Identifier: MIT */
/*
 * A port: a tunnel or an uplink as a member of a bridge. The programs behind a tunnel, or the peer
 * of an uplink, are the port's client. A port counts every frame: each frame that was offered to it
 * is delivered, waits in a backlog, or was dropped for a reason that has a counter.
 */
#ifndef MEMTUN_PORT_H
#define MEMTUN_PORT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "broker/engine/backpressure.h"
#include "broker/switch/port_names.h"
#include "common/attribute_set.h"
#include "memtun/protocol.h"

struct adapter;
struct adapter_config;
struct batch;
struct bridge;
struct bridges;
struct capture;
struct engine;
struct impairment;
struct port;
struct quiet;

enum {
	PORT_FIRST_COUNTER = MEMTUN_A_FROM_CLIENT_FRAMES,
	PORT_LAST_COUNTER = MEMTUN_A_TO_CLIENT_COPIED_BYTES,
	/* What the port's rules did. */
	PORT_FIRST_FAULT = MEMTUN_A_FROM_CLIENT_DROPPED_LOSS,
	PORT_LAST_FAULT = MEMTUN_A_TO_CLIENT_WAITING,
	PORT_COUNTERS =
		PORT_LAST_COUNTER - PORT_FIRST_COUNTER + 1 + PORT_LAST_FAULT - PORT_FIRST_FAULT + 1,
};

/* The default bound of a backlog, in frames. */
#define PORT_BACKLOG_DEFAULT 1000

LIST_HEAD(captures, capture);
SLIST_HEAD(touched, port); /* ports that frames of a batch go to */

struct port_operations {
	const char *kind;    /* for messages: "a tunnel" or "an uplink" */
	const char *listing; /* the command that lists the kind, for messages */

	/*
	 * Deliver the batch's frames whose bits are set in mask, keep them in a backlog, or drop
	 * them, and count each, but for the offer. A backlog that is full may pause the source.
	 * Others call port_send().
	 */
	void (*send)(struct port *port, struct source *source, struct batch *batch, uint64_t mask);

	/* Return the TUN_F_* bits of what all of the port's clients take: frames whose checksum or
	 * segmentation is left to them. */
	unsigned int (*offload)(const struct port *port);

	/* Stop reading what the client sends (source.pause_count has become 1), or read again. */
	void (*set_reading)(struct port *port, bool reading);

	/* Resume all sources that the port's backlogs pause: the port leaves their bridge. */
	void (*resume_sources)(struct port *port);

	/* Look for frames that wait to be read. */
	void (*look)(struct port *port, struct quiet *quiet);

	/* Close what the port's clients have left, and return whether the port was deleted with it.
	 * NULL: such a port is only deleted by request. */
	bool (*delete_if_dead)(struct port *port);

	/* Tell that a rule has switched the port's link off or on. NULL: nothing follows from it. */
	void (*link_changed)(struct port *port);
};

struct port {
	const struct port_operations *operations;
	struct engine *engine;
	struct bridges *bridges;               /* those that it can join */
	struct bridge *bridge;                 /* NULL: frames of its client have no destination */
	struct source source;                  /* the client's frames */
	struct impairment *impairment;         /* NULL: no rule impairs the port */
	struct adapter *adapter;               /* of a TUN on an Ethernet bridge, else NULL */
	struct adapter_config *adapter_config; /* NULL: no addresses are configured */
	struct adapter_config
		*program_config; /* that, and what the program has set; NULL: nothing */
	RB_ENTRY(port) by_name;
	struct name_numbers numbers; /* the runs of digits in the name */
	RB_ENTRY(port) by_id;
	LIST_ENTRY(port) in_bridge;
	SLIST_ENTRY(port) in_touched;   /* while a batch is being forwarded */
	SLIST_ENTRY(port) in_unflushed; /* while its adapter has frames to send */
	bool is_unflushed;
	bool is_passive;        /* it has no client, so no frame is sent to it */
	uint64_t pending;       /* bits of the batch's frames that go to this port */
	uint64_t to_cut;        /* those of them that its client does not take as they are */
	unsigned int addresses; /* that its bridge has learned from it */
	ev_timer loop_shut;     /* active while the bridge's loop guard has shut the port */
	uint32_t id;
	uint32_t vlan;        /* of an access port: see vlan.h; 0: none */
	uint32_t mtu;         /* of frames to the client: bytes of packet */
	uint32_t backlog_max; /* frames that may wait in one lane */
	uid_t owner;
	enum memtun_mode mode;
	enum memtun_overflow overflow;
	char name[MEMTUN_NAME_SIZE];
	struct captures captures;
	bool link_is_down; /* by a rule */
	uint64_t counters[PORT_COUNTERS];
};

/* Return the place of a counter. */
static inline unsigned int port_counter_index(enum memtun_attribute counter)
{
	if (counter <= MEMTUN_A_TO_CLIENT_COPIED_BYTES)
		return (unsigned int)counter - PORT_FIRST_COUNTER;
	return (unsigned int)counter - PORT_FIRST_FAULT + PORT_LAST_COUNTER - PORT_FIRST_COUNTER +
	       1;
}

static inline void port_count(struct port *port, enum memtun_attribute counter, uint64_t number)
{
	port->counters[port_counter_index(counter)] += number;
}

static inline uint64_t port_counter(const struct port *port, enum memtun_attribute counter)
{
	return port->counters[port_counter_index(counter)];
}

/* Initialize zeroed memory. The options' vlan, mtu, queue and overflow replace the defaults; mode and mtu
 * have been set. -1 with ENOMEM. */
int port_init(struct port *port, const struct port_operations *operations, struct bridges *bridges,
	      const char *name, uid_t owner, const struct attribute_set *options);

/* Free what the port owns, once it has left its bridge. */
void port_end(struct port *port);

/* Check the vlan of the options. -1 with the fault filled: EINVAL. */
int port_check_vlan(const struct attribute_set *options, struct fault *fault);

/* Change vlan, mtu, queue and overflow where the options, which were checked, have them. */
void port_set(struct port *port, const struct attribute_set *options);

/* Check that the user may use the port. -1 with the fault filled: EPERM. */
int port_admit(const struct port *port, uid_t uid, struct fault *fault);

/*
 * Make an adapter's configuration of the options' addresses and gateways; what the options leave
 * out stays as it is. *config is the caller's; NULL: the options have neither. -1 with the fault
 * filled: EINVAL, ENOMEM.
 */
int port_read_config(const struct port *port, const struct attribute_set *options,
		     struct adapter_config **config, struct fault *fault);

/* Replace the port's configuration, taking ownership of this one. NULL changes nothing. */
void port_take_config(struct port *port, struct adapter_config *config);

/*
 * Have the port's adapter use this configuration, taking ownership, in place of the one of
 * port_take_config(), which it includes. NULL: use that one again.
 */
void port_take_program_config(struct port *port, struct adapter_config *config);

/* Return the configuration that the port's adapter uses, or NULL. */
static inline const struct adapter_config *port_used_config(const struct port *port)
{
	return port->program_config ? port->program_config : port->adapter_config;
}

/*
 * Move the port to the bridge of that name, which is made if it doesn't exist; "" is no bridge. -1
 * with the fault filled (EINVAL, ENOMEM), and then the port stays where it was.
 */
int port_join(struct port *port, const char *name, struct fault *fault);

/* Leave the bridge, which is deleted if it is unused then. */
void port_leave(struct port *port);

/* Count frames of the batch that the client has sent, and forward them. */
void port_forward(struct port *port, struct batch *batch, uint64_t mask);

/* Send frames that have passed the port's rules to its bridge, whose source is the port's client. */
void port_forward_passed(struct port *port, struct batch *batch, uint64_t mask);

/* Have the port's rules decide the fates of frames, whose GSO frames are to be cut first. */
void port_impair_to_client(struct port *port, struct source *source, struct batch *batch,
			   uint64_t mask);
void port_impair_from_client(struct port *port, struct batch *batch, uint64_t mask);

/*
 * Send frames of a batch to the port's client, as far as the port's rules let them pass. They come
 * from `source`. None is a GSO frame that port_offload() lacks.
 */
static inline void port_send(struct port *port, struct source *source, struct batch *batch,
			     uint64_t mask)
{
	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, (uint64_t)__builtin_popcountll(mask));
	if (__builtin_expect(port->impairment != NULL, 0))
		port_impair_to_client(port, source, batch, mask);
	else
		port->operations->send(port, source, batch, mask);
}

/* Return the TUN_F_* bits of what may be sent to the port. A rule decides the fate of one frame as it
 * would be on a wire. */
static inline unsigned int port_offload(const struct port *port)
{
	return port->impairment ? 0 : port->operations->offload(port);
}

/* Put what is known of every port into the set; and its counters. */
void port_describe(const struct port *port, struct attribute_set *set);
void port_describe_counters(const struct port *port, struct attribute_set *set);

#endif

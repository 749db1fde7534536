/* SPDX-License-Identifier: MIT */
/*
 * Within the adapter: what it keeps, and what it asks of its configuration.
 *
 * adapter.c has its life, the packets that wait and what it has to say; adapter_wrap.c is the way
 * from its port to the bridge, adapter_deliver.c the way back, adapter_config.c the addresses that
 * it was given.
 */
#ifndef MEMTUN_ADAPTER_PARTS_H
#define MEMTUN_ADAPTER_PARTS_H

#include <ev.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/adapter/adapter.h"
#include "broker/adapter/address_ring.h"
#include "common/address.h"
#include "broker/adapter/neighbour.h"

struct frame;

/* Packets that wait for their neighbours' MAC addresses: for one, and in all. */
#define ADAPTER_PENDING_NEIGHBOUR_MAX 3
#define ADAPTER_PENDING_MAX 64

/* Questions and answers of its own that are kept to be said: as many as may fall due at once.
 * Beyond it they are not said; who asked asks again. */
#define ADAPTER_CONTROL_MAX NEIGHBOURS_MAX

/* One frame with its Ethernet header, whose destination may still be missing. */
struct pending_frame {
	TAILQ_ENTRY(pending_frame) link;
	struct frame *frame;
	struct neighbour *to; /* while it waits for that one's MAC address */
	bool of_client;       /* a packet that it sent, and not the adapter's own words */
};

TAILQ_HEAD(pending_frames, pending_frame);

struct adapter {
	struct engine *engine;
	const struct adapter_operations *operations;
	struct port *port;                   /* for the operations */
	const struct adapter_config *config; /* the port's; NULL: no addresses are configured */
	ev_timer timer;                      /* while there are questions without answers */
	unsigned char mac[ETH_ALEN];
	char mac_text[ADDRESS_TEXT_SIZE];
	struct neighbour_table neighbours;
	struct address_ring learned;   /* addresses that its port has sent from */
	struct pending_frames waiting; /* for a neighbour's MAC address, the oldest first */
	unsigned int waiting_count;
	struct pending_frames outgoing; /* to be said, in order */
	unsigned int control_count;     /* those of them that are its own */
	struct batch *bounce;           /* for frames without headroom; NULL until there is one */
};

/* ------------------------------------------------------------------------------ adapter.c */

/* Count frames of the port. */
void adapter_count(struct adapter *adapter, enum memtun_attribute counter, uint64_t number);

/* Is it an address that is answered for? */
bool adapter_has(const struct adapter *adapter, const struct address *address);

/* Asks for the neighbour's MAC address, once more. */
void adapter_solicit(struct adapter *adapter, struct neighbour *neighbour, int64_t now);

/* Says that the address is here to whoever it is that asked: an address, or NULL for one without;
 * its MAC address. */
void adapter_reply(struct adapter *adapter, const struct address *address, const struct address *to,
		   const unsigned char *to_mac);

/* Lets a packet wait for the neighbour; what gives way, maybe itself, is counted. */
void adapter_queue_pending(struct adapter *adapter, struct neighbour *neighbour,
			   const struct frame *frame);

/* The neighbour's MAC address is known now: what waited for it can go. */
void adapter_send_pending(struct adapter *adapter, struct neighbour *neighbour);

/* ------------------------------------------------------------------------------ adapter_wrap.c */

/* Write the Ethernet header, to that MAC address, before the IP packet that the frame has already. */
void adapter_write_header(const struct adapter *adapter, unsigned char *frame,
			  const unsigned char *to);

/* ------------------------------------------------------------------------------ adapter_config.c
 */

/* All of these take NULL for no configuration, and IP addresses only. */

/* Is it one of its own? */
bool adapter_config_has(const struct adapter_config *config, const struct address *address);

/* Does it mean all hosts of one of its IPv4 prefixes? */
bool adapter_config_is_broadcast(const struct adapter_config *config,
				 const struct address *address);

/* Through whom packets go: a gateway, or `to` itself where that is on the link. */
const struct address *adapter_config_hop(const struct adapter_config *config,
					 const struct address *from, const struct address *to);

/* The address of its own to ask `target` from, or NULL: it has none of that family. */
const struct address *adapter_config_source(const struct adapter_config *config,
					    const struct address *target);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The adapter's structure, and the functions that its files share. adapter_wrap.c is the way from
 * the port to the bridge, and adapter_deliver.c the way back.
 */
#ifndef MEMTUN_ADAPTER_PARTS_H
#define MEMTUN_ADAPTER_PARTS_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/adapter/adapter.h"
#include "broker/adapter/address_ring.h"
#include "common/address.h"
#include "broker/adapter/neighbour.h"
#include "broker/engine/due.h"

struct frame;

/* Packets that may wait for MAC addresses: for one neighbour, and in total. */
#define ADAPTER_PENDING_NEIGHBOUR_MAX 3
#define ADAPTER_PENDING_MAX 64

/* The control frames, probes and replies, that may be queued: one for each neighbour, since all may
 * be due at once. Further ones are dropped, and their senders retry. */
#define ADAPTER_CONTROL_MAX NEIGHBOURS_MAX

/*
 * How often the adapter announces its addresses, and the time between two announcements:
 * ANNOUNCE_NUM and ANNOUNCE_INTERVAL (RFC 5227, 1.1). RFC 4861, 7.2.6, allows up to three
 * unsolicited advertisements.
 */
#define ADAPTER_ANNOUNCEMENTS 2
#define ADAPTER_ANNOUNCEMENT_INTERVAL (2 * CLOCK_SECOND)

/* A frame that waits. Its Ethernet header is written when the destination is known. */
struct pending_frame {
	TAILQ_ENTRY(pending_frame) link;
	struct frame *frame;
	struct neighbour *to; /* while the frame waits for that neighbour's MAC address */
	bool of_client;       /* a packet of the client, not a control frame */
};

TAILQ_HEAD(pending_frames, pending_frame);

struct adapter {
	struct engine *engine;
	const struct adapter_operations *operations;
	struct port *port;                   /* for the operations */
	const struct adapter_config *config; /* the port's; NULL: no addresses are configured */
	unsigned int announcements;          /* how many are still to be sent */
	int64_t announcement_at;             /* time of the next one on the logical clock */
	struct due due;                      /* for announcements and probes */
	unsigned char mac[ETH_ALEN];
	char mac_text[ADDRESS_TEXT_SIZE];
	struct neighbour_table neighbours;
	struct address_ring learned;   /* source addresses of the client's packets */
	struct pending_frames waiting; /* for a neighbour's MAC address, the oldest first */
	unsigned int waiting_count;
	struct pending_frames outgoing; /* to be sent by adapter_flush(), in order */
	unsigned int control_count;     /* control frames in `outgoing` */
	struct batch *bounce;           /* for frames without headroom; NULL until the first one */
};

/* ------------------------------------------------------------------------------ adapter.c */

/* Count frames of the port. */
void adapter_count(struct adapter *adapter, enum memtun_attribute counter, uint64_t number);

/* Return whether the adapter answers for the address. */
bool adapter_has(const struct adapter *adapter, const struct address *address);

/* Send the neighbour one more probe for its MAC address. */
void adapter_solicit(struct adapter *adapter, struct neighbour *neighbour, int64_t now);

/* Send a reply that the address is here: to that host, NULL if the request had no source address,
 * at that MAC address. */
void adapter_reply(struct adapter *adapter, const struct address *address, const struct address *to,
		   const unsigned char *to_mac);

/* Run the adapter's timer when its next probe or announcement is due. */
void adapter_schedule(struct adapter *adapter);

/* ------------------------------------------------------------------------------ adapter_queue.c */

/*
 * Drop a packet whose next hop has no known MAC address. `header` is the number of bytes before it:
 * room for an Ethernet header that is not written yet. The offload fields are those of the frame that
 * it would have become.
 */
void adapter_drop_unresolved(struct adapter *adapter, const struct frame *frame, uint32_t header);

/* Queue a packet until the neighbour's MAC address is known. A packet that is dropped for it, or
 * itself, is counted. */
void adapter_queue_pending(struct adapter *adapter, struct neighbour *neighbour,
			   const struct frame *frame);

/* Send the packets that waited for the neighbour's MAC address, which is known now. */
void adapter_send_pending(struct adapter *adapter, struct neighbour *neighbour);

/* Drop the packets that wait for that neighbour's MAC address; NULL: for any. */
void adapter_drop_pending(struct adapter *adapter, const struct neighbour *neighbour);

/* Queue a control frame of the adapter. The frame is dropped if ADAPTER_CONTROL_MAX frames wait
 * already or memory is short. */
void adapter_queue_control(struct adapter *adapter, const unsigned char *bytes, size_t length);

/* ------------------------------------------------------------------------------ adapter_announce.c */

/* Report that the adapter has joined the group of an address that it learned, if that is IPv6. */
void adapter_join_group(struct adapter *adapter, const struct address *address);

/* Answer a query for that group, or for all groups if it is zero, with the groups of the adapter. */
void adapter_report_groups(struct adapter *adapter, const struct address *group);

/* Send an announcement if one is due at that time of the logical clock. */
void adapter_announce_due(struct adapter *adapter, int64_t now);

/* ------------------------------------------------------------------------------ adapter_wrap.c */

/* Write the Ethernet header, with that destination, before the IP packet in the frame. */
void adapter_write_header(const struct adapter *adapter, unsigned char *frame,
			  const unsigned char *to);

/* --------------------------------------------------------------------------- adapter_config.c */

/* These functions take IP addresses, and NULL for no configuration. */

/* Return whether the address is a configured one. */
bool adapter_config_has(const struct adapter_config *config, const struct address *address);

/* Return whether the address is the broadcast address of a configured IPv4 prefix. */
bool adapter_config_is_broadcast(const struct adapter_config *config,
				 const struct address *address);

/* Return the next hop of a packet: a gateway, or `to` if that is on the link. */
const struct address *adapter_config_hop(const struct adapter_config *config,
					 const struct address *from, const struct address *to);

/* Return the configured address to probe `target` from, or NULL if there is none of that family. */
const struct address *adapter_config_source(const struct adapter_config *config,
					    const struct address *target);

/* Return the first IPv4 address, or NULL. */
const struct address *adapter_config_first_ipv4(const struct adapter_config *config);

/* Return the address with that index, or NULL if there are no more. */
const struct address *adapter_config_address(const struct adapter_config *config,
					     unsigned int index);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An adapter connects a TUN port to an Ethernet bridge. To the bridge it is a host with a MAC
 * address, which answers ARP and neighbour discovery for the port's addresses. For the port it adds
 * and removes Ethernet headers, and resolves the MAC addresses of next hops.
 */
#ifndef MEMTUN_ADAPTER_H
#define MEMTUN_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attribute_set.h"

struct adapter;
struct adapter_config;
struct batch;
struct engine;
struct frame;
struct port;
struct source;

/* What an adapter asks of the bridge, for the port that it belongs to. */
struct adapter_operations {
	/* Count frames of the port. */
	void (*count)(struct port *port, enum memtun_attribute counter, uint64_t number);

	/* Drop a frame of that mode, and count it. */
	void (*drop)(struct port *port, enum memtun_mode mode, const struct frame *frame,
		     enum memtun_attribute reason);

	/* Send packets, which came from `source`, to the port's client. */
	void (*send_to_port)(struct port *port, struct source *source, struct batch *batch,
			     uint64_t mask);

	/* Send frames of the port to the bridge's other ports. */
	void (*send_to_bridge)(struct port *port, struct batch *batch, uint64_t mask);

	/* Return whether a full backlog pauses the port. */
	bool (*is_paused)(const struct port *port);

	/* Return whether the bridge has no other port. */
	bool (*is_alone)(const struct port *port);

	/* Call adapter_flush() once the bridge has forwarded its batch. */
	void (*flush_later)(struct port *port);

	/* Call adapter_flush() now: the bridge forwards no batch. */
	void (*flush_now)(struct port *port);
};

/*
 * Make a configuration: the port's addresses, each with an optional prefix length, and the gateways
 * for other destinations. A '+' separates two. Either text may be NULL or "none", and is copied.
 * NULL with the fault filled: EINVAL, ENOMEM.
 */
struct adapter_config *adapter_config_new(const char *addresses, const char *gateways,
					  struct fault *fault);
void adapter_config_free(struct adapter_config *config);

/* Return the texts as they were given, or NULL for none. */
const char *adapter_config_addresses(const struct adapter_config *config);
const char *adapter_config_gateways(const struct adapter_config *config);

/*
 * Make an adapter for the port of that name. The MAC address is the same each time: see
 * identity_mac(). The port keeps the configuration, which may be NULL, for as long as the adapter
 * uses it. NULL with ENOMEM or an errno of getrandom(2).
 */
struct adapter *adapter_new(struct engine *engine, const struct adapter_operations *operations,
			    struct port *port, const char *name,
			    const struct adapter_config *config);

/* Use this configuration from now on, and announce its addresses. The MAC address stays. */
void adapter_set_config(struct adapter *adapter, const struct adapter_config *config);

/* Forget the neighbours, and announce the addresses: the port is in another VLAN now. */
void adapter_move(struct adapter *adapter);

/*
 * Announce the configured addresses and the groups of all IPv6 addresses in the next iteration of
 * the loop, and once more two seconds later, because a frame may be lost (RFC 5227, 3; RFC 4861,
 * 7.2.6; RFC 3810, 6.1). Other hosts then send to this adapter even if they knew the addresses at
 * another MAC address, and switches forward neighbour solicitations.
 */
void adapter_announce(struct adapter *adapter);

/* Free the adapter. Packets that still wait are counted as unresolved. */
void adapter_free(struct adapter *adapter);

/* Return the MAC address as text. */
const char *adapter_mac(const struct adapter *adapter);

/*
 * Make Ethernet frames, in place, of the port's packets in the batch whose bits are set in mask.
 * Returns the bits of the frames that can be sent now. The other packets wait, or were dropped and
 * counted.
 */
uint64_t adapter_wrap(struct adapter *adapter, struct batch *batch, uint64_t mask);

/* Deliver frames of the bridge, which came from `source`: the IP packets for the port go to its
 * client. Replies to ARP and neighbour discovery are queued until adapter_flush(). */
void adapter_deliver(struct adapter *adapter, struct source *source, struct batch *batch,
		     uint64_t mask);

/* Send the queued frames to the bridge. The bridge calls this while it forwards no batch. */
void adapter_flush(struct adapter *adapter);

#endif

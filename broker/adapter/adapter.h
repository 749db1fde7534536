/* SPDX-License-Identifier: MIT */
/*
 * An adapter stands between a TUN port and its Ethernet bridge: to the bridge it is a host with a
 * MAC address that answers ARP and neighbour discovery for its port's addresses; to the port it is
 * a wire for IP packets. It finds the MAC addresses of the neighbours that packets go to, and lets
 * a few packets wait meanwhile. It owns no frame longer than that.
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
struct port;
struct source;

/* What an adapter asks of the bridge, for the port that it belongs to. */
struct adapter_operations {
	/* Count frames of the port. */
	void (*count)(struct port *port, enum memtun_attribute counter, uint64_t number);

	/* Send packets, which came from `source`, to the port's client. */
	void (*send_to_port)(struct port *port, struct source *source, struct batch *batch,
			     uint32_t mask);

	/* Send frames of the port to the bridge's other ports. */
	void (*send_to_bridge)(struct port *port, struct batch *batch, uint32_t mask);

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
 * What a port was told of its place: its addresses, each maybe with a prefix length, and gateways
 * for what is outside of them; '+' stands between two. Either text may be NULL or "none", and is
 * copied. NULL with the fault filled: EINVAL, ENOMEM.
 */
struct adapter_config *adapter_config_new(const char *addresses, const char *gateways,
					  struct fault *fault);
void adapter_config_free(struct adapter_config *config);

/* The texts as they were given, or NULL for none. */
const char *adapter_config_addresses(const struct adapter_config *config);
const char *adapter_config_gateways(const struct adapter_config *config);

/*
 * Make an adapter for the port, with a MAC address of its own. The port keeps the configuration,
 * which may be NULL, for as long as the adapter uses it. NULL with ENOMEM or an errno of
 * getrandom(2).
 */
struct adapter *adapter_new(struct engine *engine, const struct adapter_operations *operations,
			    struct port *port, const struct adapter_config *config);

/* Use this configuration from now on. */
void adapter_set_config(struct adapter *adapter, const struct adapter_config *config);

/* What still waits in it is counted as unresolved. */
void adapter_free(struct adapter *adapter);

/* Its MAC address as text. */
const char *adapter_mac(const struct adapter *adapter);

/*
 * Makes Ethernet frames, in place, of those packets in the batch, its port's, whose bits are set in
 * mask, and returns the bits of those that can go now. The others wait, or are counted.
 */
uint32_t adapter_wrap(struct adapter *adapter, struct batch *batch, uint32_t mask);

/*
 * Takes frames from the bridge, which came from source: what is IP for its port goes there; what it
 * is to answer is answered when adapter_flush() is called, which it asks of its bridge.
 */
void adapter_deliver(struct adapter *adapter, struct source *source, struct batch *batch,
		     uint32_t mask);

/* Sends what it has to say to the bridge. Called by the bridge when it forwards nothing else. */
void adapter_flush(struct adapter *adapter);

#endif

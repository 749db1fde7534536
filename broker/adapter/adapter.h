/* SPDX-License-Identifier: MIT */
/*
 * An adapter stands between a TUN port and its Ethernet bridge: to the bridge it is a host with a
 * MAC address that answers ARP and neighbour discovery for its port's addresses; to the port it is
 * a wire for IP packets. It finds the MAC addresses of the neighbours that packets go to, and lets
 * a few packets wait meanwhile. It owns no frame longer than that.
 */
#ifndef MEMTUN_ADAPTER_H
#define MEMTUN_ADAPTER_H

#include <stdint.h>

#include "common/attribute.h"

struct adapter;
struct adapter_config;
struct batch;
struct port;

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

/* An adapter for that port, with a MAC address of its own. NULL with ENOMEM, or what getrandom(2)
 * says. */
struct adapter *adapter_new(struct port *port);

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
void adapter_deliver(struct adapter *adapter, struct port *source, struct batch *batch,
		     uint32_t mask);

/* Sends what it has to say to the bridge. Called by the bridge when it forwards nothing else. */
void adapter_flush(struct adapter *adapter);

#endif

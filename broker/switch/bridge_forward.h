/* SPDX-License-Identifier: MIT */
/* How a bridge forwards the frames of its ports' clients and those of its adapters. */
#ifndef MEMTUN_BRIDGE_FORWARD_H
#define MEMTUN_BRIDGE_FORWARD_H

#include <stdint.h>

struct adapter;
struct batch;
struct port;

/*
 * Forward the batch's frames whose bits are set in mask, which the client of `source` has sent, in
 * their order, and count those without a destination.
 */
void bridge_forward(struct port *source, struct batch *batch, uint64_t mask);

/* Make an adapter whose frames the port's bridge forwards. The caller owns it. NULL with ENOMEM. */
struct adapter *bridge_new_adapter(struct port *port);

#endif

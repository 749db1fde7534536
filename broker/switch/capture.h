/* SPDX-License-Identifier: MIT */
/*
 * A capture writes copies of the frames that a port, or each port of a bridge, receives and sends
 * to a client's descriptor. It never delays frames: if its reader is too slow, it misses frames and
 * counts them.
 */
#ifndef MEMTUN_CAPTURE_H
#define MEMTUN_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/switch/bridge.h"
#include "memtun/protocol.h"
#include "broker/switch/port.h"

struct account;
struct engine;
struct capture;

/*
 * Capture a port or, if port is NULL, a bridge. *client_fd, where the client reads, is the
 * caller's. direction is 0 for both. A plain capture has frames without a header. NULL with errno.
 */
struct capture *capture_new(struct engine *engine, struct account *account, struct port *port,
			    struct bridge *bridge, enum memtun_direction direction, bool plain,
			    int *client_fd);

/* End the captures of a port, or of a bridge, that is being deleted. */
void capture_end_port(struct port *port);
void capture_end_bridge(struct bridge *bridge);

/*
 * Copy frames of the batch to the captures of the port. `direction` says whether the port sends or
 * receives them. The records have complete checksums, except those of GSO frames, also where a
 * sender has left the checksum to the receiver. The frames stay as they are.
 */
void capture_port(const struct port *port, const struct batch *batch, uint64_t mask,
		  enum memtun_direction direction);

/*
 * Do the same for the captures of the port's bridge. The frames have the bridge's mode.
 */
void capture_bridge(const struct port *port, const struct batch *batch, uint64_t mask,
		    enum memtun_direction direction);

#endif

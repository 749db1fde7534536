/* SPDX-License-Identifier: MIT */
/*
 * A capture: copies of the frames that a port, or each port of a bridge, gets and gives, written
 * to a descriptor of a client's. It slows nobody: what its reader is too slow for it
 * misses, and that is counted.
 */
#ifndef MEMTUN_CAPTURE_H
#define MEMTUN_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/switch/bridge.h"
#include "memtun/protocol.h"
#include "broker/switch/port.h"

struct attribute_set;
struct engine;
struct capture;

/*
 * Captures a port or (port NULL) a bridge, and gives the reader's end to *client_fd. direction: 0
 * for both. plain: frames without a header. NULL with errno.
 */
struct capture *capture_new(struct engine *engine, struct port *port, struct bridge *bridge,
			    enum memtun_direction direction, bool plain, int *client_fd);

/* Ends the captures of a port, or of a bridge, that goes away. */
void capture_end_port(struct port *port);
void capture_end_bridge(struct bridge *bridge);

/* Copies the frames of the batch that the port gets or gives, for those who capture the port. */
void capture_port(struct port *port, struct batch *batch, uint32_t mask,
		  enum memtun_direction direction);

/* The same for those who capture its bridge, which has them in the bridge's mode. */
void capture_bridge(struct port *port, struct batch *batch, uint32_t mask,
		    enum memtun_direction direction);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A capture: copies of the frames that a tunnel, or each tunnel of a bridge, gets and gives,
 * written to a descriptor of a client's. It slows nobody: what its reader is too slow for it
 * misses, and that is counted.
 */
#ifndef MEMTUN_CAPTURE_H
#define MEMTUN_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge.h"
#include "memtun/protocol.h"
#include "port.h"

struct attribute_set;
struct broker;
struct capture;
struct tunnel;

/*
 * Captures a tunnel or (tunnel NULL) a bridge, and gives the reader's end to *client_fd. direction:
 * 0 for both. plain: frames without a header. NULL with errno.
 */
struct capture *capture_new(struct broker *broker, struct tunnel *tunnel, struct bridge *bridge,
			    enum memtun_direction direction, bool plain, int *client_fd);

/* Ends the captures of a tunnel, or of a bridge, that goes away. */
void capture_end_port(struct port *port);
void capture_end_bridge(struct bridge *bridge);

/* Does anybody capture here? Asked for every batch. */
static inline bool port_is_captured(const struct port *port)
{
	return !LIST_EMPTY(&port->captures) ||
	       (port->bridge && !LIST_EMPTY(&port->bridge->captures));
}

/* Copies the frames of the batch that the port, a tunnel's, gets or gives. */
void capture_batch(struct port *port, struct batch *batch, uint32_t mask,
		   enum memtun_direction direction);

#endif

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

#include "broker/engine/frame.h"
#include "broker/switch/bridge.h"
#include "memtun/protocol.h"
#include "broker/switch/port.h"

struct account;
struct engine;
struct capture;

struct capture_options {
	enum memtun_direction direction; /* 0: both */
	bool plain;                      /* frames have no header */
	bool detailed;                   /* the header is struct memtun_capture_details */
	bool faults;                     /* also record dropped and impaired frames */
};

/*
 * Capture a port or, if port is NULL, a bridge. *client_fd, where the client reads, is the
 * caller's. NULL with errno.
 */
struct capture *capture_new(struct engine *engine, struct account *account, struct port *port,
			    struct bridge *bridge, const struct capture_options *options,
			    int *client_fd);

/* End the captures of a port, or of a bridge, that is being deleted. */
void capture_end_port(struct port *port);
void capture_end_bridge(struct bridge *bridge);

/*
 * Copy frames of the batch to the captures of the port. `direction` says whether the port sends or
 * receives them. The records have complete checksums, except those of GSO frames, also where a
 * sender has left the checksum to the receiver. The frames stay as they are.
 */
void capture_port(const struct port *port, struct batch *batch, uint64_t mask,
		  enum memtun_direction direction);

/*
 * Do the same for the captures of the port's bridge. The frames have the bridge's mode.
 */
void capture_bridge(const struct port *port, struct batch *batch, uint64_t mask,
		    enum memtun_direction direction);

/*
 * Number frames of the batch that have entered the broker, so that captures can tell which records
 * are about one frame. Frames that the broker makes itself get a number where they are captured first.
 */
void capture_number(struct engine *engine, struct batch *batch, uint64_t mask);

/* What has happened to a frame. */
struct capture_fault {
	enum memtun_direction direction;
	enum memtun_mode mode; /* of the frame */
	uint32_t rule;         /* 0: no rule did it; then the next two are 0, too */
	uint64_t seed;
	uint64_t number;
	uint16_t reasons[MEMTUN_CAPTURE_REASONS]; /* the port's counters, then 0 */
};

/*
 * Write a record about the fault to the captures of the port and of its bridge that see faults.
 */
void capture_fault(struct port *port, const struct frame *frame, const struct capture_fault *fault);

#endif

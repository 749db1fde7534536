/* SPDX-License-Identifier: MIT */
/*
 * The VLANs of a bridge. The frames of an access port, a port with a VLAN, have that VLAN's tag
 * inside the bridge only. A TAP without a VLAN is a trunk, which carries all frames as they are
 * inside; a TUN without one is in the network of untagged frames. Tags change in place.
 */
#ifndef MEMTUN_VLAN_H
#define MEMTUN_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "memtun/protocol.h"

struct batch;
struct frame;
struct port;
struct touched;

/* The largest VLAN id that a port can have. IEEE 802.1Q, 9.6, reserves 4095. */
#define VLAN_MAX 4094

/* Return the VLAN id of an Ethernet frame's outer tag. 0: the frame has no tag, or not all of it. */
unsigned int vlan_id(const struct frame *frame);

/*
 * Return those of the frames that the bridge offers to the port. They came from the port `source`,
 * whose VLAN they have on an IP bridge.
 */
uint64_t vlan_select(const struct port *port, const struct port *source, const struct batch *batch,
		     uint64_t mask);

/*
 * Give frames of an access port's client the tag of its VLAN. A tag with VLAN id 0, which has only a
 * priority, becomes that tag. Returns the frames that can go on: one with another tag is dropped and
 * counted as foreign, and one that has no room for a tag as oversize or malformed.
 */
uint64_t vlan_enter(struct port *source, struct batch *batch, uint64_t mask);

/* Move the access ports from *touched to *access, and return the frames that go to them. */
uint64_t vlan_split(struct touched *touched, struct touched *access);

/* Remove the outer tag of frames that have one. */
void vlan_leave(struct batch *batch, uint64_t mask);

#endif

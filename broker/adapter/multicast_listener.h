/* SPDX-License-Identifier: MIT */
/*
 * The messages of multicast listener discovery, version 2 (MLDv2, RFC 3810): a query is read, and a
 * report is written, by which switches learn to forward the frames of IPv6 groups to a host.
 */
#ifndef MEMTUN_MULTICAST_LISTENER_H
#define MEMTUN_MULTICAST_LISTENER_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* Groups in one report. 1280 bytes, the minimum link MTU of IPv6 (RFC 8200, 5), have room for 61. */
#define MULTICAST_REPORT_GROUPS_MAX 60

/* Headers of Ethernet and IPv6, the router alert option, the report's header, and its records. */
#define MULTICAST_REPORT_SIZE (14 + 40 + 8 + 8 + MULTICAST_REPORT_GROUPS_MAX * 20)

/* Types of a record: RFC 3810, 5.2.12. Both say that the host wants the group from all sources. */
enum multicast_record {
	MULTICAST_RECORD_IS_EXCLUDE = 2, /* the answer to a query */
	MULTICAST_RECORD_TO_EXCLUDE = 4, /* the host has joined the group */
};

/*
 * Return whether the Ethernet frame, whose header is there, is a valid query of MLD, version 1 or 2.
 * *group is the group that it asks for, or all zero for a query for all groups.
 */
bool multicast_query_read(struct address *group, const unsigned char *frame, size_t length);

/*
 * Write a report with a record for each of the groups, at most MULTICAST_REPORT_GROUPS_MAX. `from`
 * is a link-local address of the host, or NULL if it has none. Returns the frame's length.
 */
size_t multicast_report_write(unsigned char frame[MULTICAST_REPORT_SIZE],
			      const unsigned char mac[ETH_ALEN], const struct address *from,
			      const struct address groups[], unsigned int count,
			      enum multicast_record type);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the opaque types of memtun/testing.h are: a tunnel is a struct io_tunnel in memory, and a
 * frame is a struct io_frame.
 */
#ifndef MEMTUN_TESTING_PARTS_H
#define MEMTUN_TESTING_PARTS_H

#include "client/io/io_memory.h"
#include "memtun/testing.h"

static inline struct io_tunnel *testing_tunnel(const struct memtun_testing_tunnel *tunnel)
{
	return (struct io_tunnel *)tunnel;
}

static inline struct io_frame *testing_frame(const struct memtun_testing_frame *frame)
{
	return (struct io_frame *)frame;
}

static inline struct memtun_testing_frame *testing_public_frame(struct io_frame *frame)
{
	return (struct memtun_testing_frame *)frame;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The engine: what moving frames takes, whatever the frames are for. It owns the loop, the buffers
 * of the batch that is being moved, the list of descriptors to poll and the ids of all objects. The
 * broker has one, as it is one thread.
 */
#ifndef MEMTUN_ENGINE_H
#define MEMTUN_ENGINE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/engine/account.h"
#include "broker/engine/due.h"
#include "broker/engine/events.h"
#include "broker/engine/liveness.h"
#include "broker/system/socket_diag.h"

struct batch;
struct fault;
struct packet_io;

struct engine {
	struct ev_loop *loop;
	struct batch *batch;
	struct batch *pieces; /* of a frame that is being cut */
	struct packet_io *packet_io;
	struct socket_diag diag;
	struct liveness liveness;
	struct due_queue due; /* what is due on the logical clock */
	struct event_sink events;
	struct accounts accounts; /* of the clients */
	uint64_t seed;            /* of rules without a seed of their own, if has_seed */
	bool has_seed;
	uint64_t identity; /* a hash that tells this broker from others: see identity.h */
	uint32_t last_id;
	uint64_t last_frame_id;
	unsigned int captures_detailed;  /* captures that tell the ids of frames */
	unsigned int captures_of_faults; /* those of them that see what is dropped */
	uint32_t fragment_id;            /* of the last UDP datagram in IPv6 that was cut */
	unsigned int generation;         /* counts the objects that were added and deleted */
	uint32_t objects;                /* the tunnels, uplinks and bridges that there are */
	uint32_t objects_max;
	bool default_buffer_fits; /* a new socket's send buffer is SOCKETPAIR_BUFFER already */
};

/*
 * Initialize the engine and take ownership of the loop, which may be NULL where it could not be
 * made. -1 with ENOMEM or an errno of socketpair(2) or timerfd_create(2); then too the engine has to
 * be ended.
 */
int engine_init(struct engine *engine, struct ev_loop *loop);

/* Free what the engine owns, the loop included. */
void engine_end(struct engine *engine);

/* Check that one more object may be made. -1 with ENOSPC, the fault filled. */
int engine_check_room(const struct engine *engine, struct fault *fault);

/* Count an object that was added, or deleted. */
static inline void engine_object_added(struct engine *engine)
{
	engine->objects++;
	engine->generation++;
}

static inline void engine_object_deleted(struct engine *engine)
{
	engine->objects--;
	engine->generation++;
}

/* Return an id for a new object. No id is used twice. */
static inline uint32_t engine_next_id(struct engine *engine)
{
	return ++engine->last_id;
}

#endif

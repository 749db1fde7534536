/* SPDX-License-Identifier: MIT */
#include "broker/engine/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/engine/batch.h"
#include "broker/engine/packet_io.h"
#include "broker/system/socketpair.h"
#include "common/fault.h"

/* The maximum number of objects. A tunnel takes 440 bytes, so these take 115 MB. */
#define OBJECTS_MAX 262144

int engine_init(struct engine *engine, struct ev_loop *loop)
{
	*engine = (struct engine){.loop = loop, .diag.fd = -1, .objects_max = OBJECTS_MAX};
	engine->batch = batch_new();
	engine->pieces = batch_new();
	engine->packet_io = calloc(1, sizeof(*engine->packet_io));
	if (!engine->loop || !engine->batch || !engine->pieces || !engine->packet_io ||
	    socketpair_check_default_buffer(&engine->default_buffer_fits) < 0 ||
	    due_init(&engine->due, loop) < 0)
		return -1;
	socket_diag_open(&engine->diag);
	liveness_init(&engine->liveness, loop);
	return 0;
}

int engine_check_room(const struct engine *engine, struct fault *fault)
{
	if (engine->objects < engine->objects_max)
		return 0;
	return fault_set(fault, ENOSPC,
			 "the broker has %u tunnels, uplinks and bridges, and no more may be made",
			 engine->objects);
}

void engine_end(struct engine *engine)
{
	socket_diag_close(&engine->diag);
	batch_free(engine->batch);
	batch_free(engine->pieces);
	free(engine->packet_io);
	due_end(&engine->due);
	if (engine->loop)
		ev_loop_destroy(engine->loop);
}

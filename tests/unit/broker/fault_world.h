/* SPDX-License-Identifier: MIT */
/*
 * The world that faults strike: a broker and its clients in one process and one thread, and the
 * walk over it. A scenario does what clients do. It is run with the first call of a function
 * failing, then the second, and so on until no call is left to fail. Whatever fails, the client
 * sees a clean error, nothing hangs, the broker serves the next client, and once all is closed
 * neither memory nor a descriptor is left over.
 */
#ifndef MEMTUN_TESTS_FAULT_WORLD_H
#define MEMTUN_TESTS_FAULT_WORLD_H

#include <stdbool.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "broker/broker.h"
#include "common/control_socket.h"
#include "tests/unit/broker/faults.h"
#include "broker/control/listener.h"
#include "memtun.h"

struct world {
	struct broker *broker; /* NULL: it could not start */
	struct listener listener;
	struct memtun *client; /* NULL: it could not connect */
	unsigned int turns;
	char address[CONTROL_ADDRESS_SIZE];
};

/*
 * Does things. Returns 0, or -1 at the first that fails, and leaves nothing behind either way but
 * tunnels in the broker and the client's connection.
 */
typedef int scenario_function(struct world *world);

/* Walks the scenario for that function; returns how many calls there were to fail. */
unsigned int world_walk(const char *name, scenario_function *scenario, enum faulty which,
			int error);

/* The same, with the start of the broker as a part of the scenario. */
unsigned int world_walk_start(const char *name, enum faulty which, int error);

/* A test's teardown: where it failed, says at which call. */
int world_teardown(void **state);

/* One turn of the broker's loop, without waiting. */
void world_turn(struct world *world);

/* Turns until there is nothing to do, as far as can be seen without waiting. */
void world_quiesce(struct world *world);

/* Another client, connected; NULL if that fails. */
struct memtun *world_connect(struct world *world);

/* Passes a result of the library's on; a failure must say what it is. */
int world_check(const struct memtun *memtun, int result);

#endif

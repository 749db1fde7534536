/* SPDX-License-Identifier: MIT */
/*
 * A broker and its clients in one process and one thread, and a walk that makes each of their calls
 * fail. A scenario does what clients do. It is run with the first call of a function failing, then
 * with the second, and so on until no call is left to fail. In each run the client must get an
 * error with a message, nothing may hang, the broker must serve the next client, and once all is
 * closed neither memory nor a descriptor may be left over.
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
 * A scenario returns 0, or -1 at the first call that fails. It leaves nothing open but tunnels in
 * the broker and the client's connection.
 */
typedef int scenario_function(struct world *world);

/* Run the scenario with each call of a function failing. Return how many calls there were. */
unsigned int world_walk(const char *name, scenario_function *scenario, enum faulty which,
			int error);

/* Do the same with the start of the broker as the scenario. */
unsigned int world_walk_start(const char *name, enum faulty which, int error);

/* Print at which call a test failed. This is the tests' teardown. */
int world_teardown(void **state);

/* Run one iteration of the broker's loop, without waiting. */
void world_turn(struct world *world);

/* Run a few iterations, which is enough for all that needs no waiting. */
void world_quiesce(struct world *world);

/* Return another connected client, which the caller frees; NULL if that fails. */
struct memtun *world_connect(struct world *world);

/* Return a result of the library, after asserting that a failure has an errno and a message. */
int world_check(const struct memtun *memtun, int result);

#endif

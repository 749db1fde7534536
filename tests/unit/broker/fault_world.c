/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/fault_world.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/log.h"
#include "tests/unit/broker/broker_fixture.h"

/* Iterations of the loop that a scenario may take. Each lasts a millisecond at most; a retry after
 * a transient error comes after a few of them, the listener's after a hundred. */
#define TURNS_MAX 20000

/* More calls than a scenario makes. */
#define CALLS_MAX 20000

/* ------------------------------------------------------------------------------ turns */

void world_turn(struct world *world)
{
	ev_run(world->broker->engine->loop, EVRUN_NOWAIT);
}

void world_quiesce(struct world *world)
{
	for (int i = 0; i < 8; i++)
		world_turn(world);
}

static bool world_turns_left(void *context)
{
	struct world *world = context;

	if (!world->broker || ++world->turns > TURNS_MAX)
		return false;
	world_turn(world);
	return true;
}

/* ------------------------------------------------------------------------------ the broker */

static int world_start(struct world *world)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct control_socket control;
	struct fault fault = {0};

	assert_non_null(loop);
	world->broker = broker_new(loop);
	if (!world->broker) {
		assert_int_not_equal(errno, 0);
		return -1;
	}
	/* Have the broker set each socket's buffer, as where the system's default is another. */
	world->broker->engine->default_buffer_fits = false;
	if (control_socket_listen(&control, world->address, SOCK_SEQPACKET, &fault) < 0) {
		assert_int_not_equal(fault.error, 0);
		assert_int_not_equal(fault.text[0], '\0');
		broker_free(world->broker);
		world->broker = NULL;
		return -1;
	}
	listener_start(&world->listener, world->broker->control, &control, listener_accept_session,
		       NULL);
	return 0;
}

static void world_stop(struct world *world)
{
	if (!world->broker)
		return;
	listener_stop(&world->listener);
	broker_free(world->broker);
	world->broker = NULL;
}

/* ------------------------------------------------------------------------------ clients */

int world_check(const struct memtun *memtun, int result)
{
	if (result >= 0)
		return result;
	assert_int_not_equal(errno, 0);
	assert_int_not_equal(errno, ETIME); /* the call would never have returned */
	assert_int_not_equal(memtun_error(memtun)[0], '\0');
	return result;
}

struct memtun *world_connect(struct world *world)
{
	struct memtun *memtun = memtun_new();

	if (!memtun)
		return NULL;
	if (world_check(memtun, memtun_connect(memtun, world->address)) == 0)
		return memtun;
	memtun_free(memtun);
	return NULL;
}

/* Assert that the broker still serves the next client. */
static void world_serve_next(struct world *world)
{
	struct memtun *memtun;
	descriptor_owned fd = -1;

	if (!world->broker)
		assert_int_equal(world_start(world), 0);
	world->turns = 0;
	memtun = world_connect(world);
	assert_non_null(memtun);
	fd = memtun_open(memtun, "next%d", NULL);
	assert_true(fd >= 0);
	assert_int_equal(memtun_show(memtun, NULL, true, NULL, NULL), 0);
	memtun_free(memtun);
	world_quiesce(world);
	assert_true(LIST_EMPTY(&world->broker->control->sessions));
}

/* ------------------------------------------------------------------------------ the walk */

/* Run the scenario once with call `nth` failing. Return whether there was such a call. */
static bool world_run(scenario_function *scenario, bool from_the_start, enum faulty which,
		      unsigned int nth, int error, struct world *world)
{
	int descriptors = descriptors_count();
	long allocations = faults_allocations();
	int result = 0;
	bool struck;

	faults_set_turn(world_turns_left, world);
	if (from_the_start)
		faults_arm(which, nth, error);
	result = world_start(world);
	if (!from_the_start)
		faults_arm(which, nth, error);
	if (result == 0) {
		world->client = world_connect(world);
		result = world->client ? scenario(world) : -1;
	}
	struck = faults_disarm();
	if (!struck)
		assert_int_equal(result, 0);
	memtun_free(world->client);
	world->client = NULL;
	world_serve_next(world);
	world_stop(world);
	faults_set_turn(NULL, NULL);
	assert_int_equal(descriptors_count(), descriptors);
	assert_int_equal(faults_allocations(), allocations);
	return struck;
}

/* The present run, for the message of a test that fails. */
static struct {
	const char *name; /* NULL: there is no run */
	enum faulty which;
	unsigned int nth;
} walking;

int world_teardown(void **state)
{
	(void)state;
	faults_disarm();
	faults_set_turn(NULL, NULL);
	if (walking.name)
		print_error("in \"%s\", with call %u of %s failing\n", walking.name, walking.nth,
			    faulty_names[walking.which]);
	walking.name = NULL;
	return 0;
}

static int nothing(struct world *world)
{
	(void)world;
	return 0;
}

static unsigned int walk(const char *name, scenario_function *scenario, bool from_the_start,
			 enum faulty which, int error)
{
	char directory[] = "/tmp/memtun-faults-XXXXXX";
	struct world world = {0};
	unsigned int nth = 0;
	bool struck;

	log_open("test_faults", LOG_LEVEL_ERROR); /* warnings are expected */
	assert_non_null(mkdtemp(directory));
	snprintf(world.address, sizeof(world.address), "%s/control", directory);
	do {
		nth++;
		assert_true(nth < CALLS_MAX);
		walking.name = name;
		walking.which = which;
		walking.nth = nth;
		struck = world_run(scenario, from_the_start, which, nth, error, &world);
	} while (struck);
	walking.name = NULL;
	assert_int_equal(rmdir(directory), 0);
	return nth - 1;
}

unsigned int world_walk(const char *name, scenario_function *scenario, enum faulty which, int error)
{
	return walk(name, scenario, false, which, error);
}

unsigned int world_walk_start(const char *name, enum faulty which, int error)
{
	return walk(name, nothing, true, which, error);
}

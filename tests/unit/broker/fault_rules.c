/* SPDX-License-Identifier: MIT */
/* Rules that impair frames, as scenarios of test_faults. */
#include "tests/unit/broker/fault_scenarios.h"

#include <errno.h>

#include "common/descriptor.h"
#include "tests/unit/broker/fault_steps.h"

static int rule_add(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);

	if (!options)
		return -1;
	return world_check(world->client,
			   memtun_impair_add(world->client, name, options, NULL, NULL));
}

/* Send some frames, of which a rule of t1 holds the first two, and one of t2 delays the others. */
static int rules_used(struct world *world, struct end *from)
{
	options_owned struct memtun_options *changed = options_make("rule=1,duplicate=10%");
	options_owned struct memtun_options *rest = options_make("frame=0,discard");
	struct memtun *client = world->client;

	while (from->number < 6 && end_send(from))
		world_turn(world);
	world_quiesce(world);
	if (!changed || !rest ||
	    world_check(client, memtun_impair_set(client, "t2", changed)) < 0 ||
	    world_check(client, memtun_impair_show(client, NULL, NULL, NULL)) < 0)
		return -1;
	/* A frame for which the broker had no memory is dropped, and then it holds one less. */
	if (world_check(client, memtun_impair_release(client, "t1", NULL)) < 0 &&
	    (!faults_struck() || errno != ENOENT))
		return -1;
	if (world_check(client, memtun_impair_release(client, "t1", rest)) < 0)
		return -1;
	world_quiesce(world);
	return world_check(client, memtun_show(client, "t1", true, NULL, NULL));
}

/* Rules with each kind of allocation: a filter, a list of numbers, frames that wait and copies. */
int rules(struct world *world)
{
	struct end from = {0};
	descriptor_owned one = open_tunnel(world, "t1", "bridge=b0,hold,until=2");
	descriptor_owned other = one < 0 ? -1 : open_tunnel(world, "t2", "bridge=b0");

	from.fd = one;
	if (other < 0 || rule_add(world, "t2", "direction=to-client,delay=1h,duplicate=50%") < 0 ||
	    rule_add(world, "t1", "match=ether[14] >= 3,match-code=1+6 0 0 262144,drop=9") < 0 ||
	    rule_add(world, "t1", "loss=1%,loss-burst=2,until-time=1h") < 0 ||
	    rules_used(world, &from) < 0 ||
	    world_check(world->client, memtun_impair_delete(world->client, "t1", 2)) < 0)
		return -1;
	return world_check(world->client, memtun_impair_delete(world->client, "t2", 0));
}

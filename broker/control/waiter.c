/* SPDX-License-Identifier: MIT */
#include "broker/control/waiter.h"

#include <errno.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "broker/switch/bridge.h"
#include "broker/switch/bridges.h"
#include "broker/switch/port_names.h"
#include "broker/switch/quiet.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "common/clock.h"

/* The shortest and the longest time between two looks. */
#define INTERVAL_MIN (CLOCK_MILLISECOND / 5)
#define INTERVAL_MAX (10 * CLOCK_MILLISECOND)

/* A waiter looks for at most one part in this many of the time. */
#define LOOK_SHARE 20

void waiter_begin(struct waiter *waiter, unsigned int parts, int64_t idle, int64_t limit)
{
	int64_t now = clock_now();

	*waiter = (struct waiter){
		.parts = parts,
		.idle = idle,
		.deadline = limit < 0 || limit > INT64_MAX - now ? -1 : now + limit,
		.active = now,
	};
}

/* Look once at the ports of that name, which may be a bridge's. -1 with ENOENT, the fault filled. */
static int waiter_look_at_name(const struct control *control, const char *name, struct quiet *quiet,
			       struct fault *fault)
{
	struct bridge *bridge = bridges_find(control->bridges, name);
	struct port *port = port_names_find(control->names, name);

	if (!bridge && !port)
		return fault_set(fault, ENOENT, "there is no tunnel, uplink or bridge '%s'", name);
	if (port)
		quiet_look(quiet, port);
	if (!bridge)
		return 0;
	LIST_FOREACH(port, &bridge->ports, in_bridge) {
		quiet_look(quiet, port);
	}
	return 0;
}

static void look_at_all(const struct control *control, struct quiet *quiet)
{
	const struct tunnel *tunnel;
	const struct uplink *uplink;

	for (uint32_t id = 0; (tunnel = tunnel_next(control->tunnels, id)); id = tunnel->port.id)
		quiet_look(quiet, (struct port *)(uintptr_t)&tunnel->port);
	for (uint32_t id = 0; (uplink = uplink_next(control->uplinks, id)); id = uplink->port.id)
		quiet_look(quiet, (struct port *)(uintptr_t)&uplink->port);
}

static int look_at(const struct control *control, const char *names, struct quiet *quiet,
		   struct fault *fault)
{
	char list[MEMTUN_TEXT_SIZE];
	char *rest = list, *name;

	/* An entry that is due is about to send its frames. */
	if (due_is_late(&control->engine->due))
		quiet_break(quiet, "the broker has frames or timers that are due");
	if (!names) {
		look_at_all(control, quiet);
		return 0;
	}
	strlcpy(list, names, sizeof(list));
	while ((name = strsep(&rest, ","))) {
		if (waiter_look_at_name(control, name, quiet, fault) < 0)
			return -1;
	}
	return 0;
}

/* Choose when to look again, after a look that began at `now`. */
static void waiter_sleep(struct waiter *waiter, bool changed, int64_t now)
{
	int64_t end = clock_now();
	int64_t share = (end - now) * LOOK_SHARE;

	waiter->interval = changed || !waiter->interval ? INTERVAL_MIN : 2 * waiter->interval;
	if (waiter->interval > INTERVAL_MAX)
		waiter->interval = INTERVAL_MAX;
	if (waiter->interval < share)
		waiter->interval = share;
	waiter->next = end + waiter->interval;
	if (waiter->deadline >= 0 && waiter->next > waiter->deadline)
		waiter->next = waiter->deadline;
}

/* Look once. Returns 1 if the ports are quiet, 0 if *quiet says what is not, -1 with the fault
 * filled. *changed says whether a frame has come since the last look. */
static int waiter_look_once(struct waiter *waiter, const struct control *control, const char *names,
			    struct quiet *quiet, bool *changed, struct fault *fault)
{
	bool was_quiet = waiter->was_quiet;
	int64_t now = clock_now();

	*quiet = (struct quiet){.parts = waiter->parts};
	if (look_at(control, names, quiet, fault) < 0) {
		/* A look has found all names before, and chosen when to look again. */
		if (fault->error == ENOENT && waiter->interval)
			fault->error = errno = ENODEV;
		return -1;
	}
	if (quiet->error)
		return fault_set(fault, quiet->error, "%s", quiet->text);
	*changed = quiet->activity != waiter->activity;
	if (*changed)
		waiter->active = now;
	waiter->activity = quiet->activity;
	waiter->was_quiet = !quiet->is_broken;
	if (waiter->was_quiet && now - waiter->active < waiter->idle)
		quiet_break(quiet, "frames have come in the last %lld ms",
			    (long long)(waiter->idle / CLOCK_MILLISECOND));
	/* Ports are looked at one after the other, so a frame may have moved from one that was still
	 * to come to one that had been looked at. Two looks without a frame between them cannot
	 * both have missed it. */
	return !quiet->is_broken && was_quiet && !*changed;
}

int waiter_look(struct waiter *waiter, const struct control *control, const char *names,
		struct fault *fault)
{
	bool was_quiet = waiter->was_quiet, changed;
	int64_t now = clock_now();
	struct quiet quiet;
	int result = waiter_look_once(waiter, control, names, &quiet, &changed, fault);

	/* The time limit is over, so the second look follows at once. */
	if (result == 0 && waiter->deadline >= 0 && now >= waiter->deadline) {
		if (!quiet.is_broken)
			result = waiter_look_once(waiter, control, names, &quiet, &changed, fault);
		if (result == 0)
			return fault_set(fault, ETIMEDOUT, "not quiet within the time limit: %s",
					 quiet.is_broken ? quiet.text : "frames come all the time");
	}
	if (result == 0)
		waiter_sleep(waiter, changed, now);
	/* The second look follows as soon as the broker has read the frames that had come by the
	 * first. */
	if (result == 0 && waiter->was_quiet && !was_quiet)
		waiter->next = now;
	return result;
}

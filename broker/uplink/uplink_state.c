/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_state.h"

#include <errno.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "broker/switch/bridge.h"
#include "broker/uplink/uplink.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "common/utf8.h"

/* Seconds between two tries to open. The delay doubles up to the maximum. */
#define DELAY_FIRST 0.1
#define DELAY_MAX 10.0

void uplink_set_reason(struct uplink *uplink, const char *reason)
{
	strlcpy(uplink->reason, reason, sizeof(uplink->reason));
	utf8_mend(uplink->reason);
}

static void uplink_set_up(struct uplink *uplink)
{
	uplink->up = true;
	uplink->connects++;
	uplink->since = clock_now();
	uplink->reason[0] = '\0';
	if (uplink->port.bridge)
		bridge_announce(uplink->port.bridge);
}

void uplink_opened(struct uplink *uplink)
{
	uplink_set_up(uplink);
	uplink_publish(uplink, MEMTUN_EVENT_UPLINK_UP);
}

void uplink_wait(struct uplink *uplink)
{
	if (uplink->up && clock_now() - uplink->since > (int64_t)(DELAY_MAX * CLOCK_SECOND))
		uplink->delay = DELAY_FIRST;
	ev_timer_stop(uplink->port.engine->loop, &uplink->timer);
	ev_timer_set(&uplink->timer, uplink->delay, 0.);
	ev_timer_start(uplink->port.engine->loop, &uplink->timer);
	uplink->delay = uplink->delay * 2 < DELAY_MAX ? uplink->delay * 2 : DELAY_MAX;
}

static void uplink_close(struct uplink *uplink)
{
	if (uplink->kind->close)
		uplink->kind->close(uplink);
	lane_close(&uplink->lane);
	lane_close(&uplink->second);
}

void uplink_end(struct uplink *uplink)
{
	ev_timer_stop(uplink->port.engine->loop, &uplink->timer);
	uplink_close(uplink);
	if (uplink->kind->end)
		uplink->kind->end(uplink);
	uplink->up = false;
}

void uplink_lost(struct uplink *uplink, const char *reason)
{
	bool was_up = uplink->up;

	uplink_close(uplink);
	uplink_set_reason(uplink, reason);
	uplink_wait(uplink);
	uplink->up = false;
	/* A further try that fails changes nothing. */
	if (was_up)
		uplink_publish(uplink, MEMTUN_EVENT_UPLINK_DOWN);
}

static void uplink_lane_ended(struct lane *lane)
{
	struct uplink *uplink = container_of(lane->port, struct uplink, port);
	const char *reason = "the other side has closed it";

	/* strerror(EBADFD), "File descriptor in bad state", doesn't say what happened. */
	if (lane->error == EBADFD)
		reason = "the interface was deleted";
	else if (lane->error)
		reason = strerror(lane->error);
	if (uplink->kind->opens_once)
		uplink_delete_ended(uplink, reason);
	else
		uplink_lost(uplink, reason);
}

static const struct lane_owner uplink_lane_owner = {.ended = uplink_lane_ended};

int uplink_try(struct uplink *uplink, struct fault *fault)
{
	char text[UPLINK_TEXT_SIZE] = "cannot open it";
	int result = uplink->kind->open(uplink, text);
	int error = errno;

	if (result == 0)
		uplink_set_up(uplink);
	if (result > 0)
		uplink_set_reason(uplink, text);
	if (result >= 0)
		return 0;
	fault_set(fault, error, "%s: %s", text, strerror(error));
	uplink_set_reason(uplink, fault->text);
	return -1;
}

static void uplink_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct uplink *uplink = timer->data;
	struct fault fault;

	(void)loop;
	(void)events;
	if (uplink_try(uplink, &fault) < 0)
		uplink_wait(uplink);
	else if (uplink->up)
		uplink_publish(uplink, MEMTUN_EVENT_UPLINK_UP);
}

void uplink_init_state(struct uplink *uplink)
{
	struct lane *const lanes[] = {&uplink->lane, &uplink->second};

	for (int i = 0; i < 2; i++) {
		lane_init(lanes[i], uplink->port.engine, &uplink_lane_owner);
		lanes[i]->envelope = uplink->kind->envelope;
		lanes[i]->port = &uplink->port;
	}
	uplink->delay = DELAY_FIRST;
	ev_init(&uplink->timer, uplink_due);
	uplink->timer.data = uplink;
}

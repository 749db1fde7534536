/* SPDX-License-Identifier: MIT */
#include "broker/engine/liveness.h"

/* Seconds between two rounds. */
#define LIVENESS_INTERVAL 1.

/* Poll each entry once. An entry that is polled may remove others, so none is remembered. */
static void liveness_poll(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct liveness *liveness = timer->data;
	struct polled *polled;

	(void)loop;
	(void)events;
	LIST_SWAP(&liveness->due, &liveness->list, polled, in_list);
	while ((polled = LIST_FIRST(&liveness->due))) {
		LIST_REMOVE(polled, in_list);
		LIST_INSERT_HEAD(&liveness->list, polled, in_list);
		polled->poll(polled);
	}
}

static void liveness_update_timer(struct liveness *liveness)
{
	if (LIST_EMPTY(&liveness->list) && LIST_EMPTY(&liveness->due))
		ev_timer_stop(liveness->loop, &liveness->timer);
	else if (!ev_is_active(&liveness->timer))
		ev_timer_again(liveness->loop, &liveness->timer);
}

void liveness_init(struct liveness *liveness, struct ev_loop *loop)
{
	*liveness = (struct liveness){.loop = loop};
	ev_init(&liveness->timer, liveness_poll);
	liveness->timer.repeat = LIVENESS_INTERVAL;
	liveness->timer.data = liveness;
}

void liveness_set(struct liveness *liveness, struct polled *polled, bool is_polled)
{
	if (is_polled == polled->is_listed)
		return;
	polled->is_listed = is_polled;
	if (is_polled)
		LIST_INSERT_HEAD(&liveness->list, polled, in_list);
	else
		LIST_REMOVE(polled, in_list);
	liveness_update_timer(liveness);
}

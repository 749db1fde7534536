/* SPDX-License-Identifier: MIT */
/*
 * The event sink: objects publish what happens to them, and every subscriber is told.
 */
#ifndef MEMTUN_EVENTS_H
#define MEMTUN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "memtun/protocol.h"

struct attribute_set;

struct event_subscriber {
	LIST_ENTRY(event_subscriber) in_sink;

	/* Handle an event. The set is the caller's. May unsubscribe. */
	void (*publish)(struct event_subscriber *subscriber, const struct attribute_set *set);
};

struct event_sink {
	LIST_HEAD(, event_subscriber) subscribers;
};

/* Whether describing an object for an event is worth the work. */
static inline bool event_sink_has_subscribers(const struct event_sink *sink)
{
	return !LIST_EMPTY(&sink->subscribers);
}

/* Have the subscriber's publish() called for each event from now on. */
void event_subscribe(struct event_sink *sink, struct event_subscriber *subscriber);
void event_unsubscribe(struct event_subscriber *subscriber);

/* Tell every subscriber of the event. The set describes the object; its event is set here. */
void event_publish(struct event_sink *sink, enum memtun_event event, struct attribute_set *set);

#endif

/* SPDX-License-Identifier: MIT */
#include "broker/engine/events.h"

#include "common/attribute_set.h"

void event_subscribe(struct event_sink *sink, struct event_subscriber *subscriber)
{
	LIST_INSERT_HEAD(&sink->subscribers, subscriber, in_sink);
}

void event_unsubscribe(struct event_subscriber *subscriber)
{
	LIST_REMOVE(subscriber, in_sink);
}

void event_publish(struct event_sink *sink, enum memtun_event event, struct attribute_set *set)
{
	struct event_subscriber *subscriber, *next;

	attribute_set_put_number(set, MEMTUN_A_EVENT, event);
	LIST_FOREACH_SAFE(subscriber, &sink->subscribers, in_sink, next) {
		subscriber->publish(subscriber, set);
	}
}

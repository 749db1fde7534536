/* SPDX-License-Identifier: MIT */
/* The events that a session sends to its client, and what it tells a client that was too slow. */
#include "broker/control/session_parts.h"

#include <errno.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "memtun/transport.h"

static void session_publish(struct event_subscriber *subscriber, const struct attribute_set *set)
{
	struct session *session = container_of(subscriber, struct session, subscriber);
	/* Build the event apart from control->builder, because an event may be published while an
	 * answer is being built there. */
	struct message_builder builder;
	size_t length;

	if (session->ended)
		return;
	if (!session->events_lost && !memtun_transport_is_paused(session->transport)) {
		message_begin(&builder, MEMTUN_CMD_EVENT, 0, 0);
		message_put_set(&builder, set);
		message_put_number(&builder, MEMTUN_A_TIME, (uint64_t)clock_now());
		length = message_end(&builder);
		if (length && memtun_transport_send(session->transport, builder.bytes, length, NULL,
						    0) == 0) {
			session_update(session);
			return;
		}
	}
	/* If the transport is paused, session_resume() reports the loss. Otherwise the timer, which
	 * session_update() arms, does. */
	session->events_lost = true;
	session_update(session);
}

int session_subscribe(struct session *session, struct fault *fault)
{
	if (session->subscribed)
		return 0;
	if (account_check(session->account, ACCOUNT_SUBSCRIPTIONS, fault) < 0)
		return -1;
	account_charge(session->account, ACCOUNT_SUBSCRIPTIONS, 1);
	session->subscribed = true;
	session->subscriber.publish = session_publish;
	event_subscribe(&session->control->engine->events, &session->subscriber);
	return 0;
}

void session_tell_lost(struct session *session)
{
	struct message event = {.type = MEMTUN_CMD_EVENT};
	struct fault fault = {0};

	fault_set(&fault, ENOBUFS, "events were lost: the client was too slow");
	message_build_error(&session->control->builder, &event, &fault);
	session_send(session, -1);
	session->events_lost = false;
}

void session_unsubscribe(struct session *session)
{
	if (!session->subscribed)
		return;
	event_unsubscribe(&session->subscriber);
	account_refund(session->account, ACCOUNT_SUBSCRIPTIONS, 1);
}

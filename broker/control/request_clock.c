/* SPDX-License-Identifier: MIT */
/*
 * Requests about the logical clock: what it shows, and moving the manual one.
 */
#include <errno.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/control/waiter.h"
#include "broker/engine/engine.h"
#include "broker/switch/quiet.h"
#include "common/clock.h"

/* Entries of the queue that one step of a request runs. */
#define STEP_ENTRIES 64

/* The time limit of an advance for reading the frames that clients sent before it. Clients may send
 * without end. */
#define READ_LIMIT CLOCK_SECOND

static struct due_queue *session_clock(const struct session *session)
{
	return &session->control->engine->due;
}

/* Answer with the clock. `moved` is the time by which the request has moved it; -1: it moves none. */
static void answer_clock(struct session *session, int64_t moved)
{
	const struct due_queue *clock = session_clock(session);
	struct message_builder *builder = answer_begin(session);
	int64_t next = due_next(clock);

	message_put_number(builder, MEMTUN_A_CLOCK,
			   clock->is_manual ? MEMTUN_CLOCK_MANUAL : MEMTUN_CLOCK_REAL);
	message_put_number(builder, MEMTUN_A_CLOCK_TIME, (uint64_t)due_now(clock));
	if (next >= 0)
		message_put_number(builder, MEMTUN_A_CLOCK_NEXT, (uint64_t)next);
	message_put_number(builder, MEMTUN_A_DUE, due_count(clock));
	if (moved >= 0)
		message_put_number(builder, MEMTUN_A_MOVE, (uint64_t)moved);
	session_send(session, -1);
}

enum request_result request_clock_show(struct session *session, struct fault *fault)
{
	(void)fault;
	answer_clock(session, -1);
	return REQUEST_ANSWERED;
}

/* Run what is due until the clock is where the request moves it, and answer. */
static int move_step(struct session *session)
{
	if (!due_advance(session_clock(session), session->move_to, STEP_ENTRIES))
		return 1;
	answer_clock(session, session->move_to - session->moved_from);
	return 0;
}

static int advance_step(struct session *session, struct fault *fault)
{
	int result;

	if (session->waited)
		return move_step(session);
	result = request_look(session, NULL, fault);
	if (result < 0 && fault->error != ETIMEDOUT)
		return -1;
	session->waited = result != 0;
	if (session->waited) {
		uint64_t move = attribute_set_number(request_set(session), MEMTUN_A_MOVE);

		session->moved_from = due_now(session_clock(session));
		if (move > (uint64_t)(DUE_TIME_MAX - session->moved_from))
			return fault_set(fault, ERANGE,
					 "the clock cannot show a time after 2^62 ns");
		session->move_to = session->moved_from + (int64_t)move;
	}
	return 1;
}

static int next_step(struct session *session, struct fault *fault)
{
	int result;

	if (session->waited)
		return move_step(session);
	result = request_look(session, NULL, fault);
	if (result < 0)
		return -1;
	session->waited = result > 0;
	if (session->waited) {
		session->moved_from = due_now(session_clock(session));
		session->move_to = due_next(session_clock(session));
		if (session->move_to < 0)
			return fault_set(fault, ENODATA, "nothing is due");
		if (session->move_to > DUE_TIME_MAX)
			return fault_set(fault, ERANGE,
					 "the clock cannot show a time after 2^62 ns");
	}
	return 1;
}

static int check_manual(const struct session *session, struct fault *fault)
{
	if (session_clock(session)->is_manual)
		return 0;
	return fault_set(
		fault, EINVAL,
		"the clock of this broker is the real one: only memtund --clock manual has "
		"a clock that can be moved");
}

enum request_result request_clock_advance(struct session *session, struct fault *fault)
{
	if (check_manual(session, fault) < 0)
		return REQUEST_FAILED;
	waiter_begin(&session->waiter, QUIET_FROM_CLIENT | QUIET_INJECTED, 0, READ_LIMIT);
	return answer_steps(session, advance_step, fault);
}

enum request_result request_clock_next(struct session *session, struct fault *fault)
{
	if (check_manual(session, fault) < 0)
		return REQUEST_FAILED;
	waiter_begin(&session->waiter, QUIET_FROM_CLIENT | QUIET_TO_CLIENT, 0,
		     request_limit(session));
	return answer_steps(session, next_step, fault);
}

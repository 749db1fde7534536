/* SPDX-License-Identifier: MIT */
/* A request that runs in steps, as its client reads the answers. */
#include "broker/control/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "common/clock.h"
#include "memtun/transport.h"

/* The maximum number of steps of a request in one iteration of the loop, so that a long list does
 * not delay other clients. */
#define STEPS_A_TURN 64

/* End a request that was carried out in steps. fault is NULL on success. */
static void session_finish(struct session *session, const struct fault *fault)
{
	struct message_builder *builder = &session->control->builder;
	/* Tell the client if objects have changed since its list began (NLM_F_DUMP_INTR). A batch
	 * has no cursor: it adds objects itself, so it reports no change. */
	bool interrupted = session->cursor && (session->request.flags & NLM_F_DUMP) &&
			   session->generation != session->control->engine->generation;

	if (fault) {
		session_answer(session, fault);
	} else {
		message_begin(builder, NLMSG_DONE,
			      (uint16_t)(NLM_F_MULTI | (interrupted ? NLM_F_DUMP_INTR : 0)),
			      session->request.sequence);
		session_send(session, -1);
	}
	session->step = NULL;
	free(session->record);
	session->record = NULL;
}

/* Return whether the next step is not due yet. */
static bool session_sleeps(struct session *session)
{
	if (session->wake && session->wake > clock_now())
		return true;
	session->wake = 0;
	return false;
}

void session_run(struct session *session)
{
	struct fault fault = {0};
	int result = 1;

	for (int i = 0; i < STEPS_A_TURN && result > 0; i++) {
		if (!session->step || session->ended ||
		    memtun_transport_is_paused(session->transport) || session_sleeps(session))
			break;
		result = session->step(session, &fault);
		if (result <= 0)
			session_finish(session, result < 0 ? &fault : NULL);
		/* Even if the time is over already, the loop handles other events first. */
		if (session->wake)
			break;
	}
	session_read_or_not(session);
}

int session_begin(struct session *session, session_step *step, struct fault *fault)
{
	const struct nlmsghdr *header = session->record;
	void *copy = malloc(header->nlmsg_len);

	if (!copy)
		return fault_set(fault, ENOMEM, "out of memory");
	memcpy(copy, session->record, header->nlmsg_len);
	session->record = copy;
	/* Parse again, so that the strings point into the copy. This cannot fail, because the
	 * record was valid before. */
	message_parse(&session->request, copy, header->nlmsg_len, MESSAGE_STRICT, fault);
	session->step = step;
	session->cursor = 0;
	session->wake = 0;
	session->waited = false;
	session->generation = session->control->engine->generation;
	session_run(session);
	return 0;
}

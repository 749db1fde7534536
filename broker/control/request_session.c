/* SPDX-License-Identifier: MIT */
/*
 * Requests about sessions: the clients that are connected, and those that have left captures or
 * injectors behind.
 */
#include <errno.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/engine/account.h"
#include "broker/engine/engine.h"
#include "broker/engine/program.h"
#include "memtun/transport.h"

/* Return the session of the account, or NULL if the client is no longer connected. */
static struct session *account_session(struct control *control, const struct account *account)
{
	struct session *session;

	LIST_FOREACH(session, &control->sessions, in_control) {
		if (session->account == account)
			return session;
	}
	return NULL;
}

static void answer_session(struct session *session, const struct account *account)
{
	const struct session *shown = account_session(session->control, account);
	uint64_t queued = account->used[ACCOUNT_BYTES];
	char program[PROGRAM_NAME_SIZE];
	struct attribute_set set = {0};

	if (shown)
		queued += memtun_transport_queued_bytes(shown->transport);
	attribute_set_put_number(&set, MEMTUN_A_ID, account->id);
	attribute_set_put_number(&set, MEMTUN_A_OWNER, account->uid);
	attribute_set_put_number(&set, MEMTUN_A_PID, (uint64_t)account->pid);
	if (program_name(account->pid, program) == 0)
		attribute_set_put_string(&set, MEMTUN_A_PROGRAM, program);
	attribute_set_put_number(&set, MEMTUN_A_STATE, shown ? MEMTUN_OPEN : MEMTUN_CLOSED);
	attribute_set_put_number(&set, MEMTUN_A_CAPTURES, account->used[ACCOUNT_CAPTURES]);
	attribute_set_put_number(&set, MEMTUN_A_INJECTORS, account->used[ACCOUNT_INJECTORS]);
	attribute_set_put_number(&set, MEMTUN_A_SUBSCRIPTIONS,
				 account->used[ACCOUNT_SUBSCRIPTIONS]);
	attribute_set_put_number(&set, MEMTUN_A_HAND_INS, account->used[ACCOUNT_HAND_INS]);
	attribute_set_put_number(&set, MEMTUN_A_QUEUED_BYTES, queued);
	answer_set(session, &set, -1);
}

/* Return the account that the request names. NULL with ENOENT, the fault filled. */
static struct account *request_account(struct session *session, struct fault *fault)
{
	uint32_t id = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_ID);
	struct account *account = account_next(&session->control->engine->accounts, id - 1);

	if (account && account->id == id)
		return account;
	fault_set(fault, ENOENT, "there is no session %u", id);
	return NULL;
}

static int list_session_step(struct session *session, struct fault *fault)
{
	struct account *account =
		account_next(&session->control->engine->accounts, session->cursor);

	(void)fault;
	if (!account)
		return 0;
	session->cursor = account->id;
	answer_session(session, account);
	return 1;
}

enum request_result request_session_show(struct session *session, struct fault *fault)
{
	struct account *account;

	if (!attribute_set_has(request_set(session), MEMTUN_A_ID))
		return answer_steps(session, list_session_step, fault);
	account = request_account(session, fault);
	if (!account)
		return REQUEST_FAILED;
	answer_session(session, account);
	return REQUEST_ANSWERED;
}

enum request_result request_session_delete(struct session *session, struct fault *fault)
{
	struct account *account = request_account(session, fault);
	struct session *deleted;

	if (!account)
		return REQUEST_FAILED;
	deleted = account_session(session->control, account);
	if (deleted == session)
		fault_set(fault, EINVAL, "session %u is the one that asks", account->id);
	else if (session->uid != 0 && session->uid != account->uid)
		fault_set(fault, EPERM, "session %u is of user %u", account->id, account->uid);
	else {
		/* The objects first, because the account may be freed with the session. */
		account_end_objects(account);
		if (deleted)
			session_free(deleted);
		return REQUEST_DONE;
	}
	return REQUEST_FAILED;
}

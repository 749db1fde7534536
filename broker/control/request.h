/* SPDX-License-Identifier: MIT */
/*
 * The commands of the control protocol: what each takes, and what it does.
 */
#ifndef MEMTUN_COMMAND_H
#define MEMTUN_COMMAND_H

#include "common/message.h"

struct session;

enum command_result {
	COMMAND_FAILED = -1,  /* the fault says why */
	COMMAND_ANSWERED = 0, /* a record was sent, or is being made step by step */
	COMMAND_DONE = 1,     /* an acknowledgement is due */
};

/* Carries out the session's request. */
enum command_result command_run(struct session *session, struct fault *fault);

#endif

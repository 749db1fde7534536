/* SPDX-License-Identifier: MIT */
/*
 * The commands of the control protocol: what each takes, and what it does.
 */
#ifndef MEMTUN_REQUEST_H
#define MEMTUN_REQUEST_H

#include "common/message.h"

struct session;

enum request_result {
	REQUEST_FAILED = -1,  /* the fault says why */
	REQUEST_ANSWERED = 0, /* a record was sent, or is being made step by step */
	REQUEST_DONE = 1,     /* an acknowledgement is due */
};

/* Carries out the session's request. */
enum request_result request_run(struct session *session, struct fault *fault);

#endif

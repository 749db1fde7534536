/* SPDX-License-Identifier: MIT */
/*
 * What becomes of one call of the program: a tunnel is opened, an ioctl of a device or an interface
 * is carried out, or the kernel goes on with the call.
 */
#ifndef MEMTUN_ANSWER_H
#define MEMTUN_ANSWER_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/wrap/device.h"

struct call;

struct answerer {
	struct devices devices;
	bool trace;
	pid_t unreadable; /* the last process about which a message was printed */
};

/* Answer the call. */
void answer_call(struct answerer *answerer, struct call *call);

#endif

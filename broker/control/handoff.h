/* SPDX-License-Identifier: MIT */
/*
 * The plain handoff, as tinc and others expect it: connect to a STREAM socket, get one byte with
 * one descriptor, a fresh open of the tunnel that the listener was told of. No protocol, no answer.
 */
#ifndef MEMTUN_HANDOFF_H
#define MEMTUN_HANDOFF_H

#include "common/attribute.h"
#include "broker/control/listener.h"

struct control;

struct handoff {
	struct listener listener;
	struct attribute_set options;
	char *text; /* that the options' strings lie in */
};

/* Listens as PATH=SPEC says. NULL with the fault filled. */
struct handoff *handoff_new(struct control *control, const char *path_and_spec,
			    struct fault *fault);
void handoff_free(struct handoff *handoff);

#endif

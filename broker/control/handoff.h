/* SPDX-License-Identifier: MIT */
/*
 * The plain handoff, as tinc and others expect it: a client connects to a STREAM socket and
 * receives one byte with one descriptor, a new open of the tunnel that the listener's SPEC names.
 * The client sends nothing.
 */
#ifndef MEMTUN_HANDOFF_H
#define MEMTUN_HANDOFF_H

#include "common/attribute_set.h"
#include "broker/control/listener.h"

struct control;

struct handoff {
	struct listener listener;
	struct attribute_set options;
	char *text; /* that the options' strings lie in */
};

/* Listen at the path of PATH=SPEC, and open the tunnel SPEC for each client. NULL with the fault
 * filled. */
struct handoff *handoff_new(struct control *control, const char *path_and_spec,
			    struct fault *fault);
void handoff_free(struct handoff *handoff);

#endif

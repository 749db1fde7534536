/* SPDX-License-Identifier: MIT */
/*
 * The keys of `uplink add` that are not for the broker, because they name descriptors of this
 * process or a process, and the hand-in of the descriptors. The command inherits the descriptor of
 * type fd, and opens that of type device itself.
 */
#ifndef MEMTUN_UPLINK_DESCRIPTOR_H
#define MEMTUN_UPLINK_DESCRIPTOR_H

#include "client/command/command.h"
#include "memtun.h"

struct uplink_descriptor {
	int fd; /* -1: not given. These are inherited, so they stay open. */
	int until;
	int pid;
};

#define UPLINK_DESCRIPTOR_NONE                   \
	{                                        \
		.fd = -1, .until = -1, .pid = -1 \
	}

/*
 * Take the key fd, until or pid with its value if the words begin with one. Return how many words
 * were taken, 0 if the words begin with another key, or -1 after a message.
 */
int uplink_descriptor_take(struct uplink_descriptor *descriptor, int count, char **words);

/* Check what was taken, once the options are complete. 0, or the exit status after a message. */
int uplink_descriptor_check(const struct uplink_descriptor *descriptor,
			    const struct memtun_options *options);

/* Hand the descriptors in. Return the exit status. */
int uplink_descriptor_run(const struct uplink_descriptor *descriptor,
			  const struct invocation *invocation, struct memtun_options *options);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The words of `uplink add` that are not for the broker, because they are about descriptors of this
 * process, and how the descriptors are handed in: type fd, whose descriptor the command inherits,
 * and type device, which the command opens itself.
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
 * Take a KEY VALUE that the words begin with. Return how many words that were: 0 if they are no such
 * words, -1 after a message.
 */
int uplink_descriptor_take(struct uplink_descriptor *descriptor, int count, char **words);

/* Check what was taken, once the options are complete. 0, or the exit status after a message. */
int uplink_descriptor_check(const struct uplink_descriptor *descriptor,
			    const struct memtun_options *options);

/* Hand the descriptors in. Return the exit status. */
int uplink_descriptor_run(const struct uplink_descriptor *descriptor,
			  const struct invocation *invocation, struct memtun_options *options);

#endif

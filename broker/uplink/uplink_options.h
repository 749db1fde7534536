/* SPDX-License-Identifier: MIT */
/*
 * What an uplink is made with: which kind that is, whether it fits the kind, and where paths lead.
 */
#ifndef MEMTUN_UPLINK_OPTIONS_H
#define MEMTUN_UPLINK_OPTIONS_H

#include <stdbool.h>
#include <sys/un.h>

#include "common/attribute.h"

struct uplink_kind;

/* The kind that they are for. NULL with the fault filled: EINVAL, they don't fit it; EOPNOTSUPP. */
const struct uplink_kind *uplink_kind_for(const struct attribute_set *options, struct fault *fault);

/* Copies them, strings included. -1 with ENOMEM: what has been copied is to be freed as well. */
int uplink_options_keep(struct attribute_set *kept, const struct attribute_set *options);
void uplink_options_free(struct attribute_set *kept);

/*
 * Is something else than a socket at the name's path? connect(2) says no more than that it refuses.
 * -1 with ENOTSOCK.
 */
int uplink_path_check(const struct sockaddr_un *name);

/* Are they the same, or names of the same file? */
bool uplink_paths_lead_to_the_same(const char *one, const char *other);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The table of uplink kinds: which kind an uplink's type means, and whether its options fit.
 */
#ifndef MEMTUN_UPLINK_KINDS_H
#define MEMTUN_UPLINK_KINDS_H

#include "common/attribute_set.h"

struct uplink_kind;

/* Return the kind of an uplink with these options. NULL with the fault filled: EINVAL, they don't
 * fit the kind; EOPNOTSUPP, this memtund was built without it. */
const struct uplink_kind *uplink_kind_for(const struct attribute_set *options, struct fault *fault);

/* Check the options' mtu for an uplink that was made with the options `uplink`. -1 with the fault
 * filled: EINVAL. */
int uplink_kind_check_mtu(const struct uplink_kind *kind, const struct attribute_set *uplink,
			  const struct attribute_set *options, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_kinds.h"

#include <errno.h>
#include <stdio.h>

#include "config.h"
#include "broker/uplink/uplink.h"

/* By enum memtun_uplink_type. NULL: this memtund was built without that kind. */
static const struct uplink_kind *const kinds[] = {
	[MEMTUN_UPLINK_MCAST] = &uplink_mcast, [MEMTUN_UPLINK_KERNEL] = &uplink_kernel,
#ifdef HAVE_VDEPLUG
	[MEMTUN_UPLINK_VDE] = &uplink_vde,
#endif
	[MEMTUN_UPLINK_BESS] = &uplink_local,  [MEMTUN_UPLINK_STREAM] = &uplink_local,
	[MEMTUN_UPLINK_DGRAM] = &uplink_dgram, [MEMTUN_UPLINK_UDP] = &uplink_udp,
	[MEMTUN_UPLINK_VXLAN] = &uplink_vxlan, [MEMTUN_UPLINK_FD] = &uplink_fd,
	[MEMTUN_UPLINK_DEVICE] = &uplink_fd,
#ifdef HAVE_SLIRP
	[MEMTUN_UPLINK_USER] = &uplink_user,
#else
	[MEMTUN_UPLINK_USER] = NULL,
#endif
};

/* The kinds that listen, in the same way. NULL: uplinks of that type do not listen. */
static const struct uplink_kind *const listening_kinds[] = {
	[MEMTUN_UPLINK_VDE] = &uplink_listen_vde,
	[MEMTUN_UPLINK_BESS] = &uplink_listen,
	[MEMTUN_UPLINK_STREAM] = &uplink_listen,
	[MEMTUN_UPLINK_DGRAM] = &uplink_listen_dgram,
	[MEMTUN_UPLINK_USER] = NULL, /* the last type */
};

/* Room for "an uplink of type " and the longest type. */
#define TAKER_SIZE 40

/* Write how messages call an uplink with these options. */
static void taker_write(const struct attribute_set *options, char taker[TAKER_SIZE])
{
	char type[16];

	attribute_format(options, MEMTUN_A_TYPE, type, sizeof(type));
	snprintf(taker, TAKER_SIZE, "an uplink of type %s", type);
}

int uplink_kind_check_mtu(const struct uplink_kind *kind, const struct attribute_set *uplink,
			  const struct attribute_set *options, struct fault *fault)
{
	char taker[TAKER_SIZE];

	if (attribute_set_number(options, MEMTUN_A_MTU) <= kind->mtu)
		return 0;
	taker_write(uplink, taker);
	return fault_set(fault, EINVAL, "%s carries packets of %u bytes", taker, kind->mtu);
}

/* Check the options against those of the kind. */
static int options_check(const struct uplink_kind *kind, const struct attribute_set *options,
			 struct fault *fault)
{
	char taker[TAKER_SIZE];

	taker_write(options, taker);
	if (listening_kinds[attribute_set_number(options, MEMTUN_A_TYPE)] &&
	    !attribute_set_has(options, MEMTUN_A_LISTENER) &&
	    !attribute_set_has(options, MEMTUN_A_PATH) &&
	    !attribute_set_has(options, MEMTUN_A_LISTEN))
		return fault_set(fault, EINVAL, "%s needs path or listen", taker);
	if (attribute_set_check(options, &kind->takes, taker, fault) < 0)
		return -1;
	if (attribute_set_string(options, MEMTUN_A_BRIDGE)[0] == '\0')
		return fault_set(fault, EINVAL, "an uplink needs a bridge");
	return uplink_kind_check_mtu(kind, options, options, fault);
}

/* Return the kind that the options mean. The broker itself sets the name of a listener: requests
 * can't have it. */
static const struct uplink_kind *kind_find(const struct attribute_set *options)
{
	uint64_t type = attribute_set_number(options, MEMTUN_A_TYPE);

	if (attribute_set_has(options, MEMTUN_A_LISTENER))
		return &uplink_accepted;
	if (attribute_set_has(options, MEMTUN_A_LISTEN) && listening_kinds[type])
		return listening_kinds[type];
	return kinds[type];
}

const struct uplink_kind *uplink_kind_for(const struct attribute_set *options, struct fault *fault)
{
	const struct uplink_kind *kind = kind_find(options);
	char type[16];

	if (!kind) {
		attribute_format(options, MEMTUN_A_TYPE, type, sizeof(type));
		fault_set(fault, EOPNOTSUPP, "this memtund was built without uplinks of type %s",
			  type);
	}
	return kind && options_check(kind, options, fault) == 0 ? kind : NULL;
}

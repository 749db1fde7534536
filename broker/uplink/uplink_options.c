/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "broker/uplink/uplink.h"

/* By enum memtun_uplink_type. NULL: this memtund was built without. */
static const struct uplink_kind *const kinds[] = {
	[MEMTUN_UPLINK_MCAST] = &uplink_mcast, [MEMTUN_UPLINK_KERNEL] = &uplink_kernel,
#ifdef HAVE_VDEPLUG
	[MEMTUN_UPLINK_VDE] = &uplink_vde,
#endif
	[MEMTUN_UPLINK_BESS] = &uplink_local,  [MEMTUN_UPLINK_STREAM] = &uplink_local,
	[MEMTUN_UPLINK_DGRAM] = &uplink_dgram, [MEMTUN_UPLINK_UDP] = &uplink_udp,
	[MEMTUN_UPLINK_VXLAN] = &uplink_vxlan,
};

/* Do the options fit the kind? */
static int options_check(const struct uplink_kind *kind, const struct attribute_set *options,
			 struct fault *fault)
{
	const uint64_t general = ATTRIBUTE_BIT(MEMTUN_A_NAME) | ATTRIBUTE_BIT(MEMTUN_A_BRIDGE) |
				 ATTRIBUTE_BIT(MEMTUN_A_TYPE) | ATTRIBUTE_BIT(MEMTUN_A_MTU) |
				 ATTRIBUTE_BIT(MEMTUN_A_QUEUE_LIMIT) |
				 ATTRIBUTE_BIT(MEMTUN_A_OVERFLOW);
	uint64_t lacking = kind->required & ~options->present[0];
	uint64_t surplus = options->present[0] & ~(general | kind->required | kind->allowed);
	char type[16];

	attribute_format(options, MEMTUN_A_TYPE, type, sizeof(type));
	if (lacking)
		return fault_set(fault, EINVAL, "an uplink of type %s needs %s", type,
				 attributes[__builtin_ctzll(lacking)].word);
	if (surplus)
		return fault_set(fault, EINVAL, "an uplink of type %s takes no %s", type,
				 attributes[__builtin_ctzll(surplus)].word);
	if (attribute_set_string(options, MEMTUN_A_BRIDGE)[0] == '\0')
		return fault_set(fault, EINVAL, "an uplink needs a bridge");
	if (attribute_set_number(options, MEMTUN_A_MTU) > kind->mtu)
		return fault_set(fault, EINVAL, "an uplink of type %s carries packets of %u bytes",
				 type, kind->mtu);
	return 0;
}

const struct uplink_kind *uplink_kind_for(const struct attribute_set *options, struct fault *fault)
{
	const struct uplink_kind *kind = kinds[attribute_set_number(options, MEMTUN_A_TYPE)];

	if (!kind)
		fault_set(fault, EOPNOTSUPP, "this memtund was built without uplinks of that type");
	return kind && options_check(kind, options, fault) == 0 ? kind : NULL;
}

int uplink_options_keep(struct attribute_set *kept, const struct attribute_set *options)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	char *string;

	while ((which = attribute_set_next(options, which)) != MEMTUN_A_END) {
		if (!attribute_is_string(which)) {
			attribute_set_put_number(kept, which, options->values[which].number);
			continue;
		}
		string = strdup(options->values[which].string);
		if (!string)
			return -1;
		attribute_set_put_string(kept, which, string);
	}
	return 0;
}

void uplink_options_free(struct attribute_set *kept)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next(kept, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which))
			free((void *)(uintptr_t)kept->values[which].string);
	}
}

int uplink_path_check(const struct sockaddr_un *name)
{
	struct stat status;

	if (name->sun_path[0] == '\0' || stat(name->sun_path, &status) < 0 ||
	    S_ISSOCK(status.st_mode))
		return 0;
	errno = ENOTSOCK;
	return -1;
}

bool uplink_paths_lead_to_the_same(const char *one, const char *other)
{
	struct stat status, other_status;

	if (strcmp(one, other) == 0)
		return true;
	return stat(one, &status) == 0 && stat(other, &other_status) == 0 &&
	       status.st_dev == other_status.st_dev && status.st_ino == other_status.st_ino;
}

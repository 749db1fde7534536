/* SPDX-License-Identifier: MIT */
#include "broker/system/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

bool confine_can_keep(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN);
}

int confine(bool keep)
{
	/* A kept capability is not inheritable, so it is not ambient either (capabilities(7)). */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	capng_clear(CAPNG_SELECT_CAPS);
	if (keep)
		capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
			     CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

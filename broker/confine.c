/* SPDX-License-Identifier: MIT */
#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

int confine(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "client/wrap/netlink_number.h"

#include <sys/resource.h>
#include <sys/select.h>

int netlink_number_first(void)
{
	struct rlimit limit;
	rlim_t end = FD_SETSIZE;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end)
		end = limit.rlim_cur;
	end -= end % NETLINK_NUMBERS;
	return end < 2 * NETLINK_NUMBERS ? NETLINK_NUMBERS : (int)end - NETLINK_NUMBERS;
}

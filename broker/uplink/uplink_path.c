/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/failed.h"

int uplink_path_check(const struct sockaddr_un *address)
{
	struct stat status;

	if (address->sun_path[0] == '\0' || stat(address->sun_path, &status) < 0 ||
	    S_ISSOCK(status.st_mode))
		return 0;
	return failed(ENOTSOCK);
}

bool uplink_path_same(const char *one, const char *other)
{
	struct stat status, other_status;

	if (strcmp(one, other) == 0)
		return true;
	return stat(one, &status) == 0 && stat(other, &other_status) == 0 &&
	       status.st_dev == other_status.st_dev && status.st_ino == other_status.st_ino;
}

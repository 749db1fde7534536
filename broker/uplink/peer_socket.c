/* SPDX-License-Identifier: MIT */
#include "broker/uplink/peer_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/descriptor.h"
#include "common/failed.h"
#include "common/user.h"

int peer_socket_connect(int fd, int directory, const char *name, uid_t uid)
{
	descriptor_owned file = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	if (file < 0 || fstat(file, &status) < 0)
		return -1;
	if (!S_ISSOCK(status.st_mode))
		return failed(ENOTSOCK);
	if (status.st_uid != uid || user_is_unmapped(uid))
		return failed(EPERM);
	/* The link leads to the open file, whatever is at its name now. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

bool socket_name_is(const struct sockaddr_storage *one, socklen_t one_size,
		    const struct sockaddr_storage *other, socklen_t other_size)
{
	return one_size == other_size && memcmp(one, other, one_size) == 0;
}

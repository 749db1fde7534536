/* SPDX-License-Identifier: MIT */
#include "client/wrap/preload_library.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/failed.h"

#define LIBRARY "libmemtun-preload.so"

int preload_library_find(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof(LIBRARY));

	if (length > 0) {
		path[length] = '\0';
		strcpy(strrchr(path, '/') + 1, LIBRARY);
	}
	if (length <= 0 || access(path, R_OK) < 0)
		strlcpy(path, PKGLIBDIR "/" LIBRARY, PATH_MAX);
	if (access(path, R_OK) < 0)
		return failed(ENOENT);
	return path[strcspn(path, " \t:")] ? failed(EINVAL) : 0;
}

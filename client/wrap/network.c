/* SPDX-License-Identifier: MIT */
#include "client/wrap/network.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Return whether the thread is in this process's namespace of that kind. */
static bool is_same(pid_t thread, const char *kind)
{
	struct stat theirs, ours;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)thread, kind);
	if (stat(path, &theirs) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return stat(path, &ours) == 0 && theirs.st_ino == ours.st_ino;
}

bool network_is_ours(pid_t thread)
{
	return is_same(thread, "net");
}

bool network_may_change(pid_t thread)
{
	static const char key[] = "CapEff:";
	unsigned long long effective = 0;
	char path[48], line[128];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	status = fopen(path, "re");
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, key, strlen(key)) == 0)
			effective = strtoull(line + strlen(key), NULL, 16);
	}
	fclose(status);
	return effective >> CAP_NET_ADMIN & 1 && is_same(thread, "user");
}

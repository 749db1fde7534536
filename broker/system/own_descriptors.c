/* SPDX-License-Identifier: MIT */
#include "broker/system/own_descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.10 has it; older headers do not. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3)
#endif

int own_descriptors_search(own_descriptor_match *match, const void *context)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = 0;

	if (!directory)
		return -1;
	while (!found && (entry = readdir(directory))) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		/* "." and ".." are no numbers. */
		if (*end == '\0' && fd != dirfd(directory))
			found = match((int)fd, context);
	}
	closedir(directory);
	return found;
}

bool own_descriptors_same(int one, int other)
{
	int same = fcntl(one, F_DUPFD_QUERY, other);
	pid_t self = getpid();

	if (same >= 0)
		return same;
	return syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)one, (unsigned long)other) ==
	       0;
}

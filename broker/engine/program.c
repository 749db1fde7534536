/* SPDX-License-Identifier: MIT */
#include "broker/engine/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/utf8.h"

int program_name(pid_t pid, char name[PROGRAM_NAME_SIZE])
{
	char path[sizeof("/proc//comm") + 3 * sizeof(pid_t)];
	descriptor_owned fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, name, PROGRAM_NAME_SIZE - 1);
	if (length <= 0)
		return -1;
	name[length] = '\0';
	name[strcspn(name, "\n")] = '\0';
	utf8_make_printable(name);
	return name[0] ? 0 : -1;
}

bool program_is_of(pid_t pid, uid_t user)
{
	char path[sizeof("/proc/") + 3 * sizeof(pid_t)];
	struct stat process;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return stat(path, &process) == 0 && process.st_uid == user;
}

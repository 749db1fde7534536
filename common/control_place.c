/* SPDX-License-Identifier: MIT */
#include "common/control_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/user.h"

void control_place_runtime(char address[CONTROL_ADDRESS_SIZE])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length = 0;

	if (runtime && runtime[0] == '/')
		length = snprintf(address, CONTROL_ADDRESS_SIZE, "%s/memtun/control", runtime);
	if (length <= 0 || (size_t)length >= CONTROL_ADDRESS_SIZE)
		address[0] = '\0';
}

void control_place_login(char address[CONTROL_ADDRESS_SIZE])
{
	snprintf(address, CONTROL_ADDRESS_SIZE, "/run/user/%u/memtun/control", geteuid());
}

void control_place_temporary(char address[CONTROL_ADDRESS_SIZE])
{
	snprintf(address, CONTROL_ADDRESS_SIZE, "/tmp/memtun-%u/control", geteuid());
}

int control_place_check(const char *address, bool make, struct fault *fault)
{
	char directory[CONTROL_ADDRESS_SIZE];
	struct stat status;

	snprintf(directory, sizeof(directory), "%s", address);
	*strrchr(directory, '/') = '\0';
	if (user_is_unmapped(geteuid()))
		return fault_set(fault, EPERM,
				 "%s cannot be told from an unmapped user's directory in this user "
				 "namespace",
				 directory);
	if (make && mkdir(directory, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, errno, "cannot make %s: %s", directory, strerror(errno));
	if (lstat(directory, &status) < 0)
		return fault_set(fault, errno, "cannot look at %s: %s", directory, strerror(errno));
	if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077))
		return fault_set(fault, EPERM,
				 "%s is not a directory of this user alone (chmod 700)", directory);
	return 0;
}

int control_place_default(char address[CONTROL_ADDRESS_SIZE], struct fault *fault)
{
	const char *given = getenv("MEMTUN_SOCKET");

	if (given && given[0]) {
		if (strlen(given) >= CONTROL_ADDRESS_SIZE)
			return fault_set(
				fault, ENAMETOOLONG,
				"MEMTUN_SOCKET '%.40s...' has %zu bytes, and unix(7) allows "
				"%zu",
				given, strlen(given), CONTROL_ADDRESS_SIZE - 1);
		snprintf(address, CONTROL_ADDRESS_SIZE, "%s", given);
		return 0;
	}
	control_place_runtime(address);
	/* After su(1) the variable may name a directory of another user, or one that was
	 * removed. */
	if (address[0] && control_place_check(address, true, fault) == 0)
		return 0;
	control_place_temporary(address);
	return control_place_check(address, true, fault);
}

/* SPDX-License-Identifier: MIT */
#include "common/user.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* The value of /proc/sys/kernel/overflowuid unless it was changed. */
#define OVERFLOW_UID 65534

static uid_t overflow_uid(void)
{
	unsigned int uid = OVERFLOW_UID;
	FILE *file = fopen("/proc/sys/kernel/overflowuid", "re");

	if (!file || fscanf(file, "%u", &uid) != 1)
		uid = OVERFLOW_UID;
	if (file)
		fclose(file);
	return uid;
}

/* Return whether this process's user namespace maps every uid. What cannot be read counts as no. */
static bool map_is_full(void)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	uint64_t mapped = 0;
	uint32_t count;

	/* A kernel without user namespaces does not have the file. */
	if (!file)
		return errno == ENOENT && access("/proc/self/status", F_OK) == 0;
	/* The ranges of a map do not overlap, so their sizes add up. */
	while (fscanf(file, "%*u %*u %u", &count) == 1)
		mapped += count;
	fclose(file);
	/* (uid_t)-1 is no uid, so a full map has one less than 2^32. */
	return mapped >= UINT32_MAX;
}

bool user_is_unmapped(uid_t uid)
{
	/* A full map stays full, so it is read once: later there may be no descriptor for it. */
	static bool every_user_is_mapped;

	if (uid != overflow_uid())
		return false;
	if (!every_user_is_mapped)
		every_user_is_mapped = map_is_full();
	return !every_user_is_mapped;
}

bool user_is_root_of_namespace(void)
{
	return geteuid() == 0 && !map_is_full();
}

bool user_is(uid_t reported, uid_t user)
{
	return reported == user && !user_is_unmapped(reported);
}

/* SPDX-License-Identifier: MIT */
#include "client/command/user_names.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

const char *user_name(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;

	if (!file)
		return NULL;
	do {
		user = fgetpwent(file);
	} while (user && user->pw_uid != uid);
	fclose(file);
	return user ? user->pw_name : NULL;
}

int user_group_find(const char *name, gid_t *gid)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *group;

	if (!file)
		return -1;
	do {
		group = fgetgrent(file);
	} while (group && strcmp(group->gr_name, name) != 0);
	if (group)
		*gid = group->gr_gid;
	fclose(file);
	return group ? 0 : -1;
}

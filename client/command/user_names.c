/* SPDX-License-Identifier: MIT */
#include "client/command/user_names.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>

const char *user_name(uid_t uid)
{
	static const struct passwd *user; /* the last one: most tunnels have one owner */

	if (!user || user->pw_uid != uid)
		user = getpwuid(uid);
	return user ? user->pw_name : NULL;
}

int user_group_find(const char *name, gid_t *gid)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return -1;
	*gid = group->gr_gid;
	return 0;
}

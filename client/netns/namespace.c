/* SPDX-License-Identifier: MIT */
#include "client/netns/namespace.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/descriptor.h"

/* Bytes of the text of an id map with one id, or of a range of two ids. */
#define LINE_SIZE 48

/* Write the text into the file in one call, as the kernel wants it. -1 with errno. */
static int file_write(const char *path, const char *text)
{
	descriptor_owned fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* ------------------------------------------------------------------------------ users */

static int id_map_write(const char *path, unsigned int inside, unsigned int outside)
{
	char line[LINE_SIZE];

	snprintf(line, sizeof(line), "%u %u 1\n", inside, outside);
	return file_write(path, line);
}

/* Map the ids, which are those from before unshare(2). */
static int users_map(const struct namespaces *namespaces, uid_t uid, gid_t gid,
		     struct obstacle *obstacle)
{
	if (id_map_write("/proc/self/uid_map", namespaces->maps_root ? 0 : uid, uid) < 0)
		return obstacle_set_namespace(obstacle, "write /proc/self/uid_map", false);
	/* A kernel before 3.19 has no such file. */
	if (file_write("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return obstacle_set_namespace(obstacle, "write /proc/self/setgroups", false);
	if (id_map_write("/proc/self/gid_map", namespaces->maps_root ? 0 : gid, gid) < 0)
		return obstacle_set_namespace(obstacle, "write /proc/self/gid_map", false);
	return 0;
}

/* ------------------------------------------------------------------------------ entering */

static int mounts_enter(struct obstacle *obstacle)
{
	if (unshare(CLONE_NEWNS) < 0)
		return obstacle_set_namespace(obstacle, "make a mount namespace", false);
	return 0;
}

int namespaces_enter(struct namespaces *namespaces, struct obstacle *obstacle)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	obstacle_note_limits(obstacle);
	namespaces->has_users = unshare(CLONE_NEWUSER) == 0;
	if (!namespaces->has_users) {
		obstacle_set_namespace(obstacle, "make a user namespace", true);
		/* Root needs no user namespace. Without one, another user cannot become root. */
		if ((namespaces->maps_root && uid != 0) || unshare(CLONE_NEWNET) < 0)
			return -1;
	} else if (unshare(CLONE_NEWNET) < 0) {
		return obstacle_set_namespace(obstacle, "make a network namespace", false);
	}
	if (namespaces->has_mounts && mounts_enter(obstacle) < 0)
		return -1;
	return namespaces->has_users ? users_map(namespaces, uid, gid, obstacle) : 0;
}

/* ------------------------------------------------------------------------------ rights */

int namespaces_grant(const struct namespaces *namespaces, struct obstacle *obstacle)
{
	const capng_type_t sets = (capng_type_t)(CAPNG_INHERITABLE | CAPNG_AMBIENT);
	char line[LINE_SIZE];

	/* Let a ping(8) without capabilities open ICMP sockets. An error is ignored, because
	 * /proc/sys is read-only in some containers, and ping(8) usually has NET_RAW. */
	snprintf(line, sizeof(line), "%u %u\n", getegid(), getegid());
	file_write("/proc/sys/net/ipv4/ping_group_range", line);
	if (!namespaces->has_users)
		return 0;
	if (capng_get_caps_process() < 0 ||
	    capng_updatev(CAPNG_ADD, sets, CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, -1) <
		    0 ||
	    capng_apply((capng_select_t)(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT)) < 0)
		return obstacle_set(obstacle, "cannot pass on the capabilities of the network");
	return 0;
}

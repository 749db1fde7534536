/* SPDX-License-Identifier: MIT */
#include "client/netns/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/descriptor.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* A tmpfs with the new file is mounted here until the file is bound. Only this mount namespace
 * sees it. */
#define MOUNT_POINT "/tmp"
#define FILE_MADE MOUNT_POINT "/resolv.conf"

static int file_make(const char *text)
{
	descriptor_owned fd = open(FILE_MADE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Make the file, and bind it. The bind mount keeps the file when the tmpfs is unmounted. */
static int file_bind(const char *text, struct obstacle *obstacle)
{
	if (file_make(text) < 0)
		return obstacle_set(obstacle, "cannot write a resolv.conf");
	if (mount(FILE_MADE, RESOLV_CONF, NULL, MS_BIND, NULL) < 0)
		return obstacle_set(obstacle, "cannot bind a file over " RESOLV_CONF);
	return 0;
}

int resolver_bind(const char *text, struct obstacle *obstacle)
{
	int result;

	/* Mounts of this namespace stay in it, and later mounts of the system appear in it, too. */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return obstacle_set(obstacle, "cannot keep mounts in the namespace");
	if (mount("resolver", MOUNT_POINT, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=700") < 0)
		return obstacle_set(obstacle, "cannot mount a tmpfs on " MOUNT_POINT);
	result = file_bind(text, obstacle);
	if (umount2(MOUNT_POINT, MNT_DETACH) < 0 && result == 0)
		return obstacle_set(obstacle, "cannot unmount the tmpfs on " MOUNT_POINT);
	return result;
}

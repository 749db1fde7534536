/* SPDX-License-Identifier: MIT */
#include "client/netns/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/descriptor.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* The file system of the new file is mounted here for a moment; nobody else sees it. */
#define WORKSHOP "/tmp"
#define FILE_MADE WORKSHOP "/resolv.conf"

static int file_make(const char *text)
{
	descriptor_owned fd = open(FILE_MADE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Make the file in the workshop, and bind it. The bind keeps it when the workshop is unmounted. */
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

	/* What is mounted here stays here; what the system mounts later appears here, too. */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return obstacle_set(obstacle, "cannot keep mounts in the namespace");
	if (mount("resolver", WORKSHOP, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=700") < 0)
		return obstacle_set(obstacle, "cannot mount a tmpfs on " WORKSHOP);
	result = file_bind(text, obstacle);
	if (umount2(WORKSHOP, MNT_DETACH) < 0 && result == 0)
		return obstacle_set(obstacle, "cannot unmount the tmpfs on " WORKSHOP);
	return result;
}

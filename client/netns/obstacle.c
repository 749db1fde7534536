/* SPDX-License-Identifier: MIT */
#include "client/netns/obstacle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"

/* What may serve where a namespace or the device cannot be had. */
#define ALTERNATIVE "memtun wrap needs no namespace and no device"

/* The reason of an error where none can be found out. */
#define UNKNOWN_REASON "a security module or a container's rules forbid it"

/* ------------------------------------------------------------------------------ the text */

int obstacle_set(struct obstacle *obstacle, const char *format, ...)
{
	int error = errno;
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	vsnprintf(obstacle->text, sizeof(obstacle->text), format, arguments);
	va_end(arguments);
	used = strlen(obstacle->text);
	snprintf(obstacle->text + used, sizeof(obstacle->text) - used, ": %s", strerror(error));
	errno = error;
	return -1;
}

/* Write "cannot TRIED: ERROR (ADVICE; ALTERNATIVE)", without the parentheses if there is no advice.
 * Return -1 with the error as errno. */
static int obstacle_explain(struct obstacle *obstacle, const char *tried, int error,
			    const char *advice)
{
	size_t used;

	errno = error;
	obstacle_set(obstacle, "cannot %s", tried);
	used = strlen(obstacle->text);
	if (advice[0])
		snprintf(obstacle->text + used, sizeof(obstacle->text) - used,
			 " (%s; " ALTERNATIVE ")", advice);
	return -1;
}

/* ------------------------------------------------------------------------------ asking /proc */

/* Return the number in the file, or -1 if it has none. */
static long number_read(const char *path)
{
	descriptor_owned fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[24], *end;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long number;

	if (length <= 0)
		return -1;
	text[length] = '\0';
	number = strtol(text, &end, 10);
	return end == text ? -1 : number;
}

/* Return whether a seccomp filter is on this process. */
static bool is_filtered(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	bool is_filtered = false;

	while (status && fgets(line, sizeof(line), status))
		is_filtered |= strncmp(line, "Seccomp:\t2", strlen("Seccomp:\t2")) == 0;
	if (status)
		fclose(status);
	return is_filtered;
}

void obstacle_note_limits(struct obstacle *obstacle)
{
	static const char *const limits[] = {"user.max_user_namespaces", "user.max_net_namespaces",
					     "user.max_mnt_namespaces"};

	obstacle->zero_limit = NULL;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]) && !obstacle->zero_limit; i++) {
		char path[64] = "/proc/sys/user/";

		strlcat(path, limits[i] + strlen("user."), sizeof(path));
		if (number_read(path) == 0)
			obstacle->zero_limit = limits[i];
	}
}

/* ------------------------------------------------------------------------------ namespaces */

/* Write why a namespace is refused with ENOSPC: a limit of user_namespaces(7). */
static void advise_limit(const char *limit, char text[], size_t size)
{
	if (limit)
		snprintf(text, size, "%s is 0; as root, run: sysctl -w %s=10000", limit, limit);
	else
		strlcpy(text,
			"a limit of the sysctls user.max_*_namespaces is reached, or namespaces "
			"are nested more than 32 deep",
			size);
}

/* Write why a namespace is refused with EPERM or EACCES. */
static void advise_permission(bool is_first, char text[], size_t size)
{
	if (is_first && number_read("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		strlcpy(text,
			"kernel.unprivileged_userns_clone is 0; as root, run: sysctl -w "
			"kernel.unprivileged_userns_clone=1",
			size);
	else if (number_read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0)
		strlcpy(text,
			"AppArmor restricts user namespaces here; as root, load memtun's AppArmor "
			"profile (see memtun(1)), or run: sysctl -w "
			"kernel.apparmor_restrict_unprivileged_userns=0",
			size);
	else if (is_filtered())
		strlcpy(text,
			"a seccomp filter forbids it, as the default one of a container does; "
			"start the container with another one, such as docker run --security-opt "
			"seccomp=unconfined",
			size);
	else if (is_first)
		strlcpy(text,
			UNKNOWN_REASON ", or this process is in a chroot(2), or its user is not "
				       "mapped in the present user namespace",
			size);
	else
		strlcpy(text, UNKNOWN_REASON, size);
}

int obstacle_set_namespace(struct obstacle *obstacle, const char *tried, bool is_first)
{
	char advice[OBSTACLE_SIZE / 2] = "";
	int error = errno;

	switch (error) {
	case ENOSPC:
	case EUSERS: /* before Linux 4.9 */
		advise_limit(obstacle->zero_limit, advice, sizeof(advice));
		break;
	case EPERM:
	case EACCES:
		advise_permission(is_first, advice, sizeof(advice));
		break;
	case ENOSYS:
	case EINVAL:
		strlcpy(advice,
			is_filtered() ? "a seccomp filter forbids it"
				      : "this kernel is built without these namespaces",
			sizeof(advice));
		break;
	default:
		break;
	}
	return obstacle_explain(obstacle, tried, error, advice);
}

/* ------------------------------------------------------------------------------ the device */

int obstacle_set_device(struct obstacle *obstacle, const char *device)
{
	struct stat status;
	const char *advice = "";
	char tried[64];
	int error = errno;

	snprintf(tried, sizeof(tried), "open %s", device);
	if (error == ENOENT || error == ENOTDIR)
		advice = "it is missing; a container gets it by --device /dev/net/tun";
	else if (error == ENODEV || error == ENXIO)
		advice = "the kernel has no tun driver; as root, run: modprobe tun";
	else if (error == EACCES && stat(device, &status) == 0 && !(status.st_mode & S_IWOTH))
		advice = "it is not open to all users; as root, run: chmod 666 /dev/net/tun";
	else if (error == EPERM || error == EACCES)
		advice = "the container may not use it; start it with --device /dev/net/tun";
	return obstacle_explain(obstacle, tried, error, advice);
}

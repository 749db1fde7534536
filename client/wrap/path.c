/* SPDX-License-Identifier: MIT */
#include "client/wrap/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/wrap/call.h"
#include "client/wrap/memory.h"
#include "common/descriptor.h"
#include "common/failed.h"

static bool is_device(const char *path)
{
	return strcmp(path, "/dev/net/tun") == 0 || strcmp(path, "/dev/tun") == 0;
}

/* Read the link /proc/THREAD/NAME, with its NUL. Return its length, or -1. */
static ssize_t link_read(pid_t thread, const char *name, char *target, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, name);
	length = readlink(path, target, size - 1);
	if (length >= 0)
		target[length] = '\0';
	return length;
}

/* Remove "//", "/." and "/name/.." from an absolute path. */
static void normalise(char *path)
{
	char *out = path;
	const char *in = path;

	while (*in) {
		size_t length;

		while (*in == '/')
			in++;
		length = strcspn(in, "/");
		if (length == 2 && in[0] == '.' && in[1] == '.') {
			while (out > path && *--out != '/')
				;
		} else if (length && !(length == 1 && in[0] == '.')) {
			*out++ = '/';
			memmove(out, in, length);
			out += length;
		}
		in += length;
	}
	*out = '\0';
}

/*
 * Write the directory to which the path is relative, as the program sees it. False: the program has
 * no such directory.
 */
static bool directory_read(const struct call *call, char *directory, size_t size)
{
	char name[32] = "cwd";
	char root[PATH_MAX];
	ssize_t length;

	if (call->directory != AT_FDCWD)
		snprintf(name, sizeof(name), "fd/%d", call->directory);
	if (link_read(call->thread, name, directory, size) < 0 || directory[0] != '/')
		return false;
	length = link_read(call->thread, "root", root, sizeof(root));
	if (length > 1 && strncmp(directory, root, (size_t)length) == 0)
		memmove(directory, directory + length, strlen(directory + length) + 1);
	return true;
}

/* Let the kernel resolve the symbolic links in the path's directory, below the program's root. */
static bool resolved_is_device(const struct call *call, char *path, size_t size)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char *slash = strrchr(path, '/');
	char name[64], root[PATH_MAX];
	ssize_t root_length, length;

	snprintf(name, sizeof(name), "/proc/%d/root", (int)call->thread);
	descriptor_owned root_fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return false;
	*slash = '\0';
	/* glibc 2.36 has no wrapper for it. */
	descriptor_owned directory_fd =
		(int)syscall(SYS_openat2, root_fd, path[0] ? path : "/", &how, sizeof(how));

	if (directory_fd < 0)
		return false;
	root_length = link_read(call->thread, "root", root, sizeof(root));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", directory_fd);
	length = readlink(name, path, size - sizeof("/tun"));
	if (length < 0)
		return false;
	strcpy(path + length, "/tun");
	return is_device(path + (root_length > 1 && length > root_length ? root_length : 0));
}

/* Read the flags of openat2 from the program's memory. Return 0 if it is for the kernel alone. */
static int how_read(struct call *call)
{
	struct open_how how;

	if (call->how_size < sizeof(how))
		return 0;
	if (memory_copy(call, &how, call->how, sizeof(how), false) < 0)
		return -1;
	call->flags = how.flags;
	return !(how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED));
}

int path_is_device(struct call *call, char *path, size_t size)
{
	char full[2 * PATH_MAX];
	const char *base;
	ssize_t length;

	path[0] = '\0';
	if (call->how) {
		int result = how_read(call);

		if (result <= 0)
			return result;
	}
	if ((call->flags & (O_ACCMODE | O_CREAT | O_DIRECTORY | O_PATH)) != O_RDWR)
		return 0;
	length = memory_read_string(call, call->path, path, size);
	if (length < 0)
		return errno == ENAMETOOLONG ? 0 : -1;
	/* Almost every path ends here. */
	base = strrchr(path, '/');
	if (strcmp(base ? base + 1 : path, "tun") != 0)
		return 0;
	/* Otherwise the path may be another process's. */
	if (!call->operations->is_waiting(call))
		return failed(ESRCH);
	full[0] = '\0';
	if (path[0] != '/' && !directory_read(call, full, PATH_MAX))
		return 0;
	snprintf(full + strlen(full), PATH_MAX, "/%s", path);
	normalise(full);
	return is_device(full) || resolved_is_device(call, full, sizeof(full));
}

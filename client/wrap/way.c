/* SPDX-License-Identifier: MIT */
#include "client/wrap/way.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/wrap/notification.h"
#include "client/wrap/preload_library.h"
#include "client/wrap/wrap.h"
#include "common/failed.h"

/* Say why filter_build(), filter_install() or notification_prepare() failed. */
static const char *notify_fault(int error)
{
	switch (error) {
	case EBUSY:
		return "a seccomp listener is installed already, and the kernel allows only one";
	case EOPNOTSUPP:
		return "this kernel, before Linux 5.14, or this build of memtun, without "
		       "libseccomp, "
		       "has no seccomp notifications";
	case EINVAL:
	case ENOSYS:
		return "this kernel has no seccomp notifications";
	case EACCES:
	case EPERM:
		return "a sandbox forbids seccomp notifications";
	default:
		return "the seccomp filter could not be installed";
	}
}

/* Fill in the names for the child, whether they will be needed or not. */
static void names_fill(struct way *way)
{
	uint64_t number = 0;

	if (preload_library_find(way->names.library) < 0)
		way->library_fault =
			errno == ENOENT ? PRELOAD_LIBRARY " is neither beside memtun nor installed"
					: "the path of " PRELOAD_LIBRARY " has a blank or a colon";
	/* The random number keeps names apart in network namespaces that share process numbers. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = 0;
	snprintf(way->names.socket, sizeof(way->names.socket), "@memtun-wrap-%d-%llx",
		 (int)getpid(), (unsigned long long)number);
}

static int start(struct way *way, const struct wrap_settings *settings, bool with_filter)
{
	if (launch_start(&way->launch, settings, with_filter, &way->names) == 0)
		return 0;
	way->reason = "the program's process could not be started";
	return -1;
}

/* Try notifications. Return whether the child waits with a listener that can be used. */
static bool notify_try(struct way *way, const struct wrap_settings *settings)
{
	if (start(way, settings, true) < 0)
		return false;
	if (way->launch.listener >= 0 &&
	    notification_prepare(way->launch.listener, &way->direct) == 0)
		return true;
	way->reason = notify_fault(way->launch.listener >= 0 ? errno : way->launch.error);
	/* A filter stays for ever: the library needs a child without one. */
	launch_cancel(&way->launch);
	return false;
}

int way_choose(struct way *way, const struct wrap_settings *settings)
{
	memset(way, 0, sizeof(*way));
	names_fill(way);
	if (settings->way == WRAP_PRELOAD)
		way->reason = "the library was asked for";
	way->preloads = settings->way == WRAP_PRELOAD || !notify_try(way, settings);
	if (way->preloads) {
		if (settings->way == WRAP_NOTIFY)
			return -1;
		if (way->library_fault) {
			way->reason = way->library_fault;
			return -1;
		}
		if (start(way, settings, false) < 0)
			return -1;
	}
	way->memory = memory_try(way->launch.child);
	if (way->memory != MEMORY_NONE)
		return 0;
	way->reason = "a sandbox forbids to read the memory of child processes";
	launch_cancel(&way->launch);
	return -1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Which way the program's calls take to the supervisor: by the kernel's notifications, or where
 * those are not to be had by the preloaded library.
 */
#ifndef MEMTUN_WAY_H
#define MEMTUN_WAY_H

#include <stdbool.h>

#include "client/wrap/launch.h"
#include "client/wrap/memory.h"

#define PRELOAD_LIBRARY "libmemtun-preload.so"

struct wrap_settings;

struct way {
	bool preloads;        /* the library, not notifications */
	const char *reason;   /* why there are no notifications, or nothing works; NULL: neither */
	struct launch launch; /* the child that waits for leave */
	struct preload_names names;
	const char *library_fault; /* why the library can't be used; NULL: it can */
	enum memory_way memory;
	bool direct; /* of notification_prepare() */
};

/* Start the child of launch.h in the way that the settings and this machine allow. -1: there is no
 * child, and way->reason says why. */
int way_choose(struct way *way, const struct wrap_settings *settings);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The start of the program: a child process that installs the filter, passes the listener to its
 * parent, and waits for leave to execute the command.
 */
#ifndef MEMTUN_LAUNCH_H
#define MEMTUN_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct wrap_settings;

struct launch {
	pid_t child;
	int channel;   /* owned */
	int listener;  /* owned; -1: none */
	int error;     /* the errno of filter_install() */
	bool killable; /* of filter_install() */
};

/* What the child needs if its calls come by the preloaded library. */
struct preload_names {
	char library[PATH_MAX]; /* a path */
	char socket[64];        /* an abstract name, with @ before it */
};

/*
 * Start the child. It installs a filter if `with_filter`; launch->listener and launch->error say
 * whether it has. -1 with errno: there is no child.
 */
int launch_start(struct launch *launch, const struct wrap_settings *settings, bool with_filter,
		 const struct preload_names *names);

/* Let the child execute the command, with the library if `preload`. */
void launch_go(struct launch *launch, bool preload);

/* End the child, which has executed nothing. */
void launch_cancel(struct launch *launch);

#endif

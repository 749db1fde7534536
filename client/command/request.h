/* SPDX-License-Identifier: MIT */
/*
 * The commands that add, change or delete a tunnel, a bridge or an uplink: each is one request with
 * the NAME and the `KEY VALUE` words of the command line.
 */
#ifndef MEMTUN_REQUEST_H
#define MEMTUN_REQUEST_H

#include <stdbool.h>

#include "memtun.h"

struct invocation;

struct request {
	enum memtun_command command;

	/* Change the options before they are sent. 0, or the exit status after a message. NULL:
	 * there is nothing to change. */
	int (*prepare)(struct memtun_options *options);

	/* Tell the user about an object that was made. NULL: there is nothing to tell. */
	void (*made)(const struct memtun_record *record, const char *asked_name);

	/* Return whether the object that was made is still starting. Then finish() is called in the
	 * place of made(), to wait for that. It returns -1 with memtun_error(). NULL: all objects
	 * are complete when they are made. */
	bool (*is_starting)(const struct memtun_record *record);
	int (*finish)(struct memtun *memtun, const char *name);

	/* Each word is a NAME of its own; there are no keys. */
	bool has_names;
};

/* Send the request of invocation->command and wait for its answer. Return the exit status. */
int request_run(const struct invocation *invocation);

/* Do the same with these options instead of those of the `KEY VALUE` words, and free them. */
int request_run_options(const struct invocation *invocation, struct memtun_options *options);

#endif

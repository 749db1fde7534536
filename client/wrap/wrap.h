/* SPDX-License-Identifier: MIT */
/*
 * memtun wrap: runs a program whose opens of /dev/net/tun become tunnels of a broker. This is no
 * security boundary: another thread of the program can change the memory that a call points to
 * after the supervisor has looked at it, and so have the kernel carry out another call.
 */
#ifndef MEMTUN_WRAP_H
#define MEMTUN_WRAP_H

#include <stdbool.h>

#include "client/wrap/tunnel_choice.h"
#include "common/process.h"

/*
 * Three processes take part:
 *
 *   front       the process that was started; passes on signals and the exit status (front.c)
 *   supervisor  its child; answers the calls of the program and of the program's descendants, and
 *               lives as long as any of them (supervisor.c)
 *   program     the supervisor's child, in the process group of the front (launch.c)
 */

/* How the program's calls reach the supervisor. */
enum wrap_way {
	WRAP_ANY, /* by notification, or else by the library */
	WRAP_NOTIFY,
	WRAP_PRELOAD,
};

struct wrap_settings {
	enum wrap_way way;
	bool trace;
	struct tunnel_choice choice;
	const char *socket; /* the broker's; NULL: the default */
	int timeout;        /* of the broker's answers, milliseconds */
	const struct process_signals *inherited;
	char **command; /* NULL at the end */
};

/* Run the command. Return the exit status of memtun wrap. */
int wrap_run(const struct wrap_settings *settings);

/* Print what this machine allows, and which way wrap_run() would take. Return an exit status. */
int wrap_explain(const struct wrap_settings *settings);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The exit statuses of memtun and of memtun-host, the program that `memtun host` becomes. memtun(1)
 * describes them.
 */
#ifndef MEMTUN_EXIT_STATUS_H
#define MEMTUN_EXIT_STATUS_H

enum {
	EXIT_REFUSED = 1, /* the broker refused the request, or something failed */
	EXIT_USAGE = 2,
	EXIT_NO_BROKER = 3,
	EXIT_ENDED = 4, /* the tunnel ended first */
	EXIT_LIMIT = 5,
	EXIT_TIMEOUT = 124, /* as timeout(1) */
	/* Of commands that run another program, as env(1). */
	EXIT_OURS = 125,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

#endif

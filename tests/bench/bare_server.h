/* SPDX-License-Identifier: MIT */
/*
 * The baseline of an open: a process that reads a record, makes a socketpair, answers with one end
 * and closes both. It keeps nothing, checks nothing, and blocks where it reads.
 */
#ifndef MEMTUN_BENCH_BARE_SERVER_H
#define MEMTUN_BENCH_BARE_SERVER_H

#include <sys/types.h>

struct bare_server {
	pid_t pid;
	int fd; /* the client's end of the connection */
};

void bare_server_start(struct bare_server *server);
void bare_server_end(struct bare_server *server);

/* Send a request, and receive the descriptor of the answer. */
void bare_server_ask(struct bare_server *server);
int bare_server_answer(struct bare_server *server);

#endif

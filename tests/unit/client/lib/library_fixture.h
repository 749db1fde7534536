/* SPDX-License-Identifier: MIT */
/*
 * A connection of the client library to another process: a broker, or a function that plays one. A
 * test has the connection, and the process is killed at its end.
 */
#ifndef MEMTUN_LIBRARY_FIXTURE_H
#define MEMTUN_LIBRARY_FIXTURE_H

#include "tests/unit/runner.h"

#include "common/control_socket.h"
#include "memtun.h"

/* A broker, or a function that plays one, in a process of its own. */
struct other {
	pid_t child;
	char address[64];
	struct memtun *memtun;
};

/* Start the child. It has the listening socket alone, and `play` never returns. */
void other_start(struct other *other, void (*play)(struct control_socket *socket));

/* Free the connection and kill the child. */
void other_end(struct other *other);

/* Be a broker, for ever. */
void play_broker(struct control_socket *socket);

/* Give the test a broker, as its state, to which it is connected. */
#define WITH_OTHER(test) cmocka_unit_test_setup_teardown(test, other_set_up, other_tear_down)
int other_set_up(void **state);
int other_tear_down(void **state);

/* The records that seen_note() has got: their number, and the names and events of the first. */
struct seen {
	unsigned int count;
	char name[20][MEMTUN_NAME_SIZE];
	char event[20][24];
	uint64_t mtu;
};

void seen_note(const struct memtun_record *record, void *context);

/* What reply_noted() has got. It is done after the end of the request with the number `last`. */
struct replies {
	unsigned int count;
	unsigned int ends;
	int order[400];
	int error;
	bool done;
	int last;
	int fds[20];
	unsigned int fd_count;
};

extern struct replies replies;

/* Note a reply in `replies`. The context is the number of the request. */
void reply_noted(struct memtun *memtun, const struct memtun_reply *reply, void *context);
#endif

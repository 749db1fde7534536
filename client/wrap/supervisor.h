/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: answers the calls of the program and of its descendants, one after the other, and
 * ends when the last of these processes has ended.
 */
#ifndef MEMTUN_SUPERVISOR_H
#define MEMTUN_SUPERVISOR_H

struct wrap_settings;

/* What the supervisor tells the front. */
enum supervisor_news {
	SUPERVISOR_STARTED, /* value: the program's process */
	SUPERVISOR_ENDED,   /* value: the program's status as waitpid(2) has it */
	SUPERVISOR_REFUSED, /* value: an exit status; the program was not started */
};

struct supervisor_message {
	int news;
	int value;
};

/*
 * Be the supervisor. front: a SEQPACKET socket to the front, whose end ends the program. Return the
 * exit status of this process.
 */
int supervisor_run(const struct wrap_settings *settings, int front);

#endif

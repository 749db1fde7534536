/* SPDX-License-Identifier: MIT */
/*
 * The signals that memtund takes, read with a signalfd, because their sender decides what becomes
 * of them. It owns the signalfd. The signals are blocked in memtund; a child that executes a program
 * restores what was inherited.
 */
#ifndef MEMTUN_SIGNALS_H
#define MEMTUN_SIGNALS_H

#include <ev.h>
#include <signal.h>
#include <stdbool.h>

struct signals;

/*
 * A function that is called for each signal. to_group: each process of memtund's process group
 * received the signal, as the kernel sends it for a key of a terminal.
 */
typedef void signals_function(struct signals *signals, int number, bool to_group);

struct signals {
	ev_io io;
	struct ev_loop *loop;
	signals_function *function;
	void *context;
};

/* Take the signals of the set from now on. -1 with an errno of signalfd(2). */
int signals_start(struct signals *signals, struct ev_loop *loop, const sigset_t *set,
		  signals_function *function, void *context);

/* Take no more signals. */
void signals_stop(struct signals *signals);

#endif

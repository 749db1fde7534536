/* SPDX-License-Identifier: MIT */
/*
 * What each of memtun's programs does first with the state that it was started in, and how it gives
 * that state to a program that it executes: closed standard descriptors are filled, and blocked
 * signals are unblocked.
 */
#ifndef MEMTUN_PROCESS_H
#define MEMTUN_PROCESS_H

#include <signal.h>

/*
 * Where standard descriptors were closed, a socket would take their number and the program's output
 * would be written into it. Signals are unblocked because the programs wait for them.
 */

/* The signals that were blocked and ignored when the process started. */
struct process_signals {
	sigset_t blocked;
	sigset_t ignored;
};

/*
 * Fill the standard descriptors and unblock all signals. Store what was blocked and ignored before.
 * -1 with an errno of open(2).
 */
int process_begin(struct process_signals *inherited);

/*
 * Open /dev/null on each of the descriptors 0, 1 and 2 that is closed. Reading 0 and writing to 1
 * go on failing, so that neither input nor output is lost in silence; what is written to 2 is
 * discarded. The new descriptors are close-on-exec, so an executed program finds them closed. -1
 * with an errno of open(2).
 */
int process_fill_descriptors(void);

/* Set the signals as they were when the process started, for a program to be executed. */
void process_restore_signals(const struct process_signals *inherited);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Writes what a command prints. Standard output may be non-blocking, because another program that
 * shares it (a shell, ssh, node) has set that mode. This file waits until the descriptor takes
 * more, where stdio drops what is in its buffer, so all output of memtun goes through it.
 */
#ifndef MEMTUN_OUTPUT_H
#define MEMTUN_OUTPUT_H

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/uio.h>

/* Standard output, as a stream. Nothing else in memtun writes to stdout. */
extern FILE *output;

/* Open the stream. -1 with ENOMEM. */
int output_open(void);

/*
 * Write all bytes of the parts to the descriptor, and wait while it takes none. The parts are
 * changed. -1 with the errno of writev(2).
 */
int output_write(int fd, struct iovec *parts, int count);

/*
 * Flush the stream. Return 0 if everything that was printed has been written; otherwise -1 with the
 * errno of the first write that failed. main() prints the message.
 */
int output_flush(void);

/*
 * Return the entry for poll(2) that reports the end of the reader of standard output. A pipe or a
 * socket reports it at once, but a file never does.
 */
struct pollfd output_watch(void);

/* Return whether poll(2) has reported in that entry that the reader of standard output has ended. */
bool output_has_no_reader(const struct pollfd *watched);

/*
 * Do what a write to a pipe without a reader does: end the process by SIGPIPE, or, if that signal is
 * ignored, let output_flush() fail with EPIPE.
 */
void output_break(void);

#endif

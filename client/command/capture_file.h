/* SPDX-License-Identifier: MIT */
/*
 * The output of memtun capture: a pcapng file with an interface for each port, or lines on standard
 * output. Each function prints an error itself and returns the exit status.
 */
#ifndef MEMTUN_CAPTURE_FILE_H
#define MEMTUN_CAPTURE_FILE_H

#include <poll.h>
#include <stdint.h>

#include "memtun.h"

struct capture_interface {
	uint32_t port; /* its id */
	enum memtun_mode mode;
	char name[MEMTUN_NAME_SIZE];
	uint64_t captured;
};

struct capture_file {
	const char *path; /* NULL: lines */
	int fd;           /* owned */
	uint64_t frames;
	uint64_t missed; /* frames missed by the capture, as far as the file says so */
	struct capture_interface *interfaces;
	uint32_t interface_count;
};

/*
 * Begin the file, whose path and fd are set. If fd is -1, open the path, of which "-" is standard
 * output. A path of NULL means lines on standard output.
 */
int capture_file_open(struct capture_file *file);

/* Add an interface for the frames of that mode of a port. */
int capture_file_add(struct capture_file *file, uint32_t port, enum memtun_mode mode,
		     const char *name);

/*
 * Return the interface for the frames of that mode of the port. It is valid until the next one is
 * added. NULL: there is none yet.
 */
struct capture_interface *capture_file_find(const struct capture_file *file, uint32_t port,
					    enum memtun_mode mode);

/* Write one frame. The details say how many frames the capture has missed so far. */
int capture_file_write(struct capture_file *file, struct capture_interface *interface,
		       const struct memtun_capture_details *details, const void *data,
		       uint32_t length);

/* Write the totals: how many frames were captured, and how many were missed. */
int capture_file_end(struct capture_file *file, uint64_t missed);

/* Print the totals on standard error. */
void capture_file_tell(const struct capture_file *file, uint64_t missed);

/*
 * Return the entry for poll(2) that reports the end of the file's reader, as output_watch() does, if
 * the file is a FIFO or standard output.
 */
struct pollfd capture_file_watch(const struct capture_file *file);

void capture_file_close(struct capture_file *file);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What memtun capture makes of frames: pcapng with an interface for each port, or lines on
 * standard output. Each function says itself what failed, and returns what to exit with.
 */
#ifndef MEMTUN_CAPTURE_FILE_H
#define MEMTUN_CAPTURE_FILE_H

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
	int fd;
	uint64_t frames;
	uint64_t missed; /* of those that the capture has missed, what is in the file */
	struct capture_interface *interfaces;
	uint32_t interface_count;
};

/* path: "-" is standard output, NULL means lines there. */
int capture_file_open(struct capture_file *file, const char *path);

int capture_file_add(struct capture_file *file, uint32_t port, enum memtun_mode mode,
		     const char *name);

/*
 * The interface of that port for frames of that mode, good until the next one is added; NULL: it
 * has none yet.
 */
struct capture_interface *capture_file_find(const struct capture_file *file, uint32_t port,
					    enum memtun_mode mode);

int capture_file_write(struct capture_file *file, struct capture_interface *interface,
		       const struct memtun_capture_header *header, const void *data,
		       uint32_t length);

/* Writes what was captured in all, and how many frames the capture has missed. */
int capture_file_end(struct capture_file *file, uint64_t missed);

void capture_file_close(struct capture_file *file);

#endif

/* SPDX-License-Identifier: MIT */
#include "client/command/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/fault_text.h"
#include "client/command/output.h"
#include "client/command/pcapng.h"
#include "common/descriptor.h"
#include "common/frame/frame_describe.h"

static bool is_standard_output(const struct capture_file *file)
{
	return !file->path || strcmp(file->path, "-") == 0;
}

static int file_fail(const struct capture_file *file)
{
	return command_fail(EXIT_REFUSED, "cannot write %s: %s",
			    is_standard_output(file) ? "standard output" : file->path,
			    strerror(errno));
}

int capture_file_open(struct capture_file *file)
{
	if (!file->path)
		return 0;
	if (file->fd < 0 && strcmp(file->path, "-") == 0)
		file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else if (file->fd < 0)
		file->fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return file->fd < 0 || pcapng_write_section(file->fd) < 0 ? file_fail(file) : 0;
}

struct pollfd capture_file_watch(const struct capture_file *file)
{
	return is_standard_output(file) ? output_watch() : (struct pollfd){.fd = file->fd};
}

void capture_file_close(struct capture_file *file)
{
	descriptor_close(&file->fd);
	free(file->interfaces);
}

/* ------------------------------------------------------------------------------ interfaces */

int capture_file_add(struct capture_file *file, uint32_t port, enum memtun_mode mode,
		     const char *name)
{
	struct capture_interface *more =
		reallocarray(file->interfaces, file->interface_count + 1, sizeof(*more));

	if (!more)
		return command_fail(EXIT_REFUSED, "out of memory");
	file->interfaces = more;
	more += file->interface_count++;
	*more = (struct capture_interface){.port = port, .mode = mode};
	strlcpy(more->name, name, sizeof(more->name));
	return file->path && pcapng_write_interface(file->fd, name, mode) < 0 ? file_fail(file) : 0;
}

struct capture_interface *capture_file_find(const struct capture_file *file, uint32_t port,
					    enum memtun_mode mode)
{
	for (uint32_t i = 0; i < file->interface_count; i++) {
		if (file->interfaces[i].port == port && file->interfaces[i].mode == mode)
			return &file->interfaces[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------------------ frames */

static void print_frame(const struct capture_interface *interface,
			const struct memtun_capture_header *header, const void *data,
			uint32_t length, const char *comment)
{
	time_t seconds = (time_t)(header->time / 1000000000);
	char line[FRAME_DESCRIPTION_SIZE];
	char clock[16] = "";
	struct tm parts;

	if (localtime_r(&seconds, &parts))
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	frame_describe(line, sizeof(line), interface->mode, data, length);
	fprintf(output, "%s.%09" PRIu64 " %s %s %s%s%s%s\n", clock, header->time % 1000000000,
		interface->name,
		header->direction == MEMTUN_FROM_CLIENT ? "from-client" : "to-client", line,
		comment ? " (" : "", comment ? comment : "", comment ? ")" : "");
}

int capture_file_write(struct capture_file *file, struct capture_interface *interface,
		       const struct memtun_capture_details *details, const void *data,
		       uint32_t length)
{
	const struct memtun_capture_header *header = &details->header;
	char comment[FAULT_TEXT_SIZE];
	struct pcapng_frame frame = {
		.interface = (uint32_t)(interface - file->interfaces),
		.time = header->time,
		.direction =
			header->direction == MEMTUN_FROM_CLIENT ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
		.missed = header->missed - file->missed,
		.id = details->frame,
		.comment = fault_text(comment, details) ? comment : NULL,
		.data = data,
		.length = length,
	};

	if (!file->path)
		print_frame(interface, header, data, length, frame.comment);
	else if (pcapng_write_frame(file->fd, &frame) < 0)
		return file_fail(file);
	if (!file->path && output_flush() < 0)
		return EXIT_REFUSED;
	file->missed = header->missed;
	file->frames++;
	interface->captured++;
	return 0;
}

static uint64_t clock_real(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * The broker counts missed frames for the whole capture, not for each port, so the statistics of
 * the first interface have the number.
 */
int capture_file_end(struct capture_file *file, uint64_t missed)
{
	for (uint32_t i = 0; file->path && i < file->interface_count; i++) {
		if (pcapng_write_statistics(file->fd, i, clock_real(), file->interfaces[i].captured,
					    i == 0 ? missed : 0) < 0)
			return file_fail(file);
	}
	return 0;
}

void capture_file_tell(const struct capture_file *file, uint64_t missed)
{
	command_note("%" PRIu64 " frame%s captured, %" PRIu64 " missed", file->frames,
		     file->frames == 1 ? "" : "s", missed);
}

/* SPDX-License-Identifier: MIT */
/*
 * memtun capture: the frames of a port, or of all ports of a bridge, until they are gone, or as
 * many as were asked for are there, or a signal says that it is enough.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/command/capture_file.h"
#include "client/command/command.h"
#include "common/descriptor.h"
#include "common/frame/frame_format.h"
#include "memtun.h"
#include "client/command/stop.h"

/* The longest frame that the broker takes, 68 KiB, and its header. */
#define RECORD_MAX (sizeof(struct memtun_capture_header) + FRAME_MAX)

struct capture {
	struct memtun *memtun;
	const char *name;
	bool is_bridge;
	const char *path; /* NULL: lines */
	char *filter;     /* NULL: all */
	struct bpf_program program;
	enum memtun_mode mode; /* that the program is for */
	uint64_t max;          /* frames, 0: no limit */
	uint64_t missed;       /* as the broker last said */
	struct capture_file file;
	int fd;       /* frames come from there */
	int ready_fd; /* -1: nobody waits */
};

/* ------------------------------------------------------------------------------ the filter */

static int filter_compile(struct capture *capture, enum memtun_mode mode)
{
	pcap_t *dead;
	int status = 0;

	capture->mode = mode;
	if (!capture->filter)
		return 0;
	pcap_freecode(&capture->program);
	dead = pcap_open_dead(mode == MEMTUN_TAP ? DLT_EN10MB : DLT_RAW, 65535);
	if (!dead)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (pcap_compile(dead, &capture->program, capture->filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		status = command_fail(EXIT_USAGE, "filter '%s': %s", capture->filter,
				      pcap_geterr(dead));
	pcap_close(dead);
	return status;
}

/* ------------------------------------------------------------------------------ interfaces */

struct naming {
	struct capture *capture;
	uint32_t port;         /* 0: all those of the capture */
	enum memtun_mode mode; /* of its frames, 0: of those of its kind */
	int status;
};

static void naming_record(const struct memtun_record *record, void *context)
{
	struct naming *naming = context;
	const struct capture *capture = naming->capture;
	const char *name = memtun_record_string(record, "name");
	const char *where = capture->is_bridge ? memtun_record_string(record, "bridge") : name;
	uint64_t id = 0, mode = 0;

	memtun_record_number(record, "id", &id);
	memtun_record_number(record, "mode", &mode);
	if (!name)
		return;
	if (naming->port ? naming->port == id : where && strcmp(where, capture->name) == 0)
		naming->status |= capture_file_add(
			&naming->capture->file, (uint32_t)id,
			naming->mode ? naming->mode : (enum memtun_mode)mode, name);
}

static int name_interfaces(struct capture *capture, uint32_t port, enum memtun_mode mode)
{
	struct naming naming = {.capture = capture, .port = port, .mode = mode};
	struct memtun *memtun = capture->memtun;

	if (memtun_show(memtun, NULL, false, naming_record, &naming) < 0 ||
	    memtun_uplink_show(memtun, NULL, false, naming_record, &naming) < 0)
		return command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	return naming.status;
}

/*
 * The interface of the frame's port; that of a new one is made. NULL: *status says why. A bridge of
 * TUNs becomes one of Ethernet when a TAP joins it, and then its ports have frames of both.
 */
static struct capture_interface *
interface_of(struct capture *capture, const struct memtun_capture_header *header, int *status)
{
	enum memtun_mode mode = (enum memtun_mode)header->mode;
	struct capture_interface *interface = capture_file_find(&capture->file, header->port, mode);
	char name[MEMTUN_NAME_SIZE];

	if (!interface) {
		*status = name_interfaces(capture, header->port, mode);
		interface = capture_file_find(&capture->file, header->port, mode);
	}
	if (!interface && *status == 0) {
		/* It has gone by now. */
		snprintf(name, sizeof(name), "port-%u", header->port);
		*status = capture_file_add(&capture->file, header->port, mode, name);
		interface = capture_file_find(&capture->file, header->port, mode);
	}
	return *status == 0 ? interface : NULL;
}

/* ------------------------------------------------------------------------------ frames */

static int capture_frame(struct capture *capture, const struct memtun_capture_header *header,
			 const void *data, uint32_t length)
{
	int status = 0;
	struct capture_interface *interface = interface_of(capture, header, &status);

	capture->missed = header->missed;
	/* A bridge that had no ports may have got some of the other mode. */
	if (interface && interface->mode != capture->mode)
		status = filter_compile(capture, interface->mode);
	if (status != 0 ||
	    (capture->filter && bpf_filter(capture->program.bf_insns, data, length, length) == 0))
		return status;
	return capture_file_write(&capture->file, interface, header, data, length);
}

/* Was it captured only after the signal? */
static bool comes_too_late(const struct memtun_capture_header *header)
{
	struct timespec at = stop_time();

	return stop_requested() &&
	       header->time > (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

/* What was captured is gone: that is its end, but not if the broker has gone. */
static int capture_check_broker(struct capture *capture)
{
	if (memtun_bridge_show(capture->memtun, NULL, NULL, NULL) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "%s", memtun_error(capture->memtun));
}

static int capture_run(struct capture *capture)
{
	_Alignas(8) static unsigned char record[RECORD_MAX];
	const struct memtun_capture_header *header = (const void *)record;
	struct pollfd poll_fd = {.fd = capture->fd, .events = POLLIN};
	bool is_gone = false;
	int status = 0;

	while (status == 0 && !is_gone && (!capture->max || capture->file.frames < capture->max)) {
		ssize_t length = recv(capture->fd, record, sizeof(record), MSG_DONTWAIT);

		if (length >= (ssize_t)sizeof(*header) && !comes_too_late(header))
			status = capture_frame(capture, header, record + sizeof(*header),
					       (uint32_t)(length - (ssize_t)sizeof(*header)));
		else if (stop_requested())
			break;
		else if (length >= 0 || errno != EAGAIN)
			is_gone = true;
		else
			stop_poll(&poll_fd, 1, -1);
	}
	if (status == 0)
		status = capture_file_end(&capture->file, capture->missed);
	return status == 0 && is_gone ? capture_check_broker(capture) : status;
}

/* ------------------------------------------------------------------------------ the command */

/* The words with blanks between them. */
static char *words_join(int count, char **words)
{
	size_t size = 1;
	char *text;

	for (int i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = calloc(1, size);
	for (int i = 0; text && i < count; i++) {
		if (i > 0)
			strlcat(text, " ", size);
		strlcat(text, words[i], size);
	}
	return text;
}

static int capture_parse(struct capture *capture, int count, char **words)
{
	int i;

	for (i = 0; i < count; i++) {
		const char *value = i + 1 < count ? words[i + 1] : NULL;

		if (strcmp(words[i], "-w") == 0 && value) {
			capture->path = value;
			i++;
		} else if (strcmp(words[i], "-c") == 0 && value) {
			if (command_number("-c", value, 1, UINT64_MAX / 2, &capture->max))
				return EXIT_USAGE;
			i++;
		} else if (strcmp(words[i], "--ready-fd") == 0 && value) {
			if (command_ready_fd(value, &capture->ready_fd))
				return EXIT_USAGE;
			i++;
		} else if (words[i][0] == '-') {
			return command_fail(
				EXIT_USAGE,
				"capture takes -w FILE, -c COUNT and --ready-fd FD, not '%s'",
				words[i]);
		} else if (!capture->name) {
			capture->name = words[i];
		} else {
			break; /* the filter: all the words that follow */
		}
	}
	if (!capture->name)
		return command_fail(EXIT_USAGE,
				    "capture needs the NAME of a tunnel, an uplink or a bridge");
	if (i == count)
		return 0;
	capture->filter = words_join(count - i, words + i);
	return capture->filter ? 0 : command_fail(EXIT_REFUSED, "out of memory");
}

static void bridge_mode(const struct memtun_record *record, void *context)
{
	struct capture *capture = context;
	uint64_t mode;

	capture->is_bridge = true;
	/* A bridge without ports has none yet; Ethernet is what most have. */
	if (memtun_record_number(record, "mode", &mode) == 0)
		capture->mode = (enum memtun_mode)mode;
}

/* Finds what is to be captured: a tunnel or uplink of that name, else a bridge. */
static int capture_find(struct capture *capture)
{
	struct memtun *memtun = capture->memtun;

	capture->mode = MEMTUN_TAP;
	if (command_find_mode(memtun, capture->name, &capture->mode) < 0 &&
	    memtun_bridge_show(memtun, capture->name, bridge_mode, capture) < 0)
		return command_fail(EXIT_REFUSED,
				    errno == ENOENT ? "there is no tunnel, uplink or bridge '%s'"
						    : "%s",
				    errno == ENOENT ? capture->name : memtun_error(memtun));
	return 0;
}

static int capture_open(struct capture *capture)
{
	capture->fd = memtun_capture(capture->memtun, capture->name, capture->is_bridge, 0, false);
	if (capture->fd >= 0)
		return 0;
	return command_fail(EXIT_REFUSED, "%s", memtun_error(capture->memtun));
}

int command_capture(const struct invocation *invocation, int count, char **words)
{
	struct capture capture = {.fd = -1, .file.fd = -1, .ready_fd = -1};
	int status = capture_parse(&capture, count, words);

	if (status == 0)
		capture.memtun = command_connect(invocation, &status);
	if (capture.memtun) {
		status = capture_find(&capture);
		if (status == 0)
			status = filter_compile(&capture, capture.mode);
		if (status == 0)
			status = capture_open(&capture);
		/* From here on: who sees the file begin knows that frames are captured. */
		if (status == 0) {
			stop_prepare(true);
			status = capture_file_open(&capture.file, capture.path);
		}
		if (status == 0)
			status = name_interfaces(&capture, 0, capture.is_bridge ? capture.mode : 0);
		if (status == 0)
			status = command_ready(capture.ready_fd);
		if (status == 0)
			status = capture_run(&capture);
	}
	pcap_freecode(&capture.program);
	descriptor_close(&capture.fd);
	capture_file_close(&capture.file);
	memtun_free(capture.memtun);
	free(capture.filter);
	return status;
}

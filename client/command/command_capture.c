/* SPDX-License-Identifier: MIT */
/*
 * memtun capture: the frames of a port or of all ports of a bridge. It ends when the port or the
 * bridge is deleted, after -c FRAMES, by a signal, or when the reader of standard output ends.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/command/capture_file.h"
#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/stop.h"
#include "common/descriptor.h"
#include "common/frame/frame_format.h"
#include "memtun.h"

/* The longest frame that the broker takes, behind its header. */
#define RECORD_MAX (sizeof(struct memtun_capture_header) + FRAME_MAX)

struct capture {
	struct memtun *memtun;
	const char *name;
	bool is_bridge;
	const char *path; /* of the file, NULL: lines */
	char *filter;     /* NULL: all frames */
	struct bpf_program program;
	enum memtun_mode mode; /* of the frames that the program is for */
	uint64_t max;          /* number of frames, 0: no limit */
	uint64_t missed;       /* number of frames, from the last header */
	struct capture_file file;
	int fd;       /* to read frames from */
	int ready_fd; /* -1: none */
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
	uint32_t port;         /* its id; 0: all ports of the capture */
	enum memtun_mode mode; /* of the port's frames; 0: the port's own mode */
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
		return -1;
	return naming.status;
}

/*
 * Return the interface of the frame's port, a new one if need be. NULL with *status. A bridge of
 * TUNs becomes an Ethernet bridge when a TAP joins it. A capture of it then contains frames of both
 * modes, and each port has an interface for each mode.
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
		/* The port was deleted in the meantime. */
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
	/* The mode of a bridge may change while it is captured. */
	if (interface && interface->mode != capture->mode)
		status = filter_compile(capture, interface->mode);
	if (status != 0 ||
	    (capture->filter && bpf_filter(capture->program.bf_insns, data, length, length) == 0))
		return status;
	return capture_file_write(&capture->file, interface, header, data, length);
}

/* Was the frame captured after the signal that ends the capture? */
static bool comes_too_late(const struct memtun_capture_header *header)
{
	struct timespec at = stop_time();

	return stop_requested() &&
	       header->time > (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

/* The capture has ended: check whether the port was deleted, or the broker ended. */
static int capture_check_broker(struct capture *capture)
{
	if (memtun_bridge_show(capture->memtun, NULL, NULL, NULL) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "%s", memtun_error(capture->memtun));
}

static int capture_frames(struct capture *capture)
{
	_Alignas(8) static unsigned char record[RECORD_MAX];
	const struct memtun_capture_header *header = (const void *)record;
	struct pollfd fds[2] = {
		{.fd = capture->fd, .events = POLLIN},
		capture_file_watch(&capture->file),
	};
	bool has_ended = false;
	int status = 0;

	while (status == 0 && !has_ended &&
	       (!capture->max || capture->file.frames < capture->max)) {
		ssize_t length = recv(capture->fd, record, sizeof(record), MSG_DONTWAIT);

		if (length >= (ssize_t)sizeof(*header) && !comes_too_late(header))
			status = capture_frame(capture, header, record + sizeof(*header),
					       (uint32_t)(length - (ssize_t)sizeof(*header)));
		else if (stop_requested())
			break;
		else if (length >= 0 || errno != EAGAIN)
			has_ended = true;
		else
			stop_poll(fds, 2, -1);
		if (output_has_no_reader(&fds[1])) {
			output_break();
			return EXIT_REFUSED;
		}
	}
	if (status == 0)
		status = capture_file_end(&capture->file, capture->missed);
	return status == 0 && has_ended ? capture_check_broker(capture) : status;
}

/* ------------------------------------------------------------------------------ the command */

/* Return the words with blanks between them, which the caller frees. NULL: out of memory. */
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

static int capture_parse(struct capture *capture, const struct invocation *invocation)
{
	*capture = (struct capture){
		.name = invocation->words[0],
		.path = options_value(invocation, "-w"),
		.fd = -1,
		.file.fd = -1,
		.ready_fd = -1,
	};
	if (options_number(invocation, "-c", 1, UINT64_MAX / 2, &capture->max) ||
	    options_ready_fd(invocation, &capture->ready_fd))
		return EXIT_USAGE;
	if (capture->path && strcmp(capture->path, "-") == 0 && isatty(STDOUT_FILENO))
		return command_fail(EXIT_USAGE,
				    "-w - writes a binary file, and standard output is a terminal");
	if (invocation->count == 1)
		return 0;
	capture->filter = words_join(invocation->count - 1, invocation->words + 1);
	return capture->filter ? 0 : command_fail(EXIT_REFUSED, "out of memory");
}

static void bridge_mode(const struct memtun_record *record, void *context)
{
	struct capture *capture = context;
	uint64_t mode;

	capture->is_bridge = true;
	/* A bridge without ports has no mode yet: leave the default. */
	if (memtun_record_number(record, "mode", &mode) == 0)
		capture->mode = (enum memtun_mode)mode;
}

/* Find the tunnel, the uplink or else the bridge with the name, and its mode. */
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

/*
 * Begin the capture and then its file, so that a file that exists means that frames are captured.
 */
static int capture_begin(struct capture *capture)
{
	int status;

	capture->fd = memtun_capture(capture->memtun, capture->name, capture->is_bridge, 0, false);
	if (capture->fd < 0)
		return -1;
	stop_prepare(true);
	status = capture_file_open(&capture->file, capture->path);
	if (status == 0)
		status = name_interfaces(capture, 0, capture->is_bridge ? capture->mode : 0);
	return status ? status : command_ready(capture->ready_fd);
}

static int capture_connected(struct memtun *memtun, void *context)
{
	struct capture *capture = context;
	int status;

	capture->memtun = memtun;
	status = capture_find(capture);
	if (status == 0)
		status = filter_compile(capture, capture->mode);
	if (status == 0)
		status = capture_begin(capture);
	if (status == 0)
		status = capture_frames(capture);
	return status;
}

static int capture_run(const struct invocation *invocation)
{
	struct capture capture;
	int status = capture_parse(&capture, invocation);

	if (status == 0)
		status = command_connected(invocation, capture_connected, &capture);
	pcap_freecode(&capture.program);
	descriptor_close(&capture.fd);
	capture_file_close(&capture.file);
	free(capture.filter);
	return status;
}

static const struct command_option capture_options[] = {
	{"-w", 0, "FILE", "write a pcapng file, not lines; - is standard output"},
	{"-c", 0, "FRAMES", "end after this many frames"},
	TAKES_READY_FD("write a newline to FD once frames are captured"),
	{0},
};

const struct command command_capture = {
	.name = "capture",
	.summary = "show or record the frames of a port or a bridge",
	.usage = "NAME [FILTER]",
	.about = "NAME is a tunnel, an uplink or a bridge. The words behind it are a FILTER,\n"
		 "as pcap-filter(7) has them.",
	.example = "memtun capture lab -w lab.pcapng -c 2 udp",
	.options = capture_options,
	.needs = "the NAME of a tunnel, an uplink or a bridge",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.run = capture_run,
};

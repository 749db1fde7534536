/* SPDX-License-Identifier: MIT */
#include "client/command/recording.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/command/capture_file.h"
#include "client/command/capture_filter.h"
#include "client/command/command.h"
#include "client/command/output.h"
#include "client/command/stop.h"
#include "common/descriptor.h"
#include "common/frame/frame_format.h"

/* The longest frame that the broker takes, behind its header. */
#define RECORD_MAX (sizeof(struct memtun_capture_details) + FRAME_MAX)

struct recorder {
	const struct recording *recording;
	struct memtun *memtun;
	bool is_bridge;
	struct capture_filter filter;
	uint64_t missed; /* number of frames, from the last header */
	struct capture_file file;
	int fd; /* to read frames from */
};

static int recorder_filter(struct recorder *recorder, enum memtun_mode mode)
{
	if (capture_filter_compile(&recorder->filter, mode) == 0)
		return 0;
	return command_fail(EXIT_USAGE, "filter '%s': %s", recorder->filter.text,
			    recorder->filter.fault);
}

/* ------------------------------------------------------------------------------ interfaces */

struct naming {
	struct recorder *recorder;
	uint32_t port;         /* its id; 0: all ports of the capture */
	enum memtun_mode mode; /* of the port's frames; 0: the port's own mode */
	int status;
};

static void naming_record(const struct memtun_record *record, void *context)
{
	struct naming *naming = context;
	const struct recorder *recorder = naming->recorder;
	const char *name = memtun_record_string(record, "name");
	const char *where = recorder->is_bridge ? memtun_record_string(record, "bridge") : name;
	uint64_t id = 0, mode = 0;

	memtun_record_number(record, "mode", &mode);
	memtun_record_number(record, "id", &id);
	if (!name)
		return;
	if (naming->port ? naming->port == id
			 : where && strcmp(where, recorder->recording->name) == 0)
		naming->status |= capture_file_add(
			&naming->recorder->file, (uint32_t)id,
			naming->mode ? naming->mode : (enum memtun_mode)mode, name);
}

static int name_interfaces(struct recorder *recorder, uint32_t port, enum memtun_mode mode)
{
	struct naming naming = {.recorder = recorder, .port = port, .mode = mode};
	struct memtun *memtun = recorder->memtun;

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
interface_of(struct recorder *recorder, const struct memtun_capture_header *header, int *status)
{
	enum memtun_mode mode = (enum memtun_mode)header->mode;
	struct capture_file *file = &recorder->file;
	struct capture_interface *interface = capture_file_find(file, header->port, mode);
	char name[MEMTUN_NAME_SIZE];

	if (!interface) {
		*status = name_interfaces(recorder, header->port, mode);
		interface = capture_file_find(file, header->port, mode);
	}
	if (!interface && *status == 0) {
		/* The port was deleted in the meantime. */
		snprintf(name, sizeof(name), "port-%u", header->port);
		*status = capture_file_add(file, header->port, mode, name);
		interface = capture_file_find(file, header->port, mode);
	}
	return *status == 0 ? interface : NULL;
}

/* ------------------------------------------------------------------------------ frames */

static int record_frame(struct recorder *recorder, const struct memtun_capture_details *details,
			const void *data, uint32_t length)
{
	const struct memtun_capture_header *header = &details->header;
	int status = 0;
	struct capture_interface *interface = interface_of(recorder, header, &status);

	recorder->missed = header->missed;
	/* The mode of a bridge may change while it is captured. */
	if (interface && interface->mode != recorder->filter.mode)
		status = recorder_filter(recorder, interface->mode);
	if (status != 0 || !capture_filter_matches(&recorder->filter, data, length))
		return status;
	return capture_file_write(&recorder->file, interface, details, data, length);
}

/* Return whether the frame was captured after the signal that ends the capture. */
static bool comes_too_late(const struct memtun_capture_header *header)
{
	struct timespec at = stop_time();

	return stop_requested() &&
	       header->time > (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

/* The capture has ended: check whether the port was deleted, or the broker ended. */
static int check_broker(struct recorder *recorder)
{
	if (memtun_bridge_show(recorder->memtun, NULL, NULL, NULL) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "%s", memtun_error(recorder->memtun));
}

static int record_frames(struct recorder *recorder)
{
	_Alignas(8) static unsigned char record[RECORD_MAX];
	const struct memtun_capture_details *details = (const void *)record;
	uint64_t max = recorder->recording->max;
	struct pollfd fds[2] = {
		{.fd = recorder->fd, .events = POLLIN},
		capture_file_watch(&recorder->file),
	};
	bool has_ended = false;
	int status = 0;

	while (status == 0 && !has_ended && (!max || recorder->file.frames < max)) {
		ssize_t length = recv(recorder->fd, record, sizeof(record), MSG_DONTWAIT);

		if (length >= (ssize_t)sizeof(*details) && length >= details->size &&
		    !comes_too_late(&details->header))
			status = record_frame(recorder, details, record + details->size,
					      (uint32_t)(length - details->size));
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
		status = capture_file_end(&recorder->file, recorder->missed);
	if (status == 0 && !recorder->recording->quiet)
		capture_file_tell(&recorder->file, recorder->missed);
	return status == 0 && has_ended ? check_broker(recorder) : status;
}

/* ------------------------------------------------------------------------------ all of it */

static void bridge_mode(const struct memtun_record *record, void *context)
{
	uint64_t mode;

	/* A bridge without ports has no mode yet: leave the default. */
	if (memtun_record_number(record, "mode", &mode) == 0)
		*(enum memtun_mode *)context = (enum memtun_mode)mode;
}

/* Print that there is no such object, or another error. Return the exit status. */
static int find_fail(struct memtun *memtun, const char *what, const char *name)
{
	if (errno == ENOENT)
		return command_fail(EXIT_REFUSED, "there is no %s '%s'", what, name);
	return command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
}

int recording_find(struct memtun *memtun, const char *name, enum recorded *of,
		   enum memtun_mode *mode)
{
	*mode = MEMTUN_TAP;
	if (*of != RECORDED_BRIDGE && command_find_mode(memtun, name, mode) == 0) {
		*of = RECORDED_PORT;
		return 0;
	}
	if (*of == RECORDED_PORT)
		return find_fail(memtun, "tunnel or uplink", name);
	if (memtun_bridge_show(memtun, name, bridge_mode, mode) < 0)
		return find_fail(memtun,
				 *of == RECORDED_BRIDGE ? "bridge" : "tunnel, uplink or bridge",
				 name);
	*of = RECORDED_BRIDGE;
	return 0;
}

/*
 * Begin the capture and then its file, so that a file that exists means that frames are captured.
 */
static int recorder_begin(struct recorder *recorder)
{
	const struct recording *recording = recorder->recording;
	int status;

	recorder->fd = memtun_capture_detailed(recorder->memtun, recording->name,
					       recorder->is_bridge, 0, recording->faults);
	if (recorder->fd < 0)
		return -1;
	stop_prepare(true);
	status = capture_file_open(&recorder->file);
	if (status == 0)
		status = name_interfaces(recorder, 0,
					 recorder->is_bridge ? recorder->filter.mode : 0);
	return status ? status : command_ready(recording->ready_fd);
}

int recording_run(struct memtun *memtun, const struct recording *recording)
{
	struct recorder recorder = {
		.recording = recording,
		.memtun = memtun,
		.filter.text = recording->filter,
		.file.path = recording->path,
		.file.fd = recording->fd,
		.fd = -1,
	};
	enum recorded of = recording->of;
	enum memtun_mode mode;
	int status = recording_find(memtun, recording->name, &of, &mode);

	recorder.is_bridge = of == RECORDED_BRIDGE;
	if (status == 0)
		status = recorder_filter(&recorder, mode);
	if (status == 0)
		status = recorder_begin(&recorder);
	if (status == 0)
		status = record_frames(&recorder);
	capture_filter_free(&recorder.filter);
	descriptor_close(&recorder.fd);
	capture_file_close(&recorder.file);
	return status;
}

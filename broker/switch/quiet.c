/* SPDX-License-Identifier: MIT */
#include "broker/switch/quiet.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "broker/switch/lane.h"
#include "broker/switch/port.h"
#include "broker/switch/stream.h"

void quiet_break(struct quiet *quiet, const char *format, ...)
{
	va_list arguments;

	if (quiet->is_broken)
		return;
	quiet->is_broken = true;
	va_start(arguments, format);
	vsnprintf(quiet->text, sizeof(quiet->text), format, arguments);
	va_end(arguments);
}

void quiet_look(struct quiet *quiet, struct port *port)
{
	for (int i = PORT_FIRST_COUNTER; i <= PORT_LAST_COUNTER; i++)
		quiet->activity += port->counters[i - PORT_FIRST_COUNTER];
	if (!quiet->is_broken)
		port->operations->look(port, quiet);
}

/* Return whether the broker has frames of the lane to read. */
static bool lane_has_unread(const struct lane *lane)
{
	struct pollfd pollfd = {.fd = lane->io.fd, .events = POLLIN};

	if (lane->stream && stream_has_whole(lane->stream))
		return true;
	return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN);
}

/* Return whether the other side has frames to read. Set *is_sent_only if the kernel cannot tell. */
static bool lane_has_unread_sent(const struct lane *lane, bool *is_sent_only)
{
	socklen_t size = sizeof(int);
	int domain, bytes = 0;

	if (getsockopt(lane->io.fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    domain != AF_UNIX || ioctl(lane->io.fd, SIOCOUTQ, &bytes) < 0)
		*is_sent_only = true;
	return !*is_sent_only && bytes > 0;
}

void quiet_look_lane(struct quiet *quiet, const struct lane *lane)
{
	const struct port *port = lane->port;
	bool is_sent_only = false;

	if (!lane_is_open(lane))
		return;
	if ((quiet->parts & QUIET_FROM_CLIENT) && !source_is_held(&port->source) &&
	    lane_has_unread(lane))
		quiet_break(quiet, "the broker has not read all frames of '%s'%s", port->name,
			    lane->paused ? ": a full queue pauses it" : "");
	if (!(quiet->parts & QUIET_TO_CLIENT))
		return;
	if (lane->backlog.count)
		quiet_break(quiet, "%u frames wait in the broker for '%s'", lane->backlog.count,
			    port->name);
	else if (lane_has_unread_sent(lane, &is_sent_only))
		quiet_break(quiet, "'%s' has not read all frames for it", port->name);
	quiet->is_sent_only |= is_sent_only;
}

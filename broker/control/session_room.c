/* SPDX-License-Identifier: MIT */
#include "broker/control/session_room.h"

#include "broker/control/control.h"
#include "broker/control/session.h"
#include "common/clock.h"
#include "common/descriptor_reserve.h"
#include "common/log.h"

/* A session that is not read takes some 100 KiB in the broker, and its socket's send buffer. */
#define SESSIONS_MAX 1024

#define SPARES_MAX 8

/* How long a spare session is served at least: enough for many requests of one command. */
#define SPARE_TIME CLOCK_SECOND

bool session_room_is_spare(const struct control *control, int fd)
{
	return descriptor_is_reserved(fd) || control->session_count >= SESSIONS_MAX;
}

bool session_room_is_full(const struct control *control)
{
	return control->spare_count >= SPARES_MAX;
}

bool session_room_make(struct control *control)
{
	struct session *session, *oldest = NULL;

	LIST_FOREACH(session, &control->sessions, in_control) {
		if (session->is_spare && (!oldest || session->since < oldest->since))
			oldest = session;
	}
	if (!oldest || clock_now() - oldest->since < SPARE_TIME)
		return false;
	log_line(LOG_LEVEL_WARNING,
		 "client %d is disconnected to make room for another; "
		 "memtun session shows which clients there are",
		 oldest->pid);
	session_free(oldest);
	return true;
}

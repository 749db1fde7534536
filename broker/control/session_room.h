/* SPDX-License-Identifier: MIT */
/*
 * The room for sessions. The broker serves up to SESSIONS_MAX clients, and a few spare sessions
 * more, each of which may be ended after a second if another client connects. So a user can list
 * and delete even when other clients have taken all the room.
 */
#ifndef MEMTUN_SESSION_ROOM_H
#define MEMTUN_SESSION_ROOM_H

#include <stdbool.h>

struct control;

/* Return whether a session on that descriptor would be a spare one. */
bool session_room_is_spare(const struct control *control, int fd);

/* Return whether there are as many spare sessions as there may be. */
bool session_room_is_full(const struct control *control);

/* End the spare session that is the oldest. Return false if there is none that may be ended. */
bool session_room_make(struct control *control);

#endif

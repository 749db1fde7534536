/* SPDX-License-Identifier: MIT */
/* The default places of a broker's control socket. */
#ifndef MEMTUN_CONTROL_PLACE_H
#define MEMTUN_CONTROL_PLACE_H

#include <stdbool.h>

#include "common/control_socket.h"

/* Write $XDG_RUNTIME_DIR/memtun/control, or "" if that is no path or too long. */
void control_place_runtime(char address[CONTROL_ADDRESS_SIZE]);

/*
 * Write /run/user/UID/memtun/control. pam_systemd(8) makes this directory at a login. A program that
 * cron(8) starts, for example, has no XDG_RUNTIME_DIR, but the directory may exist.
 */
void control_place_login(char address[CONTROL_ADDRESS_SIZE]);

/* Write /tmp/memtun-UID/control. */
void control_place_temporary(char address[CONTROL_ADDRESS_SIZE]);

/* Check that the address's directory is this user's alone. `make`: make it if it isn't there. -1 with
 * the fault filled. */
int control_place_check(const char *address, bool make, struct fault *fault);

/*
 * Write the default address for a broker of this user: $MEMTUN_SOCKET,
 * $XDG_RUNTIME_DIR/memtun/control or /tmp/memtun-UID/control. The directory of the last two is made.
 * -1 with the fault filled.
 */
int control_place_default(char address[CONTROL_ADDRESS_SIZE], struct fault *fault);

#endif

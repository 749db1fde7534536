/* SPDX-License-Identifier: MIT */
/*
 * Whether an open of the program is one of a tun device, whose file need not exist: of /dev/net/tun
 * or /dev/tun, also relative to a directory, through a link to a directory, or in another root
 * directory. A symbolic link to the device itself, under another name, is not recognised.
 */
#ifndef MEMTUN_PATH_H
#define MEMTUN_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct call;

/*
 * Return 1 if the call, a CALL_OPEN, opens a tun device for reading and writing, and store its
 * flags in call->flags; 0 if not. `path` receives what the program gave. -1 with an errno of
 * memory.h.
 */
int path_is_device(struct call *call, char *path, size_t size);

#endif

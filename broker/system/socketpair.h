/* SPDX-License-Identifier: MIT */
/*
 * Socket pairs whose ends a client and the broker, or two clients, read and write frames at.
 */
#ifndef MEMTUN_SOCKETPAIR_H
#define MEMTUN_SOCKETPAIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "memtun/protocol.h"

/* Bytes of SO_SNDBUF at both ends: Linux's net.core.wmem_default, whatever it is set to here. */
#define SOCKETPAIR_BUFFER 212992

/* Check whether new sockets have that buffer, so that it need not be set. -1 with errno. */
int socketpair_check_default_buffer(bool *fits);

/*
 * Make a pair of that type, close-on-exec. The caller owns both ends. ends[1] is for the client, and
 * *client_inode is its inode number. If the kernel can, it refuses descriptors that are sent to
 * ends[0]. -1 with errno: EMFILE, ENFILE, ENOMEM.
 */
int socketpair_open(enum memtun_socket type, bool default_buffer_fits, int ends[2],
		    ino_t *client_inode);

/* Get the inode number of a socket. -1 with errno. */
int socket_inode(int fd, ino_t *inode);

#endif

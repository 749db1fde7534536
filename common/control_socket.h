/* SPDX-License-Identifier: MIT */
/*
 * Where brokers listen and clients find them: a UNIX socket at a path, or @NAME for the abstract
 * namespace. A socket in the file system is 0600, in a directory of the user's own, and has a lock
 * file beside it, so that a dead broker's socket is replaced and a live one's never is.
 */
#ifndef MEMTUN_CONTROL_SOCKET_H
#define MEMTUN_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/attribute_set.h"

/* The longest address, with its NUL. */
#define CONTROL_ADDRESS_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/* A listening socket, and what it owns in the file system. */
struct control_socket {
	int fd;
	int lock;
	char path[CONTROL_ADDRESS_SIZE]; /* "": in the abstract namespace */
};

/*
 * Makes a socket's name of an address, a path or @NAME. -1 with the fault filled: EINVAL (it is
 * empty), ENAMETOOLONG.
 */
int control_socket_parse(const char *address, struct sockaddr_un *name, socklen_t *size,
			 struct fault *fault);

/*
 * Remove the socket at a path if no process has it open any more. type: SOCK_SEQPACKET, SOCK_STREAM
 * or SOCK_DGRAM. Return 0, also if nothing is there. -1 with EADDRINUSE (a process has the socket),
 * EEXIST (the file is no socket), or the errno of lstat(2), socket(2), connect(2) or unlink(2).
 */
int control_socket_clear(const struct sockaddr_un *name, socklen_t size, int type);

/*
 * Listens. type: SOCK_SEQPACKET or SOCK_STREAM. -1 with the fault filled: EADDRINUSE (somebody
 * listens there), EEXIST (something else is there), and what the system says.
 */
int control_socket_listen(struct control_socket *socket, const char *address, int type,
			  struct fault *fault);

/* Gives it away; from is left empty. */
void control_socket_move(struct control_socket *to, struct control_socket *from);

/* Stops listening, and removes what is in the file system. */
void control_socket_close(struct control_socket *socket);

/*
 * Where a broker of this user listens unless told otherwise: $MEMTUN_SOCKET,
 * $XDG_RUNTIME_DIR/memtun/control or /tmp/memtun-UID/control, whose directory is made. -1 with the
 * fault filled.
 */
int control_socket_default(char address[CONTROL_ADDRESS_SIZE], struct fault *fault);

/*
 * Connects to a broker there, or (NULL) to the first that answers where one may be. The descriptor
 * is the caller's, close-on-exec. -1 with the fault filled: ENOENT, ECONNREFUSED (no broker), EPERM
 * (somebody else's), ENAMETOOLONG, and what the system says.
 */
int control_socket_connect(const char *address, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The UNIX socket on which a broker listens, at a path or, as @NAME, in the abstract namespace. A
 * socket in the file system has mode 0600, in a directory that belongs to the user alone. A lock
 * file beside it makes sure that only a dead broker's socket is replaced.
 */
#ifndef MEMTUN_CONTROL_SOCKET_H
#define MEMTUN_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "common/attribute_set.h"

/* The size of the longest address, with its NUL. */
#define CONTROL_ADDRESS_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/* A listening socket, and its files. */
struct control_socket {
	int fd;
	int lock;
	bool refuses_descriptors;        /* descriptor_refuse_others() of its connections */
	char path[CONTROL_ADDRESS_SIZE]; /* "" for a socket in the abstract namespace */
};

/*
 * Make the socket's name from an address, which is a path or @NAME. -1 with the fault filled:
 * EINVAL (it is empty), ENAMETOOLONG.
 */
int control_socket_parse(const char *address, struct sockaddr_un *name, socklen_t *size,
			 struct fault *fault);

/*
 * Remove the socket at a path if no process has it open any more. type: SOCK_SEQPACKET, SOCK_STREAM
 * or SOCK_DGRAM. Return 0, also if nothing is there. -1 with EADDRINUSE (a process has the socket),
 * EEXIST (the file is no socket), or the errno of open(2), fstatat(2), socket(2), connect(2) or
 * unlinkat(2).
 */
int control_socket_clear(const struct sockaddr_un *name, socklen_t size, int type);

/* Remove the file at a path, if it is still the one with that device and inode number. */
void control_socket_remove(const char *path, dev_t device, ino_t file);

/*
 * Listen. The type is SOCK_SEQPACKET, SOCK_STREAM or SOCK_DGRAM. -1 with the fault filled: EADDRINUSE (a
 * process listens there), EEXIST (a file that is no socket), and the errors of the system calls.
 */
int control_socket_listen(struct control_socket *socket, const char *address, int type,
			  struct fault *fault);

/* Give the socket away. `from` is empty then. */
void control_socket_move(struct control_socket *to, struct control_socket *from);

/* Close the socket, and remove its files. */
void control_socket_close(struct control_socket *socket);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor is that a client has handed in: a port (a TUN or TAP device, or a connected
 * UNIX socket), or a life (a pidfd, or an end of a pipe or of a UNIX socket). These functions ask
 * the kernel, believe no claim of the client, and neither change nor close a descriptor.
 */
#ifndef MEMTUN_HANDED_DESCRIPTOR_H
#define MEMTUN_HANDED_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/fault.h"
#include "common/frame/frame_format.h"
#include "memtun/protocol.h"

struct socket_diag;

/* The descriptors of one hand-in. */
struct handed_pair {
	int fd;
	int life; /* -1: none */
};

struct handed_port {
	bool is_device;
	enum memtun_socket socket; /* of a socket */
	ino_t inode;               /* of a socket; 0: sock_diag(7) does not tell about it */
	/* The following members are set for a device only. */
	enum memtun_mode mode;
	struct frame_format format;
	char device[MEMTUN_NAME_SIZE];
	ino_t netns; /* inode of the interface's network namespace; 0: the kernel doesn't tell */
};

struct handed_life {
	enum memtun_life kind;
	pid_t pid; /* of a process; 0: it has no pid in this process's PID namespace */
};

/*
 * Find out what handed->fd is. -1 with the fault filled: EINVAL (it can't be a port), EBADFD (a
 * device without an interface), ENOTCONN, EPIPE (the other side has closed it), EEXIST (this
 * process has it already), ELOOP (this process has its other end, or it is its own other end).
 */
int handed_port_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_port *port, struct fault *fault);

/* Find out what handed->life is. -1 with the fault filled: EINVAL (it can't hang up), ESRCH or
 * EPIPE (it has ended already), ELOOP. */
int handed_life_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_life *life, struct fault *fault);

#endif

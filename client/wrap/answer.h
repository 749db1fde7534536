/* SPDX-License-Identifier: MIT */
/*
 * What becomes of one call of the program: a tunnel is opened, an ioctl of a device or an interface
 * is carried out, or the kernel goes on with the call.
 */
#ifndef MEMTUN_ANSWER_H
#define MEMTUN_ANSWER_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/wrap/device.h"
#include "client/wrap/netlink_socket.h"

struct call;

struct answerer {
	struct devices devices;
	struct netlink_sockets netlink;
	bool trace;
	pid_t unreadable; /* the last process about which a message was printed */
};

/* Begin to answer calls. All but the first are borrowed, as by devices_init(). */
void answerer_init(struct answerer *answerer, struct memtun *memtun, const char *socket,
		   const struct tunnel_choice *choice);
void answerer_free(struct answerer *answerer);

/* Answer the call. */
void answer_call(struct answerer *answerer, struct call *call);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An injector puts frames that a client writes to a descriptor on a tunnel: towards the tunnel's
 * client, or as if that client had sent them. The frames have no headers, or vnet headers of 10
 * bytes. The injector is a lossless source: it is paused while its frames have no room.
 */
#ifndef MEMTUN_INJECTOR_H
#define MEMTUN_INJECTOR_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "broker/engine/account.h"
#include "broker/engine/backpressure.h"
#include "common/frame/frame_format.h"
#include "memtun/protocol.h"

struct quiet;
struct tunnel;

struct injector {
	struct source source; /* of frames towards the tunnel's client */
	LIST_ENTRY(injector) of_tunnel;
	struct account_object of_account;
	struct tunnel *tunnel;
	ev_io io;
	enum memtun_direction direction;
	struct frame_format format;         /* of the frames that the client writes */
	struct memtun_inject_result result; /* so far */
};

/* Make an injector, whose frames have vnet headers if `vnet`. *client_fd, where the client writes,
 * is the caller's. NULL with errno. */
struct injector *injector_new(struct tunnel *tunnel, struct account *account,
			      enum memtun_direction direction, bool vnet, int *client_fd);

/* Close it. Frames that were not read yet are lost. */
void injector_free(struct injector *injector);

/* Stop reading frames that are injected as the client's, as the client is paused, or read again. */
void injector_set_reading(struct injector *injector, bool reading);

/* Return how many bytes of frames the client has written that were not read yet. */
uint64_t injector_unread(const struct injector *injector);

/* Look for frames of the injector that wait to be read. */
void injector_look(const struct injector *injector, struct quiet *quiet);

#endif

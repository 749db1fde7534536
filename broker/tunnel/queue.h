/* SPDX-License-Identifier: MIT */
/*
 * A queue: one open of a tunnel. It makes a new socket pair, moves frames by the broker's end, and
 * gives the other end to the client without keeping a copy: a copy would hide the client's death.
 */
#ifndef MEMTUN_QUEUE_H
#define MEMTUN_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "common/frame/frame_format.h"
#include "broker/switch/lane.h"
#include "broker/tunnel/tunnel.h"
#include "memtun/protocol.h"

struct queue;
struct tunnel;
struct tunnels;

struct queue {
	struct lane lane;      /* its port is the tunnel's; NULL while the queue is not attached */
	struct tunnel *tunnel; /* NULL while the queue is not attached */
	struct tunnels *tunnels;
	/* The tunnel that the queue was detached from, which exists as long as the queue; or NULL. */
	struct tunnel *kept;
	LIST_ENTRY(queue) in_tunnel; /* its tunnel's list, or that of the kept one */
	RB_ENTRY(queue) by_id;
	uint32_t id;
	ino_t client_inode; /* of the client's end: dup(2) and fork(2) keep it */
	enum memtun_socket socket;
	pid_t opener; /* the process that it was made for; 0: unknown */
};

/*
 * Make a queue that is attached to no tunnel. *client_fd, close-on-exec, is the caller's. NULL with
 * errno: EMFILE, ENFILE, ENOMEM.
 */
struct queue *queue_new(struct tunnels *tunnels, enum memtun_socket socket,
			const struct frame_format *format, int *client_fd);

/* Return the queue of that id, or NULL. */
struct queue *queue_find(struct tunnels *tunnels, uint32_t id);

/* Return any queue, or NULL if there is none. */
struct queue *queue_first(struct tunnels *tunnels);

/* Close the queue: its client reads the end, its backlog is counted as dropped, and its tunnel is
 * told, which may be deleted. */
void queue_free(struct queue *queue);

/* Attach the queue to the tunnel, whose frames it carries from now on. */
void queue_attach(struct queue *queue, struct tunnel *tunnel);

/*
 * Detach the queue from its tunnel. As in the kernel, the tunnel exists until the queue is closed or
 * attached to another tunnel.
 */
void queue_detach(struct queue *queue);

/* Forget the tunnel that a detached queue keeps. */
void queue_release(struct queue *queue);

#endif

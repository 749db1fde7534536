/* SPDX-License-Identifier: MIT */
/*
 * A queue: one open of a tunnel. It makes a fresh socketpair, moves frames by the broker's end of
 * it and gives the other to the client, never keeping it: else the client's death could not be
 * seen.
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
#include "memtun/protocol.h"

struct broker;
struct queue;
struct tunnel;

/* The send buffer of both ends: what Linux gives by default, whatever this system's default is. */
#define QUEUE_SOCKET_BUFFER 212992

RB_HEAD(queue_tree, queue);

struct queue {
	struct lane lane;      /* first; its port is the tunnel, NULL: not attached yet */
	struct tunnel *tunnel; /* NULL: opened, but not attached yet */
	LIST_ENTRY(queue) in_tunnel;
	RB_ENTRY(queue) by_id;
	uint32_t id;
	ino_t client_inode; /* of the client's end, by which it is known again after dup and fork */
	enum memtun_socket socket;
};

/* Queues by id. */
int queue_compare(struct queue *one, struct queue *other);
RB_PROTOTYPE(queue_tree, queue, by_id, queue_compare)

/* A fresh socketpair as tunnels have them: ends[1] is to be the client's, *inode is that one's. */
int queue_socketpair(const struct broker *broker, enum memtun_socket socket, int ends[2],
		     ino_t *inode);

/*
 * Makes an unattached queue and gives its client's end, close-on-exec, to *client_fd. NULL with
 * errno: EMFILE, ENFILE, ENOMEM.
 */
struct queue *queue_new(struct broker *broker, enum memtun_socket socket,
			const struct frame_format *format, int *client_fd);

struct queue *queue_find(struct broker *broker, uint32_t id);

/* Ends it: its client sees the end, its tunnel is told, what waited is counted as dropped. */
void queue_free(struct queue *queue);

/* Puts the tunnel's frames on it and its frames on the tunnel, from now on; or stops that. */
void queue_attach(struct queue *queue, struct tunnel *tunnel);
void queue_detach(struct queue *queue);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A queue: one open of a tunnel. It owns the broker's end of a fresh socketpair, reads batches of
 * frames from it and keeps, up to its bounds, those that its client is too slow for. The client's
 * end is given away and never kept: else the client's death could not be seen.
 *
 * queue.c has its life and what comes from its client, queue_deliver.c what goes there; how frames
 * look on the socket is in queue_packet.c and queue_stream.c.
 */
#ifndef MEMTUN_QUEUE_H
#define MEMTUN_QUEUE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "backlog.h"
#include "frame.h"
#include "frame_format.h"
#include "memtun/protocol.h"
#include "valve.h"

struct broker;
struct port;
struct queue;
struct stream;
struct tunnel;

/* What may wait for one queue besides its limit in frames. */
#define QUEUE_MOST_BYTES (4 * 1024 * 1024)

/* The send buffer of both ends: what Linux gives by default, whatever this system's default is. */
#define QUEUE_SOCKET_BUFFER 212992

/* What a batch was read with. */
enum queue_received {
	QUEUE_RECEIVED_SOME, /* there may be more */
	QUEUE_RECEIVED_ALL,  /* nothing more for now */
	QUEUE_RECEIVED_END,  /* the client is gone, and this was the last */
};

/* One kind of socket. */
struct queue_link {
	/* Reads frames into the broker's batch and sets their bits in *mask; counts those that are
	 * not to be had. *count: the batch's entries in use. */
	enum queue_received (*receive)(struct queue *queue, unsigned int *count, uint32_t *mask);

	/* Sends frames; returns how many are done with (delivered or, and counted, refused). */
	unsigned int (*send)(struct queue *queue, struct frame *const frames[], unsigned int count);
};

extern const struct queue_link queue_packet_link;
extern const struct queue_link queue_stream_link;

RB_HEAD(queue_tree, queue);

struct queue {
	ev_io io;
	const struct queue_link *link;
	struct broker *broker;
	struct tunnel *tunnel; /* NULL: opened, but not attached yet */
	LIST_ENTRY(queue) in_tunnel;
	LIST_ENTRY(queue) in_unseen;
	RB_ENTRY(queue) by_id;
	uint32_t id;
	ino_t client_inode; /* of the client's end, by which it is known again after dup and fork */
	ino_t own_inode;    /* DGRAM: of this end, to ask sock_diag about */
	enum memtun_socket socket;
	struct frame_format format;
	bool paused;            /* its port is held */
	bool unseen;            /* the loop won't say when its client is gone */
	bool gone;              /* a send said that the client is no more */
	uint8_t batch_hint;     /* frames to read for: what came lately */
	uint32_t sent_of_first; /* STREAM: bytes of the backlog's first frame that are out */
	struct stream *stream;  /* STREAM: what has come of a frame */
	struct backlog backlog;
	struct valve valve;
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

/* Sends frames of the batch, which came from source. */
void queue_send(struct queue *queue, struct port *source, struct batch *batch, uint32_t mask);

/* Ends it at the loop's next turn: frames that the client had still sent come before. */
void queue_give_up(struct queue *queue);

/* Lets go of the ports that it holds if it is no more than half full, or no longer blocks. */
void queue_let_go(struct queue *queue);

/* Reads from it or not: its port is, or is no longer, held. */
void queue_set_reading(struct queue *queue, bool reading);

/*
 * Has its client gone? Then what it had still sent is forwarded, the queue freed, and true
 * returned. To be asked where the loop may not have said so yet: the queue isn't read, its socket
 * type never says so, or a request came in the same turn.
 */
bool queue_retire(struct queue *queue);

/* Within the queue: waits for what is of use now, and sends what waits. */
void queue_watch(struct queue *queue);
void queue_flush(struct queue *queue);

/* For the links: has the other end hung up or shut down its sending side? */
bool queue_hung_up(const struct queue *queue);

/* For the links: counts a frame of `length` bytes that can't be one; true if it can. */
bool queue_check(struct queue *queue, struct frame *frame, const void *headers);

/* For the links: a send failed with errno. True: the frame is refused, go on with the next. */
bool queue_send_failed(struct queue *queue);

#endif

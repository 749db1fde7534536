/* SPDX-License-Identifier: MIT */
/*
 * A lane: a descriptor by which frames come in from a port's other side and go out to it. It owns
 * the descriptor, reads batches of frames from it and keeps, up to its bounds, those that there is
 * no room for. Each of a tunnel's queues is one, and an uplink has one.
 *
 * lane.c has its life and what comes in, lane_deliver.c what goes out; how frames look on the
 * descriptor is in lane_packet.c, lane_stream.c and lane_device.c.
 */
#ifndef MEMTUN_LANE_H
#define MEMTUN_LANE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "broker/switch/backlog.h"
#include "broker/engine/batch.h"
#include "broker/engine/liveness.h"
#include "common/frame/frame_format.h"
#include "memtun/protocol.h"
#include "broker/engine/backpressure.h"

struct engine;
struct lane;
struct port;
struct stream;

/* What may wait in one lane besides its port's limit in frames. */
#define LANE_BYTES_MAX (4 * 1024 * 1024)

/* What a batch was read with. */
enum lane_received {
	LANE_RECEIVED_SOME, /* there may be more */
	LANE_RECEIVED_ALL,  /* nothing more for now */
	LANE_RECEIVED_END,  /* the other side is gone, and this was the last */
};

/* One kind of descriptor. */
struct lane_link {
	/* Reads frames into the broker's batch and sets their bits in *mask; counts those that are
	 * not to be had. *count: the batch's entries in use. */
	enum lane_received (*receive)(struct lane *lane, unsigned int *count, uint32_t *mask);

	/* Sends frames; returns how many are done with (delivered or, and counted, refused). */
	unsigned int (*send)(struct lane *lane, struct frame *const frames[], unsigned int count);
};

extern const struct lane_link lane_packet_link; /* SEQPACKET, DGRAM, UDP */
extern const struct lane_link lane_stream_link; /* STREAM: frames after their lengths */
extern const struct lane_link lane_device_link; /* the kernel's TUN and TAP */

/* What its owner has to do. */
struct lane_owner {
	/* The other side is gone, and what it had sent is forwarded: the lane is to be closed. */
	void (*ended)(struct lane *lane);
};

/* A datagram that is passed over, as it never was one for us. */
#define LANE_NOT_COUNTED MEMTUN_A_END

/* Where a lane_packet_link gets datagrams from others than the one it is connected to: what is
 * around each, and whose are taken. */
struct lane_envelope {
	size_t header_size; /* bytes before the frame, at most FRAME_FORMAT_MAX */

	/* Writes the header. NULL: there is none. */
	void (*write)(const struct lane *lane, unsigned char *header);

	/* Why a datagram isn't taken, as a counter or LANE_NOT_COUNTED; MEMTUN_A_UNSPEC: it is.
	 * NULL: all are. */
	enum memtun_attribute (*check)(struct lane *lane, const struct sockaddr_storage *from,
				       socklen_t from_length, const unsigned char *header);

	/* That the other side refuses datagrams doesn't mean that it is gone. */
	bool connectionless;
};

struct lane {
	ev_io io;
	int error;        /* after the end: the errno that told of it, 0 for none */
	uint32_t overrun; /* datagrams that the kernel has dropped so far, for want of room */
	const struct lane_link *link;
	const struct lane_owner *owner;
	const struct lane_envelope *envelope; /* NULL: frames have the headers of `format` */
	const struct sockaddr_storage *to;    /* where each datagram goes; NULL: it is connected */
	struct engine *engine;
	struct port *port; /* NULL: none yet; what comes in goes nowhere, as before TUNSETIFF */
	struct frame_format format;
	ino_t inode; /* of a datagram socket, whose peer's end no event tells: to ask of; else 0 */
	struct polled polled;   /* listed while the loop would not report the other end's close */
	bool paused;            /* its port is held */
	bool peer_closed;       /* a send said that the other side is no more */
	uint8_t batch_hint;     /* frames to read for: what came lately */
	uint32_t sent_of_first; /* STREAM: bytes of the backlog's first frame that are out */
	struct stream *stream;  /* STREAM: what has come of a frame */
	struct backlog backlog;
	struct backpressure backpressure;
};

/* Makes it a lane without a descriptor, for broker and owner. */
void lane_init(struct lane *lane, struct engine *engine, const struct lane_owner *owner);

/* Takes the descriptor and begins to read. -1 with ENOMEM, and it is still the caller's. */
int lane_open(struct lane *lane, const struct lane_link *link, int fd);

/* Closes what it has; what waited is counted as dropped. May be called twice. */
void lane_close(struct lane *lane);

/* Closes an open lane, but gives the descriptor that was read back to the caller. */
int lane_release(struct lane *lane);

static inline bool lane_is_open(const struct lane *lane)
{
	return lane->io.fd >= 0;
}

/* Moves frames for the port from now on, or (NULL) for none: what waited is dropped. */
void lane_set_port(struct lane *lane, struct port *port);

/* Sends frames of the batch, which came from source. */
void lane_send(struct lane *lane, struct source *source, struct batch *batch, uint32_t mask);

/* Forwards all that the other side has still sent. */
void lane_drain(struct lane *lane);

/*
 * Is the other side gone? Then what that had still sent is forwarded, the lane ended, and true
 * returned. To be asked where the loop may not have said so yet: the lane isn't read, its socket's
 * type never says so, or a request came in the same turn.
 */
bool lane_close_dead(struct lane *lane);

/* Ends it at the loop's next turn: frames that the other side had still sent come before. */
void lane_close_later(struct lane *lane);

/* Lets go of the ports that it holds if it is no more than half full, or no longer blocks. */
void lane_resume_sources(struct lane *lane);

/* Reads from it or not: its port is, or is no longer, held. */
void lane_set_reading(struct lane *lane, bool reading);

/* Within the lane: waits for what is of use now, and sends what waits. */
void lane_update_io(struct lane *lane);
void lane_flush(struct lane *lane);

/* For the links: counts what came for its port, if it has one. */
void lane_count(struct lane *lane, enum memtun_attribute counter);

/* For the links: counts a frame that can't be one; true if it can. */
bool lane_check(struct lane *lane, struct frame *frame, const void *headers);

/* For the links: a send failed with errno. True: the frame is refused, go on with the next. */
bool lane_send_failed(struct lane *lane);

#endif

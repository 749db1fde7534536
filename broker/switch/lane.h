/* SPDX-License-Identifier: MIT */
/*
 * A lane: one descriptor that carries frames between a port and its client. The lane owns the
 * descriptor, reads batches of frames from it, and keeps frames that the descriptor cannot take in
 * a bounded backlog. Each queue of a tunnel is a lane; an uplink has one or two.
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

/* The limit of one lane's backlog in bytes. The port's backlog_max is the limit in frames. */
#define LANE_BYTES_MAX (4 * 1024 * 1024)

/* The result of reading a batch. */
enum lane_received {
	LANE_RECEIVED_SOME, /* there may be more */
	LANE_RECEIVED_ALL,  /* nothing more for now */
	LANE_RECEIVED_END,  /* the other end is closed, and no frame is left to read */
};

/* One kind of descriptor. */
struct lane_link {
	/* Read frames into the engine's batch, and set *count to the number of entries that were
	 * used. Set the bits of valid frames in *mask, and count the other frames as dropped. */
	enum lane_received (*receive)(struct lane *lane, unsigned int *count, uint64_t *mask);

	/* Send frames, and count each one as delivered or dropped. Return how many were counted;
	 * the others have to wait. */
	unsigned int (*send)(struct lane *lane, struct frame *const frames[], unsigned int count);
};

extern const struct lane_link lane_packet_link; /* SEQPACKET, DGRAM, UDP */
extern const struct lane_link lane_stream_link; /* STREAM: a 4-byte length before each frame */
extern const struct lane_link lane_device_link; /* the kernel's TUN and TAP */

/* The callbacks of a lane's owner. */
struct lane_owner {
	/*
	 * Close the lane: the other end is closed, and the frames that it had sent were forwarded.
	 */
	void (*ended)(struct lane *lane);
};

/* A result of check(): ignore the datagram without counting it. An example is the lane's own
 * datagram to a multicast group. */
#define LANE_NOT_COUNTED MEMTUN_A_END

/* How frames are put into datagrams if several senders can reach the socket: the header of each
 * datagram, and the check of its sender. For lanes with lane_packet_link only. */
struct lane_envelope {
	size_t header_size; /* bytes before the frame, at most FRAME_FORMAT_MAX */

	/* Write the header. NULL: datagrams have no header. */
	void (*write)(const struct lane *lane, unsigned char *header);

	/* Check a datagram. Returns MEMTUN_A_UNSPEC to accept it, else the counter of the drop or
	 * LANE_NOT_COUNTED. NULL: all datagrams are accepted. */
	enum memtun_attribute (*check)(struct lane *lane, const struct sockaddr_storage *from,
				       socklen_t from_length, const unsigned char *header);

	/* An error of a send, such as ECONNREFUSED, does not end the lane. */
	bool connectionless;
};

struct lane {
	ev_io io;
	int error; /* after the end: the errno that caused it, or 0 */
	uint32_t
		overrun; /* datagrams that the kernel has dropped so far because the socket was full */
	const struct lane_link *link;
	const struct lane_owner *owner;
	const struct lane_envelope *envelope; /* NULL: frames have the headers of `format` */
	const struct sockaddr_storage
		*to; /* the receiver of each datagram; NULL: the socket is connected */
	struct engine *engine;
	struct port *port; /* NULL: the queue has no tunnel yet, and its frames are discarded */
	struct frame_format format;
	ino_t inode; /* of a datagram socket, to ask sock_diag about its peer; else 0 */
	struct polled
		polled;    /* listed while the loop cannot report that the other end was closed */
	bool paused;       /* reading is paused, because a full backlog pauses the port */
	bool lacks_nowait; /* a device: RWF_NOWAIT has failed, so O_NONBLOCK is set for each call */
	bool peer_closed;  /* the lane ends in the next iteration: see lane_close_later() */
	uint8_t batch_hint;     /* frames to ask for in the next read: see batch_hint_set() */
	uint32_t sent_of_first; /* STREAM: bytes of the backlog's first frame that were sent */
	struct frame_format format_of_first; /* STREAM: the format that these bytes have */
	struct stream *stream;               /* STREAM: the received part of a frame */
	struct backlog backlog;
	struct backpressure backpressure;
};

/* Initialize a lane without a descriptor. */
void lane_init(struct lane *lane, struct engine *engine, const struct lane_owner *owner);

/* Take ownership of the descriptor and begin to read. -1 with ENOMEM, and then the caller still
 * owns it. */
int lane_open(struct lane *lane, const struct lane_link *link, int fd);

/* Close the lane's descriptor, and count its backlog as dropped. Does nothing if the lane is
 * closed. */
void lane_close(struct lane *lane);

/* Close an open lane without closing its descriptor, and count its backlog as dropped. Return the
 * descriptor, which the caller owns from then on. */
int lane_release(struct lane *lane);

static inline bool lane_is_open(const struct lane *lane)
{
	return lane->io.fd >= 0;
}

/* Set the lane's port; NULL detaches the lane. Drop the backlog. */
void lane_set_port(struct lane *lane, struct port *port);

/* Send the batch's frames whose bits are set in mask, which came from `source`. A full backlog may
 * pause the source. */
void lane_send(struct lane *lane, struct source *source, struct batch *batch, uint64_t mask);

/* Read and forward the frames that the other end sent before it was closed. */
void lane_drain(struct lane *lane);

/*
 * Check whether the other end is closed. If it is, forward the frames that it had sent, end the
 * lane, and return true. Call this where the loop may not have reported the close yet: while the
 * lane is paused, for a datagram socket, or before a request is carried out that depends on it.
 */
bool lane_close_dead(struct lane *lane);

/* End the lane in the next iteration of the loop, after forwarding the frames that the other end
 * had sent. */
void lane_close_later(struct lane *lane);

/* Resume the sources that the lane pauses, if its backlog is at most half full or its port's
 * overflow is no longer `block`. */
void lane_resume_sources(struct lane *lane);

/* Resume or pause reading from the lane, as its port is resumed or paused. */
void lane_set_reading(struct lane *lane, bool reading);

/* For the lane's own files. lane_update_io() watches the descriptor for the events that are needed
 * now. lane_flush() sends the backlog until the descriptor has no room. */
void lane_update_io(struct lane *lane);
void lane_flush(struct lane *lane);

/* For the links: add 1 to a counter of the port. Do nothing if the lane has no port. */
void lane_count(struct lane *lane, enum memtun_attribute counter);

/* For the links: return whether the frame and its headers are valid; count the frame as dropped if
 * not. */
bool lane_check(struct lane *lane, struct frame *frame, const void *headers);

/* For the links: handle a send of the frame that failed with errno. Returns true if the frame was
 * dropped and the next one can be sent, false if the frame has to wait. */
bool lane_send_failed(struct lane *lane, const struct frame *frame);

#endif

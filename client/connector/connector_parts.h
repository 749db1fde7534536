/* SPDX-License-Identifier: MIT */
/*
 * What a connector is made of, for the files that it is written in.
 *
 * A frame is read into a buffer that would hold the largest, and that is cut to the frame's size if
 * the frame is kept. It is in one place at a time: waiting (read, but not what an expect looked
 * for), given (returned to the caller, until the next call that reads), or spare.
 */
#ifndef MEMTUN_CONNECTOR_PARTS_H
#define MEMTUN_CONNECTOR_PARTS_H

#include <pcap/pcap.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/frame/frame_format.h"
#include "memtun/connector.h"
#include "common/multicast.h"

/*
 * The most frames that one call takes after its time is over: more than a socket buffer of 4 MiB
 * holds (the kernel counts at least 768 bytes for a message), so that all that was there is looked
 * at, and a LAN that never falls silent can't put the end off.
 */
#define CONNECTOR_DRAIN_MAX 8192

struct connector_frame {
	TAILQ_ENTRY(connector_frame) entry; /* while waiting */
	struct memtun_packet packet;
	bool kept; /* its buffer was cut */
	uint8_t bytes[];
};

TAILQ_HEAD(connector_frames, connector_frame);

enum connector_kind {
	CONNECTOR_SOCKET,
	CONNECTOR_DEVICE,
	CONNECTOR_MULTICAST,
};

struct memtun_connector {
	enum connector_kind kind;
	enum memtun_mode mode;
	struct frame_format format;
	int fd; /* the tunnel's; -1: a LAN */
	struct multicast multicast;
	bool ended;
	struct connector_frames waiting;
	struct connector_frame **given; /* given_count of given_room */
	size_t given_count;
	size_t given_room;
	struct connector_frame *spare;
	char error[PCAP_ERRBUF_SIZE + 128];
};

/* What poll(2) finds on the one descriptor, 0 after the timeout, or -1. */
static inline int connector_poll(int fd, short events, int timeout)
{
	struct pollfd polled = {.fd = fd, .events = events};
	int ready = poll(&polled, 1, timeout);

	return ready > 0 ? polled.revents : ready;
}

/* The deadline of a timeout in milliseconds. */
int64_t connector_deadline(int timeout);

/*
 * The next frame that is not waiting yet, now the caller's. NULL with errno: EAGAIN, EPIPE at the
 * end, ENOMEM or another.
 */
struct connector_frame *connector_receive(struct memtun_connector *connector);

/* The next frame: one that waits, or else one received until then. Also ETIMEDOUT. */
struct connector_frame *connector_next(struct memtun_connector *connector, int64_t deadline);

/* Each takes a frame over. Without memory to give it, it waits behind the others, and -1. */
int connector_give(struct memtun_connector *connector, struct connector_frame *frame);
void connector_keep_waiting(struct memtun_connector *connector, struct connector_frame *frame);
void connector_recycle(struct memtun_connector *connector, struct connector_frame *frame);

/* Takes back what was given. */
void connector_release(struct memtun_connector *connector);

/* Finds the headers of packet's data; its length is set, and so is cut. In packet.c. */
void packet_parse(struct memtun_packet *packet, enum memtun_mode mode);

#endif

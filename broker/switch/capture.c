/* SPDX-License-Identifier: MIT */
#include "broker/switch/capture.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "broker/switch/backlog.h"
#include "broker/engine/engine.h"
#include "broker/engine/batch.h"
#include "broker/system/socketpair.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/* The limits of one capture's backlog, in records and bytes. */
#define FRAMES_MAX 8192
#define BYTES_MAX (16 * 1024 * 1024)

struct capture {
	LIST_ENTRY(capture) of_target; /* of the port's or the bridge's captures */
	struct account_object of_account;
	ev_io io;
	struct engine *engine;
	struct capture_options options;
	uint64_t missed;
	struct backlog backlog; /* of whole records: a header, unless plain, and a frame */
};

/* Return what a record in the backlog takes of memory. */
static uint64_t record_size(const struct frame *record)
{
	return sizeof(*record) + record->length;
}

/* Remove the oldest record of the backlog. */
static void capture_pop(struct capture *capture)
{
	account_refund(capture->of_account.account, ACCOUNT_BYTES,
		       record_size(backlog_peek(&capture->backlog, 0)));
	backlog_pop(&capture->backlog, 1);
}

static void capture_free(struct capture *capture)
{
	ev_io_stop(capture->engine->loop, &capture->io);
	close(capture->io.fd);
	capture->engine->captures_detailed -= capture->options.detailed;
	capture->engine->captures_of_faults -= capture->options.faults;
	LIST_REMOVE(capture, of_target);
	while (capture->backlog.count)
		capture_pop(capture);
	account_remove(&capture->of_account);
	free(capture);
}

static void capture_end(struct account_object *object)
{
	capture_free(container_of(object, struct capture, of_account));
}

void capture_end_port(struct port *port)
{
	while (!LIST_EMPTY(&port->captures))
		capture_free(LIST_FIRST(&port->captures));
}

void capture_end_bridge(struct bridge *bridge)
{
	while (!LIST_EMPTY(&bridge->captures))
		capture_free(LIST_FIRST(&bridge->captures));
}

/* Watch for the reader's close, and while records wait, for room in the socket. */
static void capture_update_io(struct capture *capture)
{
	int events = EV_READ | (capture->backlog.count ? EV_WRITE : 0);

	if (ev_is_active(&capture->io) && events == (capture->io.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(capture->engine->loop, &capture->io);
	ev_io_set(&capture->io, capture->io.fd, events);
	ev_io_start(capture->engine->loop, &capture->io);
}

/* Send one record, or count it as missed. Returns false if the socket has no room now. */
static bool capture_send(struct capture *capture, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t sent;

	do {
		sent = sendmsg(capture->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return false;
	capture->missed += sent < 0;
	return true;
}

/* Return whether the reader has closed its end. Discards one record that the reader has sent. */
static bool capture_ended(struct capture *capture)
{
	char byte;
	ssize_t received = recv(capture->io.fd, &byte, sizeof(byte), MSG_DONTWAIT);

	if (received < 0)
		return errno != EAGAIN && errno != EINTR;
	return received == 0 && descriptor_at_end(capture->io.fd);
}

/* A record of the backlog was lost. Count it as missed in the header of each record behind it. */
static void capture_tell_waiting(struct capture *capture)
{
	for (uint32_t i = 0; !capture->options.plain && i < capture->backlog.count; i++) {
		struct frame *record = backlog_peek(&capture->backlog, i);

		((struct memtun_capture_header *)(void *)record->data)->missed++;
	}
}

static void capture_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct capture *capture = io->data;

	(void)loop;
	if ((events & EV_READ) && capture_ended(capture)) {
		capture_free(capture);
		return;
	}
	while (capture->backlog.count) {
		struct frame *record = backlog_peek(&capture->backlog, 0);
		struct iovec part = {record->data, record->length};
		uint64_t missed = capture->missed;

		if (!capture_send(capture, &part, 1))
			break;
		capture_pop(capture);
		if (capture->missed > missed) {
			capture_tell_waiting(capture);
			break;
		}
	}
	capture_update_io(capture);
}

struct capture *capture_new(struct engine *engine, struct account *account, struct port *port,
			    struct bridge *bridge, const struct capture_options *options,
			    int *client_fd)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int ends[2];
	ino_t inode;

	if (!capture)
		return NULL;
	if (socketpair_open(MEMTUN_SEQPACKET, engine->default_buffer_fits, ends, &inode) < 0) {
		free(capture);
		return NULL;
	}
	capture->engine = engine;
	capture->options = *options;
	capture->options.detailed |= options->faults;
	engine->captures_detailed += capture->options.detailed;
	engine->captures_of_faults += capture->options.faults;
	ev_io_init(&capture->io, capture_ready, ends[0], EV_READ);
	capture->io.data = capture;
	ev_io_start(engine->loop, &capture->io);
	if (port)
		LIST_INSERT_HEAD(&port->captures, capture, of_target);
	else
		LIST_INSERT_HEAD(&bridge->captures, capture, of_target);
	account_add(account, &capture->of_account, ACCOUNT_CAPTURES, capture_end);
	*client_fd = ends[1];
	return capture;
}

static struct frame *record_new(const struct iovec *parts, size_t count)
{
	uint32_t length = 0;
	struct frame *record;

	for (size_t i = 0; i < count; i++)
		length += (uint32_t)parts[i].iov_len;
	record = frame_new(length);
	length = 0;
	for (size_t i = 0; record && i < count; i++) {
		memcpy(record->data + length, parts[i].iov_base, parts[i].iov_len);
		length += (uint32_t)parts[i].iov_len;
	}
	return record;
}

/* Put the record into the backlog, if the account and the memory have room for it. */
static bool capture_push(struct capture *capture, struct frame *record)
{
	struct account *account = capture->of_account.account;

	if (!account_charge(account, ACCOUNT_BYTES, record_size(record)))
		return false;
	if (backlog_push(&capture->backlog, record) == 0)
		return true;
	account_refund(account, ACCOUNT_BYTES, record_size(record));
	return false;
}

/*
 * Put a record into the backlog, or count it as missed if the backlog is full or memory is short.
 */
static void capture_keep(struct capture *capture, const struct iovec *parts, size_t count)
{
	struct frame *record = NULL;

	if (capture->backlog.count < FRAMES_MAX && capture->backlog.bytes < BYTES_MAX)
		record = record_new(parts, count);
	if (!record || !capture_push(capture, record)) {
		if (record)
			frame_release(record);
		capture->missed++;
	}
	capture_update_io(capture);
}

/* The parts of a record: the header, which capture_record() sets, the bytes of the frame before its
 * checksum field, the field, and the bytes behind it. */
struct record_parts {
	struct iovec parts[4];
	size_t count;
	uint16_t checksum;
};

/*
 * Divide the frame into the parts of a record. If a sender left the checksum to the receiver, the
 * frame keeps its bytes for the ports, but the record has the complete checksum, because readers
 * of a capture would find it wrong. The checksum of a GSO frame cannot be completed.
 */
static void record_divide(struct record_parts *record, const struct frame *frame)
{
	size_t at = (size_t)frame->offload.csum_start + frame->offload.csum_offset;

	record->parts[1] = (struct iovec){frame->data, frame->length};
	record->count = 2;
	if (frame_is_gso(frame) || !(frame->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	record->checksum = frame_checksum(frame);
	record->parts[1].iov_len = at;
	record->parts[2] = (struct iovec){&record->checksum, sizeof(record->checksum)};
	at += sizeof(record->checksum);
	record->parts[3] = (struct iovec){frame->data + at, frame->length - at};
	record->count = 4;
}

static void capture_record(struct capture *capture, struct record_parts *record,
			   struct memtun_capture_details *details)
{
	struct memtun_capture_header *header = &details->header;
	const struct capture_options *options = &capture->options;
	struct iovec *first = record->parts + options->plain;
	size_t count = record->count - options->plain;

	if (options->direction && options->direction != header->direction)
		return;
	header->missed = capture->missed;
	record->parts[0] =
		(struct iovec){details, options->detailed ? sizeof(*details) : sizeof(*header)};
	if (capture->backlog.count || !capture_send(capture, first, count))
		capture_keep(capture, first, count);
}

/* ------------------------------------------------------------------------------ frames */

/* Fill in what records about several frames have in common. */
static void details_init(struct memtun_capture_details *details, const struct port *port,
			 enum memtun_mode mode, enum memtun_direction direction)
{
	const struct due_queue *clock = &port->engine->due;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*details = (struct memtun_capture_details){
		.header.time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
		.header.port = port->id,
		.header.direction = (uint16_t)direction,
		.header.mode = (uint16_t)mode,
		.size = sizeof(*details),
	};
	if (!clock->is_manual)
		return;
	details->clock = (uint64_t)due_now(clock);
	details->flags = MEMTUN_CAPTURE_CLOCK;
}

/* Return the frame's number, or a new one if it has none yet. */
static uint64_t frame_number(struct engine *engine, const struct frame *frame)
{
	return frame->id ? frame->id : ++engine->last_frame_id;
}

static void capture_batch(const struct captures *captures, const struct port *port,
			  enum memtun_mode mode, struct batch *batch, uint64_t mask,
			  enum memtun_direction direction)
{
	struct memtun_capture_details details;
	struct capture *capture;

	details_init(&details, port, mode, direction);
	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];
		struct record_parts record;

		frame->id = frame_number(port->engine, frame);
		details.frame = frame->id;
		record_divide(&record, frame);
		LIST_FOREACH(capture, captures, of_target) {
			capture_record(capture, &record, &details);
		}
	}
}

void capture_port(const struct port *port, struct batch *batch, uint64_t mask,
		  enum memtun_direction direction)
{
	capture_batch(&port->captures, port, port->mode, batch, mask, direction);
}

void capture_bridge(const struct port *port, struct batch *batch, uint64_t mask,
		    enum memtun_direction direction)
{
	capture_batch(&port->bridge->captures, port, port->bridge->mode, batch, mask, direction);
}

void capture_number(struct engine *engine, struct batch *batch, uint64_t mask)
{
	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		frame->id = frame_number(engine, frame);
	}
}

static void capture_fault_in(const struct captures *captures, struct record_parts *record,
			     struct memtun_capture_details *details)
{
	struct capture *capture;

	LIST_FOREACH(capture, captures, of_target) {
		if (capture->options.faults)
			capture_record(capture, record, details);
	}
}

void capture_fault(struct port *port, const struct frame *frame, const struct capture_fault *fault)
{
	struct memtun_capture_details details;
	struct record_parts record;

	if (!port->engine->captures_of_faults)
		return;
	details_init(&details, port, fault->mode, fault->direction);
	details.frame = frame_number(port->engine, frame);
	details.rule = fault->rule;
	details.seed = fault->seed;
	details.number = fault->number;
	memcpy(details.reasons, fault->reasons, sizeof(details.reasons));
	record_divide(&record, frame);
	capture_fault_in(&port->captures, &record, &details);
	if (port->bridge)
		capture_fault_in(&port->bridge->captures, &record, &details);
}

/* SPDX-License-Identifier: MIT */
/*
 * This file handles the records from the broker. Each is a part of the answer to the oldest
 * request, or an event. A descriptor goes to the function of the request that asked for it, or is
 * closed.
 */
#include "client/lib/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/descriptor.h"
#include "client/lib/record.h"

struct event {
	STAILQ_ENTRY(event) link;
	size_t length;
	_Alignas(8) unsigned char record[];
};

static void connection_close_fds(struct memtun *memtun)
{
	while (memtun->fd_count)
		descriptor_close(&memtun->fds[--memtun->fd_count]);
}

/* Call the oldest request's function for a part of its answer. */
static void pending_call(struct memtun *memtun, const struct memtun_record *record, int fd,
			 int error, const char *text)
{
	struct pending *pending = STAILQ_FIRST(&memtun->pending);
	struct memtun_reply reply = {
		.record = record,
		.fd = fd,
		.error = error,
		.text = text,
	};

	if (pending->function)
		pending->function(memtun, &reply, pending->context);
	else
		descriptor_close(&fd);
}

/* Call the oldest request's function for the end of its answer, and free the request. */
static void pending_end(struct memtun *memtun, int error, const char *text)
{
	struct pending *pending = STAILQ_FIRST(&memtun->pending);

	/* Remove it before the call, because the function may make or end requests. */
	STAILQ_REMOVE_HEAD(&memtun->pending, link);
	if (pending->function) {
		struct memtun_reply reply = {
			.fd = -1,
			.error = error,
			.text = text,
			.interrupted = memtun->interrupted,
		};

		pending->function(memtun, &reply, pending->context);
	}
	free(pending);
}

void connection_end(struct memtun *memtun, int error, const char *text)
{
	if (memtun->end)
		return;
	memtun->end = error ? error : EPIPE;
	fault_set(&memtun->fault, memtun->end, "%s", text);
	connection_close_fds(memtun);
	while (STAILQ_FIRST(&memtun->pending))
		pending_end(memtun, memtun->end, text);
}

static void event_call(struct memtun *memtun, const struct attribute_set *set)
{
	struct memtun_record record = {.set = *set};

	if (memtun->subscriber)
		memtun->subscriber(&record, memtun->subscriber_context);
}

static void event_lost_call(struct memtun *memtun)
{
	struct attribute_set set = {0};

	attribute_set_put_number(&set, MEMTUN_A_EVENT, MEMTUN_EVENT_LOST);
	event_call(memtun, &set);
}

/* Queue an event. If there is no room, note that events were lost. */
static void event_queue(struct memtun *memtun, const void *data, size_t length)
{
	struct event *event = NULL;

	if (memtun->event_count < CONNECTION_EVENTS_MAX)
		event = malloc(sizeof(*event) + length);
	if (!event) {
		memtun->events_lost = true;
		return;
	}
	event->length = length;
	memcpy(event->record, data, length);
	STAILQ_INSERT_TAIL(&memtun->events, event, link);
	memtun->event_count++;
}

bool events_are_queued(const struct memtun *memtun)
{
	return memtun->event_count > 0 || memtun->events_lost || memtun->end;
}

void events_deliver(struct memtun *memtun)
{
	struct event *event;

	while ((event = STAILQ_FIRST(&memtun->events))) {
		struct message message;
		struct fault fault;

		STAILQ_REMOVE_HEAD(&memtun->events, link);
		memtun->event_count--;
		if (message_parse(&message, event->record, event->length, MESSAGE_LENIENT,
				  &fault) == 0)
			event_call(memtun, &message.set);
		free(event);
	}
	if (memtun->events_lost) {
		memtun->events_lost = false;
		event_lost_call(memtun);
	}
}

void events_drop(struct memtun *memtun)
{
	struct event *event;

	while ((event = STAILQ_FIRST(&memtun->events))) {
		STAILQ_REMOVE_HEAD(&memtun->events, link);
		free(event);
	}
	memtun->event_count = 0;
}

/* Handle a record that is no answer: its sequence number is 0. */
static void connection_event(struct memtun *memtun, const struct message *message, const void *data,
			     size_t length)
{
	struct fault fault = {0};
	uint32_t sequence;

	if (message->type == MEMTUN_CMD_EVENT) {
		if (memtun->blocking)
			event_queue(memtun, data, length);
		else
			event_call(memtun, &message->set);
		return;
	}
	if (message->type != NLMSG_ERROR ||
	    message_parse_error(data, length, &sequence, &fault) < 0) {
		connection_end(memtun, EPROTO, "the broker sent a record that nothing asked for");
		return;
	}
	if (fault.error != ENOBUFS)
		connection_end(memtun, fault.error, fault.text);
	else if (memtun->blocking)
		memtun->events_lost = true;
	else
		event_lost_call(memtun);
}

/* Handle a record of the oldest request's answer. */
static void connection_record(struct memtun *memtun, const struct message *message,
			      unsigned int flags)
{
	struct memtun_record record = {.set = message->set};
	/* Ignore the descriptors of a request that asked for none, because its function would not
	 * close them. */
	bool brings_fds = STAILQ_FIRST(&memtun->pending)->brings_fds;
	uint64_t count = brings_fds ? attribute_set_number(&message->set, MEMTUN_A_FDS) : 0;
	int fd = -1;

	if (count == 1 && memtun->fd_count) {
		fd = memtun->fds[0];
		memtun->fds[0] = memtun->fds[--memtun->fd_count];
	}
	if (count && (fd < 0 || (flags & MEMTUN_TRANSPORT_FDS_LOST))) {
		static const char text[] = "the descriptor was lost: too many open files";

		descriptor_close(&fd);
		pending_call(memtun, &record, -1, EMFILE, text);
		if (!(message->flags & NLM_F_MULTI))
			pending_end(memtun, EMFILE, text);
		return;
	}
	pending_call(memtun, &record, fd, 0, "");
	if (!(message->flags & NLM_F_MULTI))
		pending_end(memtun, 0, "");
}

static void connection_answer(struct memtun *memtun, const struct message *message,
			      const void *data, size_t length, unsigned int flags)
{
	struct fault fault = {0};
	uint32_t sequence;

	memtun->interrupted = message->flags & NLM_F_DUMP_INTR;
	if (message->type == NLMSG_DONE) {
		pending_end(memtun, 0, "");
	} else if (message->type != NLMSG_ERROR) {
		connection_record(memtun, message, flags);
	} else if (message_parse_error(data, length, &sequence, &fault) < 0) {
		connection_end(memtun, EPROTO, "the broker sent a malformed error");
	} else {
		if (fault.error && fault.text[0] == '\0')
			strlcpy(fault.text, strerror(fault.error), sizeof(fault.text));
		pending_end(memtun, fault.error, fault.text);
	}
}

static void connection_fd(struct memtun_transport *transport, int fd, void *context)
{
	struct memtun *memtun = context;

	(void)transport;
	/* The array has room for the descriptors of one message. They are used or closed before the
	 * next one. */
	if (memtun->fd_count < MEMTUN_TRANSPORT_FDS_MAX)
		memtun->fds[memtun->fd_count++] = fd;
	else
		descriptor_close(&fd);
}

static void connection_data(struct memtun_transport *transport, const void *data, size_t length,
			    unsigned int flags, void *context)
{
	struct memtun *memtun = context;
	struct message message;
	struct fault fault;
	bool is_error;

	if (memtun->end)
		return;
	connection_expect_answer(memtun);
	/* message_parse() fails for an error, because its body is not a list of attributes. */
	is_error = length >= sizeof(struct nlmsghdr) &&
		   ((const struct nlmsghdr *)data)->nlmsg_type == NLMSG_ERROR;
	if (message_parse(&message, data, length, MESSAGE_LENIENT, &fault) < 0 && !is_error)
		connection_end(memtun, EPROTO, "the broker sent a malformed record");
	else if (message.sequence == 0)
		connection_event(memtun, &message, data, length);
	else if (STAILQ_EMPTY(&memtun->pending) ||
		 STAILQ_FIRST(&memtun->pending)->sequence != message.sequence)
		connection_end(memtun, EPROTO, "the broker answered a request that wasn't made");
	else
		connection_answer(memtun, &message, data, length, flags);
	connection_close_fds(memtun);
	/* The blocking call has its answer. Stop reading, because the next recvmsg(2) would find
	 * nothing. */
	if (memtun->blocking && STAILQ_EMPTY(&memtun->pending))
		memtun_transport_set_reading(transport, false);
}

static void connection_closed(struct memtun_transport *transport, int error, void *context)
{
	(void)transport;
	connection_end(context, error, "the broker has closed the connection");
}

const struct memtun_transport_handlers connection_handlers = {
	.fd_received = connection_fd,
	.data_received = connection_data,
	.closed = connection_closed,
};

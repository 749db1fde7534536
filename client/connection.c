/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "control_socket.h"
#include "descriptor.h"
#include "options.h"
#include "record.h"

struct pending {
	STAILQ_ENTRY(pending) link;
	uint32_t sequence;
	bool brings_fds;
	memtun_reply_function *function;
	void *context;
};

struct event {
	STAILQ_ENTRY(event) link;
	size_t length;
	_Alignas(8) unsigned char record[];
};

/* ------------------------------------------------------------------------------ answers */

static void connection_close_fds(struct memtun *memtun)
{
	while (memtun->fd_count)
		descriptor_close(&memtun->fds[--memtun->fd_count]);
}

/* Calls the first pending request's function for a part of its answer. */
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

/* Ends the first pending request. */
static void pending_end(struct memtun *memtun, int error, const char *text)
{
	struct pending *pending = STAILQ_FIRST(&memtun->pending);

	/* Called first and removed then would let a new request of the function's be removed. */
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

/* The connection can't go on: every request is answered with that. */
static void connection_end(struct memtun *memtun, int error, const char *text)
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

	if (memtun->watcher)
		memtun->watcher(&record, memtun->watcher_context);
}

static void event_lost_call(struct memtun *memtun)
{
	struct attribute_set set = {0};

	attribute_set_put_number(&set, MEMTUN_A_EVENT, MEMTUN_EVENT_LOST);
	event_call(memtun, &set);
}

/* Keeps an event for later; where that can't be done it is lost, and that is kept. */
static void event_keep(struct memtun *memtun, const void *data, size_t length)
{
	struct event *event = NULL;

	if (memtun->event_count < CONNECTION_MOST_EVENTS)
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

static void events_deliver(struct memtun *memtun)
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

/* Something of the broker's own accord: sequence number 0. */
static void connection_unasked(struct memtun *memtun, const struct message *message,
			       const void *data, size_t length)
{
	struct fault fault = {0};
	uint32_t sequence;

	if (message->type == MEMTUN_CMD_EVENT) {
		if (memtun->blocking)
			event_keep(memtun, data, length);
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

/* One object of the first pending request's answer. */
static void connection_record(struct memtun *memtun, const struct message *message,
			      unsigned int flags)
{
	struct memtun_record record = {.set = message->set};
	/* Who asked for no descriptor would not close one. */
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

/* Terminals obey control characters, and root may ask another user's broker. */
static void text_make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			*text = '?';
	}
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
		text_make_printable(fault.text);
		pending_end(memtun, fault.error, fault.text);
	}
}

/* ------------------------------------------------------------------------------ the transport's */

static void connection_fd(struct memtun_transport *transport, int fd, void *context)
{
	struct memtun *memtun = context;

	(void)transport;
	/* No message brings more than fit, and each message takes what it brought. */
	if (memtun->fd_count < MEMTUN_TRANSPORT_MAX_FDS)
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
	/* The body of an error has its own form. */
	is_error = length >= sizeof(struct nlmsghdr) &&
		   ((const struct nlmsghdr *)data)->nlmsg_type == NLMSG_ERROR;
	if (message_parse(&message, data, length, MESSAGE_LENIENT, &fault) < 0 && !is_error)
		connection_end(memtun, EPROTO, "the broker sent a malformed record");
	else if (message.sequence == 0)
		connection_unasked(memtun, &message, data, length);
	else if (STAILQ_EMPTY(&memtun->pending) ||
		 STAILQ_FIRST(&memtun->pending)->sequence != message.sequence)
		connection_end(memtun, EPROTO, "the broker answered a request that wasn't made");
	else
		connection_answer(memtun, &message, data, length, flags);
	connection_close_fds(memtun);
	/* A blocking call has what it waits for: another read would only find nothing. */
	if (memtun->blocking && STAILQ_EMPTY(&memtun->pending))
		memtun_transport_set_reading(transport, false);
}

static void connection_closed(struct memtun_transport *transport, int error, void *context)
{
	(void)transport;
	connection_end(context, error, "the broker has closed the connection");
}

static const struct memtun_transport_handlers connection_handlers = {
	.fd_received = connection_fd,
	.data_received = connection_data,
	.closed = connection_closed,
};

/* ------------------------------------------------------------------------------ life */

struct memtun *memtun_new(void)
{
	struct memtun *memtun = calloc(1, sizeof(*memtun));

	if (!memtun)
		return NULL;
	STAILQ_INIT(&memtun->pending);
	STAILQ_INIT(&memtun->events);
	return memtun;
}

void memtun_free(struct memtun *memtun)
{
	struct event *event;

	if (!memtun)
		return;
	connection_end(memtun, EPIPE, "the connection was closed");
	while ((event = STAILQ_FIRST(&memtun->events))) {
		STAILQ_REMOVE_HEAD(&memtun->events, link);
		free(event);
	}
	memtun_transport_free(memtun->transport);
	free(memtun);
}

const char *memtun_error(const struct memtun *memtun)
{
	return memtun->fault.text;
}

static void hello_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	int *result = context;

	if (reply->record)
		return;
	*result = reply->error;
	if (reply->error)
		fault_set(&memtun->fault, reply->error, "%s", reply->text);
}

/* Says hello and waits for the answer. */
static int connection_greet(struct memtun *memtun)
{
	struct memtun_options hello = {0};
	int result = -1;

	attribute_set_put_number(&hello.set, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	if (memtun_request(memtun, MEMTUN_CMD_HELLO, NULL, &hello, hello_answered, &result) < 0)
		return -1;
	memtun->blocking = true;
	while (result < 0 && connection_wait(memtun) == 0)
		;
	memtun->blocking = false;
	errno = result > 0 ? result : 0;
	return result == 0 ? 0 : -1;
}

int memtun_connect(struct memtun *memtun, const char *address)
{
	int fd;

	if (memtun->transport)
		return fault_set(&memtun->fault, EISCONN, "this connection is connected already");
	fd = control_socket_connect(address, &memtun->fault);
	if (fd < 0)
		return -1;
	memtun->end = 0;
	memtun->transport = memtun_transport_new(fd, &connection_handlers, memtun);
	if (!memtun->transport) {
		fault_set(&memtun->fault, errno, "cannot use the connection: %s", strerror(errno));
		close(fd);
		return -1;
	}
	if (connection_greet(memtun) < 0) {
		int error = errno;

		memtun_transport_free(memtun->transport);
		memtun->transport = NULL;
		errno = error;
		return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ requests */

/* Builds the request's record; its length, 0 with errno. */
static size_t request_build(struct memtun *memtun, enum memtun_command command, const char *name,
			    const struct memtun_options *options)
{
	struct message_builder *builder = &memtun->builder;
	bool is_list =
		!name && (command == MEMTUN_CMD_TUNNEL_SHOW || command == MEMTUN_CMD_BRIDGE_SHOW);

	message_begin(builder, (uint16_t)command,
		      (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (is_list ? NLM_F_DUMP : 0)),
		      ++memtun->sequence ? memtun->sequence : ++memtun->sequence);
	if (name)
		message_put_string(builder, MEMTUN_A_NAME, name);
	if (options)
		message_put_set(builder, &options->set);
	return message_end(builder);
}

int memtun_request(struct memtun *memtun, enum memtun_command command, const char *name,
		   const struct memtun_options *options, memtun_reply_function *function,
		   void *context)
{
	struct pending *pending;
	size_t length;

	if (!memtun->transport)
		return fault_set(&memtun->fault, ENOTCONN, "not connected to a broker");
	if (memtun->end)
		return fault_set(&memtun->fault, EPIPE, "the broker has closed the connection");
	if (memtun_transport_is_paused(memtun->transport))
		return fault_set(&memtun->fault, EAGAIN, "the broker is slow: try again later");
	length = request_build(memtun, command, name, options);
	if (!length)
		return fault_set(&memtun->fault, EINVAL, "the request is too long");
	pending = calloc(1, sizeof(*pending));
	if (!pending)
		return fault_set(&memtun->fault, ENOMEM, "out of memory");
	pending->sequence = memtun->sequence;
	pending->brings_fds = command == MEMTUN_CMD_QUEUE_OPEN || command == MEMTUN_CMD_CAPTURE ||
			      command == MEMTUN_CMD_INJECT;
	pending->function = function;
	pending->context = context;
	if (memtun_transport_send(memtun->transport, memtun->builder.bytes, length, NULL, 0) < 0) {
		int error = errno;

		free(pending);
		return fault_set(&memtun->fault, error, "cannot send to the broker: %s",
				 strerror(error));
	}
	STAILQ_INSERT_TAIL(&memtun->pending, pending, link);
	return 0;
}

/* ------------------------------------------------------------------------------ the loop's side */

int memtun_fd(const struct memtun *memtun)
{
	return memtun->transport && !memtun->end ? memtun_transport_fd(memtun->transport) : -1;
}

short memtun_events(const struct memtun *memtun)
{
	return memtun->transport && !memtun->end ? memtun_transport_events(memtun->transport) : 0;
}

int64_t memtun_deadline(const struct memtun *memtun)
{
	/* Those that wait are delivered once no call blocks. */
	if (!memtun->blocking && (memtun->event_count || memtun->events_lost))
		return 0;
	return memtun->transport && !memtun->end ? memtun_transport_deadline(memtun->transport)
						 : -1;
}

static int connection_check(struct memtun *memtun)
{
	if (!memtun->transport)
		return fault_set(&memtun->fault, ENOTCONN, "not connected to a broker");
	if (memtun->end) {
		errno = memtun->end;
		return -1;
	}
	return 0;
}

int memtun_dispatch(struct memtun *memtun)
{
	if (memtun->dispatching)
		return 0;
	memtun->dispatching = true;
	if (!memtun->blocking)
		events_deliver(memtun);
	if (memtun->transport && !memtun->end)
		memtun_transport_dispatch(memtun->transport,
					  memtun_transport_events(memtun->transport));
	if (memtun->transport)
		memtun_transport_set_reading(memtun->transport, true);
	memtun->dispatching = false;
	return connection_check(memtun);
}

int memtun_wait(struct memtun *memtun, int timeout)
{
	int64_t until = timeout < 0 ? -1 : clock_now() + timeout * CLOCK_MILLISECOND;
	int64_t deadline = clock_earlier(until, memtun_deadline(memtun));
	struct pollfd poll_fd = {.fd = memtun_fd(memtun), .events = memtun_events(memtun)};
	int ready;

	if (connection_check(memtun) < 0)
		return -1;
	ready = poll(&poll_fd, 1, clock_poll_timeout(deadline));
	if (ready < 0)
		return -1;
	if (ready == 0 && deadline == until && until >= 0)
		return 0;
	return memtun_dispatch(memtun) < 0 ? -1 : 1;
}

int connection_wait(struct memtun *memtun)
{
	int waited;

	do {
		waited = memtun_wait(memtun, -1);
	} while (waited < 0 && errno == EINTR && !memtun->end);
	if (waited >= 0)
		return 0;
	/* Whoever waits must not be left without an answer. */
	if (memtun->transport && !memtun->end)
		connection_end(memtun, errno, "cannot wait for the broker");
	return -1;
}

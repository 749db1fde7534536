/* SPDX-License-Identifier: MIT */
#include "client/lib/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control_connect.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "client/lib/options.h"

/* ------------------------------------------------------------------------------ life */

struct memtun *memtun_new(void)
{
	struct memtun *memtun = calloc(1, sizeof(*memtun));

	if (!memtun)
		return NULL;
	STAILQ_INIT(&memtun->pending);
	STAILQ_INIT(&memtun->events);
	memtun->answer_timeout = -1;
	memtun->answer_due = -1;
	return memtun;
}

void memtun_free(struct memtun *memtun)
{
	if (!memtun)
		return;
	connection_end(memtun, EPIPE, "the connection was closed");
	events_drop(memtun);
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

/* Send hello and wait for the answer. */
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

void memtun_set_timeout(struct memtun *memtun, int milliseconds)
{
	memtun->answer_timeout = milliseconds;
	connection_expect_answer(memtun);
}

void connection_expect_answer(struct memtun *memtun)
{
	memtun->answer_due = memtun->answer_timeout < 0
				     ? -1
				     : clock_now() + memtun->answer_timeout * CLOCK_MILLISECOND;
}

int memtun_connect(struct memtun *memtun, const char *address)
{
	int fd;

	if (memtun->transport && (!memtun->end || memtun->dispatching))
		return fault_set(&memtun->fault, EISCONN, "this connection is connected already");
	/* A connection that has ended begins anew. */
	memtun_transport_free(memtun->transport);
	memtun->transport = NULL;
	events_drop(memtun);
	memtun->events_lost = false;
	fd = control_connect(address, memtun->answer_timeout, &memtun->fault);
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
		return failed(error);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ requests */

/* Build the request's record. Return its length; 0 with errno. */
static size_t request_build(struct memtun *memtun, enum memtun_command command, const char *name,
			    const struct memtun_options *options)
{
	struct message_builder *builder = &memtun->builder;
	bool has_key = name || (options && attribute_set_has(&options->set, MEMTUN_A_ID));
	bool is_list = !has_key &&
		       (command == MEMTUN_CMD_TUNNEL_SHOW || command == MEMTUN_CMD_BRIDGE_SHOW ||
			command == MEMTUN_CMD_UPLINK_SHOW || command == MEMTUN_CMD_ADDRESS_SHOW ||
			command == MEMTUN_CMD_SESSION_SHOW);

	message_begin(builder, (uint16_t)command,
		      (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (is_list ? NLM_F_DUMP : 0)),
		      ++memtun->sequence ? memtun->sequence : ++memtun->sequence);
	if (name)
		message_put_string(builder, MEMTUN_A_NAME, name);
	if (options)
		message_put_set(builder, &options->set);
	return message_end(builder);
}

/* Fill the fault for a broker that takes too long. Return -1. */
static int timeout_fault(const struct memtun *memtun, struct fault *fault)
{
	return fault_set(fault, ETIMEDOUT, "the broker has not answered within %g seconds",
			 memtun->answer_timeout / 1000.);
}

int memtun_request(struct memtun *memtun, enum memtun_command command, const char *name,
		   const struct memtun_options *options, memtun_reply_function *function,
		   void *context)
{
	struct pending *pending;
	size_t length;

	if (!memtun->transport)
		return fault_set(&memtun->fault, ENOTCONN, "not connected to a broker");
	if (memtun->end == ETIMEDOUT)
		return timeout_fault(memtun, &memtun->fault);
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
			      command == MEMTUN_CMD_INJECT || command == MEMTUN_CMD_HAND_IN;
	pending->function = function;
	pending->context = context;
	if (memtun_transport_send(memtun->transport, memtun->builder.bytes, length, NULL, 0) < 0) {
		int error = errno;

		free(pending);
		return fault_set(&memtun->fault, error, "cannot send to the broker: %s",
				 strerror(error));
	}
	if (STAILQ_EMPTY(&memtun->pending))
		connection_expect_answer(memtun);
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
	/* Queued events are due as soon as no blocking call runs. */
	if (!memtun->blocking && (memtun->event_count || memtun->events_lost))
		return 0;
	if (!memtun->transport || memtun->end)
		return -1;
	return clock_earlier(memtun_transport_deadline(memtun->transport),
			     STAILQ_EMPTY(&memtun->pending) ? -1 : memtun->answer_due);
}

static int connection_check(struct memtun *memtun)
{
	if (!memtun->transport)
		return fault_set(&memtun->fault, ENOTCONN, "not connected to a broker");
	if (memtun->end)
		return failed(memtun->end);
	return 0;
}

/* End the connection if the broker has left a request without an answer for too long. */
static void answer_check(struct memtun *memtun)
{
	struct fault fault;

	if (STAILQ_EMPTY(&memtun->pending) || memtun->answer_due < 0 ||
	    clock_now() < memtun->answer_due)
		return;
	timeout_fault(memtun, &fault);
	connection_end(memtun, ETIMEDOUT, fault.text);
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
	answer_check(memtun);
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
	/* Each request gets an answer, even if waiting for it fails. */
	if (memtun->transport && !memtun->end)
		connection_end(memtun, errno, "cannot wait for the broker");
	return -1;
}

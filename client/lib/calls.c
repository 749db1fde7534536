/* SPDX-License-Identifier: MIT */
/*
 * The blocking calls: each makes a request, and runs the connection until the answer is there.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client/lib/connection.h"
#include "common/descriptor.h"
#include "common/descriptor_message.h"
#include "common/failed.h"
#include "client/lib/options.h"
#include "client/lib/record.h"

/* A blocking call, and its answer. */
struct call {
	bool done;
	int error;
	int fd; /* owned */
	char name[MEMTUN_NAME_SIZE];
	memtun_record_function *function;
	void *context;
};

static void call_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct call *call = context;

	if (reply->record) {
		const char *name = memtun_record_string(reply->record, "name");

		descriptor_close(&call->fd);
		call->fd = reply->fd;
		if (name)
			strlcpy(call->name, name, sizeof(call->name));
		if (call->function)
			call->function(reply->record, call->context);
		return;
	}
	call->done = true;
	call->error = reply->error;
	if (reply->error)
		fault_set(&memtun->fault, reply->error, "%s", reply->text);
}

/* Make the request and wait for the answer. -1 with errno: then no descriptor is left. */
static int call_make(struct memtun *memtun, struct call *call, enum memtun_command command,
		     const char *name, const struct memtun_options *options)
{
	bool was_blocking = memtun->blocking;

	memtun->fault.text[0] = '\0';
	call->fd = -1;
	if (memtun->dispatching)
		return fault_set(&memtun->fault, EDEADLK,
				 "a blocking call from inside a callback would wait for ever");
	/* Wait while the send queue is full of earlier requests. */
	while (memtun_request(memtun, command, name, options, call_answered, call) < 0) {
		if (errno != EAGAIN || connection_wait(memtun) < 0)
			return -1;
	}
	memtun->blocking = true;
	while (!call->done && connection_wait(memtun) == 0)
		;
	memtun->blocking = was_blocking;
	if (call->error) {
		descriptor_close(&call->fd);
		return failed(call->error);
	}
	return 0;
}

/* Do the same for a request that brings a descriptor. Return it; the caller owns it. */
static int call_for_fd(struct memtun *memtun, struct call *call, enum memtun_command command,
		       const char *name, const struct memtun_options *options)
{
	if (call_make(memtun, call, command, name, options) < 0)
		return -1;
	if (call->fd < 0)
		return fault_set(&memtun->fault, EPROTO, "the broker sent no descriptor");
	return call->fd;
}

int memtun_open_named(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      char opened[MEMTUN_NAME_SIZE])
{
	struct call call = {0};

	if (!name)
		name = options && attribute_set_number(&options->set, MEMTUN_A_MODE) == MEMTUN_TUN
			       ? "tun%d"
			       : "tap%d";
	if (options && attribute_set_has(&options->set, MEMTUN_A_COUNT))
		return fault_set(&memtun->fault, EINVAL,
				 "one descriptor is asked for, so there is no count");
	if (call_for_fd(memtun, &call, MEMTUN_CMD_QUEUE_OPEN, name, options) < 0)
		return -1;
	strlcpy(opened, call.name, MEMTUN_NAME_SIZE);
	return call.fd;
}

int memtun_open(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	char opened[MEMTUN_NAME_SIZE];

	return memtun_open_named(memtun, name, options, opened);
}

int call_simple(struct memtun *memtun, enum memtun_command command, const char *name,
		const struct memtun_options *options, memtun_record_function *function,
		void *context)
{
	struct call call = {.function = function, .context = context};

	return call_make(memtun, &call, command, name, options);
}

int memtun_add(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_TUNNEL_ADD, name, options, NULL, NULL);
}

int memtun_set(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_TUNNEL_SET, name, options, NULL, NULL);
}

int memtun_delete(struct memtun *memtun, const char *name)
{
	return call_simple(memtun, MEMTUN_CMD_TUNNEL_DELETE, name, NULL, NULL, NULL);
}

/* Ask for the records of one port, or of all, with their counters if `statistics`. */
static int call_show(struct memtun *memtun, enum memtun_command command, const char *name,
		     bool statistics, memtun_record_function *function, void *context)
{
	struct memtun_options options = {0};

	if (statistics)
		attribute_set_put_number(&options.set, MEMTUN_A_STATISTICS, 1);
	return call_simple(memtun, command, name, &options, function, context);
}

int memtun_show(struct memtun *memtun, const char *name, bool statistics,
		memtun_record_function *function, void *context)
{
	return call_show(memtun, MEMTUN_CMD_TUNNEL_SHOW, name, statistics, function, context);
}

int memtun_impair_add(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      memtun_record_function *function, void *context)
{
	return call_simple(memtun, MEMTUN_CMD_IMPAIR_ADD, name, options, function, context);
}

int memtun_impair_set(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_IMPAIR_SET, name, options, NULL, NULL);
}

int memtun_impair_delete(struct memtun *memtun, const char *name, uint32_t rule)
{
	struct memtun_options options = {0};

	if (rule)
		attribute_set_put_number(&options.set, MEMTUN_A_RULE, rule);
	return call_simple(memtun, MEMTUN_CMD_IMPAIR_DELETE, name, &options, NULL, NULL);
}

int memtun_impair_release(struct memtun *memtun, const char *name,
			  const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_IMPAIR_RELEASE, name, options, NULL, NULL);
}

int memtun_impair_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context)
{
	return call_simple(memtun, MEMTUN_CMD_IMPAIR_SHOW, name, NULL, function, context);
}

/* Capture with the flag `how`; MEMTUN_A_UNSPEC: none. */
static int call_capture(struct memtun *memtun, const char *name, bool is_bridge,
			enum memtun_direction direction, enum memtun_attribute how)
{
	struct memtun_options options = {0};
	struct call call = {0};

	if (is_bridge)
		attribute_set_put_string(&options.set, MEMTUN_A_BRIDGE, name);
	if (direction)
		attribute_set_put_number(&options.set, MEMTUN_A_DIRECTION, direction);
	if (how)
		attribute_set_put_number(&options.set, how, 1);
	return call_for_fd(memtun, &call, MEMTUN_CMD_CAPTURE, is_bridge ? NULL : name, &options);
}

int memtun_capture(struct memtun *memtun, const char *name, bool is_bridge,
		   enum memtun_direction direction, bool plain)
{
	return call_capture(memtun, name, is_bridge, direction,
			    plain ? MEMTUN_A_PLAIN : MEMTUN_A_UNSPEC);
}

int memtun_capture_detailed(struct memtun *memtun, const char *name, bool is_bridge,
			    enum memtun_direction direction, bool faults)
{
	return call_capture(memtun, name, is_bridge, direction,
			    faults ? MEMTUN_A_FAULTS : MEMTUN_A_DETAILED);
}

static int call_inject(struct memtun *memtun, const char *name, enum memtun_direction direction,
		       bool vnet)
{
	struct memtun_options options = {0};
	struct call call = {0};

	attribute_set_put_number(&options.set, MEMTUN_A_DIRECTION, direction);
	if (vnet)
		attribute_set_put_number(&options.set, MEMTUN_A_VNET_HDR, 1);
	return call_for_fd(memtun, &call, MEMTUN_CMD_INJECT, name, &options);
}

int memtun_inject(struct memtun *memtun, const char *name, enum memtun_direction direction)
{
	return call_inject(memtun, name, direction, false);
}

int memtun_inject_vnet(struct memtun *memtun, const char *name, enum memtun_direction direction)
{
	return call_inject(memtun, name, direction, true);
}

int memtun_bridge_add(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_BRIDGE_ADD, name, options, NULL, NULL);
}

int memtun_bridge_delete(struct memtun *memtun, const char *name)
{
	return call_simple(memtun, MEMTUN_CMD_BRIDGE_DELETE, name, NULL, NULL, NULL);
}

int memtun_bridge_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context)
{
	return call_simple(memtun, MEMTUN_CMD_BRIDGE_SHOW, name, NULL, function, context);
}

int memtun_uplink_add(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      memtun_record_function *function, void *context)
{
	return call_simple(memtun, MEMTUN_CMD_UPLINK_ADD, name, options, function, context);
}

static void note_hand_in(const struct memtun_record *record, void *context)
{
	memtun_record_number(record, "hand-in", context);
}

/* Send the record of a hand-in: one byte, the number of descriptors, with them. -1 with errno. */
static int hand_in_send(int through, int fd, int life)
{
	const int fds[] = {fd, life};
	const unsigned char count = life >= 0 ? 2 : 1;

	return descriptor_message_send(through, &count, sizeof(count), fds, count, 0);
}

/* Give copies of the descriptors to the broker. Return the id of the hand-in that has them. */
static int call_hand_in(struct memtun *memtun, int fd, int life, uint64_t *id)
{
	struct call call = {.function = note_hand_in, .context = id};
	descriptor_owned through = call_for_fd(memtun, &call, MEMTUN_CMD_HAND_IN, NULL, NULL);

	if (through < 0)
		return -1;
	if (hand_in_send(through, fd, life) < 0)
		return fault_set(&memtun->fault, errno, "cannot hand in descriptor %d%s: %s", fd,
				 life >= 0 ? " and its life" : "", strerror(errno));
	return 0;
}

int memtun_uplink_add_fd(struct memtun *memtun, const char *name,
			 const struct memtun_options *options, int fd, int life)
{
	struct memtun_options request = {0};
	uint64_t id = 0;

	if (options)
		request.set = options->set;
	if (call_hand_in(memtun, fd, life, &id) < 0)
		return -1;
	if (attribute_set_number(&request.set, MEMTUN_A_TYPE) != MEMTUN_UPLINK_DEVICE)
		attribute_set_put_number(&request.set, MEMTUN_A_TYPE, MEMTUN_UPLINK_FD);
	attribute_set_put_number(&request.set, MEMTUN_A_HAND_IN, id);
	return call_simple(memtun, MEMTUN_CMD_UPLINK_ADD, name, &request, NULL, NULL);
}

int memtun_uplink_set(struct memtun *memtun, const char *name, const struct memtun_options *options)
{
	return call_simple(memtun, MEMTUN_CMD_UPLINK_SET, name, options, NULL, NULL);
}

int memtun_uplink_delete(struct memtun *memtun, const char *name)
{
	return call_simple(memtun, MEMTUN_CMD_UPLINK_DELETE, name, NULL, NULL, NULL);
}

int memtun_uplink_show(struct memtun *memtun, const char *name, bool statistics,
		       memtun_record_function *function, void *context)
{
	return call_show(memtun, MEMTUN_CMD_UPLINK_SHOW, name, statistics, function, context);
}

int memtun_address_show(struct memtun *memtun, const char *bridge, memtun_record_function *function,
			void *context)
{
	struct memtun_options options = {0};

	attribute_set_put_string(&options.set, MEMTUN_A_BRIDGE, bridge);
	return call_simple(memtun, MEMTUN_CMD_ADDRESS_SHOW, NULL, &options, function, context);
}

int memtun_session_show(struct memtun *memtun, uint32_t id, memtun_record_function *function,
			void *context)
{
	struct memtun_options options = {0};

	if (id)
		attribute_set_put_number(&options.set, MEMTUN_A_ID, id);
	return call_simple(memtun, MEMTUN_CMD_SESSION_SHOW, NULL, &options, function, context);
}

int memtun_session_delete(struct memtun *memtun, uint32_t id)
{
	struct memtun_options options = {0};

	attribute_set_put_number(&options.set, MEMTUN_A_ID, id);
	return call_simple(memtun, MEMTUN_CMD_SESSION_DELETE, NULL, &options, NULL, NULL);
}

bool memtun_interrupted(const struct memtun *memtun)
{
	return memtun->interrupted;
}

int memtun_subscribe(struct memtun *memtun, memtun_record_function *function, void *context)
{
	memtun->subscriber = function;
	memtun->subscriber_context = context;
	return call_simple(memtun, MEMTUN_CMD_SUBSCRIBE, NULL, NULL, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <string.h>

#include "broker.h"
#include "capture.h"
#include "descriptor.h"
#include "injector.h"
#include "memtun/protocol.h"
#include "session.h"
#include "tunnel_name.h"

#define BIT(attribute) ATTRIBUTE_BIT(MEMTUN_A_##attribute)

/* What finds a tunnel: one of the two. */
#define TUNNEL_KEY (BIT(NAME) | BIT(ID))

/* ------------------------------------------------------------------------------ answering */

static const struct attribute_set *request_set(const struct session *session)
{
	return &session->request.set;
}

/* Begins a record of the answer; those of a list, or of a batch, say that there are several. */
static struct message_builder *answer_begin(struct session *session)
{
	struct message_builder *builder = &session->broker->builder;

	message_begin(builder, session->request.type, session->step ? NLM_F_MULTI : 0,
		      session->request.sequence);
	return builder;
}

static void answer_tunnel(struct session *session, struct tunnel *tunnel, bool statistics)
{
	struct message_builder *builder;
	struct attribute_set set;

	tunnel_describe(tunnel, statistics, &set);
	builder = answer_begin(session);
	message_put_set(builder, &set);
	session_send(session, -1);
}

/* What a client is given with its descriptor. */
static void answer_opened(struct session *session, struct tunnel *tunnel, const struct queue *queue,
			  int client_fd)
{
	struct message_builder *builder;
	struct attribute_set set = {0};

	if (tunnel)
		tunnel_describe(tunnel, false, &set);
	if (queue) {
		attribute_set_put_number(&set, MEMTUN_A_QUEUE_ID, queue->id);
		attribute_set_put_number(&set, MEMTUN_A_INODE, queue->client_inode);
	}
	attribute_set_put_number(&set, MEMTUN_A_FDS, client_fd >= 0);
	builder = answer_begin(session);
	message_put_set(builder, &set);
	session_send(session, client_fd);
}

/* ------------------------------------------------------------------------------ tunnels */

/* The tunnel that a request names, if its user may have it. */
static struct tunnel *request_tunnel(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const char *name = attribute_set_string(set, MEMTUN_A_NAME);
	uint32_t id = (uint32_t)attribute_set_number(set, MEMTUN_A_ID);
	struct tunnel *tunnel = NULL;

	if (name && id) {
		fault_set(fault, EINVAL, "a name or an id, not both");
		return NULL;
	}
	if (name)
		tunnel = tunnel_find(session->broker, name);
	else if (id)
		tunnel = tunnel_next(session->broker, id - 1);
	if (id && tunnel && tunnel->id != id)
		tunnel = NULL;
	if (!tunnel && name)
		fault_set(fault, ENOENT, "there is no tunnel '%s'", name);
	else if (!tunnel && id)
		fault_set(fault, ENOENT, "there is no tunnel with id %u", id);
	else if (!tunnel)
		fault_set(fault, EINVAL, "a name or an id is missing");
	return tunnel;
}

/* How many are to be made; a batch needs a name with a %d. */
static int request_count(struct session *session, uint64_t *count, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const char *name = attribute_set_string(set, MEMTUN_A_NAME);

	*count = attribute_set_has(set, MEMTUN_A_COUNT) ? attribute_set_number(set, MEMTUN_A_COUNT)
							: 1;
	if (attribute_set_has(set, MEMTUN_A_COUNT) && (!name || !tunnel_name_is_template(name)))
		return fault_set(fault, EINVAL, "count needs a name with a %%d");
	return 0;
}

static int add_one(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel =
		tunnel_add(session->broker, request_set(session), session->uid, true, fault);

	if (!tunnel)
		return -1;
	answer_tunnel(session, tunnel, false);
	return 0;
}

static int open_one(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	struct tunnel *tunnel;
	struct queue *queue;
	int client_fd;

	tunnel = tunnel_open(session->broker, set, session->uid, &queue, &client_fd, fault);
	if (!tunnel)
		return -1;
	answer_opened(session, tunnel, queue, client_fd);
	return 0;
}

static int add_step(struct session *session, struct fault *fault)
{
	return add_one(session, fault) < 0 ? -1 : --session->remaining > 0;
}

static int open_step(struct session *session, struct fault *fault)
{
	return open_one(session, fault) < 0 ? -1 : --session->remaining > 0;
}

/* Makes one, or begins to make so many. */
static enum command_result run_batch(struct session *session,
				     int (*one)(struct session *, struct fault *),
				     session_step *step, struct fault *fault)
{
	if (request_count(session, &session->remaining, fault) < 0)
		return COMMAND_FAILED;
	if (attribute_set_has(request_set(session), MEMTUN_A_COUNT))
		return session_begin(session, step, fault) < 0 ? COMMAND_FAILED : COMMAND_ANSWERED;
	return one(session, fault) < 0 ? COMMAND_FAILED : COMMAND_ANSWERED;
}

static enum command_result run_tunnel_add(struct session *session, struct fault *fault)
{
	return run_batch(session, add_one, add_step, fault);
}

static enum command_result run_tunnel_set(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || tunnel_admit(tunnel, session->uid, fault) < 0 ||
	    tunnel_set(tunnel, request_set(session), fault) < 0)
		return COMMAND_FAILED;
	return COMMAND_DONE;
}

static enum command_result run_tunnel_delete(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || tunnel_admit(tunnel, session->uid, fault) < 0)
		return COMMAND_FAILED;
	tunnel_delete(tunnel);
	return COMMAND_DONE;
}

static int list_tunnel_step(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = tunnel_next(session->broker, session->cursor);

	(void)fault;
	if (!tunnel)
		return 0;
	session->cursor = tunnel->id;
	answer_tunnel(session, tunnel,
		      attribute_set_number(request_set(session), MEMTUN_A_STATISTICS));
	return 1;
}

static enum command_result run_tunnel_show(struct session *session, struct fault *fault)
{
	bool all = (session->request.flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct tunnel *tunnel;

	if (all && (request_set(session)->present & TUNNEL_KEY)) {
		fault_set(fault, EINVAL, "a list of all tunnels takes no name or id");
		return COMMAND_FAILED;
	}
	if (all)
		return session_begin(session, list_tunnel_step, fault) < 0 ? COMMAND_FAILED
									   : COMMAND_ANSWERED;
	tunnel = request_tunnel(session, fault);
	if (!tunnel)
		return COMMAND_FAILED;
	answer_tunnel(session, tunnel,
		      attribute_set_number(request_set(session), MEMTUN_A_STATISTICS));
	return COMMAND_ANSWERED;
}

/* ------------------------------------------------------------------------------ queues */

/* Opens a queue that no tunnel has yet: it is attached later. */
static enum command_result open_unattached(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const uint64_t allowed = BIT(SOCKET);
	struct frame_format format = {0};
	struct queue *queue;
	int client_fd;

	if (set->present & ~allowed) {
		fault_set(fault, EINVAL, "a queue without a name takes no option but socket");
		return COMMAND_FAILED;
	}
	queue = queue_new(session->broker,
			  attribute_set_has(set, MEMTUN_A_SOCKET)
				  ? (enum memtun_socket)attribute_set_number(set, MEMTUN_A_SOCKET)
				  : MEMTUN_SEQPACKET,
			  &format, &client_fd);
	if (!queue) {
		fault_set(fault, errno, "cannot open a queue: %s", strerror(errno));
		return COMMAND_FAILED;
	}
	answer_opened(session, NULL, queue, client_fd);
	return COMMAND_ANSWERED;
}

static enum command_result run_queue_open(struct session *session, struct fault *fault)
{
	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return open_unattached(session, fault);
	return run_batch(session, open_one, open_step, fault);
}

/* The queue that a request names, if its user may have it. */
static struct queue *request_queue(struct session *session, struct fault *fault)
{
	uint32_t id = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_QUEUE_ID);
	struct queue *queue = queue_find(session->broker, id);

	if (!queue)
		fault_set(fault, ENOENT, "there is no queue %u", id);
	else if (queue->tunnel && tunnel_admit(queue->tunnel, session->uid, fault) < 0)
		return NULL;
	return queue;
}

static enum command_result run_queue_attach(struct session *session, struct fault *fault)
{
	struct queue *queue = request_queue(session, fault);
	struct tunnel *tunnel;

	if (!queue)
		return COMMAND_FAILED;
	tunnel = tunnel_attach(session->broker, request_set(session), session->uid, queue, fault);
	if (!tunnel)
		return COMMAND_FAILED;
	answer_opened(session, tunnel, queue, -1);
	return COMMAND_ANSWERED;
}

static enum command_result run_queue_detach(struct session *session, struct fault *fault)
{
	struct queue *queue = request_queue(session, fault);
	struct tunnel *tunnel;

	if (!queue)
		return COMMAND_FAILED;
	tunnel = queue->tunnel;
	if (!tunnel) {
		fault_set(fault, EINVAL, "queue %u is not attached", queue->id);
		return COMMAND_FAILED;
	}
	queue_detach(queue);
	tunnel_queue_ended(tunnel, queue->id);
	return COMMAND_DONE;
}

/* ------------------------------------------------------------------------------ frames */

/* Gives the client a descriptor that carries frames; fd -1: there is none, errno says why. */
static enum command_result answer_frames(struct session *session, int fd, struct fault *fault)
{
	struct message_builder *builder;

	if (fd < 0) {
		fault_set(fault, errno, "cannot make a descriptor for frames: %s", strerror(errno));
		return COMMAND_FAILED;
	}
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_FDS, 1);
	session_send(session, fd);
	return COMMAND_ANSWERED;
}

/* The tunnel that a request names, if its frames pass through the broker. */
static struct tunnel *request_wired_tunnel(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || tunnel_admit(tunnel, session->uid, fault) < 0)
		return NULL;
	if (!tunnel->pair)
		return tunnel;
	fault_set(fault, EINVAL,
		  "the frames of '%s' go straight to its peer, not through the broker",
		  tunnel->name);
	return NULL;
}

static enum memtun_direction request_direction(const struct session *session)
{
	return (enum memtun_direction)attribute_set_number(request_set(session),
							   MEMTUN_A_DIRECTION);
}

static enum command_result run_capture(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const char *name = attribute_set_string(set, MEMTUN_A_BRIDGE);
	struct tunnel *tunnel = NULL;
	struct bridge *bridge = NULL;
	int fd = -1;

	if (name && (set->present & TUNNEL_KEY)) {
		fault_set(fault, EINVAL, "a tunnel or a bridge, not both");
		return COMMAND_FAILED;
	}
	if (name) {
		bridge = broker_find_bridge(session->broker, name);
		if (!bridge)
			fault_set(fault, ENOENT, "there is no bridge '%s'", name);
	} else {
		tunnel = request_wired_tunnel(session, fault);
	}
	if (!bridge && !tunnel)
		return COMMAND_FAILED;
	capture_new(session->broker, tunnel, bridge, request_direction(session),
		    attribute_set_number(set, MEMTUN_A_PLAIN), &fd);
	return answer_frames(session, fd, fault);
}

static enum command_result run_inject(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_wired_tunnel(session, fault);
	int fd = -1;

	if (!tunnel)
		return COMMAND_FAILED;
	injector_new(tunnel, request_direction(session), &fd);
	return answer_frames(session, fd, fault);
}

/* ------------------------------------------------------------------------------ bridges */

static struct bridge *request_bridge(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct bridge *bridge = broker_find_bridge(session->broker, name);

	if (!bridge)
		fault_set(fault, ENOENT, "there is no bridge '%s'", name);
	return bridge;
}

static enum command_result run_bridge_add(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);

	if (tunnel_name_is_template(name))
		fault_set(fault, EINVAL, "a bridge's name has no %%d");
	else if (broker_find_bridge(session->broker, name))
		fault_set(fault, EBUSY, "bridge '%s' exists", name);
	else if (!broker_add_bridge(session->broker, name,
				    attribute_set_number(request_set(session), MEMTUN_A_HUB), true))
		fault_set(fault, ENOMEM, "cannot make bridge '%s': out of memory", name);
	else
		return COMMAND_DONE;
	return COMMAND_FAILED;
}

static enum command_result run_bridge_delete(struct session *session, struct fault *fault)
{
	struct bridge *bridge = request_bridge(session, fault);

	if (!bridge)
		return COMMAND_FAILED;
	broker_delete_bridge(session->broker, bridge);
	return COMMAND_DONE;
}

static void answer_bridge(struct session *session, const struct bridge *bridge)
{
	struct message_builder *builder;
	struct attribute_set set;

	broker_describe_bridge(session->broker, bridge, &set);
	builder = answer_begin(session);
	message_put_set(builder, &set);
	session_send(session, -1);
}

static int list_bridge_step(struct session *session, struct fault *fault)
{
	struct bridge *bridge = broker_next_bridge(session->broker, session->cursor);

	(void)fault;
	if (!bridge)
		return 0;
	session->cursor = bridge->id;
	answer_bridge(session, bridge);
	return 1;
}

static enum command_result run_bridge_show(struct session *session, struct fault *fault)
{
	struct bridge *bridge;

	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return session_begin(session, list_bridge_step, fault) < 0 ? COMMAND_FAILED
									   : COMMAND_ANSWERED;
	bridge = request_bridge(session, fault);
	if (!bridge)
		return COMMAND_FAILED;
	answer_bridge(session, bridge);
	return COMMAND_ANSWERED;
}

/* ------------------------------------------------------------------------------ the client */

static enum command_result run_hello(struct session *session, struct fault *fault)
{
	uint32_t version = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_VERSION);
	struct message_builder *builder;

	if (version >> 16 != MEMTUN_PROTOCOL_MAJOR) {
		fault_set(fault, EPROTONOSUPPORT, "this broker speaks version %d, not %u",
			  MEMTUN_PROTOCOL_MAJOR, version >> 16);
		return COMMAND_FAILED;
	}
	session->greeted = true;
	builder = answer_begin(session);
	message_put_number(builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	message_put_number(builder, MEMTUN_A_FEATURES, 0);
	session_send(session, -1);
	return COMMAND_ANSWERED;
}

static enum command_result run_subscribe(struct session *session, struct fault *fault)
{
	(void)fault;
	session_watch(session);
	return COMMAND_DONE;
}

/* ------------------------------------------------------------------------------ the table */

struct command {
	const char *name;
	enum command_result (*run)(struct session *session, struct fault *fault);
	uint64_t required;
	uint64_t allowed; /* besides those */
};

static const struct command commands[] = {
	[MEMTUN_CMD_HELLO - MEMTUN_CMD_HELLO] = {"hello", run_hello, BIT(VERSION), BIT(FEATURES)},
	[MEMTUN_CMD_TUNNEL_ADD -
		MEMTUN_CMD_HELLO] = {"add", run_tunnel_add, BIT(NAME),
				     (TUNNEL_OPTIONS & ~BIT(PERSISTENT)) | BIT(COUNT)},
	[MEMTUN_CMD_TUNNEL_SET -
		MEMTUN_CMD_HELLO] = {"set", run_tunnel_set, 0, TUNNEL_KEY | TUNNEL_CHANGES},
	[MEMTUN_CMD_TUNNEL_DELETE - MEMTUN_CMD_HELLO] = {"del", run_tunnel_delete, 0, TUNNEL_KEY},
	[MEMTUN_CMD_TUNNEL_SHOW -
		MEMTUN_CMD_HELLO] = {"show", run_tunnel_show, 0, TUNNEL_KEY | BIT(STATISTICS)},
	[MEMTUN_CMD_QUEUE_OPEN -
		MEMTUN_CMD_HELLO] = {"open", run_queue_open, 0,
				     BIT(NAME) | TUNNEL_OPTIONS | BIT(EXCLUSIVE) | BIT(COUNT)},
	[MEMTUN_CMD_QUEUE_ATTACH - MEMTUN_CMD_HELLO] = {"attach", run_queue_attach,
							BIT(QUEUE_ID) | BIT(NAME),
							TUNNEL_OPTIONS | BIT(EXCLUSIVE)},
	[MEMTUN_CMD_QUEUE_DETACH -
		MEMTUN_CMD_HELLO] = {"detach", run_queue_detach, BIT(QUEUE_ID), 0},
	[MEMTUN_CMD_BRIDGE_ADD -
		MEMTUN_CMD_HELLO] = {"bridge add", run_bridge_add, BIT(NAME), BIT(HUB)},
	[MEMTUN_CMD_BRIDGE_DELETE -
		MEMTUN_CMD_HELLO] = {"bridge del", run_bridge_delete, BIT(NAME), 0},
	[MEMTUN_CMD_BRIDGE_SHOW -
		MEMTUN_CMD_HELLO] = {"bridge show", run_bridge_show, 0, BIT(NAME)},
	[MEMTUN_CMD_CAPTURE -
		MEMTUN_CMD_HELLO] = {"capture", run_capture, 0,
				     TUNNEL_KEY | BIT(BRIDGE) | BIT(DIRECTION) | BIT(PLAIN)},
	[MEMTUN_CMD_INJECT - MEMTUN_CMD_HELLO] = {"inject", run_inject, BIT(DIRECTION), TUNNEL_KEY},
	[MEMTUN_CMD_SUBSCRIBE - MEMTUN_CMD_HELLO] = {"subscribe", run_subscribe, 0, 0},
};

static const char *first_word(uint64_t attributes_present)
{
	return attributes[__builtin_ctzll(attributes_present)].word;
}

enum command_result command_run(struct session *session, struct fault *fault)
{
	unsigned int number = session->request.type - MEMTUN_CMD_HELLO;
	uint64_t present = session->request.set.present;
	const struct command *command;

	if (session->request.type < MEMTUN_CMD_HELLO ||
	    number >= sizeof(commands) / sizeof(commands[0]) || !commands[number].run) {
		fault_set(fault, EOPNOTSUPP, "command %#x is unknown", session->request.type);
		return COMMAND_FAILED;
	}
	command = &commands[number];
	if (!session->greeted && session->request.type != MEMTUN_CMD_HELLO) {
		fault_set(fault, EPROTO, "%s before hello", command->name);
		return COMMAND_FAILED;
	}
	if (command->required & ~present) {
		fault_set(fault, EINVAL, "%s needs %s", command->name,
			  first_word(command->required & ~present));
		return COMMAND_FAILED;
	}
	present &= ~(command->required | command->allowed);
	if (present) {
		fault_set(fault, EINVAL, "%s takes no %s", command->name, first_word(present));
		return COMMAND_FAILED;
	}
	return command->run(session, fault);
}

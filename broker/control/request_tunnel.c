/* SPDX-License-Identifier: MIT */
/*
 * Requests about tunnels and their queues.
 */
#include <errno.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/engine/program.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "common/tunnel_name.h"

static void answer_tunnel(struct session *session, struct tunnel *tunnel, bool statistics)
{
	struct attribute_set set;

	tunnel_describe(tunnel, statistics, &set);
	answer_set(session, &set, -1);
}

/* Answer with the tunnel and the queue, either of which may be NULL, and the client's descriptor. */
static void answer_opened(struct session *session, struct tunnel *tunnel, const struct queue *queue,
			  int client_fd)
{
	struct attribute_set set = {0};

	if (tunnel)
		tunnel_describe(tunnel, false, &set);
	if (queue) {
		attribute_set_put_number(&set, MEMTUN_A_QUEUE_ID, queue->id);
		attribute_set_put_number(&set, MEMTUN_A_INODE, queue->client_inode);
	}
	attribute_set_put_number(&set, MEMTUN_A_FDS, client_fd >= 0);
	answer_set(session, &set, client_fd);
}

/* ------------------------------------------------------------------------------ tunnels */

struct tunnel *request_tunnel(struct session *session, struct fault *fault)
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
		tunnel = tunnel_find(session->control->tunnels, name);
	else if (id)
		tunnel = tunnel_next(session->control->tunnels, id - 1);
	if (id && tunnel && tunnel->port.id != id)
		tunnel = NULL;
	/* A client that has just closed its descriptor may ask before the broker has seen that. */
	if (tunnel && tunnel_delete_if_dead(tunnel))
		tunnel = NULL;
	if (!tunnel && name)
		fault_set_missing(session, "tunnel", name, fault);
	else if (!tunnel && id)
		fault_set(fault, ENOENT, "there is no tunnel with id %u", id);
	else if (!tunnel)
		fault_set(fault, EINVAL, "a name or an id is missing");
	return tunnel;
}

/* Get the number of tunnels to make. -1 with the fault filled if there is a count and the name has
 * no %d. */
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
	struct tunnel *tunnel = tunnel_add(session->control->tunnels, request_set(session),
					   session->uid, true, fault);

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

	tunnel = tunnel_open(session->control->tunnels, set, session->uid, session->pid, &queue,
			     &client_fd, fault);
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

/* Carry out the request for one tunnel, or begin a batch if the request has a count. */
static enum request_result run_batch(struct session *session,
				     int (*one)(struct session *, struct fault *),
				     session_step *step, struct fault *fault)
{
	if (request_count(session, &session->remaining, fault) < 0)
		return REQUEST_FAILED;
	if (attribute_set_has(request_set(session), MEMTUN_A_COUNT))
		return answer_steps(session, step, fault);
	return one(session, fault) < 0 ? REQUEST_FAILED : REQUEST_ANSWERED;
}

enum request_result request_tunnel_add(struct session *session, struct fault *fault)
{
	return run_batch(session, add_one, add_step, fault);
}

enum request_result request_tunnel_set(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || port_admit(&tunnel->port, session->uid, fault) < 0 ||
	    tunnel_set(tunnel, request_set(session), fault) < 0)
		return REQUEST_FAILED;
	return REQUEST_DONE;
}

enum request_result request_tunnel_delete(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel = request_tunnel(session, fault);

	if (!tunnel || port_admit(&tunnel->port, session->uid, fault) < 0)
		return REQUEST_FAILED;
	tunnel_delete(tunnel);
	return REQUEST_DONE;
}

static int list_tunnel_step(struct session *session, struct fault *fault)
{
	struct tunnel *tunnel;

	(void)fault;
	do {
		tunnel = tunnel_next(session->control->tunnels, session->cursor);
	} while (tunnel && tunnel_refresh(tunnel));
	if (!tunnel)
		return 0;
	session->cursor = tunnel->port.id;
	answer_tunnel(session, tunnel,
		      attribute_set_number(request_set(session), MEMTUN_A_STATISTICS));
	return 1;
}

enum request_result request_tunnel_show(struct session *session, struct fault *fault)
{
	bool all = (session->request.flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct tunnel *tunnel;

	if (all && attribute_set_next_option(request_set(session), MEMTUN_A_UNSPEC, OPTION_KEY) !=
			   MEMTUN_A_END) {
		fault_set(fault, EINVAL, "a list of all tunnels takes no name or id");
		return REQUEST_FAILED;
	}
	if (all)
		return answer_steps(session, list_tunnel_step, fault);
	tunnel = request_tunnel(session, fault);
	if (!tunnel)
		return REQUEST_FAILED;
	answer_tunnel(session, tunnel,
		      attribute_set_number(request_set(session), MEMTUN_A_STATISTICS));
	return REQUEST_ANSWERED;
}

/* ------------------------------------------------------------------------------ queues */

/* Open a queue that belongs to no tunnel. A later request attaches it. */
static enum request_result open_unattached(struct session *session, struct fault *fault)
{
	const struct attribute_set *set = request_set(session);
	const struct attribute_choice choice = {.allowed = {MEMTUN_A_SOCKET}};
	struct frame_format format = {0};
	struct queue *queue;
	int client_fd;

	if (attribute_set_check(set, &choice, "a queue without a name", fault) < 0)
		return REQUEST_FAILED;
	queue = queue_new(session->control->tunnels,
			  attribute_set_has(set, MEMTUN_A_SOCKET)
				  ? (enum memtun_socket)attribute_set_number(set, MEMTUN_A_SOCKET)
				  : MEMTUN_SEQPACKET,
			  &format, &client_fd);
	if (!queue) {
		fault_set(fault, errno, "cannot open a queue: %s", strerror(errno));
		return REQUEST_FAILED;
	}
	queue->opener = session->pid;
	answer_opened(session, NULL, queue, client_fd);
	return REQUEST_ANSWERED;
}

enum request_result request_queue_open(struct session *session, struct fault *fault)
{
	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return open_unattached(session, fault);
	return run_batch(session, open_one, open_step, fault);
}

/* Return the queue that the request names, if the client's user may use its tunnel. NULL with the
 * fault filled. */
static struct queue *request_queue(struct session *session, struct fault *fault)
{
	uint32_t id = (uint32_t)attribute_set_number(request_set(session), MEMTUN_A_QUEUE_ID);
	struct queue *queue = queue_find(session->control->tunnels, id);

	if (!queue)
		fault_set(fault, ENOENT, "there is no queue %u", id);
	else if (queue->tunnel && port_admit(&queue->tunnel->port, session->uid, fault) < 0)
		return NULL;
	return queue;
}

/*
 * Note the process for which the queue is attached, if the client names one of its user, as memtun
 * wrap names the program that it acts for. A client whose own process is unknown here counts
 * processes in another way.
 */
static void take_opener(struct queue *queue, const struct session *session)
{
	pid_t named = (pid_t)attribute_set_number(request_set(session), MEMTUN_A_PID);

	if (named > 0 && session->pid && program_is_of(named, session->uid))
		queue->opener = named;
}

enum request_result request_queue_attach(struct session *session, struct fault *fault)
{
	struct queue *queue = request_queue(session, fault);
	struct tunnel *tunnel;

	if (!queue)
		return REQUEST_FAILED;
	if (!queue->tunnel)
		take_opener(queue, session);
	tunnel = tunnel_attach(session->control->tunnels, request_set(session), session->uid, queue,
			       fault);
	if (!tunnel)
		return REQUEST_FAILED;
	answer_opened(session, tunnel, queue, -1);
	return REQUEST_ANSWERED;
}

enum request_result request_queue_detach(struct session *session, struct fault *fault)
{
	struct queue *queue = request_queue(session, fault);
	struct tunnel *tunnel;

	if (!queue)
		return REQUEST_FAILED;
	tunnel = queue->tunnel;
	if (!tunnel) {
		fault_set(fault, EINVAL, "queue %u is not attached", queue->id);
		return REQUEST_FAILED;
	}
	queue_detach(queue);
	tunnel_queue_closed(tunnel, queue->id);
	return REQUEST_DONE;
}

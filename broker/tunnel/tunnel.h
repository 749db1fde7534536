/* SPDX-License-Identifier: MIT */
/*
 * A tunnel: a TUN or TAP endpoint with a name, and its queues, the opens of it. It is the port that
 * a bridge sees; frames to it go to one of its queues, the same one for the same flow. A tunnel
 * that isn't persistent goes with its last queue. One that is wired to a peer has no queues: see
 * pair.h. Nor has one whose backend is the kernel: see kernel_tunnel.h.
 */
#ifndef MEMTUN_TUNNEL_H
#define MEMTUN_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

#include "common/attribute.h"
#include "common/frame/frame_format.h"
#include "broker/switch/port.h"

struct broker;
struct frame;
struct injector;
struct kernel_tunnel;
struct pair;
struct queue;

/* As the kernel's MAX_TAP_QUEUES. */
#define TUNNEL_QUEUES_MAX 256

/* What packets may be unless told otherwise, bytes. */
#define TUNNEL_MTU 1500

struct tunnel {
	struct port port; /* first: a tunnel's port is the tunnel */
	RB_ENTRY(tunnel) by_name;
	RB_ENTRY(tunnel) by_id;
	struct pair *pair;            /* NULL: not wired to a peer */
	struct kernel_tunnel *kernel; /* NULL: its backend is memory */
	LIST_HEAD(, queue) queues;
	LIST_HEAD(, injector) injectors;
	unsigned int queue_count;
	uid_t owner;
	enum memtun_socket socket;
	struct frame_format format; /* that its queues have */
	bool persistent;
	bool multi_queue;
};

RB_HEAD(tunnel_tree_name, tunnel);
RB_HEAD(tunnel_tree_id, tunnel);

int tunnel_compare_name(struct tunnel *one, struct tunnel *other);
int tunnel_compare_id(struct tunnel *one, struct tunnel *other);
RB_PROTOTYPE(tunnel_tree_name, tunnel, by_name, tunnel_compare_name)
RB_PROTOTYPE(tunnel_tree_id, tunnel, by_id, tunnel_compare_id)

/* Attributes that make a tunnel, and those of them that can be changed. */
#define TUNNEL_CHANGES                                                            \
	(ATTRIBUTE_BIT(MEMTUN_A_BRIDGE) | ATTRIBUTE_BIT(MEMTUN_A_MTU) |           \
	 ATTRIBUTE_BIT(MEMTUN_A_QUEUE_LIMIT) | ATTRIBUTE_BIT(MEMTUN_A_OVERFLOW) | \
	 ATTRIBUTE_BIT(MEMTUN_A_PERSISTENT) | ATTRIBUTE_BIT(MEMTUN_A_ADDRESS) |   \
	 ATTRIBUTE_BIT(MEMTUN_A_GATEWAY))
#define TUNNEL_OPTIONS                                                                    \
	(TUNNEL_CHANGES | ATTRIBUTE_BIT(MEMTUN_A_MODE) | ATTRIBUTE_BIT(MEMTUN_A_SOCKET) | \
	 ATTRIBUTE_BIT(MEMTUN_A_PEER) | ATTRIBUTE_BIT(MEMTUN_A_PI) |                      \
	 ATTRIBUTE_BIT(MEMTUN_A_VNET_HDR) | ATTRIBUTE_BIT(MEMTUN_A_MULTI_QUEUE) |         \
	 ATTRIBUTE_BIT(MEMTUN_A_BACKEND))

extern const struct port_operations tunnel_port_operations;

/* The tunnel of that name, or NULL. */
struct tunnel *tunnel_find(struct broker *broker, const char *name);

/* The tunnel with the lowest id above `id`, or NULL: the order of lists. */
struct tunnel *tunnel_next(struct broker *broker, uint32_t id);

/*
 * Makes a tunnel, and its peer if one is asked for. NULL with the fault filled: EBUSY (taken),
 * EPERM (taken by another user), EINVAL, ENOMEM, ENFILE (no number is free for the template); with
 * backend kernel also what kernel_device_open() says.
 */
struct tunnel *tunnel_add(struct broker *broker, const struct attribute_set *options, uid_t uid,
			  bool persistent, struct fault *fault);

/*
 * Opens a tunnel, which is made if it doesn't exist, and gives its client's end to *client_fd. NULL
 * with the fault filled: as tunnel_add(), and EBUSY (open already), E2BIG, EMFILE. *queue is NULL
 * for a tunnel that is wired to a peer or the kernel's.
 */
struct tunnel *tunnel_open(struct broker *broker, const struct attribute_set *options, uid_t uid,
			   struct queue **queue, int *client_fd, struct fault *fault);

/* Attaches a queue that was opened without a name, as tunnel_open() would a fresh one. */
struct tunnel *tunnel_attach(struct broker *broker, const struct attribute_set *options, uid_t uid,
			     struct queue *queue, struct fault *fault);

/* Changes what TUNNEL_CHANGES names: all of it, or nothing. */
int tunnel_set(struct tunnel *tunnel, const struct attribute_set *options, struct fault *fault);

/* May this user have it? -1 with the fault filled: EPERM. */
int tunnel_admit(const struct tunnel *tunnel, uid_t uid, struct fault *fault);

/* Ends its queues and deletes it, and its peer. */
void tunnel_delete(struct tunnel *tunnel);

/* Tells those who watch; queue_id: the queue it is about, 0 for none. */
void tunnel_publish(struct tunnel *tunnel, enum memtun_event event, uint32_t queue_id);

/* Deletes it if nobody has it open and nobody made it to stay. */
void tunnel_delete_if_unused(struct tunnel *tunnel);

/* A queue is gone; the tunnel goes with it if it was its last and nobody made it to stay. */
void tunnel_queue_ended(struct tunnel *tunnel, uint32_t queue_id);

/* What is said of a tunnel, its counters included if they are wanted. */
void tunnel_describe(struct tunnel *tunnel, bool statistics, struct attribute_set *set);

#endif

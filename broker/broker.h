/* SPDX-License-Identifier: MIT */
/*
 * The broker: all that one memtund owns, and the turn of its loop. One thread, one loop.
 */
#ifndef MEMTUN_BROKER_H
#define MEMTUN_BROKER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/attribute.h"
#include "broker/switch/bridge.h"
#include "broker/tunnel/kernel_tunnel.h"
#include "common/message.h"
#include "broker/switch/name_template.h"
#include "broker/tunnel/queue.h"
#include "broker/system/socket_diag.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"

struct batch;
struct packet_io;
struct session;

RB_HEAD(bridge_tree, bridge);

int bridge_compare(struct bridge *one, struct bridge *other);
RB_PROTOTYPE(bridge_tree, bridge, by_name, bridge_compare)

struct broker {
	struct ev_loop *loop;
	uid_t uid;   /* the user whom it serves, besides root */
	bool kernel; /* it makes interfaces of the kernel for clients: it has the right to */
	uint32_t last_id;
	bool default_buffer_fits; /* a new socket's send buffer is QUEUE_SOCKET_BUFFER already */
	struct tunnel_tree_name tunnels;
	struct tunnel_tree_id tunnels_by_id;
	struct name_templates templates;
	struct bridge_tree bridges;
	struct uplink_tree uplinks;
	struct queue_tree queues;
	LIST_HEAD(, lane) polled;                  /* whose other sides' ends must be looked for */
	LIST_HEAD(, kernel_tunnel) kernel_tunnels; /* whose interfaces must be looked at */
	ev_timer liveness_timer;
	LIST_HEAD(, session) sessions;
	LIST_HEAD(, session) subscribed; /* those of them that want events */
	unsigned int generation;         /* counts the objects that came and went */
	struct socket_diag diag;
	struct batch *batch;
	struct packet_io *packet_io;
	struct message_builder builder; /* what is being answered */
};

/* On that loop, which it takes. NULL with ENOMEM, or what socketpair(2) says. */
struct broker *broker_new(struct ev_loop *loop);

/* Ends all sessions and tunnels. */
void broker_free(struct broker *broker);

/* An id for a new object: never reused. */
uint32_t broker_next_id(struct broker *broker);

/*
 * Is the name free for this user's new tunnel or uplink? Clients that are already gone don't count.
 * -1 with the fault filled: EBUSY, EPERM.
 */
int broker_check_name(struct broker *broker, const char *name, uid_t uid, struct fault *fault);

/* Looks once a second, while there is something to look for. */
void broker_arm_liveness(struct broker *broker);

/* Tells those who watch. The set describes the object. */
void broker_publish(struct broker *broker, enum memtun_event event, struct attribute_set *set);

/* The bridge of that name, or NULL. */
struct bridge *broker_find_bridge(struct broker *broker, const char *name);

/* Makes a bridge, of a name that no bridge has. NULL with ENOMEM. */
struct bridge *broker_add_bridge(struct broker *broker, const char *name, bool hub,
				 bool persistent);

/* Deletes a bridge that has no ports, and that nobody made to stay. */
void broker_delete_bridge_if_unused(struct broker *broker, struct bridge *bridge);

/* Deletes a bridge; its ports stay, in none. */
void broker_delete_bridge(struct broker *broker, struct bridge *bridge);

/* The bridge with the lowest id above `id`, or NULL: the order of lists. */
struct bridge *broker_next_bridge(struct broker *broker, uint32_t id);

/* What is said of a bridge. */
void broker_describe_bridge(const struct bridge *bridge, struct attribute_set *set);

#endif

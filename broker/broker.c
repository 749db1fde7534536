/* SPDX-License-Identifier: MIT */
#include "broker/broker.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/control/control.h"
#include "broker/control/session.h"
#include "broker/engine/engine.h"
#include "broker/switch/bridges.h"
#include "broker/switch/port_names.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "common/container_of.h"

/* The parts, in one allocation. */
struct parts {
	struct broker broker;
	struct engine engine;
	struct port_names names;
	struct bridges bridges;
	struct tunnels tunnels;
	struct uplinks uplinks;
	struct control control;
};

struct broker *broker_new(struct ev_loop *loop)
{
	struct parts *parts = calloc(1, sizeof(*parts));

	if (!parts) {
		if (loop)
			ev_loop_destroy(loop);
		return NULL;
	}
	parts->broker = (struct broker){
		.engine = &parts->engine,
		.names = &parts->names,
		.bridges = &parts->bridges,
		.tunnels = &parts->tunnels,
		.uplinks = &parts->uplinks,
		.control = &parts->control,
	};
	parts->bridges.engine = &parts->engine;
	parts->tunnels.bridges = &parts->bridges;
	parts->tunnels.names = &parts->names;
	parts->uplinks.bridges = &parts->bridges;
	parts->uplinks.names = &parts->names;
	parts->control.engine = &parts->engine;
	parts->control.names = &parts->names;
	parts->control.bridges = &parts->bridges;
	parts->control.tunnels = &parts->tunnels;
	parts->control.uplinks = &parts->uplinks;
	parts->control.uid = geteuid();
	if (engine_init(&parts->engine, loop) < 0) {
		broker_free(&parts->broker);
		return NULL;
	}
	return &parts->broker;
}

void broker_free(struct broker *broker)
{
	struct bridge *bridge;
	struct tunnel *tunnel;
	struct uplink *uplink;
	struct queue *queue;

	if (!broker)
		return;
	sessions_free(broker->control);
	while ((tunnel = tunnel_next(broker->tunnels, 0)))
		tunnel_delete(tunnel);
	while ((queue = queue_first(broker->tunnels)))
		queue_free(queue);
	while ((uplink = uplink_next(broker->uplinks, 0)))
		uplink_delete(uplink);
	while ((bridge = bridges_next(broker->bridges, 0)))
		bridges_delete(broker->bridges, bridge);
	engine_end(broker->engine);
	free(container_of(broker, struct parts, broker));
}

/* SPDX-License-Identifier: MIT */
#include "broker/engine/backpressure.h"

#include <stdlib.h>

#include "broker/switch/port.h"

/* That one valve holds one port: an edge, in both their lists. */
struct pause_edge {
	LIST_ENTRY(pause_edge) of_backpressure;
	LIST_ENTRY(pause_edge) of_port;
	struct port *port;
};

void backpressure_pause(struct backpressure *backpressure, struct port *port)
{
	struct pause_edge *pause_edge = malloc(sizeof(*pause_edge));

	if (!pause_edge)
		return;
	pause_edge->port = port;
	LIST_INSERT_HEAD(&backpressure->edges, pause_edge, of_backpressure);
	LIST_INSERT_HEAD(&port->paused_by, pause_edge, of_port);
	if (port->pause_count++ == 0)
		port->operations->set_reading(port, false);
}

static void pause_edge_free(struct pause_edge *pause_edge)
{
	struct port *port = pause_edge->port;

	LIST_REMOVE(pause_edge, of_backpressure);
	LIST_REMOVE(pause_edge, of_port);
	free(pause_edge);
	if (--port->pause_count == 0)
		port->operations->set_reading(port, true);
}

void backpressure_resume(struct backpressure *backpressure)
{
	struct pause_edge *pause_edge;

	while ((pause_edge = LIST_FIRST(&backpressure->edges)))
		pause_edge_free(pause_edge);
}

void backpressure_forget(struct port *port)
{
	struct pause_edge *pause_edge;

	while ((pause_edge = LIST_FIRST(&port->paused_by)))
		pause_edge_free(pause_edge);
}

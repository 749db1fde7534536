/* SPDX-License-Identifier: MIT */
#include "broker/engine/backpressure.h"

#include <stdlib.h>

#include "broker/switch/port.h"

/* That one valve holds one port: an edge, in both their lists. */
struct hold {
	LIST_ENTRY(hold) of_valve;
	LIST_ENTRY(hold) of_port;
	struct port *port;
};

void valve_shut(struct valve *valve, struct port *port)
{
	struct hold *hold = malloc(sizeof(*hold));

	if (!hold)
		return;
	hold->port = port;
	LIST_INSERT_HEAD(&valve->holds, hold, of_valve);
	LIST_INSERT_HEAD(&port->held_by, hold, of_port);
	if (port->holds++ == 0)
		port->operations->set_reading(port, false);
}

static void hold_release(struct hold *hold)
{
	struct port *port = hold->port;

	LIST_REMOVE(hold, of_valve);
	LIST_REMOVE(hold, of_port);
	free(hold);
	if (--port->holds == 0)
		port->operations->set_reading(port, true);
}

void valve_open(struct valve *valve)
{
	struct hold *hold;

	while ((hold = LIST_FIRST(&valve->holds)))
		hold_release(hold);
}

void valve_forget(struct port *port)
{
	struct hold *hold;

	while ((hold = LIST_FIRST(&port->held_by)))
		hold_release(hold);
}

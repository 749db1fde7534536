/* SPDX-License-Identifier: MIT */
#include "broker/engine/backpressure.h"

#include <stdlib.h>

/* One backlog pauses one source. The edge is in the lists of both. */
struct pause_edge {
	LIST_ENTRY(pause_edge) of_backpressure;
	LIST_ENTRY(pause_edge) of_source;
	struct source *source;
	const struct backpressure *backpressure;
	bool is_held;
};

void backpressure_pause(struct backpressure *backpressure, struct source *source)
{
	struct pause_edge *edge = malloc(sizeof(*edge));

	if (!edge)
		return;
	edge->source = source;
	edge->backpressure = backpressure;
	edge->is_held = backpressure->is_held;
	source->held_count += edge->is_held;
	LIST_INSERT_HEAD(&backpressure->edges, edge, of_backpressure);
	LIST_INSERT_HEAD(&source->paused_by, edge, of_source);
	if (source->pause_count++ == 0)
		source->set_reading(source, false);
}

static void pause_edge_free(struct pause_edge *edge)
{
	struct source *source = edge->source;

	LIST_REMOVE(edge, of_backpressure);
	LIST_REMOVE(edge, of_source);
	source->held_count -= edge->is_held;
	free(edge);
	if (--source->pause_count == 0)
		source->set_reading(source, true);
	else if (source->relieved)
		source->relieved(source);
}

bool source_is_paused_by_others(const struct source *source,
				const struct backpressure *backpressure)
{
	const struct pause_edge *edge;

	LIST_FOREACH(edge, &source->paused_by, of_source) {
		if (edge->backpressure != backpressure)
			return true;
	}
	return false;
}

void backpressure_resume(struct backpressure *backpressure)
{
	struct pause_edge *edge;

	while ((edge = LIST_FIRST(&backpressure->edges)))
		pause_edge_free(edge);
}

void source_forget(struct source *source)
{
	struct pause_edge *edge;

	while ((edge = LIST_FIRST(&source->paused_by)))
		pause_edge_free(edge);
}

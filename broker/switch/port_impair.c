/* SPDX-License-Identifier: MIT */
/*
 * Passes the frames of a port to its rules, and has the operations that the rules need of the port.
 */
#include "broker/switch/port_impair.h"

#include <errno.h>
#include <string.h>

#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/impair/impairment.h"
#include "broker/switch/capture.h"
#include "broker/switch/drop.h"
#include "broker/switch/segmenter.h"

/* ------------------------------------------------------------------------------ frames */

static void complete_checksums(struct batch *batch, uint64_t mask)
{
	for (; mask; mask &= mask - 1)
		frame_complete_checksum(&batch->frames[__builtin_ctzll(mask)]);
}

void port_impair_to_client(struct port *port, struct source *source, struct batch *batch,
			   uint64_t mask)
{
	complete_checksums(batch, mask);
	impairment_pass(port->impairment, MEMTUN_TO_CLIENT, source, batch, mask);
}

/* Pass frames to the rules. Any frame may be the last one of the last rule. */
static void pass_from_client(void *context, struct batch *batch, uint64_t mask)
{
	struct port *port = context;

	complete_checksums(batch, mask);
	if (port->impairment)
		impairment_pass(port->impairment, MEMTUN_FROM_CLIENT, &port->source, batch, mask);
	else
		port_forward_passed(port, batch, mask);
}

void port_impair_from_client(struct port *port, struct batch *batch, uint64_t mask)
{
	uint64_t whole = 0;

	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (!frame_is_gso(frame)) {
			whole |= mask & -mask;
			continue;
		}
		if (whole)
			pass_from_client(port, batch, whole);
		whole = 0;
		if (segmenter_cut(port->engine, port->mode, frame, pass_from_client, port) < 0)
			drop_frame(port, port->mode, frame, MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
	}
	if (whole)
		pass_from_client(port, batch, whole);
}

/* ------------------------------------------------------------------------------ operations */

static void impaired_count(struct port *port, enum memtun_attribute counter, uint64_t number)
{
	port_count(port, counter, number);
}

/* Drop packets whose headers a changed bit has made invalid, as if the client had sent them so. Return
 * the others. Ethernet frames stay valid. */
static uint64_t drop_broken(struct port *port, struct batch *batch, uint64_t mask)
{
	uint64_t whole = mask;

	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];
		enum memtun_attribute reason = frame_fault(MEMTUN_TUN, frame);

		if (!reason)
			continue;
		whole &= ~(mask & -mask);
		drop_frame(port, MEMTUN_TUN, frame, reason);
	}
	return whole;
}

static void impaired_send(struct port *port, enum memtun_direction direction, struct source *source,
			  struct batch *batch, uint64_t mask)
{
	if (direction == MEMTUN_TO_CLIENT) {
		port->operations->send(port, source, batch, mask);
		return;
	}
	/* The bridge reads a packet's addresses, where its version says that they are. */
	if (port->mode == MEMTUN_TUN)
		mask = drop_broken(port, batch, mask);
	if (mask)
		port_forward_passed(port, batch, mask);
}

static bool impaired_blocks(const struct port *port)
{
	return port->overflow == MEMTUN_BLOCK;
}

static bool impaired_is_paused(const struct port *port, const struct backpressure *own)
{
	return source_is_paused_by_others(&port->source, own);
}

/* Show captures what has happened to a frame. */
static void impaired_judged(struct port *port, const struct verdict *verdict, struct frame *frame)
{
	struct capture_fault fault = {
		.direction = verdict->direction,
		.mode = port->mode,
		.rule = verdict->rule,
		.seed = verdict->seed,
		.number = verdict->number,
	};
	unsigned int count = 0;

	if (!port->engine->captures_of_faults)
		return;
	for (unsigned int rest = verdict->faults; rest && count < MEMTUN_CAPTURE_REASONS;
	     rest &= rest - 1)
		fault.reasons[count++] = (uint16_t)fault_counter(verdict->direction,
								 (enum fault_kind)(rest & -rest));
	capture_fault(port, frame, &fault);
}

static void impaired_changed(struct port *port, const struct rule *rule, enum memtun_event event)
{
	struct event_sink *events = &port->engine->events;
	bool is_down = port->impairment->carriers_off > 0;
	char holding[MEMTUN_TEXT_SIZE];
	struct attribute_set set;

	if (event_sink_has_subscribers(events)) {
		port_impair_describe(port, rule, &set, holding);
		event_publish(events, event, &set);
	}
	if (port->link_is_down == is_down)
		return;
	port->link_is_down = is_down;
	if (port->operations->link_changed)
		port->operations->link_changed(port);
}

static void impaired_unused(struct port *port)
{
	impairment_free(port->impairment);
	port->impairment = NULL;
}

static const struct impairment_operations operations = {
	.count = impaired_count,
	.send = impaired_send,
	.blocks = impaired_blocks,
	.is_paused = impaired_is_paused,
	.judged = impaired_judged,
	.changed = impaired_changed,
	.unused = impaired_unused,
};

/* ------------------------------------------------------------------------------ rules */

struct rule *port_impair_add(struct port *port, const struct attribute_set *options,
			     struct fault *fault)
{
	struct rule *rule;

	if (!port->impairment)
		port->impairment =
			impairment_new(port, port->engine, port->name, port->mode, &operations);
	if (!port->impairment) {
		fault_set(fault, ENOMEM, "out of memory");
		return NULL;
	}
	rule = impairment_add(port->impairment, options, fault);
	if (!rule && port->impairment->rule_count == 0 &&
	    !impairment_waiting(port->impairment, MEMTUN_FROM_CLIENT) &&
	    !impairment_waiting(port->impairment, MEMTUN_TO_CLIENT))
		impaired_unused(port);
	return rule;
}

static bool has_rule(const struct attribute_set *options)
{
	return attribute_set_next_option(options, MEMTUN_A_UNSPEC, OPTION_IMPAIR_SPEC) !=
	       MEMTUN_A_END;
}

int port_impair_new(struct port *port, const char *bypass, const struct attribute_set *options,
		    struct fault *fault)
{
	if (!has_rule(options))
		return 0;
	if (bypass)
		return fault_set(fault, EINVAL,
				 "the frames of '%s' %s, where no rule impairs them: use a bridge "
				 "with two ports",
				 port->name, bypass);
	return port_impair_add(port, options, fault) ? 0 : -1;
}

int port_impair_check(const struct port *port, const struct attribute_set *options,
		      struct fault *fault)
{
	const struct rule *rule = port->impairment ? impairment_find(port->impairment, 1) : NULL;
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	struct attribute_set has = {0};

	if (rule)
		rule_describe(rule, &has);
	while ((which = attribute_set_next_option(options, which, OPTION_IMPAIR_SPEC)) !=
	       MEMTUN_A_END) {
		char wanted[MEMTUN_TEXT_SIZE], found[MEMTUN_TEXT_SIZE] = "";

		attribute_format(options, which, wanted, sizeof(wanted));
		if (attribute_set_has(&has, which))
			attribute_format(&has, which, found, sizeof(found));
		if (strcmp(wanted, found) != 0)
			return fault_set(fault, EINVAL,
					 "'%s' exists with %s %s, not %s; see memtun impair",
					 port->name, attributes[which].word,
					 found[0] ? found : "none", wanted);
	}
	return 0;
}

void port_impair_describe(const struct port *port, const struct rule *rule,
			  struct attribute_set *set, char holding[MEMTUN_TEXT_SIZE])
{
	attribute_set_clear(set);
	attribute_set_put_number(set, MEMTUN_A_ID, port->id);
	attribute_set_put_string(set, MEMTUN_A_NAME, port->name);
	impairment_describe(port->impairment, rule, set, holding);
}

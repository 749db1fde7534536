/* SPDX-License-Identifier: MIT */
/*
 * Requests about bridges and the addresses that they have learned.
 */
#include <errno.h>

#include "broker/control/control.h"
#include "broker/control/request_parts.h"
#include "broker/engine/engine.h"
#include "broker/switch/address_table.h"
#include "broker/switch/bridge.h"
#include "broker/switch/bridges.h"
#include "common/tunnel_name.h"

/* Return the bridge that the attribute names. NULL with the fault filled. */
static struct bridge *request_bridge(struct session *session, enum memtun_attribute attribute,
				     struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), attribute);
	struct bridge *bridge = bridges_find(session->control->bridges, name);

	if (!bridge)
		fault_set_missing(session, "bridge", name, fault);
	return bridge;
}

enum request_result request_bridge_add(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	unsigned int options = BRIDGE_PERSISTENT;

	if (attribute_set_number(request_set(session), MEMTUN_A_HUB))
		options |= BRIDGE_HUB;
	if (attribute_set_number(request_set(session), MEMTUN_A_LOOP_GUARD))
		options |= BRIDGE_LOOP_GUARD;

	if (tunnel_name_is_template(name))
		fault_set(fault, EINVAL, "a bridge's name has no %%d");
	else if (options & BRIDGE_HUB && options & BRIDGE_LOOP_GUARD)
		fault_set(fault, EINVAL, "a hub has no loop-guard: it learns no addresses");
	else if (bridges_find(session->control->bridges, name))
		fault_set(fault, EBUSY, "bridge '%s' exists", name);
	else if (engine_check_room(session->control->engine, fault) < 0)
		return REQUEST_FAILED;
	else if (!bridges_add(session->control->bridges, name, options))
		fault_set(fault, ENOMEM, "cannot make bridge '%s': out of memory", name);
	else
		return REQUEST_DONE;
	return REQUEST_FAILED;
}

enum request_result request_bridge_delete(struct session *session, struct fault *fault)
{
	struct bridge *bridge = request_bridge(session, MEMTUN_A_NAME, fault);

	if (!bridge)
		return REQUEST_FAILED;
	bridges_delete(session->control->bridges, bridge);
	return REQUEST_DONE;
}

static void answer_bridge(struct session *session, const struct bridge *bridge)
{
	struct attribute_set set;

	bridge_describe(bridge, &set);
	answer_set(session, &set, -1);
}

static int list_bridge_step(struct session *session, struct fault *fault)
{
	struct bridge *bridge = bridges_next(session->control->bridges, session->cursor);

	(void)fault;
	if (!bridge)
		return 0;
	session->cursor = bridge->id;
	answer_bridge(session, bridge);
	return 1;
}

enum request_result request_bridge_show(struct session *session, struct fault *fault)
{
	struct bridge *bridge;

	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return answer_steps(session, list_bridge_step, fault);
	bridge = request_bridge(session, MEMTUN_A_NAME, fault);
	if (!bridge)
		return REQUEST_FAILED;
	answer_bridge(session, bridge);
	return REQUEST_ANSWERED;
}

/* ------------------------------------------------------------------------------ addresses */

static void answer_address(struct session *session, const struct bridge *bridge,
			   const struct address_entry *entry, int64_t now)
{
	char text[ADDRESS_TEXT_SIZE];
	struct message_builder *builder = answer_begin(session);

	message_put_string(builder, MEMTUN_A_NAME, entry->port->name);
	message_put_string(builder, MEMTUN_A_BRIDGE, bridge->name);
	message_put_string(builder, MEMTUN_A_ADDRESS, address_format(&entry->address, text));
	if (address_vlan(&entry->address) >= 0)
		message_put_number(builder, MEMTUN_A_VLAN, (uint64_t)address_vlan(&entry->address));
	message_put_number(builder, MEMTUN_A_AGE, (uint64_t)(now - entry->seen));
	session_send(session, -1);
}

static int list_address_step(struct session *session, struct fault *fault)
{
	/* The bridge may have been deleted since the last step. */
	struct bridge *bridge = request_bridge(session, MEMTUN_A_BRIDGE, fault);
	struct address_entry entry;
	int64_t now = due_now(&session->control->engine->due);

	if (!bridge)
		return -1;
	if (!bridge->addresses ||
	    !address_table_next(bridge->addresses, &session->cursor, now, &entry))
		return 0;
	answer_address(session, bridge, &entry, now);
	return 1;
}

enum request_result request_address_show(struct session *session, struct fault *fault)
{
	if (!request_bridge(session, MEMTUN_A_BRIDGE, fault))
		return REQUEST_FAILED;
	return answer_steps(session, list_address_step, fault);
}

/* SPDX-License-Identifier: MIT */
/*
 * Commands about bridges.
 */
#include <errno.h>

#include "broker/switch/address_table.h"
#include "broker/broker.h"
#include "common/clock.h"
#include "broker/control/request_parts.h"
#include "common/tunnel_name.h"

static struct bridge *request_bridge(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_NAME);
	struct bridge *bridge = broker_find_bridge(session->broker, name);

	if (!bridge)
		fault_set(fault, ENOENT, "there is no bridge '%s'", name);
	return bridge;
}

enum request_result request_bridge_add(struct session *session, struct fault *fault)
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
		return REQUEST_DONE;
	return REQUEST_FAILED;
}

enum request_result request_bridge_delete(struct session *session, struct fault *fault)
{
	struct bridge *bridge = request_bridge(session, fault);

	if (!bridge)
		return REQUEST_FAILED;
	broker_delete_bridge(session->broker, bridge);
	return REQUEST_DONE;
}

static void answer_bridge(struct session *session, const struct bridge *bridge)
{
	struct message_builder *builder;
	struct attribute_set set;

	broker_describe_bridge(bridge, &set);
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

enum request_result request_bridge_show(struct session *session, struct fault *fault)
{
	struct bridge *bridge;

	if (!attribute_set_has(request_set(session), MEMTUN_A_NAME))
		return session_begin(session, list_bridge_step, fault) < 0 ? REQUEST_FAILED
									   : REQUEST_ANSWERED;
	bridge = request_bridge(session, fault);
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

static struct bridge *request_address_bridge(struct session *session, struct fault *fault)
{
	const char *name = attribute_set_string(request_set(session), MEMTUN_A_BRIDGE);
	struct bridge *bridge = broker_find_bridge(session->broker, name);

	if (!bridge)
		fault_set(fault, ENOENT, "there is no bridge '%s'", name);
	return bridge;
}

static int list_address_step(struct session *session, struct fault *fault)
{
	/* It may have gone since the last step. */
	struct bridge *bridge = request_address_bridge(session, fault);
	struct address_entry entry;
	int64_t now = clock_now();

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
	if (!request_address_bridge(session, fault))
		return REQUEST_FAILED;
	return session_begin(session, list_address_step, fault) < 0 ? REQUEST_FAILED
								    : REQUEST_ANSWERED;
}

/* SPDX-License-Identifier: MIT */
/* What an adapter announces to the Ethernet: its addresses and its multicast groups. */
#include "broker/adapter/adapter_parts.h"

#include "broker/adapter/multicast_listener.h"
#include "broker/adapter/neighbour_message.h"
#include "broker/engine/engine.h"
#include "common/clock.h"

void adapter_announce(struct adapter *adapter)
{
	adapter->announcements = ADAPTER_ANNOUNCEMENTS;
	adapter->announcement_at = due_now(&adapter->engine->due);
	adapter_schedule(adapter);
}

/* Add the solicited-node group of an IPv6 address to the array, unless it is there already. */
static void groups_add(struct address groups[], unsigned int *count, const struct address *address)
{
	const struct address group = neighbour_group(address);

	for (unsigned int i = 0; i < *count; i++) {
		if (address_equal(&groups[i], &group))
			return;
	}
	groups[(*count)++] = group;
}

/* Return the configured link-local address, or NULL. */
static const struct address *adapter_link_local(const struct adapter *adapter)
{
	const struct address *address;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		if (address_is_link_local(address))
			return address;
	}
	return NULL;
}

/* Send a report of the groups. Do nothing if there are none. */
static void groups_report(struct adapter *adapter, const struct address groups[],
			  unsigned int count, enum multicast_record type)
{
	unsigned char bytes[MULTICAST_REPORT_SIZE];

	if (count)
		adapter_queue_control(adapter, bytes,
				      multicast_report_write(bytes, adapter->mac,
							     adapter_link_local(adapter), groups,
							     count, type));
}

void adapter_join_group(struct adapter *adapter, const struct address *address)
{
	const struct address group = neighbour_group(address);

	if (address->kind == ADDRESS_IPV6)
		groups_report(adapter, &group, 1, MULTICAST_RECORD_TO_EXCLUDE);
}

/* Report the groups of all IPv6 addresses, in as many reports as they need. */
static void adapter_report(struct adapter *adapter, enum multicast_record type)
{
	struct address groups[MULTICAST_REPORT_GROUPS_MAX];
	const struct address *address;
	unsigned int count = 0;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		if (address->kind == ADDRESS_IPV6)
			groups_add(groups, &count, address);
	}
	for (unsigned int i = 0; i < ADDRESS_RING_MAX; i++) {
		address = &adapter->learned.entries[i].address;
		if (address->kind != ADDRESS_IPV6)
			continue;
		if (count == MULTICAST_REPORT_GROUPS_MAX) {
			groups_report(adapter, groups, count, type);
			count = 0;
		}
		groups_add(groups, &count, address);
	}
	groups_report(adapter, groups, count, type);
}

/* Return whether one of the adapter's IPv6 addresses is in that solicited-node group. */
static bool adapter_has_group(const struct adapter *adapter, const struct address *group)
{
	const struct address *address;
	struct address of;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		of = neighbour_group(address);
		if (address->kind == ADDRESS_IPV6 && address_equal(&of, group))
			return true;
	}
	for (unsigned int i = 0; i < ADDRESS_RING_MAX; i++) {
		address = &adapter->learned.entries[i].address;
		of = neighbour_group(address);
		if (address->kind == ADDRESS_IPV6 && address_equal(&of, group))
			return true;
	}
	return false;
}

void adapter_report_groups(struct adapter *adapter, const struct address *group)
{
	bool general = !group->words[0] && !group->words[1];

	/* While the port is paused, send no report, for the reason in adapter_reply(). A querier
	 * repeats its query. */
	if (adapter->operations->is_paused(adapter->port))
		return;
	if (general || adapter_has_group(adapter, group))
		adapter_report(adapter, MULTICAST_RECORD_IS_EXCLUDE);
}

/* Report the groups and announce the configured addresses. */
static void adapter_send_announcements(struct adapter *adapter)
{
	const struct address *address;

	adapter_report(adapter, MULTICAST_RECORD_TO_EXCLUDE);
	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

		adapter_queue_control(adapter, bytes,
				      neighbour_announcement_write(bytes, adapter->mac, address));
	}
}

void adapter_announce_due(struct adapter *adapter, int64_t now)
{
	if (!adapter->announcements || now < adapter->announcement_at)
		return;
	adapter->announcements--;
	adapter->announcement_at = now + ADAPTER_ANNOUNCEMENT_INTERVAL;
	adapter_send_announcements(adapter);
}

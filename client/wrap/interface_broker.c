/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_broker.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/connection.h"
#include "client/lib/options.h"
#include "client/wrap/interface.h"
#include "client/wrap/interface_record.h"
#include "common/clock.h"
#include "common/failed.h"

/* ------------------------------------------------------------------------------ events */

static struct interface *find(const struct interfaces *interfaces, uint64_t tunnel_id)
{
	struct interface *interface;

	LIST_FOREACH(interface, &interfaces->list, link) {
		if (interface->tunnel_id == tunnel_id)
			return interface;
	}
	return NULL;
}

/* Apply a record, and make its interface if another client has made it. */
static void interface_take(struct interfaces *interfaces, const struct memtun_record *record)
{
	struct interface *interface = find(interfaces, interface_record_number(record, "id"));
	const char *name = memtun_record_string(record, "name");

	if (!interface && interface_record_number(record, "interface-index") && name)
		interface = interface_new(interfaces, name,
					  (uint32_t)interface_record_number(record, "id"),
					  interface_record_flags(record));
	if (!interface)
		return;
	interface->is_listed = true;
	interface->tun.owner = (uid_t)interface_record_number(record, "owner");
	interface_record_apply(interface, record);
}

/* Return whether the event's record is older than what is known here. */
static bool is_former(const struct interface *interface, const struct memtun_record *record)
{
	uint32_t revision = (uint32_t)interface_record_number(record, "interface-revision");

	return interface->told.is_known && (int32_t)(revision - interface->told.revision) < 0;
}

/* Return whether the event reports a change that was published here, or an older one. Such a record
 * is outdated. */
static bool is_echo(struct interface *interface, const struct memtun_record *record)
{
	const char *changed = memtun_record_string(record, "changed");

	if (!interface || !interface->echoes)
		return interface && is_former(interface, record);
	if (changed && (strncmp(changed, "interface-", strlen("interface-")) == 0 ||
			memtun_record_string(record, "former-name")))
		interface->echoes--;
	return true;
}

static void event_take(const struct memtun_record *record, void *context)
{
	struct interfaces *interfaces = context;
	struct interface *interface = find(interfaces, interface_record_number(record, "id"));

	switch (interface_record_number(record, "event")) {
	case MEMTUN_EVENT_LOST:
		interfaces->is_lost = true;
		return;
	case MEMTUN_EVENT_DELETED:
		if (interface)
			interface_free(interface);
		return;
	case MEMTUN_EVENT_ADDED:
	case MEMTUN_EVENT_CHANGED:
	case MEMTUN_EVENT_OPENED:
	case MEMTUN_EVENT_CLOSED:
		if (is_echo(interface, record))
			interface->is_open =
				interface_record_number(record, "state") == MEMTUN_OPEN;
		else
			interface_take(interfaces, record);
		return;
	default:
		return;
	}
}

static void interface_listed(const struct memtun_record *record, void *context)
{
	interface_take(context, record);
}

/* Ask for all tunnels, and forget the interfaces of those that have gone. */
static int list_all(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	interfaces->is_lost = false;
	LIST_FOREACH(interface, &interfaces->list, link) {
		interface->is_listed = false;
		interface->echoes = 0;
	}
	if (memtun_show(interfaces->memtun, NULL, false, interface_listed, interfaces) < 0)
		return -1;
	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next) {
		if (!interface->is_listed)
			interface_free(interface);
	}
	return 0;
}

int interface_broker_watch(struct interfaces *interfaces)
{
	if (memtun_subscribe(interfaces->memtun, event_take, interfaces) < 0)
		return -1;
	interfaces->is_watching = true;
	return list_all(interfaces);
}

/* ------------------------------------------------------------------------------ the broker's end */

/* The broker has ended, and its tunnels with it. */
static void broker_ended(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	interfaces->is_watching = false;
	interfaces->is_lost = false;
	interfaces->is_any_changed = false;
	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next)
		interface_free(interface);
	warnx("the broker has ended, and its tunnels with it; until one runs there again, opens of "
	      "/dev/net/tun fail");
}

/* Connect to the broker that runs now, if one does. */
static void broker_renew(struct interfaces *interfaces)
{
	interfaces->retry_at = clock_now() + CLOCK_SECOND;
	if (memtun_connect(interfaces->memtun, interfaces->socket) < 0)
		return;
	interfaces->renewals++;
	interfaces->renewed(interfaces);
	if (interface_broker_watch(interfaces) < 0)
		warnx("the interfaces of others are not seen: %s",
		      memtun_error(interfaces->memtun));
}

void interface_broker_update(struct interfaces *interfaces)
{
	if (interfaces->is_watching && memtun_dispatch(interfaces->memtun) < 0)
		broker_ended(interfaces);
	else if (interfaces->is_watching && interfaces->is_lost)
		list_all(interfaces);
	if (memtun_fd(interfaces->memtun) < 0 && clock_now() >= interfaces->retry_at)
		broker_renew(interfaces);
}

void interface_broker_need(struct interfaces *interfaces)
{
	interfaces->retry_at = 0;
	interface_broker_update(interfaces);
}

/* ------------------------------------------------------------------------------ asking */

int interface_broker_call(const struct interface *interface, enum memtun_command command,
			  struct memtun_options *options, memtun_record_function *function,
			  void *context)
{
	struct memtun_options id_only = {0};

	if (!options)
		options = &id_only;
	attribute_set_put_number(&options->set, MEMTUN_A_ID, interface->tunnel_id);
	return call_simple(interface->interfaces->memtun, command, NULL, options, function,
			   context);
}

struct shown {
	struct interface *interface;
	bool is_same;
};

static void shown_apply(const struct memtun_record *record, void *context)
{
	struct shown *shown = context;

	shown->is_same = interface_record_number(record, "id") == shown->interface->tunnel_id;
	if (!shown->is_same)
		return;
	shown->interface->mtu = (unsigned int)interface_record_number(record, "mtu");
	interface_record_apply(shown->interface, record);
}

int interface_broker_show(struct interface *interface)
{
	struct shown shown = {.interface = interface};

	if (interface_broker_call(interface, MEMTUN_CMD_TUNNEL_SHOW, NULL, shown_apply, &shown) < 0)
		return -1;
	return shown.is_same ? 0 : failed(ENOENT);
}

int interface_broker_rename(struct interface *interface, const char *name)
{
	struct interfaces *interfaces = interface->interfaces;
	struct memtun_options *options = memtun_options_new();
	int result = -1;

	if (options && memtun_options_set(options, "new-name", name) == 0)
		result = interface_broker_call(interface, MEMTUN_CMD_TUNNEL_RENAME, options,
					       interface_record_answer, interface);
	if (result == 0)
		interface->echoes += interfaces->is_watching;
	memtun_options_free(options);
	return result;
}

/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_record.h"

#include <linux/if_tun.h>
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/state_text.h"

const char *const interface_record_lists[INTERFACE_LISTS] = {
	"interface-address",
	"interface-route",
	"interface-neighbour",
};

uint64_t interface_record_number(const struct memtun_record *record, const char *key)
{
	uint64_t number = 0;

	return memtun_record_number(record, key, &number) < 0 ? 0 : number;
}

/* Return the record's text, or "none". */
static const char *list_of(const struct memtun_record *record, int which)
{
	const char *list = memtun_record_string(record, interface_record_lists[which]);

	return list ? list : "none";
}

unsigned int interface_record_flags(const struct memtun_record *record)
{
	return (interface_record_number(record, "mode") == MEMTUN_TUN ? IFF_TUN : IFF_TAP) |
	       (interface_record_number(record, "pi") ? 0 : IFF_NO_PI) |
	       (interface_record_number(record, "vnet_hdr") ? IFF_VNET_HDR : 0) |
	       (interface_record_number(record, "multi_queue") ? IFF_MULTI_QUEUE : 0);
}

/* Store the value. Return whether it differs from the former one. */
#define REPLACE(place, value) ((place) != (value) ? ((place) = (value), true) : false)

/* Note that the broker has these values, in the record's revision. */
static void told_set(struct interface *interface, const struct memtun_record *record)
{
	interface->told.revision = (uint32_t)interface_record_number(record, "interface-revision");
	interface->told.is_known = true;
	interface->told.flags = interface->flags;
	interface->told.transmit_queue = interface->transmit_queue;
	interface->told.carrier = interface->tun.carrier;
	memcpy(interface->told.mac, interface->tun.address, sizeof(interface->told.mac));
}

void interface_record_forget(struct interface *interface)
{
	interface->told.is_known = false;
	for (int i = 0; i < INTERFACE_LISTS; i++) {
		free(interface->lists[i]);
		interface->lists[i] = NULL;
	}
}

/* Apply the values of the interface itself. Return whether one has changed. */
static bool values_apply(struct interface *interface, const struct memtun_record *record)
{
	const char *name = memtun_record_string(record, "name");
	const char *mac = memtun_record_string(record, "interface-mac");
	struct tun_interface *tun = &interface->tun;
	struct ether_addr address;
	bool changed = false;

	if (name && strcmp(name, tun->name) != 0 && strlen(name) < sizeof(tun->name)) {
		strcpy(tun->name, name);
		changed = true;
	}
	if (mac && ether_aton_r(mac, &address) &&
	    memcmp(&address, tun->address, sizeof(tun->address)) != 0) {
		memcpy(tun->address, &address, sizeof(tun->address));
		changed = true;
	}
	changed |= REPLACE(interface->mtu, (unsigned int)interface_record_number(record, "mtu"));
	changed |= REPLACE(interface->flags,
			   (unsigned int)interface_record_number(record, "interface-flags") &
				   INTERFACE_FLAGS_CHANGED);
	changed |= REPLACE(interface->transmit_queue,
			   (int)interface_record_number(record, "interface-txqlen"));
	changed |= REPLACE(tun->carrier, interface_record_number(record, "interface-carrier") != 0);
	told_set(interface, record);
	return changed;
}

/* Copy the lists of the record. Return whether one has changed. */
static bool lists_apply(struct interface *interface, const struct memtun_record *record)
{
	bool changed = false;

	for (int i = 0; i < INTERFACE_LISTS; i++) {
		const char *list = list_of(record, i);

		if (interface->lists[i] && strcmp(interface->lists[i], list) == 0)
			continue;
		changed = true;
		free(interface->lists[i]);
		/* Without memory, the next record is compared with nothing. */
		interface->lists[i] = strdup(list);
	}
	return changed;
}

/* Make the interface's state what the lists of the record say. */
static void state_apply(struct interface *interface, const struct memtun_record *record)
{
	struct interface_state state = {.is_up = interface->flags & IFF_UP};
	struct interface_state former = interface->state;

	/* What cannot be read, for example a route to a gateway that no route leads to, is left out. */
	(void)state_text_read_addresses(&state, list_of(record, 0));
	(void)state_text_read_routes(&state, list_of(record, 1));
	(void)state_text_read_neighbours(&state, list_of(record, 2));
	state.changed = former.changed;
	interface->state = state;
	interface_state_tell(&interface->state, &former);
	former.changed = NULL; /* all of it has been told */
	interface_state_free(&former);
}

void interface_record_apply(struct interface *interface, const struct memtun_record *record)
{
	struct interfaces *interfaces = interface->interfaces;
	bool is_open = interface_record_number(record, "state") == MEMTUN_OPEN;
	bool changed = REPLACE(interface->is_open, is_open);
	unsigned int former = interface->flags;

	if (interface_record_number(record, "persistent"))
		interface->tun.flags |= IFF_PERSIST;
	else
		interface->tun.flags &= ~(unsigned int)IFF_PERSIST;
	if (!interface_record_number(record, "interface-index") || interface->is_changed)
		return;
	interfaces->is_applying = true;
	changed |= values_apply(interface, record);
	if (changed)
		interface_changed(interface);
	if (lists_apply(interface, record) || (former ^ interface->flags) & IFF_UP)
		state_apply(interface, record);
	interfaces->is_applying = false;
}

void interface_record_answer(const struct memtun_record *record, void *interface)
{
	interface_record_apply(interface, record);
}

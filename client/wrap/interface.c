/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/broker_queue.h"
#include "client/wrap/interface_broker.h"
#include "client/wrap/interface_link_local.h"
#include "client/wrap/interface_publish.h"
#include "common/container_of.h"
#include "common/failed.h"
#include "common/identity.h"

/* DEFAULT_TX_QUEUE_LEN in tun_net_init() and ether_setup() in the kernel. */
#define TRANSMIT_QUEUE_TUN 500
#define TRANSMIT_QUEUE_TAP 1000

/* Bytes. The kernel's ETH_MIN_MTU, MAX_MTU of tun.c, and that less an Ethernet header. */
#define MTU_MIN 68
#define MTU_MAX_TUN 65535
#define MTU_MAX_TAP 65521

/* Linux: IFF_LOWER_UP, which net/if.h does not have. */
#define FLAG_LOWER_UP 0x10000u

int interface_index(const struct interface *interface)
{
	return INTERFACE_INDEX_MIN + (int)interface->tunnel_id;
}

unsigned int interface_flags(const struct interface *interface)
{
	unsigned int flags = interface->flags |
			     (interface->tun.flags & IFF_TAP ? IFF_BROADCAST : IFF_POINTOPOINT);

	if (flags & IFF_UP && interface->tun.carrier && interface->is_open)
		flags |= IFF_RUNNING | FLAG_LOWER_UP;
	return flags;
}

/* Note that the broker is to be told of the change, unless the change came from the broker. */
static void interface_mark_changed(struct interface *interface)
{
	if (interface->interfaces->is_applying)
		return;
	interface->is_changed = true;
	interface->interfaces->is_any_changed = true;
}

void interface_changed(struct interface *interface)
{
	interface_mark_changed(interface);
	if (interface->interfaces->changed)
		interface->interfaces->changed(interface->interfaces, interface, NULL, false);
}

static void state_changed(struct interface_state *state, const struct state_change *change)
{
	struct interface *interface = container_of(state, struct interface, state);

	interface_mark_changed(interface);
	if (interface->interfaces->changed)
		interface->interfaces->changed(interface->interfaces, interface, change, false);
}

void interface_set_flags(struct interface *interface, unsigned int flags, unsigned int changed)
{
	unsigned int former = interface->flags;

	changed &= INTERFACE_FLAGS_CHANGED;
	interface->flags = (former & ~changed) | (flags & changed);
	if (interface->flags == former)
		return;
	/* As in the kernel, the interface's own change is told before that of its routes. */
	interface_changed(interface);
	interface_state_set_up(&interface->state, interface->flags & IFF_UP);
	interface_link_local_add(interface);
}

void interface_free(struct interface *interface)
{
	struct interfaces *interfaces = interface->interfaces;

	interfaces->gone(interfaces, interface);
	interface_state_free(&interface->state);
	if (interfaces->changed)
		interfaces->changed(interfaces, interface, NULL, true);
	LIST_REMOVE(interface, link);
	for (int i = 0; i < INTERFACE_LISTS; i++)
		free(interface->lists[i]);
	free(interface);
}

void interfaces_free(struct interfaces *interfaces)
{
	while (!LIST_EMPTY(&interfaces->list))
		interface_free(LIST_FIRST(&interfaces->list));
}

unsigned int interface_first_flags(unsigned int flags)
{
	return flags & IFF_TUN ? IFF_MULTICAST | IFF_NOARP : IFF_MULTICAST;
}

struct interface *interface_new(struct interfaces *interfaces, const char *name, uint32_t tunnel_id,
				unsigned int flags)
{
	struct interface *interface = calloc(1, sizeof(*interface));

	if (!interface)
		return NULL;
	tun_interface_init(&interface->tun, name, flags);
	/* The same address each time, so that neighbours reach a program that is started again. */
	if (interface->tun.flags & IFF_TAP)
		identity_mac(interfaces->identity, name, NULL, interface->tun.address);
	interface->interfaces = interfaces;
	interface->state.changed = state_changed;
	interface->tunnel_id = tunnel_id;
	interface->flags = interface_first_flags(flags);
	interface->address_mode =
		flags & IFF_TUN ? IN6_ADDR_GEN_MODE_RANDOM : IN6_ADDR_GEN_MODE_EUI64;
	interface->transmit_queue =
		interface->tun.flags & IFF_TAP ? TRANSMIT_QUEUE_TAP : TRANSMIT_QUEUE_TUN;
	LIST_INSERT_HEAD(&interfaces->list, interface, link);
	return interface;
}

struct interface *interface_attach(struct interfaces *interfaces,
				   const struct broker_attached *attached, unsigned int flags)
{
	struct interface *interface, *next;

	interface_broker_update(interfaces);
	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next) {
		if (interface->tunnel_id == attached->tunnel_id)
			break;
		/* A tunnel of that name that has gone meanwhile. */
		if (strcmp(interface->tun.name, attached->name) == 0)
			interface_free(interface);
	}
	if (interface) {
		tun_interface_set_flags(&interface->tun, flags);
	} else {
		interface = interface_new(interfaces, attached->name, attached->tunnel_id, flags);
		if (!interface)
			return NULL;
		interface_mark_changed(interface);
	}
	interface->is_here = interface->is_open = true;
	interface->tun.owner = attached->owner;
	interface_link_local_add(interface);
	if (attached->persistent)
		interface->tun.flags |= IFF_PERSIST;
	/* A tunnel that existed before keeps the size of its vnet header. */
	if (attached->vnet_size)
		interface->tun.vnet_size = attached->vnet_size;
	tun_interface_update(&interface->tun);
	return interface;
}

/* ------------------------------------------------------------------------------ the broker */

bool interface_refresh(struct interfaces *interfaces, struct interface *interface)
{
	/* The end of what others have attached arrives as an event. */
	if (!interface->is_here)
		return true;
	interface_publish(interfaces);
	if (interface_broker_show(interface) == 0)
		return true;
	interface_free(interface);
	return false;
}

void interface_refresh_all(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	interface_broker_update(interfaces);
	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next)
		interface_refresh(interfaces, interface);
}

struct interface *interface_find(struct interfaces *interfaces, const char *name)
{
	struct interface *interface;

	LIST_FOREACH(interface, &interfaces->list, link) {
		if (strcmp(interface->tun.name, name) == 0)
			return interface_refresh(interfaces, interface) ? interface : NULL;
	}
	return NULL;
}

struct interface *interface_find_index(struct interfaces *interfaces, int index)
{
	struct interface *interface;

	LIST_FOREACH(interface, &interfaces->list, link) {
		if (interface_index(interface) == index)
			return interface_refresh(interfaces, interface) ? interface : NULL;
	}
	return NULL;
}

/* Set one option of the interface's tunnel. */
static int tunnel_set(const struct interface *interface, const char *key, const char *value)
{
	struct memtun_options *options = memtun_options_new();
	int result = -1;

	if (options && memtun_options_set(options, key, value) == 0)
		result = interface_broker_call(interface, MEMTUN_CMD_TUNNEL_SET, options, NULL,
					       NULL);
	memtun_options_free(options);
	return result;
}

int interface_change_mtu(struct interface *interface, int mtu)
{
	int max = interface->tun.flags & IFF_TAP ? MTU_MAX_TAP : MTU_MAX_TUN;
	char text[16];

	if (mtu < MTU_MIN || mtu > max)
		return -EINVAL;
	snprintf(text, sizeof(text), "%d", mtu);
	if (tunnel_set(interface, "mtu", text) < 0)
		return -errno;
	interface->mtu = (unsigned int)mtu;
	interface_changed(interface);
	return 0;
}

int interface_set_mac(struct interface *interface, const unsigned char *address)
{
	static const unsigned char zero[sizeof(interface->tun.address)];

	if (!(interface->tun.flags & IFF_TAP))
		return -EOPNOTSUPP;
	if (mac_is_multicast(address) || memcmp(address, zero, sizeof(zero)) == 0)
		return -EADDRNOTAVAIL;
	memcpy(interface->tun.address, address, sizeof(zero));
	interface_changed(interface);
	return 0;
}

int interface_set_name(struct interfaces *interfaces, struct interface *interface, const char *name)
{
	if (strcmp(name, interface->tun.name) == 0)
		return 0;
	if (if_nametoindex(name))
		return failed(EEXIST);
	interface_publish(interfaces);
	if (interface_broker_rename(interface, name) == 0)
		return 0;
	/* As the kernel says it of a name that is taken. */
	return errno == EBUSY || errno == EPERM ? failed(EEXIST) : -1;
}

int interface_delete(struct interface *interface)
{
	if (interface_broker_call(interface, MEMTUN_CMD_TUNNEL_DELETE, NULL, NULL, NULL) < 0)
		return -1;
	interface_free(interface);
	return 0;
}

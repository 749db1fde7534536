/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface.h"

#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/broker_queue.h"
#include "common/identity.h"

/* DEFAULT_TX_QUEUE_LEN in tun_net_init() and ether_setup() in the kernel. */
#define TRANSMIT_QUEUE_TUN 500
#define TRANSMIT_QUEUE_TAP 1000

int interface_index(const struct interface *interface)
{
	return INTERFACE_INDEX_MIN + (int)interface->tunnel_id;
}

static void interface_free(struct interfaces *interfaces, struct interface *interface)
{
	interfaces->gone(interfaces, interface);
	LIST_REMOVE(interface, link);
	free(interface);
}

void interfaces_free(struct interfaces *interfaces)
{
	while (!LIST_EMPTY(&interfaces->list))
		interface_free(interfaces, LIST_FIRST(&interfaces->list));
}

static struct interface *interface_new(struct interfaces *interfaces,
				       const struct broker_attached *attached, unsigned int flags)
{
	struct interface *interface = calloc(1, sizeof(*interface));

	if (!interface)
		return NULL;
	tun_interface_init(&interface->tun, attached->name, flags);
	/* The same address each time, so that neighbours reach a program that is started again. */
	if (interface->tun.flags & IFF_TAP)
		identity_mac(interfaces->identity, attached->name, NULL, interface->tun.address);
	interface->tunnel_id = attached->tunnel_id;
	interface->tun.owner = attached->owner;
	if (interface->tun.flags & IFF_TAP) {
		interface->flags = IFF_MULTICAST;
		interface->transmit_queue = TRANSMIT_QUEUE_TAP;
	} else {
		interface->flags = IFF_MULTICAST | IFF_NOARP;
		interface->transmit_queue = TRANSMIT_QUEUE_TUN;
	}
	LIST_INSERT_HEAD(&interfaces->list, interface, link);
	return interface;
}

struct interface *interface_attach(struct interfaces *interfaces,
				   const struct broker_attached *attached, unsigned int flags)
{
	struct interface *interface, *next;

	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next) {
		if (strcmp(interface->tun.name, attached->name) != 0)
			continue;
		if (interface->tunnel_id == attached->tunnel_id)
			break;
		/* A tunnel of that name that has gone meanwhile. */
		interface_free(interfaces, interface);
	}
	if (interface)
		tun_interface_set_flags(&interface->tun, flags);
	else
		interface = interface_new(interfaces, attached, flags);
	if (!interface)
		return NULL;
	if (attached->persistent)
		interface->tun.flags |= IFF_PERSIST;
	/* A tunnel that existed before keeps the size of its vnet header. */
	if (attached->vnet_size)
		interface->tun.vnet_size = attached->vnet_size;
	tun_interface_update(&interface->tun);
	return interface;
}

/* ------------------------------------------------------------------------------ the broker */

/* What the broker says about a tunnel. */
struct shown {
	uint64_t id, mtu;
};

static void tunnel_shown(const struct memtun_record *record, void *context)
{
	struct shown *shown = context;

	memtun_record_number(record, "id", &shown->id);
	memtun_record_number(record, "mtu", &shown->mtu);
}

bool interface_refresh(struct interfaces *interfaces, struct interface *interface)
{
	struct shown shown = {0};

	if (memtun_show(interfaces->memtun, interface->tun.name, false, tunnel_shown, &shown) < 0 ||
	    shown.id != interface->tunnel_id) {
		interface_free(interfaces, interface);
		return false;
	}
	interface->mtu = (unsigned int)shown.mtu;
	return true;
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
static int tunnel_set(struct interfaces *interfaces, const struct interface *interface,
		      const char *key, const char *value)
{
	struct memtun_options *options = memtun_options_new();
	int result = -1;

	if (options && memtun_options_set(options, key, value) == 0)
		result = memtun_set(interfaces->memtun, interface->tun.name, options);
	memtun_options_free(options);
	return result;
}

int interface_set_mtu(struct interfaces *interfaces, struct interface *interface, int mtu)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", mtu);
	if (tunnel_set(interfaces, interface, "mtu", text) < 0)
		return -1;
	interface->mtu = (unsigned int)mtu;
	return 0;
}

int interface_publish_address(struct interfaces *interfaces, const struct interface *interface)
{
	char text[INET_ADDRSTRLEN + sizeof("/32")] = "none";

	/* A TAP's program answers ARP itself, so the broker needs no address. */
	if (interface->tun.flags & IFF_TAP)
		return 0;
	if (interface->has_address) {
		inet_ntop(AF_INET, &interface->address, text, INET_ADDRSTRLEN);
		snprintf(text + strlen(text), sizeof("/32"), "/%d",
			 __builtin_popcount(interface->mask.s_addr));
	}
	return tunnel_set(interfaces, interface, "address", text);
}

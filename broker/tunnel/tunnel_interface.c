/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/tunnel_interface.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/engine.h"
#include "broker/tunnel/interface_config.h"
#include "broker/tunnel/tunnel.h"
#include "common/address.h"
#include "common/identity.h"

/* DEFAULT_TX_QUEUE_LEN in tun_net_init() and ether_setup() in the kernel. */
#define TRANSMIT_QUEUE_TUN 500
#define TRANSMIT_QUEUE_TAP 1000

/* The flags that a program may change: __dev_change_flags() in the kernel. The others follow. */
#define FLAGS_KEPT                                                                       \
	(IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | \
	 IFF_PORTSEL | IFF_AUTOMEDIA | IFF_PROMISC | IFF_ALLMULTI)

/* The lists, by their attributes, which have consecutive numbers. */
#define FIRST_LIST MEMTUN_A_INTERFACE_ADDRESS
#define LIST_COUNT (MEMTUN_A_INTERFACE_NEIGHBOUR - FIRST_LIST + 1)

struct tunnel_interface {
	uint32_t revision; /* from 1 on; another one after each change */
	uint32_t flags;    /* of FLAGS_KEPT */
	uint32_t transmit_queue;
	bool carrier;
	char mac[sizeof("00:00:00:00:00:00")]; /* of a TAP */
	char *lists[LIST_COUNT];               /* NULL: empty */
	size_t bytes;                          /* of the lists */
};

/* ------------------------------------------------------------------------------ checks */

static int mac_check(const struct tunnel *tunnel, const char *text, struct fault *fault)
{
	unsigned char mac[ETH_ALEN];
	int length = 0;

	if (tunnel->port.mode != MEMTUN_TAP)
		return fault_set(fault, EINVAL, "'%s' is a tun, which has no MAC address",
				 tunnel->port.name);
	if (strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &length) != ETH_ALEN ||
	    length != 17 || text[17])
		return fault_set(fault, EINVAL, "interface-mac '%s' is no MAC address", text);
	if (mac[0] & 1 || !memcmp(mac, (const unsigned char[ETH_ALEN]){0}, sizeof(mac)))
		return fault_set(fault, EINVAL, "interface-mac %s is not one host's", text);
	return 0;
}

static int options_check(const struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault)
{
	const char *mac = attribute_set_string(options, MEMTUN_A_INTERFACE_MAC);
	const char *addresses = attribute_set_string(options, MEMTUN_A_INTERFACE_ADDRESS);
	uint64_t revision = attribute_set_number(options, MEMTUN_A_INTERFACE_REVISION);

	if (tunnel->kind == &kernel_tunnel_kind)
		return fault_set(fault, EINVAL, "'%s' has an interface of the kernel",
				 tunnel->port.name);
	if (tunnel->port.id > INT32_MAX - MEMTUN_INTERFACE_INDEX_MIN)
		return fault_set(fault, EOVERFLOW, "no number is left for an interface of '%s'",
				 tunnel->port.name);
	if (revision && (!tunnel->interface || revision != tunnel->interface->revision))
		return fault_set(fault, ESTALE, "the interface of '%s' has been changed since",
				 tunnel->port.name);
	if (mac && mac_check(tunnel, mac, fault) < 0)
		return -1;
	return addresses ? interface_config_check(addresses, fault) : 0;
}

/* Make the configuration of what the user has configured and the interface's lists. */
static int lists_config(const struct tunnel *tunnel, const struct tunnel_interface *interface,
			const struct adapter_config *configured, struct adapter_config **config,
			struct fault *fault)
{
	*config = NULL;
	if (tunnel->port.mode != MEMTUN_TUN)
		return 0;
	return interface_config_make(interface->lists[0],
				     interface->lists[MEMTUN_A_INTERFACE_ROUTE - FIRST_LIST],
				     configured, config, fault);
}

int tunnel_interface_config(const struct tunnel *tunnel, const struct adapter_config *configured,
			    struct adapter_config **config, struct fault *fault)
{
	*config = NULL;
	return tunnel->interface ? lists_config(tunnel, tunnel->interface, configured, config,
						fault)
				 : 0;
}

/* ------------------------------------------------------------------------------ setting */

static struct tunnel_interface *interface_new(const struct tunnel *tunnel)
{
	struct tunnel_interface *interface = calloc(1, sizeof(*interface));
	unsigned char bytes[ETH_ALEN];
	struct address mac;

	if (!interface)
		return NULL;
	interface->flags = IFF_MULTICAST;
	interface->carrier = true;
	interface->transmit_queue = TRANSMIT_QUEUE_TAP;
	if (tunnel->port.mode == MEMTUN_TUN) {
		interface->flags |= IFF_NOARP;
		interface->transmit_queue = TRANSMIT_QUEUE_TUN;
		return interface;
	}
	identity_mac(tunnel->port.engine->identity, tunnel->port.name, NULL, bytes);
	mac = address_ethernet(bytes, 0);
	strlcpy(interface->mac, address_format(&mac, (char[ADDRESS_TEXT_SIZE]){0}),
		sizeof(interface->mac));
	return interface;
}

/* Return the bytes of the lists of all interfaces of a user's tunnels. */
static size_t user_bytes(const struct tunnels *tunnels, uid_t owner)
{
	const struct tunnel *tunnel;
	size_t bytes = 0;

	for (uint32_t id = 0; (tunnel = tunnel_next(tunnels, id)); id = tunnel->port.id) {
		if (tunnel->interface && tunnel->port.owner == owner)
			bytes += tunnel->interface->bytes;
	}
	return bytes;
}

/* Check the bounds of the lists, of which those of the tunnel's new interface are a part and those of
 * its former one are still a part. -1 with ENOSPC, the fault filled. */
static int bytes_check(const struct tunnel *tunnel, const struct tunnel_interface *interface,
		       struct fault *fault)
{
	size_t former = tunnel->interface ? tunnel->interface->bytes : 0;
	size_t all = tunnel->tunnels->list_bytes - former;

	/* A change that adds nothing is never refused. */
	if (interface->bytes <= former)
		return 0;
	if (all > TUNNEL_INTERFACE_BYTES_MAX)
		return fault_set(fault, ENOSPC, "the lists of all interfaces have more than %d MiB",
				 TUNNEL_INTERFACE_BYTES_MAX >> 20);
	/* Only while all lists together are longer can those of one user be. */
	if (all <= TUNNEL_INTERFACE_BYTES_OF_USER ||
	    user_bytes(tunnel->tunnels, tunnel->port.owner) - former + interface->bytes <=
		    TUNNEL_INTERFACE_BYTES_OF_USER)
		return 0;
	return fault_set(fault, ENOSPC,
			 "the lists of all interfaces of this user have more than %d MiB",
			 TUNNEL_INTERFACE_BYTES_OF_USER >> 20);
}

static void interface_free(struct tunnels *tunnels, struct tunnel_interface *interface)
{
	if (!interface)
		return;
	tunnels->list_bytes -= interface->bytes;
	for (int i = 0; i < LIST_COUNT; i++)
		free(interface->lists[i]);
	free(interface);
}

void tunnel_interface_free(struct tunnel *tunnel)
{
	interface_free(tunnel->tunnels, tunnel->interface);
	tunnel->interface = NULL;
}

/* Return a new interface with copies of the former one's values, replaced by those of the options.
 * NULL with the fault filled. */
static struct tunnel_interface *interface_change(const struct tunnel *tunnel,
						 const struct attribute_set *options,
						 struct fault *fault)
{
	const struct tunnel_interface *former = tunnel->interface;
	struct tunnel_interface *interface = interface_new(tunnel);
	const char *mac = attribute_set_string(options, MEMTUN_A_INTERFACE_MAC);
	bool has_memory = interface;

	if (interface && former) {
		*interface = *former;
		memset(interface->lists, 0, sizeof(interface->lists));
		interface->bytes = 0;
	}
	/* 0 is no revision. */
	if (interface && ++interface->revision == 0)
		interface->revision = 1;
	for (int i = 0; has_memory && i < LIST_COUNT; i++) {
		const char *list =
			attribute_set_string(options, (enum memtun_attribute)(FIRST_LIST + i));

		if (!list)
			list = former ? former->lists[i] : NULL;
		if (!list || strcmp(list, "none") == 0)
			continue;
		interface->lists[i] = strdup(list);
		has_memory = interface->lists[i];
		interface->bytes += has_memory ? strlen(list) : 0;
	}
	if (interface)
		tunnel->tunnels->list_bytes += interface->bytes;
	if (!has_memory) {
		interface_free(tunnel->tunnels, interface);
		fault_set(fault, ENOMEM, "cannot keep the interface of '%s': out of memory",
			  tunnel->port.name);
		return NULL;
	}
	if (attribute_set_has(options, MEMTUN_A_INTERFACE_FLAGS))
		interface->flags =
			(uint32_t)attribute_set_number(options, MEMTUN_A_INTERFACE_FLAGS) &
			FLAGS_KEPT;
	if (attribute_set_has(options, MEMTUN_A_INTERFACE_TXQLEN))
		interface->transmit_queue =
			(uint32_t)attribute_set_number(options, MEMTUN_A_INTERFACE_TXQLEN);
	if (attribute_set_has(options, MEMTUN_A_INTERFACE_CARRIER))
		interface->carrier = attribute_set_number(options, MEMTUN_A_INTERFACE_CARRIER);
	if (mac)
		strlcpy(interface->mac, mac, sizeof(interface->mac));
	return interface;
}

int tunnel_interface_set(struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault)
{
	struct tunnel_interface *interface;
	struct adapter_config *config;

	if (options_check(tunnel, options, fault) < 0)
		return -1;
	interface = interface_change(tunnel, options, fault);
	if (!interface)
		return -1;
	if (bytes_check(tunnel, interface, fault) < 0 ||
	    lists_config(tunnel, interface, tunnel->port.adapter_config, &config, fault) < 0) {
		interface_free(tunnel->tunnels, interface);
		return -1;
	}
	tunnel_interface_free(tunnel);
	tunnel->interface = interface;
	/* An adapter announces a configuration that it gets, so it gets one only if it may be new. */
	if (attribute_set_has(options, MEMTUN_A_INTERFACE_ADDRESS) ||
	    attribute_set_has(options, MEMTUN_A_INTERFACE_ROUTE))
		port_take_program_config(&tunnel->port, config);
	else
		adapter_config_free(config);
	tunnel_publish_change(tunnel, options, OPTION_INTERFACE);
	return 0;
}

int tunnel_interface_begin(struct tunnel *tunnel, const struct attribute_set *options,
			   struct fault *fault)
{
	if (tunnel->interface || !attribute_set_has(options, MEMTUN_A_INTERFACE_FLAGS))
		return 0;
	if (options_check(tunnel, options, fault) < 0)
		return -1;
	tunnel->interface = interface_change(tunnel, options, fault);
	return tunnel->interface ? 0 : -1;
}

/* ------------------------------------------------------------------------------ describing */

/* Return all flags, as the kernel shows them in rtnetlink. */
static uint32_t interface_flags(const struct tunnel *tunnel, bool is_open)
{
	uint32_t flags = tunnel->interface->flags;

	flags |= tunnel->port.mode == MEMTUN_TAP ? IFF_BROADCAST : IFF_POINTOPOINT;
	/* As in the kernel, an interface that no queue is attached to has no carrier. */
	if (is_open && tunnel->interface->carrier && !tunnel->port.link_is_down && flags & IFF_UP)
		flags |= IFF_RUNNING | IFF_LOWER_UP;
	return flags;
}

void tunnel_interface_describe(const struct tunnel *tunnel, struct attribute_set *set)
{
	const struct tunnel_interface *interface = tunnel->interface;
	bool is_open = attribute_set_number(set, MEMTUN_A_STATE) == MEMTUN_OPEN;

	if (!interface)
		return;
	attribute_set_put_number(set, MEMTUN_A_INTERFACE_INDEX,
				 MEMTUN_INTERFACE_INDEX_MIN + tunnel->port.id);
	attribute_set_put_number(set, MEMTUN_A_INTERFACE_REVISION, interface->revision);
	attribute_set_put_number(set, MEMTUN_A_INTERFACE_FLAGS, interface_flags(tunnel, is_open));
	attribute_set_put_number(set, MEMTUN_A_INTERFACE_TXQLEN, interface->transmit_queue);
	attribute_set_put_number(set, MEMTUN_A_INTERFACE_CARRIER,
				 interface->carrier && !tunnel->port.link_is_down);
	if (interface->mac[0])
		attribute_set_put_string(set, MEMTUN_A_INTERFACE_MAC, interface->mac);
	for (int i = 0; i < LIST_COUNT; i++) {
		if (interface->lists[i])
			attribute_set_put_string(set, (enum memtun_attribute)(FIRST_LIST + i),
						 interface->lists[i]);
	}
}

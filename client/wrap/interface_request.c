/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_request.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <string.h>

#include "client/wrap/call.h"
#include "client/wrap/interface_address.h"
#include "client/wrap/interface_broker.h"
#include "client/wrap/interface_list.h"
#include "client/wrap/interface_publish.h"
#include "client/wrap/interface_route.h"
#include "client/wrap/memory.h"

static bool is_tap(const struct interface *interface)
{
	return interface->tun.flags & IFF_TAP;
}

static void get_hardware_address(const struct interface *interface, struct ifreq *ifreq)
{
	memset(&ifreq->ifr_hwaddr, 0, sizeof(ifreq->ifr_hwaddr));
	ifreq->ifr_hwaddr.sa_family = interface->tun.type;
	if (interface->tun.type == ARPHRD_ETHER)
		memcpy(ifreq->ifr_hwaddr.sa_data, interface->tun.address,
		       sizeof(interface->tun.address));
}

static int set_hardware_address(struct interface *interface, const struct ifreq *ifreq)
{
	if (is_tap(interface) && ifreq->ifr_hwaddr.sa_family != interface->tun.type)
		return -EINVAL;
	return interface_set_mac(interface, (const unsigned char *)ifreq->ifr_hwaddr.sa_data);
}

/* ------------------------------------------------------------------------------ ethtool */

static void driver_get(const struct interface *interface, struct ethtool_drvinfo *driver)
{
	*driver = (struct ethtool_drvinfo){
		.cmd = ETHTOOL_GDRVINFO,
		.driver = "tun",
		.version = "1.6",
	};
	strcpy(driver->bus_info, is_tap(interface) ? "tap" : "tun");
}

/* SIOCETHTOOL: the driver and the link. The pointer is behind the name in both layouts. */
static int ethtool(const struct interface *interface, const struct call *call,
		   const struct ifreq *ifreq)
{
	uint32_t pointer_32, command;
	unsigned long pointer = (unsigned long)ifreq->ifr_data;

	memcpy(&pointer_32, &ifreq->ifr_ifru, sizeof(pointer_32));
	if (call->is_32_bit)
		pointer = pointer_32;
	if (memory_copy(call, &command, pointer, sizeof(command), false) < 0)
		return -errno;
	if (command == ETHTOOL_GDRVINFO) {
		struct ethtool_drvinfo driver;

		driver_get(interface, &driver);
		return memory_copy(call, &driver, pointer, sizeof(driver), true) < 0 ? -errno : 0;
	}
	if (command == ETHTOOL_GLINK) {
		struct ethtool_value value = {
			.cmd = command,
			.data = interface->flags & IFF_UP && interface->tun.carrier,
		};

		return memory_copy(call, &value, pointer, sizeof(value), true) < 0 ? -errno : 0;
	}
	return -EOPNOTSUPP;
}

/* ------------------------------------------------------------------------------ requests */

/* Write the answer of a request that asks for something into *ifreq. */
static int get(const struct interface *interface, unsigned int request, struct ifreq *ifreq)
{
	switch (request) {
	case SIOCGIFFLAGS:
		ifreq->ifr_flags = (short)interface_flags(interface);
		return 0;
	case SIOCGIFMETRIC:
		ifreq->ifr_metric = 0;
		return 0;
	case SIOCGIFMTU:
		ifreq->ifr_mtu = (int)interface->mtu;
		return 0;
	case SIOCGIFHWADDR:
		get_hardware_address(interface, ifreq);
		return 0;
	case SIOCGIFINDEX:
		ifreq->ifr_ifindex = interface_index(interface);
		return 0;
	case SIOCGIFTXQLEN:
		ifreq->ifr_qlen = interface->transmit_queue;
		return 0;
	case SIOCGIFMAP:
		memset(&ifreq->ifr_map, 0, sizeof(ifreq->ifr_map));
		return 0;
	case SIOCGIFSLAVE:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

static int set(struct interfaces *interfaces, struct interface *interface, unsigned int request,
	       struct ifreq *ifreq)
{
	switch (request) {
	case SIOCSIFFLAGS:
		interface_set_flags(interface, (unsigned short)ifreq->ifr_flags, ~0u);
		return 0;
	case SIOCSIFMTU:
		return interface_change_mtu(interface, ifreq->ifr_mtu);
	case SIOCSIFHWADDR:
		return set_hardware_address(interface, ifreq);
	case SIOCSIFTXQLEN:
		if (ifreq->ifr_qlen < 0)
			return -EINVAL;
		interface->transmit_queue = ifreq->ifr_qlen;
		interface_changed(interface);
		return 0;
	case SIOCSIFNAME:
		ifreq->ifr_newname[IFNAMSIZ - 1] = '\0';
		return interface_set_name(interfaces, interface, ifreq->ifr_newname) < 0 ? -errno
											 : 0;
	default:
		/* SIOCSIFMETRIC, SIOCSIFMAP, multicast addresses and others. */
		return -EOPNOTSUPP;
	}
}

static bool is_setting(unsigned int request)
{
	switch (request) {
	case SIOCSIFFLAGS:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFTXQLEN:
	case SIOCSIFNAME:
	case SIOCSIFMETRIC:
	case SIOCSIFMAP:
	case SIOCSIFHWBROADCAST:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return true;
	default:
		return false;
	}
}

/* Carry out a request about this interface. */
static int carry_out(struct interfaces *interfaces, struct interface *interface,
		     const struct call *call, struct ifreq *ifreq)
{
	unsigned int request = call->request;

	/* The kernel does not translate it for 32-bit programs. */
	if (request == SIOCGIFSLAVE && call->is_32_bit)
		return -ENOTTY;
	if (request == SIOCETHTOOL)
		return ethtool(interface, call, ifreq);
	if (interface_address_is_request(request))
		return interface_address_request(interface, request, ifreq);
	return is_setting(request) ? set(interfaces, interface, request, ifreq)
				   : get(interface, request, ifreq);
}

/* Return whether the kernel writes the structure back after this request. */
static bool has_answer(unsigned int request)
{
	return request != SIOCETHTOOL && !is_setting(request) &&
	       !interface_address_is_setting(request);
}

/* Find the interface that *ifreq names, or with SIOCGIFNAME numbers. */
static struct interface *find(struct interfaces *interfaces, unsigned int request,
			      struct ifreq *ifreq)
{
	struct interface *interface;
	char label[IFNAMSIZ];

	if (request == SIOCGIFNAME) {
		interface = ifreq->ifr_ifindex < INTERFACE_INDEX_MIN
				    ? NULL
				    : interface_find_index(interfaces, ifreq->ifr_ifindex);
		if (interface)
			memcpy(ifreq->ifr_name, interface->tun.name, IFNAMSIZ);
		return interface;
	}
	memcpy(label, ifreq->ifr_name, IFNAMSIZ);
	label[IFNAMSIZ - 1] = '\0';
	/* "tun0:1" is the label of another address of tun0. */
	label[strcspn(label, ":")] = '\0';
	return interface_find(interfaces, label);
}

/* Carry the call out on what is known here, and tell the broker what it has changed. */
static int request_once(struct interfaces *interfaces, const struct call *call, char name[IFNAMSIZ])
{
	/* A 32-bit program has a struct ifreq of 32 bytes, because its pointers have 4 bytes. */
	size_t size = call->is_32_bit ? 32 : sizeof(struct ifreq);
	struct ifreq ifreq = {0};
	struct interface *interface;
	int result, told;

	if (call->request == SIOCADDRT || call->request == SIOCDELRT) {
		result = interface_route_request(interfaces, call);
		told = interface_publish_request(interfaces);
		return told < 0 ? told : result;
	}
	if (call->request == SIOCGIFCONF)
		return interface_list(interfaces, call);
	if (memory_copy(call, &ifreq, call->argument, size, false) < 0)
		return INTERFACE_REQUEST_PASS;
	interface = find(interfaces, call->request, &ifreq);
	if (!interface)
		return INTERFACE_REQUEST_PASS;
	memcpy(name, interface->tun.name, IFNAMSIZ);
	result = call->request == SIOCGIFNAME ? 0 : carry_out(interfaces, interface, call, &ifreq);
	told = interface_publish_request(interfaces);
	if (told < 0)
		return told;
	if (result == 0 && has_answer(call->request) &&
	    memory_copy(call, &ifreq, call->argument, size, true) < 0)
		return -errno;
	return result;
}

int interface_request(struct interfaces *interfaces, const struct call *call, char name[IFNAMSIZ])
{
	int result = -ESTALE;

	name[0] = '\0';
	interface_broker_update(interfaces);
	if (LIST_EMPTY(&interfaces->list))
		return INTERFACE_REQUEST_PASS;
	for (int i = 0; result == -ESTALE && i < INTERFACE_PUBLISH_TRIES; i++)
		result = request_once(interfaces, call, name);
	return result == -ESTALE ? -EBUSY : result;
}

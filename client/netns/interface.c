/* SPDX-License-Identifier: MIT */
#include "client/netns/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/descriptor.h"

#define DEVICE "/dev/net/tun"

/* The index of the loopback interface in each network namespace: LOOPBACK_IFINDEX of the kernel. */
#define LOOPBACK_INDEX 1

/* From <net/if.h>, which conflicts with <linux/if.h>. */
extern unsigned int if_nametoindex(const char *name);

/* ------------------------------------------------------------------------------ the device */

int interface_make(struct interface *interface, struct obstacle *obstacle)
{
	const int mode = interface->mode == MEMTUN_TUN ? IFF_TUN : IFF_TAP;
	struct ifreq request = {.ifr_flags = (short)(mode | IFF_NO_PI | IFF_VNET_HDR)};
	descriptor_owned fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return obstacle_set_device(obstacle, DEVICE);
	strlcpy(request.ifr_name, interface->name, sizeof(request.ifr_name));
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return obstacle_set(obstacle, "cannot make the interface '%s'", interface->name);
	strlcpy(interface->name, request.ifr_name, sizeof(interface->name));
	return descriptor_take(&fd);
}

/* ------------------------------------------------------------------------------ the link */

/* Return the interface's index. 0 with the obstacle filled. */
static unsigned int interface_index(const struct interface *interface, struct obstacle *obstacle)
{
	unsigned int index = if_nametoindex(interface->name);

	if (!index)
		obstacle_set(obstacle, "cannot find the interface '%s'", interface->name);
	return index;
}

int interface_rename(struct interface *interface, struct rtnetlink *rtnetlink, const char *name,
		     struct obstacle *obstacle)
{
	unsigned int index = interface_index(interface, obstacle);

	if (!index)
		return -1;
	if (rtnetlink_set_name(rtnetlink, index, name) < 0)
		return obstacle_set(obstacle, "cannot rename the interface '%s' to '%s'",
				    interface->name, name);
	strlcpy(interface->name, name, sizeof(interface->name));
	return 0;
}

int interface_set_up_loopback(struct rtnetlink *rtnetlink, struct obstacle *obstacle)
{
	if (rtnetlink_set_up(rtnetlink, LOOPBACK_INDEX) < 0)
		return obstacle_set(obstacle, "cannot bring the interface lo up");
	return 0;
}

static int link_set_up(const struct interface *interface, struct rtnetlink *rtnetlink,
		       unsigned int index, struct obstacle *obstacle)
{
	if (interface->mode == MEMTUN_TAP &&
	    rtnetlink_set_mac(rtnetlink, index, interface->mac) < 0)
		return obstacle_set(obstacle, "cannot set the MAC address of '%s'",
				    interface->name);
	if (interface->mtu && rtnetlink_set_mtu(rtnetlink, index, interface->mtu) < 0)
		return obstacle_set(obstacle, "cannot set the mtu of '%s' to %u", interface->name,
				    interface->mtu);
	if (rtnetlink_set_up(rtnetlink, index) < 0)
		return obstacle_set(obstacle, "cannot bring the interface '%s' up",
				    interface->name);
	return 0;
}

/* ------------------------------------------------------------------------------ addresses */

/* Write the link-local address that ends in the MAC address: RFC 4291, appendix A. */
static struct address link_local_of(const unsigned char mac[ETH_ALEN])
{
	const unsigned char bytes[16] = {
		0xfe,       0x80,   0,      0,    0,    0,      0,      0,
		mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
	};

	return address_ipv6(bytes);
}

/*
 * Give a TAP its link-local IPv6 address at once. A TUN has no duplicate address detection, so the
 * kernel's link-local address of a TUN is usable at once. Without IPv6 this does nothing.
 */
static int link_local_add(const struct interface *interface, struct rtnetlink *rtnetlink,
			  unsigned int index, struct obstacle *obstacle)
{
	const struct address address = link_local_of(interface->mac);

	/* The errors without IPv6, with disable_ipv6, and with an mtu below IPv6's minimum. */
	if (rtnetlink_add_address(rtnetlink, index, &address, 64) == 0 || errno == EOPNOTSUPP ||
	    errno == EACCES || errno == ENODEV || errno == EINVAL || errno == ENOBUFS)
		return 0;
	return obstacle_set(obstacle, "cannot add the link-local address of '%s'", interface->name);
}

static int addresses_add(const struct interface *interface, struct rtnetlink *rtnetlink,
			 unsigned int index, struct obstacle *obstacle)
{
	char text[ADDRESS_TEXT_SIZE];

	for (unsigned int i = 0; i < interface->addresses.address_count; i++) {
		const struct own_address *own = &interface->addresses.addresses[i];

		if (rtnetlink_add_address(rtnetlink, index, &own->address, own->prefix_length) < 0)
			return obstacle_set(obstacle, "cannot add the address %s/%u to '%s'",
					    address_format(&own->address, text), own->prefix_length,
					    interface->name);
	}
	for (unsigned int i = 0; i < interface->addresses.gateway_count; i++) {
		const struct address *gateway = &interface->addresses.gateways[i];

		if (rtnetlink_add_gateway(rtnetlink, index, gateway) < 0)
			return obstacle_set(obstacle, "cannot add the default route by %s on '%s'",
					    address_format(gateway, text), interface->name);
	}
	return 0;
}

int interface_set_up(const struct interface *interface, struct rtnetlink *rtnetlink,
		     struct obstacle *obstacle)
{
	unsigned int index = interface_index(interface, obstacle);
	bool has_link_local = interface->mode == MEMTUN_TAP;

	if (!index)
		return -1;
	/* A kernel that refuses this request makes the address itself, a second later. */
	if (has_link_local && rtnetlink_refuse_link_local(rtnetlink, index) < 0)
		has_link_local = false;
	if (link_set_up(interface, rtnetlink, index, obstacle) < 0)
		return -1;
	if (has_link_local && link_local_add(interface, rtnetlink, index, obstacle) < 0)
		return -1;
	return addresses_add(interface, rtnetlink, index, obstacle);
}

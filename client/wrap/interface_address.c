/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <string.h>

#include "client/wrap/interface.h"

bool interface_address_is_setting(unsigned int request)
{
	return request == SIOCSIFADDR || request == SIOCSIFNETMASK || request == SIOCSIFBRDADDR ||
	       request == SIOCSIFDSTADDR;
}

bool interface_address_is_request(unsigned int request)
{
	return interface_address_is_setting(request) || request == SIOCGIFADDR ||
	       request == SIOCGIFNETMASK || request == SIOCGIFBRDADDR || request == SIOCGIFDSTADDR;
}

static bool is_tap(const struct interface *interface)
{
	return interface->tun.flags & IFF_TAP;
}

/* Return the prefix length of the address's class; 0: zero or a group; -1: class E. */
static int class_length(struct in_addr address)
{
	in_addr_t host = ntohl(address.s_addr);

	if (host == INADDR_BROADCAST || host >> 24 == 0 || IN_MULTICAST(host))
		return 0;
	return IN_CLASSA(host) ? 8 : IN_CLASSB(host) ? 16 : IN_CLASSC(host) ? 24 : -1;
}

static struct in_addr mask_of(int length)
{
	return (struct in_addr){length ? htonl(~UINT32_C(0) << (32 - length)) : 0};
}

static bool mask_is_valid(struct in_addr mask)
{
	in_addr_t zeros = ~ntohl(mask.s_addr);

	return (zeros & (zeros + 1)) == 0;
}

static struct in_addr broadcast_of(struct in_addr address, struct in_addr mask)
{
	return (struct in_addr){address.s_addr | ~mask.s_addr};
}

static int set_address(struct interface *interface, struct in_addr address)
{
	int length = is_tap(interface) ? class_length(address) : 32;

	if (class_length(address) < 0)
		return -EINVAL;
	if (interface->has_address && interface->address.s_addr == address.s_addr)
		return 0;
	interface->has_address = address.s_addr != INADDR_ANY;
	interface->address = interface->destination = address;
	interface->mask = mask_of(length);
	interface->broadcast.s_addr = 0;
	if (is_tap(interface) && length < 31)
		interface->broadcast = broadcast_of(address, interface->mask);
	return 0;
}

static int set_mask(struct interface *interface, struct in_addr mask)
{
	struct in_addr former = interface->mask;

	if (!mask_is_valid(mask))
		return -EINVAL;
	interface->mask = mask;
	/* The kernel makes a new broadcast address only where the former was made of the mask. */
	if (is_tap(interface) && __builtin_popcount(mask.s_addr) < 31 &&
	    interface->broadcast.s_addr == broadcast_of(interface->address, former).s_addr)
		interface->broadcast = broadcast_of(interface->address, mask);
	return 0;
}

static int set(struct interface *interface, unsigned int request, const struct sockaddr_in *given)
{
	if (given->sin_family != AF_INET)
		return -EINVAL;
	if (request == SIOCSIFADDR)
		return set_address(interface, given->sin_addr);
	if (!interface->has_address)
		return -EADDRNOTAVAIL;
	if (request == SIOCSIFNETMASK)
		return set_mask(interface, given->sin_addr);
	if (request == SIOCSIFBRDADDR)
		interface->broadcast = given->sin_addr;
	else if (class_length(given->sin_addr) < 0)
		return -EINVAL;
	else
		interface->destination = given->sin_addr;
	return 0;
}

int interface_address_request(struct interface *interface, unsigned int request,
			      struct ifreq *ifreq)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (interface_address_is_setting(request)) {
		memcpy(&address, &ifreq->ifr_addr, sizeof(address));
		return set(interface, request, &address);
	}
	if (!interface->has_address)
		return -EADDRNOTAVAIL;
	address.sin_addr = request == SIOCGIFADDR      ? interface->address
			   : request == SIOCGIFNETMASK ? interface->mask
			   : request == SIOCGIFBRDADDR ? interface->broadcast
						       : interface->destination;
	memcpy(&ifreq->ifr_addr, &address, sizeof(address));
	return 0;
}

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

static struct in_addr mask_of(unsigned int length)
{
	return (struct in_addr){length ? htonl(~UINT32_C(0) << (32 - length)) : 0};
}

static bool mask_is_valid(struct in_addr mask)
{
	in_addr_t zeros = ~ntohl(mask.s_addr);

	return (zeros & (zeros + 1)) == 0;
}

static struct address broadcast_of(const struct state_address *address)
{
	struct in_addr all = {address->local.ipv4.s_addr | ~mask_of(address->length).s_addr};

	return address_ipv4(&all);
}

/* Put the changed address in the place of the former one, as inet_del_ifa() and
 * inet_insert_ifa(). */
static int change(struct interface *interface, const struct state_address *former,
		  const struct state_address *address)
{
	struct state_address gone = *former;

	state_address_delete(&interface->state, &gone);
	return state_address_add(&interface->state, address, STATE_CREATE | STATE_EXCLUSIVE);
}

static int set_address(struct interface *interface, const struct state_address *former,
		       const char *label, struct in_addr given)
{
	int length = is_tap(interface) ? class_length(given) : 32;
	struct state_address address = {
		.local = address_ipv4(&given),
		.peer = address_ipv4(&given),
		.length = (unsigned char)length,
		.preferred = UINT32_MAX,
		.valid = UINT32_MAX,
	};

	if (class_length(given) < 0)
		return -EINVAL;
	if (former && former->local.ipv4.s_addr == given.s_addr)
		return 0;
	memcpy(address.label, label, IFNAMSIZ);
	if (is_tap(interface) && length < 31)
		address.broadcast = broadcast_of(&address);
	if (former) {
		struct state_address gone = *former;

		state_address_delete(&interface->state, &gone);
	}
	return given.s_addr == INADDR_ANY ? 0
					  : state_address_add(&interface->state, &address,
							      STATE_CREATE | STATE_EXCLUSIVE);
}

static int set_mask(struct interface *interface, const struct state_address *former,
		    struct in_addr mask)
{
	struct state_address address = *former;
	struct address all = broadcast_of(former);

	if (!mask_is_valid(mask))
		return -EINVAL;
	address.length = (unsigned char)__builtin_popcount(mask.s_addr);
	/* The kernel makes a new broadcast address only where the former was made of the mask. */
	if (is_tap(interface) && address.length < 31 && address_equal(&former->broadcast, &all))
		address.broadcast = broadcast_of(&address);
	return address.length == former->length ? 0 : change(interface, former, &address);
}

static int set(struct interface *interface, const char *label, unsigned int request,
	       const struct sockaddr_in *given)
{
	const struct state_address *former = state_address_labelled(&interface->state, label);
	struct state_address address;

	if (given->sin_family != AF_INET)
		return -EINVAL;
	if (request == SIOCSIFADDR)
		return set_address(interface, former, label, given->sin_addr);
	if (!former)
		return -EADDRNOTAVAIL;
	if (request == SIOCSIFNETMASK)
		return set_mask(interface, former, given->sin_addr);
	address = *former;
	if (request == SIOCSIFBRDADDR)
		address.broadcast = address_ipv4(&given->sin_addr);
	else if (class_length(given->sin_addr) < 0)
		return -EINVAL;
	else
		address.peer = address_ipv4(&given->sin_addr);
	return change(interface, former, &address);
}

int interface_address_request(struct interface *interface, unsigned int request,
			      struct ifreq *ifreq)
{
	struct sockaddr_in answer = {.sin_family = AF_INET};
	const struct state_address *address;
	char label[IFNAMSIZ] = "";

	/* "tun0:1" is the label of another address of tun0. */
	if (strncmp(ifreq->ifr_name, interface->tun.name, IFNAMSIZ) != 0)
		memcpy(label, ifreq->ifr_name, IFNAMSIZ - 1);
	if (interface_address_is_setting(request)) {
		memcpy(&answer, &ifreq->ifr_addr, sizeof(answer));
		return set(interface, label, request, &answer);
	}
	address = state_address_labelled(&interface->state, label);
	if (!address)
		return -EADDRNOTAVAIL;
	answer.sin_addr = request == SIOCGIFADDR      ? address->local.ipv4
			  : request == SIOCGIFNETMASK ? mask_of(address->length)
			  : request == SIOCGIFBRDADDR ? address->broadcast.ipv4
						      : address->peer.ipv4;
	memcpy(&ifreq->ifr_addr, &answer, sizeof(answer));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The IPv4 address of an interface and what belongs to it: SIOC[GS]IFADDR, NETMASK, BRDADDR and
 * DSTADDR, as devinet_ioctl() in the kernel carries them out.
 */
#ifndef MEMTUN_INTERFACE_ADDRESS_H
#define MEMTUN_INTERFACE_ADDRESS_H

#include <net/if.h>
#include <stdbool.h>

struct interface;

/* Return whether the request is one of these, and whether it sets an address. */
bool interface_address_is_request(unsigned int request);
bool interface_address_is_setting(unsigned int request);

/* Carry out the request, and write its answer into *ifreq. Return 0 or a negative errno. */
int interface_address_request(struct interface *interface, unsigned int request,
			      struct ifreq *ifreq);

#endif

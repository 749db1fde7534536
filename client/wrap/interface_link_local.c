/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_link_local.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "common/identity.h"

/* Bytes. The kernel's IPV6_MIN_MTU: with less, an interface has no IPv6. */
#define MTU_MIN_IPV6 1280

/* Bits of a prefix, and where in the address the identifier begins, bytes. */
#define PREFIX_LENGTH 64
#define IDENTIFIER 8

/* The bit of a MAC address that says that it is locally administered; EUI-64 has its inverse. */
#define LOCALLY_ADMINISTERED 2

static bool is_link_local(const struct state_address *address)
{
	return address->local.kind == ADDRESS_IPV6 && address_is_link_local(&address->local);
}

static bool has_link_local(const struct interface_state *state)
{
	for (size_t i = 0; i < state->address_count; i++) {
		if (is_link_local(&state->addresses[i]))
			return true;
	}
	return false;
}

/* Write the identifier that IEEE's EUI-64 makes of the MAC address. */
static void identifier_of_mac(const unsigned char *mac, unsigned char *identifier)
{
	memcpy(identifier, mac, 3);
	identifier[0] ^= LOCALLY_ADMINISTERED;
	identifier[3] = 0xff;
	identifier[4] = 0xfe;
	memcpy(identifier + 5, mac + 3, 3);
}

void interface_link_local_add(struct interface *interface)
{
	bool is_tap = interface->tun.flags & IFF_TAP;
	struct state_address address = {
		.local.kind = ADDRESS_IPV6,
		.length = PREFIX_LENGTH,
		.scope = RT_SCOPE_LINK,
		.flags = is_tap ? 0 : IFA_F_STABLE_PRIVACY,
		.preferred = UINT32_MAX,
		.valid = UINT32_MAX,
	};
	unsigned char mac[ETH_ALEN];

	if (!(interface_flags(interface) & IFF_RUNNING) || interface->mtu < MTU_MIN_IPV6 ||
	    interface->address_mode == IN6_ADDR_GEN_MODE_NONE || has_link_local(&interface->state))
		return;
	address.local.bytes[0] = 0xfe;
	address.local.bytes[1] = 0x80;
	if (is_tap) {
		memcpy(mac, interface->tun.address, sizeof(mac));
		identifier_of_mac(mac, address.local.bytes + IDENTIFIER);
	} else {
		identity_interface(interface->interfaces->identity, interface->tun.name,
				   address.local.bytes + IDENTIFIER);
	}
	address.peer = address.local;
	/* Without memory for it the interface works, as in the kernel. */
	(void)state_address_add(&interface->state, &address, STATE_CREATE);
}

/* SPDX-License-Identifier: MIT */
/*
 * The MAC address of an adapter. A tunnel that is made again gets the address that it had, so that
 * its neighbours reach it at once.
 */
#include <string.h>

#include "broker/adapter/adapter_parts.h"
#include "broker/engine/engine.h"
#include "common/hash.h"

/* Return the first IPv4 address of the configuration, or NULL. */
static const struct address *first_ipv4(const struct adapter_config *config)
{
	const struct address *address;

	for (unsigned int i = 0; (address = adapter_config_address(config, i)); i++) {
		if (address->kind == ADDRESS_IPV4)
			return address;
	}
	return NULL;
}

void adapter_choose_mac(const struct engine *engine, const char *name,
			const struct adapter_config *config, unsigned char mac[ETH_ALEN])
{
	const struct address *ipv4 = first_ipv4(config);
	uint64_t hash;

	if (ipv4) {
		/* As memtun host has it. */
		mac[0] = 0x02;
		mac[1] = 0x00;
		memcpy(mac + 2, &ipv4->ipv4, sizeof(ipv4->ipv4));
		return;
	}
	hash = hash_add(HASH_BEGIN, &engine->identity, sizeof(engine->identity));
	hash = hash_add(hash, name, strlen(name));
	/* The last byte that was hashed has changed the low bits most: fold the high ones in. */
	hash ^= hash >> 29;
	memcpy(mac, &hash, ETH_ALEN);
	/* An individual address, and locally administered: IEEE 802, 8.2. */
	mac[0] = (unsigned char)((mac[0] & ~1) | 2);
}

/* SPDX-License-Identifier: MIT */
#include "common/identity.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/descriptor.h"
#include "common/hash.h"

static uint64_t hash_machine(uint64_t hash)
{
	descriptor_owned fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char id[64]; /* machine-id(5): 32 digits and a newline */
	ssize_t length = fd < 0 ? -1 : read(fd, id, sizeof(id));

	return length > 0 ? hash_add(hash, id, (size_t)length) : hash;
}

uint64_t identity_hash(const char *socket_path)
{
	char absolute[PATH_MAX];
	uid_t uid = geteuid();
	uint64_t hash = hash_machine(HASH_BEGIN);

	hash = hash_add(hash, &uid, sizeof(uid));
	/* An abstract socket has no file. */
	if (realpath(socket_path, absolute))
		socket_path = absolute;
	return hash_add(hash, socket_path, strlen(socket_path));
}

/* Return a hash of the broker's port of that name. */
static uint64_t hash_port(uint64_t identity, const char *name)
{
	uint64_t hash = hash_add(HASH_BEGIN, &identity, sizeof(identity));

	hash = hash_add(hash, name, strlen(name));
	/* The last byte that was hashed has changed the low bits most: fold the high ones in. */
	return hash ^ hash >> 29;
}

void identity_interface(uint64_t identity, const char *name, unsigned char identifier[8])
{
	uint64_t hash = hash_port(identity, name);

	memcpy(identifier, &hash, sizeof(hash));
}

void identity_mac(uint64_t identity, const char *name, const struct address *ipv4,
		  unsigned char mac[ETH_ALEN])
{
	uint64_t hash;

	if (ipv4) {
		/* As memtun host has it. */
		mac[0] = 0x02;
		mac[1] = 0x00;
		memcpy(mac + 2, &ipv4->ipv4, sizeof(ipv4->ipv4));
		return;
	}
	hash = hash_port(identity, name);
	memcpy(mac, &hash, ETH_ALEN);
	/* An individual address, and locally administered: IEEE 802, 8.2. */
	mac[0] = (unsigned char)((mac[0] & ~1) | 2);
}

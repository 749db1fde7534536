/* SPDX-License-Identifier: MIT */
/*
 * The identity of a broker: a hash of the machine, the user and the path of the control socket.
 * It differs from that of any other broker, and stays the same when the broker is started again.
 */
#ifndef MEMTUN_IDENTITY_H
#define MEMTUN_IDENTITY_H

#include <linux/if_ether.h>
#include <stdint.h>

struct address;

/* Return a hash of /etc/machine-id, where it exists, the user's id and the socket's path. */
uint64_t identity_hash(const char *socket_path);

/*
 * Write the MAC address of that broker's port: 02:00 and the IPv4 address or, if ipv4 is NULL, a
 * hash of the identity and the port's name. A port that is made again gets the address that it had,
 * so that its neighbours reach it at once.
 */
void identity_mac(uint64_t identity, const char *name, const struct address *ipv4,
		  unsigned char mac[ETH_ALEN]);

/*
 * Write the identifier of an interface of the port's name: 64 bits that stay the same for it and that
 * broker (RFC 7217).
 */
void identity_interface(uint64_t identity, const char *name, unsigned char identifier[8]);

#endif

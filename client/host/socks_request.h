/* SPDX-License-Identifier: MIT */
/* The messages of SOCKS5 (RFC 1928) as bytes. */
#ifndef MEMTUN_SOCKS_REQUEST_H
#define MEMTUN_SOCKS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* The longest greeting and the longest request that are read: a domain name has 255 bytes. */
#define SOCKS_MESSAGE_MAX 262

/* The codes of a reply: RFC 1928, 6. */
enum socks_reply {
	SOCKS_SUCCEEDED = 0,
	SOCKS_FAILURE = 1,
	SOCKS_NETWORK_UNREACHABLE = 3,
	SOCKS_HOST_UNREACHABLE = 4,
	SOCKS_REFUSED = 5,
	SOCKS_NO_COMMAND = 7,
	SOCKS_NO_ADDRESS_TYPE = 8,
};

/* Return the length of the greeting, 0 if there is not all of it yet. -1: it is no greeting. *method
 * is the method to answer with: 0, or 0xff where the client does not offer it. */
int socks_greeting_read(const uint8_t *bytes, size_t size, uint8_t *method);

/*
 * Return the length of the request, 0 if there is not all of it yet. -1: it is no request. *reply is
 * SOCKS_SUCCEEDED if it is a CONNECT to *address and *port.
 */
int socks_request_read(const uint8_t *bytes, size_t size, enum socks_reply *reply,
		       struct address *address, uint16_t *port);

/* Write a reply, without a bound address. Return its length. */
#define SOCKS_REPLY_SIZE 10
size_t socks_reply_write(uint8_t bytes[SOCKS_REPLY_SIZE], enum socks_reply reply);

#endif

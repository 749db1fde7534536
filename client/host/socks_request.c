/* SPDX-License-Identifier: MIT */
#include "client/host/socks_request.h"

#include <string.h>

enum {
	VERSION = 5,
	NO_AUTHENTICATION = 0,
	NO_METHOD = 0xff,
	COMMAND_CONNECT = 1,
	TYPE_IPV4 = 1,
	TYPE_NAME = 3,
	TYPE_IPV6 = 4,
	BEFORE_ADDRESS = 4, /* version, command, reserved, type */
	PORT_SIZE = 2,
};

int socks_greeting_read(const uint8_t *bytes, size_t size, uint8_t *method)
{
	if (size >= 1 && bytes[0] != VERSION)
		return -1;
	if (size < 2 || size < 2U + bytes[1])
		return 0;
	*method = bytes[1] && memchr(bytes + 2, NO_AUTHENTICATION, bytes[1]) ? NO_AUTHENTICATION
									     : NO_METHOD;
	return 2 + bytes[1];
}

/* Return the length of the address. 0: it is not known yet. -1: there is no such type. */
static int address_length(const uint8_t *bytes, size_t size)
{
	switch (bytes[3]) {
	case TYPE_IPV4:
		return sizeof(struct in_addr);
	case TYPE_IPV6:
		return sizeof(struct in6_addr);
	case TYPE_NAME:
		return size > BEFORE_ADDRESS ? 1 + bytes[BEFORE_ADDRESS] : 0;
	default:
		return -1;
	}
}

int socks_request_read(const uint8_t *bytes, size_t size, enum socks_reply *reply,
		       struct address *address, uint16_t *port)
{
	int length;

	if (size >= 1 && bytes[0] != VERSION)
		return -1;
	if (size < BEFORE_ADDRESS)
		return 0;
	length = address_length(bytes, size);
	if (length < 0) {
		/* The end of the request is not known, so it is answered now. */
		*reply = SOCKS_NO_ADDRESS_TYPE;
		return (int)size;
	}
	if (length == 0 || size < (size_t)(BEFORE_ADDRESS + length + PORT_SIZE))
		return 0;
	if (bytes[1] != COMMAND_CONNECT)
		*reply = SOCKS_NO_COMMAND;
	else if (bytes[3] == TYPE_NAME)
		*reply = SOCKS_NO_ADDRESS_TYPE;
	else
		*reply = SOCKS_SUCCEEDED;
	if (bytes[3] == TYPE_IPV4)
		*address = address_ipv4(bytes + BEFORE_ADDRESS);
	else if (bytes[3] == TYPE_IPV6)
		*address = address_ipv6(bytes + BEFORE_ADDRESS);
	*port = (uint16_t)(bytes[BEFORE_ADDRESS + length] << 8 |
			   bytes[BEFORE_ADDRESS + length + 1]);
	return BEFORE_ADDRESS + length + PORT_SIZE;
}

size_t socks_reply_write(uint8_t bytes[SOCKS_REPLY_SIZE], enum socks_reply reply)
{
	const uint8_t message[SOCKS_REPLY_SIZE] = {VERSION, (uint8_t)reply, 0, TYPE_IPV4};

	memcpy(bytes, message, sizeof(message));
	return sizeof(message);
}

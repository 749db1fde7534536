/* SPDX-License-Identifier: MIT */
/*
 * What a program may send to the SOCKS server of memtun host: a greeting, then a request. The input is
 * these bytes. A message that is complete must be so at its length and not before, because the server
 * reads it in any number of parts.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "client/host/socks_request.h"

/* Read the first bytes of a message. Return what the parser does. */
typedef int read_function(const uint8_t *bytes, size_t size);

static int greeting_read(const uint8_t *bytes, size_t size)
{
	uint8_t method = 7;
	int length = socks_greeting_read(bytes, size, &method);

	if (length > 0 && method != 0 && method != 0xff)
		abort();
	return length;
}

static int request_read(const uint8_t *bytes, size_t size)
{
	enum socks_reply reply = SOCKS_FAILURE;
	struct address address = {0};
	uint8_t answer[SOCKS_REPLY_SIZE];
	uint16_t port = 0;
	int length = socks_request_read(bytes, size, &reply, &address, &port);

	if (length <= 0)
		return length;
	if (reply == SOCKS_FAILURE || socks_reply_write(answer, reply) != sizeof(answer) ||
	    answer[1] != reply)
		abort();
	if (reply == SOCKS_SUCCEEDED && address.kind != ADDRESS_IPV4 &&
	    address.kind != ADDRESS_IPV6)
		abort();
	return length;
}

/* Read the bytes from memory of just this size, so that a sanitizer sees each byte too many. */
static int part_read(read_function *read, const uint8_t *bytes, size_t size)
{
	uint8_t *part = malloc(size ? size : 1);
	int length;

	if (!part)
		abort();
	memcpy(part, bytes, size);
	length = read(part, size);
	free(part);
	if (length < -1 || length > (int)size)
		abort();
	return length;
}

/* Return the length of the message; 0 if it is not complete, or none. */
static size_t message_read(read_function *read, const uint8_t *bytes, size_t size)
{
	int last = 0;

	if (size > SOCKS_MESSAGE_MAX)
		size = SOCKS_MESSAGE_MAX;
	for (size_t part = 0; part <= size; part++) {
		last = part_read(read, bytes, part);
		if (last != 0)
			break;
	}
	/* The longest message fits, so that the server's buffer never fills without an end. */
	if (last == 0 && size == SOCKS_MESSAGE_MAX)
		abort();
	/* What follows a message does not change it, unless an unknown type has no known end. */
	if (last > 0 && part_read(read, bytes, size) < last)
		abort();
	if (last < 0 && part_read(read, bytes, size) != -1)
		abort();
	return last > 0 ? (size_t)last : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = message_read(greeting_read, data, size);

	message_read(request_read, data + length, size - length);
	message_read(request_read, data, size);
	return 0;
}

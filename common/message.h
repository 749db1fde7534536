/* SPDX-License-Identifier: MIT */
/*
 * Control messages. One record is one netlink message, built and walked with libmnl. libmnl accepts
 * too much (lengths of 0, trailing garbage, cut payloads), so message_parse() checks each length
 * itself, and each value by the table of attributes.
 */
#ifndef MEMTUN_MESSAGE_H
#define MEMTUN_MESSAGE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attribute_set.h"

/* A message that was read. The strings of its attributes are in the record. */
struct message {
	uint16_t type;
	uint16_t flags;
	uint32_t sequence;
	struct attribute_set set;
};

enum message_strictness {
	/* For requests: an attribute that is unknown, repeated or invalid is an error. */
	MESSAGE_STRICT,
	/* For replies and events, which may come from a later version: it is ignored. */
	MESSAGE_LENIENT,
};

/*
 * Read the header and the attributes of a record. -1 with the fault filled (EINVAL, EBADMSG). The
 * message's header is filled in as far as it could be read, so that an answer can refer to it.
 */
int message_parse(struct message *message, const void *record, size_t length,
		  enum message_strictness strictness, struct fault *fault);

/* Read an NLMSG_ERROR into the fault, whose error is 0 for an acknowledgement. -1: malformed. */
int message_parse_error(const void *record, size_t length, uint32_t *sequence, struct fault *fault);

/* A message that is being built. Once it is too long it stays so, and message_end() fails. */
struct message_builder {
	_Alignas(8) unsigned char bytes[MEMTUN_PROTOCOL_RECORD_MAX];
	bool too_long;
};

void message_begin(struct message_builder *builder, uint16_t type, uint16_t flags,
		   uint32_t sequence);
void message_put_number(struct message_builder *builder, enum memtun_attribute which,
			uint64_t number);
void message_put_string(struct message_builder *builder, enum memtun_attribute which,
			const char *string);
void message_put_set(struct message_builder *builder, const struct attribute_set *set);

/* Return the record's length; 0 with EMSGSIZE: it is too long. */
size_t message_end(struct message_builder *builder);

/*
 * Build the NLMSG_ERROR that answers `request`; fault NULL: an acknowledgement. It is never too
 * long.
 */
void message_build_error(struct message_builder *builder, const struct message *request,
			 const struct fault *fault);

#endif

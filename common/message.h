/* SPDX-License-Identifier: MIT */
/*
 * Control messages: one record, one netlink message, built and walked with libmnl. libmnl alone
 * lets too much pass (lengths of 0, trailing garbage, cut payloads), so the walk here checks every
 * length itself, and everything else by the table in attribute_table.c.
 */
#ifndef MEMTUN_MESSAGE_H
#define MEMTUN_MESSAGE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attribute_set.h"

/* A message as read. The strings of its attributes lie in the record. */
struct message {
	uint16_t type;
	uint16_t flags;
	uint32_t sequence;
	struct attribute_set set;
};

enum message_strictness {
	/* What is unknown, twice there or wrong in itself is an error (requests). */
	MESSAGE_STRICT,
	/* The same is passed over (replies and events, which may come from a later version). */
	MESSAGE_LENIENT,
};

/*
 * Reads the header and attributes of a record. -1 with the fault filled (EINVAL, EBADMSG): the
 * header is then still filled in as far as it could be read, so that an answer can name it.
 */
int message_parse(struct message *message, const void *record, size_t length,
		  enum message_strictness strictness, struct fault *fault);

/* Reads an NLMSG_ERROR. -1: malformed. *error is an errno, 0 for an acknowledgement. */
int message_parse_error(const void *record, size_t length, uint32_t *sequence, struct fault *fault);

/* A message being built. When it grows too long it stays too long, and message_end() says so. */
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

/* The record's length; 0 with EMSGSIZE if it became too long. */
size_t message_end(struct message_builder *builder);

/*
 * Builds the NLMSG_ERROR that answers `request`: fault NULL is an acknowledgement. Never too long.
 */
void message_build_error(struct message_builder *builder, const struct message *request,
			 const struct fault *fault);

#endif

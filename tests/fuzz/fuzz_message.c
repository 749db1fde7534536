/* SPDX-License-Identifier: MIT */
/*
 * Records from an untrusted peer, parsed strictly, leniently and as errors. A record that is parsed
 * strictly and built again must parse to the same. The input is the record.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/message.h"

static void sets_compare(const struct attribute_set *one, const struct attribute_set *other)
{
	if (memcmp(one->present, other->present, sizeof(one->present)) != 0)
		abort();
	for (int i = MEMTUN_A_UNSPEC + 1; i < MEMTUN_A_END; i++) {
		enum memtun_attribute which = (enum memtun_attribute)i;

		if (!attribute_set_has(one, which))
			continue;
		if (attribute_is_string(which)
			    ? strcmp(one->values[which].string, other->values[which].string) != 0
			    : one->values[which].number != other->values[which].number)
			abort();
	}
}

static void message_rebuild(const struct message *message)
{
	static struct message_builder builder;
	struct message again;
	struct fault fault;
	size_t length;

	message_begin(&builder, message->type, message->flags, message->sequence);
	message_put_set(&builder, &message->set);
	length = message_end(&builder);
	if (!length || message_parse(&again, builder.bytes, length, MESSAGE_STRICT, &fault) < 0 ||
	    again.type != message->type || again.flags != message->flags ||
	    again.sequence != message->sequence)
		abort();
	sets_compare(&message->set, &again.set);
}

static void message_refuse(const struct message *message, const struct fault *fault)
{
	static struct message_builder builder;
	struct fault told;
	uint32_t sequence;

	message_build_error(&builder, message, fault);
	if (message_parse_error(builder.bytes, message_end(&builder), &sequence, &told) < 0 ||
	    sequence != message->sequence || told.error != fault->error ||
	    told.offset != fault->offset || strcmp(told.text, fault->text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault fault = {0};
	struct message message;
	uint32_t sequence;
	void *record =
		malloc(size); /* of the exact size, so that a sanitizer sees a read beyond it */

	if (!record)
		return 0;
	memcpy(record, data, size);
	if (message_parse(&message, record, size, MESSAGE_STRICT, &fault) == 0)
		message_rebuild(&message);
	else
		message_refuse(&message, &fault);
	message_parse(&message, record, size, MESSAGE_LENIENT, &fault);
	message_parse_error(record, size, &sequence, &fault);
	free(record);
	return 0;
}

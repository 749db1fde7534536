/* SPDX-License-Identifier: MIT */
/* Messages: building and reading them again, leniently for replies, and errors. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

static void what_is_built_is_read_again(void **state)
{
	struct message_builder builder;
	struct attribute_set set = {0};
	struct message message;
	struct fault fault;
	size_t length;

	(void)state;
	for (int i = MEMTUN_A_UNSPEC + 1; i < MEMTUN_A_END; i++) {
		enum memtun_attribute which = (enum memtun_attribute)i;

		if (attribute_is_string(which))
			attribute_set_put_string(&set, which, "name");
		else if (attributes[which].type != ATTRIBUTE_NONE)
			attribute_set_put_number(&set, which, attributes[which].max);
	}
	message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_MULTI, 99);
	message_put_set(&builder, &set);
	length = message_end(&builder);
	assert_int_equal(message_parse(&message, builder.bytes, length, MESSAGE_STRICT, &fault), 0);
	assert_int_equal(message.type, MEMTUN_CMD_TUNNEL_SHOW);
	assert_int_equal(message.flags, NLM_F_MULTI);
	assert_int_equal(message.sequence, 99);
	assert_memory_equal(message.set.present, set.present, sizeof(set.present));
	for (int i = MEMTUN_A_UNSPEC + 1; i < MEMTUN_A_END; i++) {
		enum memtun_attribute which = (enum memtun_attribute)i;

		if (attribute_is_string(which))
			assert_string_equal(attribute_set_string(&message.set, which), "name");
		else
			assert_int_equal(attribute_set_number(&message.set, which),
					 attribute_set_number(&set, which));
	}
}

/* A message with an unknown attribute, one of the wrong size, one out of bounds, and a good one. */
static size_t later_version(struct message_builder *builder)
{
	struct nlattr *raw;
	struct nlmsghdr *header = (struct nlmsghdr *)builder->bytes;

	message_begin(builder, MEMTUN_CMD_TUNNEL_SHOW, 0, 1);
	message_put_number(builder, MEMTUN_A_MTU, 1);
	message_put_number(builder, MEMTUN_A_ID, 5);
	raw = (struct nlattr *)(builder->bytes + header->nlmsg_len);
	*raw = (struct nlattr){.nla_len = 8, .nla_type = 5000};
	header->nlmsg_len += 8;
	raw = (struct nlattr *)(builder->bytes + header->nlmsg_len);
	*raw = (struct nlattr){.nla_len = 4, .nla_type = MEMTUN_A_OWNER};
	header->nlmsg_len += 4;
	message_put_string(builder, MEMTUN_A_NAME, "good");
	return message_end(builder);
}

static void a_later_versions_reply_is_read_as_far_as_it_is_known(void **state)
{
	struct message_builder builder;
	struct message message;
	struct fault fault;
	size_t length = later_version(&builder);

	(void)state;
	assert_int_equal(message_parse(&message, builder.bytes, length, MESSAGE_LENIENT, &fault),
			 0);
	assert_int_equal(attribute_set_next(&message.set, MEMTUN_A_UNSPEC), MEMTUN_A_ID);
	assert_int_equal(attribute_set_next(&message.set, MEMTUN_A_ID), MEMTUN_A_NAME);
	assert_int_equal(attribute_set_next(&message.set, MEMTUN_A_NAME), MEMTUN_A_END);
	assert_string_equal(attribute_set_string(&message.set, MEMTUN_A_NAME), "good");
	assert_int_equal(message_parse(&message, builder.bytes, length, MESSAGE_STRICT, &fault),
			 -1);
}

static void no_cut_of_a_message_is_a_message(void **state)
{
	struct message_builder builder;
	struct message message;
	struct fault fault;
	size_t length = later_version(&builder);

	(void)state;
	for (size_t cut = 0; cut < length; cut++) {
		/* In an allocation of its own, so that valgrind sees a read beyond it. */
		void *record = malloc(cut ? cut : 1);

		memcpy(record, builder.bytes, cut);
		assert_int_equal(message_parse(&message, record, cut, MESSAGE_LENIENT, &fault), -1);
		assert_int_equal(errno, EBADMSG);
		if (cut >= sizeof(uint32_t)) {
			uint32_t says = (uint32_t)cut;

			memcpy(record, &says, sizeof(says));
			message_parse(&message, record, cut, MESSAGE_LENIENT, &fault);
		}
		free(record);
	}
}

static void an_error_carries_its_text_and_offset(void **state)
{
	struct message request = {.type = MEMTUN_CMD_TUNNEL_ADD, .sequence = 42};
	struct fault fault = {0}, read;
	struct message_builder builder;
	uint32_t sequence = 0;

	(void)state;
	fault_set(&fault, EBUSY, "'%s' exists", "tap0");
	fault.offset = 20;
	message_build_error(&builder, &request, &fault);
	assert_int_equal(
		message_parse_error(builder.bytes, message_end(&builder), &sequence, &read), 0);
	assert_int_equal(sequence, 42);
	assert_int_equal(read.error, EBUSY);
	assert_int_equal(read.offset, 20);
	assert_string_equal(read.text, "'tap0' exists");
	message_build_error(&builder, &request, NULL);
	assert_int_equal(
		message_parse_error(builder.bytes, message_end(&builder), &sequence, &read), 0);
	assert_int_equal(read.error, 0);
	assert_string_equal(read.text, "");
}

static void an_error_has_nothing_that_a_terminal_obeys(void **state)
{
	struct message request = {.type = MEMTUN_CMD_TUNNEL_ADD, .sequence = 42};
	struct message_builder builder;
	struct fault fault = {0}, read;
	uint32_t sequence;

	(void)state;
	fault_set(&fault, EBUSY, "\x1b[31mred\xc2\x9b\n");
	message_build_error(&builder, &request, &fault);
	assert_int_equal(
		message_parse_error(builder.bytes, message_end(&builder), &sequence, &read), 0);
	assert_string_equal(read.text, "?[31mred???");
}

static void no_cut_of_an_error_is_read_beyond_its_end(void **state)
{
	struct message request = {.type = MEMTUN_CMD_TUNNEL_ADD, .sequence = 42};
	struct message_builder builder;
	struct fault fault = {0}, read;
	uint32_t sequence;
	size_t length;

	(void)state;
	fault_set(&fault, EBUSY, "a text that is longer than what is left of it");
	message_build_error(&builder, &request, &fault);
	length = message_end(&builder);
	for (size_t cut = 0; cut < length; cut++) {
		void *record = malloc(cut ? cut : 1);
		uint32_t says = (uint32_t)cut;

		memcpy(record, builder.bytes, cut);
		assert_int_equal(message_parse_error(record, cut, &sequence, &read), -1);
		if (cut >= sizeof(says)) {
			memcpy(record, &says, sizeof(says));
			message_parse_error(record, cut, &sequence, &read);
		}
		free(record);
	}
}

static void padding_is_zero(void **state)
{
	static const char *const names[] = {"a", "ab", "abc", "abcd"};
	struct message request = {.type = MEMTUN_CMD_TUNNEL_ADD, .sequence = 42};
	struct message_builder builder;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct fault fault = {0};
		size_t length;

		/* Old contents of the buffer must not be sent. */
		memset(builder.bytes, 0xaa, sizeof(builder.bytes));
		message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, 0, 1);
		message_put_string(&builder, MEMTUN_A_NAME, names[i]);
		length = message_end(&builder);
		assert_null(memchr(builder.bytes, 0xaa, length));
		memset(builder.bytes, 0xaa, sizeof(builder.bytes));
		fault_set(&fault, EBUSY, "%s", names[i]);
		message_build_error(&builder, &request, &fault);
		length = message_end(&builder);
		assert_null(memchr(builder.bytes, 0xaa, length));
	}
}

static void a_message_that_is_too_long_says_so(void **state)
{
	struct message_builder builder;

	(void)state;
	message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, 0, 1);
	for (size_t used = sizeof(struct nlmsghdr); used + 8 <= MEMTUN_PROTOCOL_RECORD_MAX;
	     used += 8)
		message_put_number(&builder, MEMTUN_A_MTU, 100);
	assert_int_equal(message_end(&builder), MEMTUN_PROTOCOL_RECORD_MAX);
	message_put_string(&builder, MEMTUN_A_NAME, "x");
	errno = 0;
	assert_int_equal(message_end(&builder), 0);
	assert_int_equal(errno, EMSGSIZE);
	/* It stays too long, even if a shorter attribute would fit, until the next message. */
	message_put_number(&builder, MEMTUN_A_MTU, 100);
	assert_int_equal(message_end(&builder), 0);
	message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, 0, 1);
	assert_int_equal(message_end(&builder), sizeof(struct nlmsghdr));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_is_read_again),
		cmocka_unit_test(a_later_versions_reply_is_read_as_far_as_it_is_known),
		cmocka_unit_test(no_cut_of_a_message_is_a_message),
		cmocka_unit_test(an_error_carries_its_text_and_offset),
		cmocka_unit_test(an_error_has_nothing_that_a_terminal_obeys),
		cmocka_unit_test(no_cut_of_an_error_is_read_beyond_its_end),
		cmocka_unit_test(padding_is_zero),
		cmocka_unit_test(a_message_that_is_too_long_says_so),
	};

	return RUN_TESTS(tests);
}

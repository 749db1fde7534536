/* SPDX-License-Identifier: MIT */
/* Invalid requests: each is answered by its errno and a message, and its client stays connected. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEQUENCE 77

/* A record that is built byte by byte, so that it can be invalid. */
struct record {
	_Alignas(8) unsigned char bytes[80000];
	size_t length;
};

static void record_begin(struct record *record, uint16_t type)
{
	struct nlmsghdr header = {
		.nlmsg_len = sizeof(header),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST,
		.nlmsg_seq = SEQUENCE,
	};

	memset(record, 0, sizeof(*record));
	memcpy(record->bytes, &header, sizeof(header));
	record->length = sizeof(header);
}

static void record_set_length(struct record *record, uint32_t length)
{
	memcpy(record->bytes, &length, sizeof(length));
}

/* Add an attribute whose header claims a length of `said` bytes. */
static void record_put(struct record *record, uint16_t type, uint16_t said, const void *payload,
		       size_t size)
{
	struct nlattr header = {.nla_len = said, .nla_type = type};

	memcpy(record->bytes + record->length, &header, sizeof(header));
	memcpy(record->bytes + record->length + sizeof(header), payload, size);
	record->length += sizeof(header) + ((size + 3) & ~(size_t)3);
	record_set_length(record, (uint32_t)record->length);
}

static void record_put_string(struct record *record, uint16_t type, const char *string)
{
	size_t size = strlen(string) + 1;

	record_put(record, type, (uint16_t)(sizeof(struct nlattr) + size), string, size);
}

static void record_put_number(struct record *record, uint16_t type, uint32_t number)
{
	record_put(record, type, sizeof(struct nlattr) + 4, &number, 4);
}

/* Assert that a record is refused with that error and a message with that word, and that the client
 * is still served. */
static void assert_refused(struct broker_fixture *fixture, const struct record *record, int error,
			   const char *word)
{
	struct answer answer;

	client_send_raw(&fixture->client, record->bytes, record->length);
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_not_equal(answer.length, 0);
	assert_int_equal(answer.message.type, NLMSG_ERROR);
	if (answer.error != error || !strstr(answer.fault.text, word))
		fail_msg("error %d, '%s' instead of error %d with '%s'", answer.error,
			 answer.fault.text, error, word);
	if (record->length >= sizeof(struct nlmsghdr))
		assert_int_equal(answer.message.sequence, SEQUENCE);
	assert_false(client_receive(&fixture->client, &answer));
	assert_false(exists(fixture, "nobody"));
}

/* ------------------------------------------------------------------------------ records */

static void unknown_commands_are_not_supported(void **state)
{
	static const uint16_t types[] = {
		0,      1,      NLMSG_ERROR, NLMSG_DONE, 0x0f, MEMTUN_CMD_EVENT, MEMTUN_CMD_END,
		0x1000, 0xffff,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct record record;

		record_begin(&record, types[i]);
		assert_refused(*state, &record, EOPNOTSUPP, "unknown");
	}
}

static void a_length_other_than_the_records_is_refused(void **state)
{
	static const uint32_t lengths[] = {0,  1,  15,    16,         20,        23,
					   25, 28, 65535, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
		record_put_number(&record, MEMTUN_A_ID, 5);
		record_set_length(&record, lengths[i]);
		assert_refused(*state, &record, EBADMSG, "24 bytes");
	}
}

static void a_record_without_a_whole_header_is_refused(void **state)
{
	struct record record;

	record_begin(&record, MEMTUN_CMD_TUNNEL_SHOW);
	for (record.length = 1; record.length < sizeof(struct nlmsghdr); record.length++)
		assert_refused(*state, &record, EBADMSG, "whole header");
}

static void trailing_garbage_is_refused(void **state)
{
	for (size_t garbage = 1; garbage < 8; garbage++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
		record_put_number(&record, MEMTUN_A_ID, 5);
		record.length += garbage;
		record_set_length(&record, (uint32_t)record.length);
		assert_refused(*state, &record, EBADMSG, "does not fit");
	}
}

static void a_string_without_its_padding_is_refused(void **state)
{
	struct record record;

	record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	record.length--;
	record_set_length(&record, (uint32_t)record.length);
	assert_refused(*state, &record, EBADMSG, "padded");
}

static void a_record_above_the_maximum_is_refused(void **state)
{
	static const size_t lengths[] = {MEMTUN_PROTOCOL_RECORD_MAX + 1, 40000, 65536, 65540,
					 80000};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_SHOW);
		record.length = lengths[i];
		record_set_length(&record, (uint32_t)lengths[i]);
		assert_refused(*state, &record, EMSGSIZE, "32768");
	}
}

/* ------------------------------------------------------------------------------ attributes */

static void unknown_attributes_are_named(void **state)
{
	static const uint16_t types[] = {0, MEMTUN_A_END, 1000, 0x3fff};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct record record;
		char word[40];

		record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
		record_put_string(&record, MEMTUN_A_NAME, "nobody");
		record_put_number(&record, types[i], 5);
		snprintf(word, sizeof(word), "attribute %u is unknown", types[i]);
		assert_refused(*state, &record, EINVAL, word);
	}
}

static void flag_bits_are_refused(void **state)
{
	static const uint16_t bits[] = {NLA_F_NESTED, NLA_F_NET_BYTEORDER};

	for (int i = 0; i < 2; i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
		record_put_string(&record, MEMTUN_A_NAME | bits[i], "nobody");
		assert_refused(*state, &record, EINVAL, "flag bits");
	}
}

static void duplicate_attributes_are_named(void **state)
{
	struct record record;

	record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	record_put_number(&record, MEMTUN_A_MTU, 1000);
	record_put_number(&record, MEMTUN_A_MTU, 1000);
	assert_refused(*state, &record, EINVAL, "mtu is given twice");
	record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	assert_refused(*state, &record, EINVAL, "name is given twice");
}

static void wrong_sizes_are_named(void **state)
{
	static const unsigned char zeros[40];

	for (size_t size = 0; size <= 40; size++) {
		struct record record;

		if (size == 4)
			continue;
		record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
		record_put_string(&record, MEMTUN_A_NAME, "nobody");
		record_put(&record, MEMTUN_A_MTU, (uint16_t)(4 + size), zeros, size);
		assert_refused(*state, &record, EINVAL, "mtu has");
	}
}

static void attributes_that_do_not_fit_are_refused(void **state)
{
	static const uint16_t said[] = {0, 1, 2, 3, 9, 12, 100, 65535};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_DELETE);
		record_put(&record, MEMTUN_A_ID, said[i], "\5\0\0\0", 4);
		assert_refused(*state, &record, EBADMSG, "does not fit");
	}
}

static void values_out_of_their_bounds_are_named(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t number;
		const char *word;
	} cases[] = {
		{MEMTUN_A_MTU, 67, "mtu 67"},
		{MEMTUN_A_MTU, 65536, "mtu 65536"},
		{MEMTUN_A_QUEUE_LIMIT, 0, "queue 0"},
		{MEMTUN_A_QUEUE_LIMIT, 1000001, "queue 1000001"},
		{MEMTUN_A_MODE, 0, "mode"},
		{MEMTUN_A_MODE, 3, "mode"},
		{MEMTUN_A_SOCKET, 4, "socket"},
		{MEMTUN_A_OVERFLOW, 0xffffffff, "overflow"},
		{MEMTUN_A_PI, 2, "pi"},
		{MEMTUN_A_COUNT, 0, "count 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
		record_put_string(&record, MEMTUN_A_NAME, "nobody");
		record_put_number(&record, cases[i].type, cases[i].number);
		assert_refused(*state, &record, EINVAL, cases[i].word);
	}
}

static void an_attribute_that_a_command_does_not_take_is_named(void **state)
{
	static const struct {
		uint16_t command;
		uint16_t type;
		const char *word;
	} cases[] = {
		{MEMTUN_CMD_TUNNEL_SHOW, MEMTUN_A_MTU, "show takes no mtu"},
		{MEMTUN_CMD_TUNNEL_DELETE, MEMTUN_A_MTU, "del takes no mtu"},
		{MEMTUN_CMD_TUNNEL_ADD, MEMTUN_A_PERSISTENT, "add takes no persistent"},
		{MEMTUN_CMD_TUNNEL_SET, MEMTUN_A_MODE, "set takes no mode"},
		{MEMTUN_CMD_BRIDGE_ADD, MEMTUN_A_MODE, "bridge add takes no mode"},
		{MEMTUN_CMD_SUBSCRIBE, MEMTUN_A_MODE, "subscribe takes no"},
		{MEMTUN_CMD_QUEUE_OPEN, MEMTUN_A_OWNER, "open takes no owner"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record record;

		record_begin(&record, cases[i].command);
		if (cases[i].command != MEMTUN_CMD_SUBSCRIBE)
			record_put_string(&record, MEMTUN_A_NAME, "nobody");
		record_put_number(&record, cases[i].type, cases[i].type == MEMTUN_A_MTU ? 1500 : 1);
		assert_refused(*state, &record, EINVAL, cases[i].word);
	}
}

static void a_missing_attribute_is_named(void **state)
{
	struct record record;

	record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
	assert_refused(*state, &record, EINVAL, "add needs name");
	record_begin(&record, MEMTUN_CMD_QUEUE_ATTACH);
	record_put_number(&record, MEMTUN_A_QUEUE_ID, 1);
	assert_refused(*state, &record, EINVAL, "attach needs name");
	record_begin(&record, MEMTUN_CMD_HELLO);
	assert_refused(*state, &record, EINVAL, "hello needs version");
}

static void the_offset_points_at_the_attribute(void **state)
{
	struct broker_fixture *fixture = *state;
	struct record record;
	struct answer answer;

	record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	record_put_number(&record, MEMTUN_A_MTU, 1);
	client_send_raw(&fixture->client, record.bytes, record.length);
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.fault.offset, sizeof(struct nlmsghdr) + 12);
}

/* ------------------------------------------------------------------------------ names */

static void a_string_ends_in_its_only_nul(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {{"nobody", 6}, {"no\0body", 8}, {"nobody\0", 8}, {"", 0}, {"\0", 2}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record record;

		record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
		record_put(&record, MEMTUN_A_NAME, (uint16_t)(4 + cases[i].size), cases[i].bytes,
			   cases[i].size);
		assert_refused(*state, &record, EINVAL, "NUL");
	}
}

static void invalid_names_are_refused(void **state)
{
	static const char *const names[] = {
		"",        ".",      "..",    "a/b",  "/",     "a:b",  ":",
		"a b",     " ",      "a\tb",  "a\nb", "a\x01", "\x7f", "sixteen-bytes-xx",
		"a%",      "%",      "%%",    "%s",   "tap%s", "%d%d", "tap%d%d",
		"tap%dx%", "tap%5d", "tap%n",
	};
	static const uint16_t commands[] = {
		MEMTUN_CMD_TUNNEL_ADD,    MEMTUN_CMD_QUEUE_OPEN, MEMTUN_CMD_TUNNEL_SHOW,
		MEMTUN_CMD_TUNNEL_DELETE, MEMTUN_CMD_BRIDGE_ADD,
	};
	char longest[30000];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t j = 0; j < sizeof(commands) / sizeof(commands[0]); j++) {
			struct record record;

			record_begin(&record, commands[j]);
			record_put_string(&record, MEMTUN_A_NAME, names[i]);
			assert_refused(*state, &record, EINVAL, "name");
		}
	}
	for (size_t j = 0; j < sizeof(commands) / sizeof(commands[0]); j++) {
		struct record record;

		record_begin(&record, commands[j]);
		record_put_string(&record, MEMTUN_A_NAME, longest);
		assert_refused(*state, &record, EINVAL, "longer than 15 bytes");
	}
}

static void names_of_bridges_and_peers_are_checked_too(void **state)
{
	static const char *const names[] = {"a/b", "..", "sixteen-bytes-xx", "a%d"};
	static const uint16_t types[] = {MEMTUN_A_BRIDGE, MEMTUN_A_PEER};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (int j = 0; j < 2; j++) {
			struct record record;

			record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
			record_put_string(&record, MEMTUN_A_NAME, "nobody");
			record_put_string(&record, types[j], names[i]);
			assert_refused(*state, &record, EINVAL, attributes[types[j]].word);
		}
	}
}

/* ------------------------------------------------------------------------------ hello */

static void requests_before_hello_are_refused(void **state)
{
	struct client stranger;
	struct answer answer;

	client_open(&stranger, *state, FIXTURE_UID, false);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=nobody"),
			 EPROTO);
	assert_string_equal(answer.fault.text, "add before hello");
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_HELLO, "version=65536"), 0);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=now"), 0);
	client_close(&stranger);
}

static void another_major_version_is_not_supported(void **state)
{
	static const char *const versions[] = {"version=0", "version=131072", "version=4294967295"};
	struct client stranger;
	struct answer answer;

	client_open(&stranger, *state, FIXTURE_UID, false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_HELLO, versions[i]),
				 EPROTONOSUPPORT);
		assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_SUBSCRIBE, ""), EPROTO);
	}
	/* Another minor version is. */
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_HELLO, "version=65545"), 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_VERSION),
			 MEMTUN_PROTOCOL_VERSION);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_FEATURES));
	client_close(&stranger);
}

/* ------------------------------------------------------------------------------ descriptors */

static void unexpected_descriptors_are_closed_and_reported(void **state)
{
	struct broker_fixture *fixture = *state;
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct record record;
	struct iovec part = {record.bytes, 0};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct pollfd poll_fd;
	struct answer answer;
	int ends[2];
	int sent[2];

	record_begin(&record, MEMTUN_CMD_TUNNEL_ADD);
	record_put_string(&record, MEMTUN_A_NAME, "nobody");
	part.iov_len = record.length;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	sent[0] = ends[1];
	sent[1] = ends[1];
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(sent));
	memcpy(CMSG_DATA(&control.header), sent, sizeof(sent));
	assert_int_equal(sendmsg(fixture->client.fd, &message, 0), part.iov_len);
	close(ends[1]);
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.error, EINVAL);
	assert_non_null(strstr(answer.fault.text, "descriptors"));
	poll_fd = (struct pollfd){.fd = ends[0]};
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	assert_true(poll_fd.revents & POLLHUP);
	close(ends[0]);
	assert_false(exists(fixture, "nobody"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(unknown_commands_are_not_supported),
		WITH_BROKER(a_length_other_than_the_records_is_refused),
		WITH_BROKER(a_record_without_a_whole_header_is_refused),
		WITH_BROKER(trailing_garbage_is_refused),
		WITH_BROKER(a_string_without_its_padding_is_refused),
		WITH_BROKER(a_record_above_the_maximum_is_refused),
		WITH_BROKER(unknown_attributes_are_named),
		WITH_BROKER(flag_bits_are_refused),
		WITH_BROKER(duplicate_attributes_are_named),
		WITH_BROKER(wrong_sizes_are_named),
		WITH_BROKER(attributes_that_do_not_fit_are_refused),
		WITH_BROKER(values_out_of_their_bounds_are_named),
		WITH_BROKER(an_attribute_that_a_command_does_not_take_is_named),
		WITH_BROKER(a_missing_attribute_is_named),
		WITH_BROKER(the_offset_points_at_the_attribute),
		WITH_BROKER(a_string_ends_in_its_only_nul),
		WITH_BROKER(invalid_names_are_refused),
		WITH_BROKER(names_of_bridges_and_peers_are_checked_too),
		WITH_BROKER(requests_before_hello_are_refused),
		WITH_BROKER(another_major_version_is_not_supported),
		WITH_BROKER(unexpected_descriptors_are_closed_and_reported),
	};

	return RUN_TESTS(tests);
}

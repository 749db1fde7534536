/* SPDX-License-Identifier: MIT */
#include "common/message.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "common/failed.h"
#include "common/utf8.h"

/* The highest number that the kernel lets an errno have (MAX_ERRNO). */
#define ERRNO_MAX 4095

/* Return the size of a number on the wire. */
static size_t attribute_size(enum memtun_attribute which)
{
	return attribute_is_u64(which) ? sizeof(uint64_t) : sizeof(uint32_t);
}

/* Read one attribute, whose lengths were checked, into the set. */
static int attribute_read(struct attribute_set *set, const struct nlattr *raw, struct fault *fault)
{
	uint16_t number = mnl_attr_get_type(raw);
	size_t size = mnl_attr_get_payload_len(raw);
	enum memtun_attribute which = (enum memtun_attribute)number;

	if (raw->nla_type & ~NLA_TYPE_MASK)
		return fault_set(fault, EINVAL, "attribute %u has flag bits", number);
	if (number >= MEMTUN_A_END || attributes[number].type == ATTRIBUTE_NONE)
		return fault_set(fault, EINVAL, "attribute %u is unknown", number);
	if (attribute_set_has(set, which))
		return fault_set(fault, EINVAL, "%s is given twice", attributes[which].word);
	if (attribute_is_string(which)) {
		const char *string = mnl_attr_get_payload(raw);

		if (size == 0 || memchr(string, '\0', size) != string + size - 1)
			return fault_set(fault, EINVAL, "%s is not a string that ends in its NUL",
					 attributes[which].word);
		if (attribute_check_string(which, string, fault) < 0)
			return -1;
		attribute_set_put_string(set, which, string);
		return 0;
	}
	if (size != attribute_size(which))
		return fault_set(fault, EINVAL, "%s has %zu bytes, not %zu", attributes[which].word,
				 size, attribute_size(which));
	{
		uint64_t value =
			size == sizeof(uint64_t) ? mnl_attr_get_u64(raw) : mnl_attr_get_u32(raw);

		if (attribute_check_number(which, value, fault) < 0)
			return -1;
		attribute_set_put_number(set, which, value);
	}
	return 0;
}

/* Read the attributes from byte `from` on. The last one must end where the record ends. */
static int attributes_walk(struct attribute_set *set, const unsigned char *record, size_t from,
			   size_t length, enum message_strictness strictness, struct fault *fault)
{
	size_t at = from;

	while (at < length) {
		const struct nlattr *raw = (const struct nlattr *)(record + at);
		size_t rest = length - at;

		fault->offset = (uint32_t)at;
		if (rest < sizeof(*raw) || raw->nla_len < sizeof(*raw) || raw->nla_len > rest)
			return fault_set(fault, EBADMSG,
					 "an attribute at byte %zu does not fit its message", at);
		if (attribute_read(set, raw, fault) < 0 && strictness == MESSAGE_STRICT)
			return -1;
		at += MNL_ALIGN(raw->nla_len);
	}
	fault->offset = 0;
	if (at != length)
		return fault_set(fault, EBADMSG, "the last attribute is not padded to 4 bytes");
	return 0;
}

int message_parse(struct message *message, const void *record, size_t length,
		  enum message_strictness strictness, struct fault *fault)
{
	const struct nlmsghdr *header = record;

	message->type = NLMSG_NOOP;
	message->flags = 0;
	message->sequence = 0;
	attribute_set_clear(&message->set);
	fault->offset = 0;
	if (length < sizeof(*header))
		return fault_set(fault, EBADMSG, "a message of %zu bytes has no whole header",
				 length);
	message->type = header->nlmsg_type;
	message->flags = header->nlmsg_flags;
	message->sequence = header->nlmsg_seq;
	if (header->nlmsg_len != length)
		return fault_set(fault, EBADMSG, "a message of %zu bytes says it has %u", length,
				 header->nlmsg_len);
	return attributes_walk(&message->set, record, sizeof(*header), length, strictness, fault);
}

int message_parse_error(const void *record, size_t length, uint32_t *sequence, struct fault *fault)
{
	const struct nlmsghdr *header = record;
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);
	size_t at = sizeof(*header) + sizeof(*error);

	if (length < at || header->nlmsg_len != length || header->nlmsg_type != NLMSG_ERROR)
		return failed(EBADMSG);
	if (error->error > 0 || error->error < -ERRNO_MAX)
		return failed(EBADMSG);
	*sequence = header->nlmsg_seq;
	fault->error = -error->error;
	fault->offset = 0;
	fault->text[0] = '\0';
	/* These attributes are netlink's (enum nlmsgerr_attrs), not those of the table. */
	while (at + sizeof(struct nlattr) <= length) {
		const struct nlattr *raw = (const struct nlattr *)((const char *)record + at);

		if (raw->nla_len < sizeof(*raw) || raw->nla_len > length - at)
			return failed(EBADMSG);
		if (mnl_attr_get_type(raw) == NLMSGERR_ATTR_MSG) {
			size_t size = mnl_attr_get_payload_len(raw);

			if (size >= sizeof(fault->text))
				size = sizeof(fault->text) - 1;
			memcpy(fault->text, mnl_attr_get_payload(raw), size);
			fault->text[size] = '\0';
		} else if (mnl_attr_get_type(raw) == NLMSGERR_ATTR_OFFS &&
			   mnl_attr_get_payload_len(raw) == sizeof(uint32_t)) {
			fault->offset = mnl_attr_get_u32(raw);
		}
		at += MNL_ALIGN(raw->nla_len);
	}
	/* Another user's broker may have sent what a terminal obeys. */
	utf8_make_printable(fault->text);
	return 0;
}

static struct nlmsghdr *builder_header(struct message_builder *builder)
{
	return (struct nlmsghdr *)builder->bytes;
}

void message_begin(struct message_builder *builder, uint16_t type, uint16_t flags,
		   uint32_t sequence)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(builder->bytes);

	header->nlmsg_type = type;
	header->nlmsg_flags = flags;
	header->nlmsg_seq = sequence;
	builder->too_long = false;
}

void message_put_number(struct message_builder *builder, enum memtun_attribute which,
			uint64_t number)
{
	struct nlmsghdr *header = builder_header(builder);
	bool fits;

	if (attribute_is_u64(which))
		fits = mnl_attr_put_u64_check(header, sizeof(builder->bytes), which, number);
	else
		fits = mnl_attr_put_u32_check(header, sizeof(builder->bytes), which,
					      (uint32_t)number);
	builder->too_long |= !fits;
}

/* Put a string, and zeros behind it: libmnl before 1.0.5 sends what the buffer had there. */
static bool string_put(struct nlmsghdr *header, uint16_t type, const char *string)
{
	size_t length = strlen(string) + 1;
	size_t padding = MNL_ALIGN(length) - length;

	if (!mnl_attr_put_strz_check(header, MEMTUN_PROTOCOL_RECORD_MAX, type, string))
		return false;
	memset((char *)mnl_nlmsg_get_payload_tail(header) - padding, 0, padding);
	return true;
}

void message_put_string(struct message_builder *builder, enum memtun_attribute which,
			const char *string)
{
	builder->too_long |= !string_put(builder_header(builder), (uint16_t)which, string);
}

void message_put_set(struct message_builder *builder, const struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next(set, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which))
			message_put_string(builder, which, set->values[which].string);
		else
			message_put_number(builder, which, set->values[which].number);
	}
}

size_t message_end(struct message_builder *builder)
{
	if (builder->too_long) {
		errno = EMSGSIZE;
		return 0;
	}
	return builder_header(builder)->nlmsg_len;
}

void message_build_error(struct message_builder *builder, const struct message *request,
			 const struct fault *fault)
{
	struct nlmsghdr *header;
	struct nlmsgerr *error;

	message_begin(builder, NLMSG_ERROR, NLM_F_CAPPED | (fault ? NLM_F_ACK_TLVS : 0),
		      request->sequence);
	header = builder_header(builder);
	error = mnl_nlmsg_put_extra_header(header, sizeof(*error));
	error->error = fault ? -fault->error : 0;
	error->msg = (struct nlmsghdr){
		.nlmsg_len = sizeof(struct nlmsghdr),
		.nlmsg_type = request->type,
		.nlmsg_flags = request->flags,
		.nlmsg_seq = request->sequence,
	};
	if (fault)
		string_put(header, NLMSGERR_ATTR_MSG, fault->text);
	if (fault && fault->offset)
		mnl_attr_put_u32(header, NLMSGERR_ATTR_OFFS, fault->offset);
}

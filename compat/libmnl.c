/* SPDX-License-Identifier: MIT */
/*
 * The functions of libmnl that memtun calls, for --enable-static-programs where the system has libmnl
 * as a shared library only, as Debian has. libmnl's own header declares them. Every other build links
 * libmnl.
 */

/*
 * netlink(7) has the format: a message is a header of 16 bytes and a payload, an attribute a header of 4
 * bytes and a payload; both are padded to a multiple of 4 bytes, and the lengths in the headers are
 * those without the padding behind the payload.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

/* --- messages --- */

size_t mnl_nlmsg_size(size_t length)
{
	return MNL_NLMSG_HDRLEN + length;
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *header)
{
	return header->nlmsg_len - MNL_NLMSG_HDRLEN;
}

struct nlmsghdr *mnl_nlmsg_put_header(void *buffer)
{
	struct nlmsghdr *header = buffer;

	memset(header, 0, MNL_NLMSG_HDRLEN);
	header->nlmsg_len = MNL_NLMSG_HDRLEN;
	return header;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *header, size_t size)
{
	void *extra = mnl_nlmsg_get_payload_tail(header);

	memset(extra, 0, MNL_ALIGN(size));
	header->nlmsg_len += (uint32_t)MNL_ALIGN(size);
	return extra;
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *header)
{
	return (char *)(uintptr_t)header + MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *header, size_t offset)
{
	return (char *)mnl_nlmsg_get_payload(header) + MNL_ALIGN(offset);
}

/* Return where the next attribute goes. */
void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *header)
{
	return (char *)(uintptr_t)header + MNL_ALIGN(header->nlmsg_len);
}

bool mnl_nlmsg_ok(const struct nlmsghdr *header, int length)
{
	return length >= (int)sizeof(*header) && header->nlmsg_len >= sizeof(*header) &&
	       header->nlmsg_len <= (uint32_t)length;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *header, int *length)
{
	*length -= (int)MNL_ALIGN(header->nlmsg_len);
	return mnl_nlmsg_get_payload_tail(header);
}

/* --- reading attributes --- */

uint16_t mnl_attr_get_type(const struct nlattr *attribute)
{
	return attribute->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attribute)
{
	return (uint16_t)(attribute->nla_len - MNL_ATTR_HDRLEN);
}

void *mnl_attr_get_payload(const struct nlattr *attribute)
{
	return (char *)(uintptr_t)attribute + MNL_ATTR_HDRLEN;
}

uint8_t mnl_attr_get_u8(const struct nlattr *attribute)
{
	return *(uint8_t *)mnl_attr_get_payload(attribute);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attribute)
{
	uint32_t value;

	memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
	return value;
}

uint64_t mnl_attr_get_u64(const struct nlattr *attribute)
{
	uint64_t value;

	memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
	return value;
}

const char *mnl_attr_get_str(const struct nlattr *attribute)
{
	return mnl_attr_get_payload(attribute);
}

bool mnl_attr_ok(const struct nlattr *attribute, int length)
{
	return length >= (int)sizeof(*attribute) && attribute->nla_len >= sizeof(*attribute) &&
	       (int)attribute->nla_len <= length;
}

struct nlattr *mnl_attr_next(const struct nlattr *attribute)
{
	return (struct nlattr *)((char *)(uintptr_t)attribute + MNL_ALIGN(attribute->nla_len));
}

/* Check a payload of one of the types that memtun asks for. -1 with ERANGE or EINVAL. */
int mnl_attr_validate(const struct nlattr *attribute, enum mnl_attr_data_type type)
{
	size_t length = mnl_attr_get_payload_len(attribute);
	const char *payload = mnl_attr_get_payload(attribute);

	switch (type) {
	case MNL_TYPE_U8:
		errno = ERANGE;
		return length == sizeof(uint8_t) ? 0 : -1;
	case MNL_TYPE_U32:
		errno = ERANGE;
		return length == sizeof(uint32_t) ? 0 : -1;
	case MNL_TYPE_NUL_STRING:
		errno = EINVAL;
		return length > 0 && payload[length - 1] == '\0' ? 0 : -1;
	default:
		errno = EINVAL;
		return -1;
	}
}

/* Call back for each attribute, until a callback returns MNL_CB_STOP or MNL_CB_ERROR. */
static int attributes_walk(const void *from, const char *end, mnl_attr_cb_t callback, void *data)
{
	const struct nlattr *attribute = from;
	int result = MNL_CB_OK;

	while (result > MNL_CB_STOP &&
	       mnl_attr_ok(attribute, (int)(end - (const char *)attribute))) {
		result = callback(attribute, data);
		attribute = mnl_attr_next(attribute);
	}
	return result;
}

int mnl_attr_parse(const struct nlmsghdr *header, unsigned int offset, mnl_attr_cb_t callback,
		   void *data)
{
	return attributes_walk(mnl_nlmsg_get_payload_offset(header, offset),
			       mnl_nlmsg_get_payload_tail(header), callback, data);
}

int mnl_attr_parse_nested(const struct nlattr *nest, mnl_attr_cb_t callback, void *data)
{
	const char *payload = mnl_attr_get_payload(nest);

	return attributes_walk(payload, payload + mnl_attr_get_payload_len(nest), callback, data);
}

/* --- writing attributes --- */

void mnl_attr_put(struct nlmsghdr *header, uint16_t type, size_t length, const void *data)
{
	struct nlattr *attribute = mnl_nlmsg_get_payload_tail(header);
	char *payload = (char *)attribute + MNL_ATTR_HDRLEN;

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + length);
	if (length > 0)
		memcpy(payload, data, length);
	memset(payload + length, 0, MNL_ALIGN(length) - length);
	header->nlmsg_len += (uint32_t)MNL_ALIGN(attribute->nla_len);
}

/* Put the attribute if the message has at most `size` bytes with it. */
bool mnl_attr_put_check(struct nlmsghdr *header, size_t size, uint16_t type, size_t length,
			const void *data)
{
	if (header->nlmsg_len + MNL_ATTR_HDRLEN + MNL_ALIGN(length) > size)
		return false;
	mnl_attr_put(header, type, length, data);
	return true;
}

void mnl_attr_put_u8(struct nlmsghdr *header, uint16_t type, uint8_t value)
{
	mnl_attr_put(header, type, sizeof(value), &value);
}

void mnl_attr_put_u32(struct nlmsghdr *header, uint16_t type, uint32_t value)
{
	mnl_attr_put(header, type, sizeof(value), &value);
}

void mnl_attr_put_strz(struct nlmsghdr *header, uint16_t type, const char *text)
{
	mnl_attr_put(header, type, strlen(text) + 1, text);
}

bool mnl_attr_put_u32_check(struct nlmsghdr *header, size_t size, uint16_t type, uint32_t value)
{
	return mnl_attr_put_check(header, size, type, sizeof(value), &value);
}

bool mnl_attr_put_u64_check(struct nlmsghdr *header, size_t size, uint16_t type, uint64_t value)
{
	return mnl_attr_put_check(header, size, type, sizeof(value), &value);
}

bool mnl_attr_put_strz_check(struct nlmsghdr *header, size_t size, uint16_t type, const char *text)
{
	return mnl_attr_put_check(header, size, type, strlen(text) + 1, text);
}

/* Begin an attribute that has attributes, which mnl_attr_nest_end() ends. */
struct nlattr *mnl_attr_nest_start(struct nlmsghdr *header, uint16_t type)
{
	struct nlattr *nest = mnl_nlmsg_get_payload_tail(header);

	nest->nla_type = NLA_F_NESTED | type;
	header->nlmsg_len += (uint32_t)MNL_ALIGN(sizeof(*nest));
	return nest;
}

void mnl_attr_nest_end(struct nlmsghdr *header, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(header) - (char *)nest);
}

/* --- answers --- */

/*
 * Look at the kernel's answer to the request with that number: 0 for an acknowledgement or the end of a
 * dump, 1 if there is only data, and -1 with the errno of the answer, or with ESRCH for the answer to
 * another request. memtun passes no callback.
 */
int mnl_cb_run(const void *buffer, size_t size, unsigned int sequence, unsigned int port,
	       mnl_cb_t callback, void *data)
{
	const struct nlmsghdr *header = buffer;
	const struct nlmsgerr *error;
	int left = (int)size;

	(void)port;
	(void)callback;
	(void)data;
	for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
		if (sequence && header->nlmsg_seq && header->nlmsg_seq != sequence) {
			errno = ESRCH;
			return -1;
		}
		if (header->nlmsg_type == NLMSG_DONE)
			return MNL_CB_STOP;
		if (header->nlmsg_type != NLMSG_ERROR)
			continue;
		error = mnl_nlmsg_get_payload(header);
		if (header->nlmsg_len < mnl_nlmsg_size(sizeof(*error))) {
			errno = EBADMSG;
			return -1;
		}
		if (error->error == 0)
			return MNL_CB_STOP;
		errno = error->error < 0 ? -error->error : error->error;
		return -1;
	}
	return MNL_CB_OK;
}

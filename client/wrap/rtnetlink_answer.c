/* SPDX-License-Identifier: MIT */
#include "client/wrap/rtnetlink_answer.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/rtnetlink_request.h"
#include "common/address.h"

const void *request_head(const struct request *request, void *spare, size_t size)
{
	size_t length = mnl_nlmsg_get_payload_len(request->header);

	if (length >= size)
		return mnl_nlmsg_get_payload(request->header);
	if (!request->is_dump || length < sizeof(struct rtgenmsg))
		return NULL;
	memset(spare, 0, size);
	memcpy(spare, mnl_nlmsg_get_payload(request->header), sizeof(struct rtgenmsg));
	return spare;
}

static int attribute_note(const struct nlattr *attribute, void *context)
{
	struct attributes *attributes = context;
	unsigned int type = mnl_attr_get_type(attribute);

	if (type < ATTRIBUTES_MAX)
		attributes->at[type] = attribute;
	return MNL_CB_OK;
}

int request_attributes(const struct request *request, size_t size, struct attributes *attributes)
{
	memset(attributes, 0, sizeof(*attributes));
	if (mnl_nlmsg_get_payload_len(request->header) <= size)
		return 0;
	return mnl_attr_parse(request->header, (unsigned int)size, attribute_note, attributes) < 0
		       ? -1
		       : 0;
}

uint32_t attribute_number(const struct attributes *attributes, unsigned int type)
{
	const struct nlattr *attribute = attributes->at[type];
	uint32_t number = 0;

	if (attribute && mnl_attr_get_payload_len(attribute) >= sizeof(number))
		memcpy(&number, mnl_attr_get_payload(attribute), sizeof(number));
	return number;
}

int attribute_address(const struct attributes *attributes, unsigned int type, unsigned char family,
		      struct address *address)
{
	const struct nlattr *attribute = attributes->at[type];
	size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	memset(address, 0, sizeof(*address));
	if (!attribute)
		return 0;
	if (mnl_attr_get_payload_len(attribute) != size)
		return -1;
	*address = family == AF_INET ? address_ipv4(mnl_attr_get_payload(attribute))
				     : address_ipv6(mnl_attr_get_payload(attribute));
	return 0;
}

bool request_is_our_index(int64_t index)
{
	return index >= INTERFACE_INDEX_MIN;
}

struct interface *request_interface(const struct request *request, int index)
{
	struct interface *interface;

	LIST_FOREACH(interface, &request->interfaces->list, link) {
		if (interface_index(interface) == index)
			return interface;
	}
	return NULL;
}

struct interface *request_interface_named(const struct request *request, const char *name)
{
	struct interface *interface;

	LIST_FOREACH(interface, &request->interfaces->list, link) {
		if (strcmp(interface->tun.name, name) == 0)
			return interface;
	}
	return NULL;
}

int request_dump_family(unsigned char family)
{
	switch (family) {
	case AF_INET:
	case AF_INET6:
		return family;
	case AF_BRIDGE:
	case AF_MPLS:
	case AF_CAN:
	case AF_PHONET:
	case RTNL_FAMILY_IPMR:
	case RTNL_FAMILY_IP6MR:
		return -1;
	default:
		return AF_UNSPEC;
	}
}

void request_append(const struct request *request, const union message *message)
{
	reply_append(request->reply, &message->header);
}

bool rtnetlink_is_dump(const struct nlmsghdr *request)
{
	/* Each object has four types, and GET is the third. NEW and DEL use the bits of NLM_F_DUMP
	 * for something else. */
	return request->nlmsg_type >= RTM_BASE && ((request->nlmsg_type - RTM_BASE) & 3) == 2 &&
	       (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

struct rtnetlink_result rtnetlink_answer(struct interfaces *interfaces,
					 const struct nlmsghdr *header, unsigned int port,
					 bool is_strict, struct reply *reply)
{
	struct request request = {
		.interfaces = interfaces,
		.header = header,
		.is_strict = is_strict,
		.is_dump = rtnetlink_is_dump(header),
		.to = {.sequence = header->nlmsg_seq, .port = port},
		.reply = reply,
	};

	request.to.flags = request.is_dump ? NLM_F_MULTI : 0;
	if (!(header->nlmsg_flags & NLM_F_REQUEST))
		return rtnetlink_kernel;
	switch (header->nlmsg_type) {
	case RTM_GETLINK:
	case RTM_NEWLINK:
	case RTM_SETLINK:
	case RTM_DELLINK:
		return rtnetlink_link(&request);
	case RTM_GETADDR:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return rtnetlink_address(&request);
	case RTM_GETROUTE:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return rtnetlink_route(&request);
	case RTM_GETNEIGH:
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return rtnetlink_neighbour(&request);
	default:
		return rtnetlink_kernel;
	}
}

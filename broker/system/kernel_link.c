/* SPDX-License-Identifier: MIT */
#include "broker/system/kernel_link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"

/* The sizes of a request, and of the answer about one interface, bytes. */
#define LINK_BYTES 8192

static int tun_attribute(const struct nlattr *attribute, void *context)
{
	struct kernel_link *link = context;

	/* The kernel has this attribute for multi_queue interfaces only. */
	if (mnl_attr_get_type(attribute) == IFLA_TUN_NUM_QUEUES &&
	    mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
		link->queues = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

static int info_attribute(const struct nlattr *attribute, void *context)
{
	if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA)
		return mnl_attr_parse_nested(attribute, tun_attribute, context);
	return MNL_CB_OK;
}

static int link_attribute(const struct nlattr *attribute, void *context)
{
	struct kernel_link *link = context;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attribute));
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			link->mtu = mnl_attr_get_u32(attribute);
		break;
	case IFLA_CARRIER:
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) == 0)
			link->queues = mnl_attr_get_u8(attribute);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* The attributes of the interface's kind are nested, and follow its carrier. */
static int kind_attribute(const struct nlattr *attribute, void *context)
{
	if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attribute, info_attribute, context);
	return MNL_CB_OK;
}

/* Send a request about one interface, and receive the answer into bytes. */
static int link_request(uint16_t type, uint16_t flags, uint32_t index, char bytes[LINK_BYTES])
{
	descriptor_owned fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *info;
	ssize_t length;

	if (fd < 0)
		return -1;
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)index;
	if (send(fd, header, header->nlmsg_len, 0) < 0)
		return -1;
	/* The kernel answers before send() returns. */
	length = recv(fd, bytes, LINK_BYTES, MSG_DONTWAIT);
	if (length < 0)
		return -1;
	if (!mnl_nlmsg_ok(header, (int)length)) {
		errno = EBADMSG;
		return -1;
	}
	if (header->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

		errno = -error->error;
		return error->error ? -1 : 0;
	}
	return 0;
}

int kernel_link_ask(uint32_t index, struct kernel_link *link)
{
	_Alignas(8) char bytes[LINK_BYTES];
	const struct nlmsghdr *header = (const struct nlmsghdr *)bytes;

	memset(link, 0, sizeof(*link));
	if (link_request(RTM_GETLINK, 0, index, bytes) < 0)
		return -1;
	if (mnl_attr_parse(header, sizeof(struct ifinfomsg), link_attribute, link) < 0 ||
	    mnl_attr_parse(header, sizeof(struct ifinfomsg), kind_attribute, link) < 0) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

int kernel_link_delete(uint32_t index)
{
	_Alignas(8) char bytes[LINK_BYTES];

	return link_request(RTM_DELLINK, NLM_F_ACK, index, bytes);
}

/* SPDX-License-Identifier: MIT */
/* RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/interface_link_local.h"
#include "client/wrap/rtnetlink_request.h"

/* Copy the attribute's name. False: it is not there, or is no name. */
static bool name_read(const struct attributes *attributes, unsigned int type, char name[IFNAMSIZ])
{
	const struct nlattr *attribute = attributes->at[type];
	size_t length;

	if (!attribute)
		return false;
	length = strnlen(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
	if (length == 0 || length >= IFNAMSIZ)
		return false;
	memcpy(name, mnl_attr_get_payload(attribute), length);
	name[length] = '\0';
	return true;
}

/* Find the interface by its number, or else by its name. */
static struct interface *find(const struct request *request, const struct ifinfomsg *info,
			      const struct attributes *attributes)
{
	char name[IFNAMSIZ];

	if (info->ifi_index > 0)
		return request_interface(request, info->ifi_index);
	if (name_read(attributes, IFLA_IFNAME, name) ||
	    name_read(attributes, IFLA_ALT_IFNAME, name))
		return request_interface_named(request, name);
	return NULL;
}

/* ------------------------------------------------------------------------------ get */

/* Return whether the dump asks for interfaces of another kind, or of a bridge. */
static bool is_filtered_out(const struct attributes *attributes)
{
	const struct nlattr *info = attributes->at[IFLA_LINKINFO], *kind;

	if (attribute_number(attributes, IFLA_MASTER))
		return true;
	if (!info)
		return false;
	mnl_attr_for_each_nested(kind, info)
	{
		if (mnl_attr_get_type(kind) == IFLA_INFO_KIND)
			return strncmp(mnl_attr_get_payload(kind), "tun",
				       mnl_attr_get_payload_len(kind)) != 0;
	}
	return false;
}

static struct rtnetlink_result link_get(const struct request *request, const struct ifinfomsg *info,
					const struct attributes *attributes)
{
	const struct interface *interface;
	union message message;

	if (request->is_dump) {
		if (info->ifi_family == AF_BRIDGE || is_filtered_out(attributes))
			return rtnetlink_kernel;
		LIST_FOREACH(interface, &request->interfaces->list, link) {
			message_link(&message, &request->to, RTM_NEWLINK, interface);
			request_append(request, &message);
		}
		return rtnetlink_both;
	}
	interface = find(request, info, attributes);
	if (!interface)
		return rtnetlink_kernel;
	message_link(&message, &request->to, RTM_NEWLINK, interface);
	request_append(request, &message);
	return rtnetlink_ours(0);
}

/* ------------------------------------------------------------------------------ set */

/* Return whether the request has an attribute that these interfaces do not support. */
static bool is_unsupported(const struct attributes *attributes)
{
	static const unsigned int types[] = {
		IFLA_MASTER, IFLA_NET_NS_PID, IFLA_NET_NS_FD, IFLA_IFALIAS, IFLA_GROUP, IFLA_XDP,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (attributes->at[types[i]])
			return true;
	}
	return false;
}

static int set_mac(struct interface *interface, const struct nlattr *attribute)
{
	if (mnl_attr_get_payload_len(attribute) < sizeof(interface->tun.address))
		return -EINVAL;
	return interface_set_mac(interface, mnl_attr_get_payload(attribute));
}

static int set_queue(struct interface *interface, uint32_t length)
{
	if (length > INT32_MAX)
		return -ERANGE;
	interface->transmit_queue = (int)length;
	interface_changed(interface);
	return 0;
}

static int set_carrier(struct interface *interface, const struct nlattr *attribute)
{
	if (mnl_attr_get_payload_len(attribute) < 1)
		return -EINVAL;
	interface->tun.carrier = mnl_attr_get_u8(attribute) != 0;
	interface_changed(interface);
	interface_link_local_add(interface);
	return 0;
}

/* Set how IPv6 addresses are made (addrgenmode), as inet6_set_link_af() in the kernel. */
static int set_address_mode(struct interface *interface, const struct nlattr *families)
{
	const struct nlattr *family, *setting;

	mnl_attr_for_each_nested(family, families)
	{
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		mnl_attr_for_each_nested(setting, family)
		{
			if (mnl_attr_get_type(setting) != IFLA_INET6_ADDR_GEN_MODE ||
			    mnl_attr_get_payload_len(setting) < 1)
				continue;
			/* STABLE_PRIVACY needs a secret, for which there is no sysctl. */
			if (mnl_attr_get_u8(setting) > IN6_ADDR_GEN_MODE_RANDOM ||
			    mnl_attr_get_u8(setting) == IN6_ADDR_GEN_MODE_STABLE_PRIVACY)
				return -EINVAL;
			interface->address_mode = mnl_attr_get_u8(setting);
		}
	}
	return 0;
}

/* Carry out what do_setlink() in the kernel does, in its order. */
static int link_change(const struct request *request, struct interface *interface,
		       const struct ifinfomsg *info, const struct attributes *attributes)
{
	char name[IFNAMSIZ];
	int result = 0;

	if (is_unsupported(attributes))
		return -EOPNOTSUPP;
	if (attributes->at[IFLA_ADDRESS])
		result = set_mac(interface, attributes->at[IFLA_ADDRESS]);
	if (result == 0 && attributes->at[IFLA_MTU])
		result = interface_change_mtu(interface,
					      (int)attribute_number(attributes, IFLA_MTU));
	if (result == 0 && name_read(attributes, IFLA_IFNAME, name) &&
	    interface_set_name(request->interfaces, interface, name) < 0)
		result = -errno;
	if (result == 0 && attributes->at[IFLA_TXQLEN])
		result = set_queue(interface, attribute_number(attributes, IFLA_TXQLEN));
	if (result == 0 && attributes->at[IFLA_CARRIER])
		result = set_carrier(interface, attributes->at[IFLA_CARRIER]);
	if (result == 0 && attributes->at[IFLA_AF_SPEC])
		result = set_address_mode(interface, attributes->at[IFLA_AF_SPEC]);
	if (result == 0 && (info->ifi_flags || info->ifi_change))
		interface_set_flags(interface, info->ifi_flags,
				    info->ifi_change ? info->ifi_change : ~0u);
	return result;
}

static struct rtnetlink_result link_set(const struct request *request, const struct ifinfomsg *info,
					const struct attributes *attributes)
{
	struct interface *interface = find(request, info, attributes);
	char name[IFNAMSIZ];

	if (!interface) {
		/* An interface of the kernel must not get the name of a tunnel's interface. */
		if (name_read(attributes, IFLA_IFNAME, name) &&
		    request_interface_named(request, name))
			return rtnetlink_ours(-EEXIST);
		return rtnetlink_kernel;
	}
	if (request->header->nlmsg_type == RTM_NEWLINK) {
		if (request->header->nlmsg_flags & NLM_F_EXCL)
			return rtnetlink_ours(-EEXIST);
		if (request->header->nlmsg_flags & NLM_F_REPLACE)
			return rtnetlink_ours(-EOPNOTSUPP);
	}
	return rtnetlink_ours(link_change(request, interface, info, attributes));
}

static struct rtnetlink_result link_delete(const struct request *request,
					   const struct ifinfomsg *info,
					   const struct attributes *attributes)
{
	struct interface *interface = find(request, info, attributes);

	if (!interface)
		return rtnetlink_kernel;
	return rtnetlink_ours(interface_delete(interface) < 0 ? -errno : 0);
}

struct rtnetlink_result rtnetlink_link(const struct request *request)
{
	const struct ifinfomsg *info;
	struct attributes attributes;
	struct ifinfomsg spare;

	info = request_head(request, &spare, sizeof(spare));
	if (!info || request_attributes(request, sizeof(spare), &attributes) < 0)
		return rtnetlink_kernel;
	switch (request->header->nlmsg_type) {
	case RTM_GETLINK:
		return link_get(request, info, &attributes);
	case RTM_DELLINK:
		return link_delete(request, info, &attributes);
	default:
		return link_set(request, info, &attributes);
	}
}

/* SPDX-License-Identifier: MIT */
/* RTM_GETNEIGH, RTM_NEWNEIGH and RTM_DELNEIGH. */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/rtnetlink_request.h"
#include "common/address.h"

static void append_all(const struct request *request, const struct interface *interface, int family)
{
	union message message;

	for (size_t i = 0; i < interface->state.neighbour_count; i++) {
		const struct state_neighbour *neighbour = &interface->state.neighbours[i];

		if (family != AF_UNSPEC &&
		    (family == AF_INET) != (neighbour->address.kind == ADDRESS_IPV4))
			continue;
		message_neighbour(&message, &request->to, RTM_NEWNEIGH, interface, neighbour);
		request_append(request, &message);
	}
}

static struct rtnetlink_result neighbour_dump(const struct request *request,
					      const struct ndmsg *info,
					      const struct attributes *attributes)
{
	uint32_t index = attribute_number(attributes, NDA_IFINDEX);
	int family = request_dump_family(info->ndm_family);
	const struct interface *interface;

	if (family < 0 || info->ndm_flags & NTF_PROXY || attribute_number(attributes, NDA_MASTER))
		return rtnetlink_kernel;
	if (request_is_our_index(index)) {
		interface = request_interface(request, (int)index);
		if (!interface)
			return rtnetlink_ours(-ENODEV);
		append_all(request, interface, family);
		return rtnetlink_ours(0);
	}
	if (index)
		return rtnetlink_kernel;
	LIST_FOREACH(interface, &request->interfaces->list, link)
		append_all(request, interface, family);
	return rtnetlink_both;
}

static int neighbour_new(const struct request *request, struct interface *interface,
			 const struct ndmsg *info, const struct attributes *attributes,
			 const struct address *address)
{
	const struct nlattr *mac = attributes->at[NDA_LLADDR];
	struct state_neighbour neighbour = {
		.address = *address,
		.state = info->ndm_state,
		.flags = info->ndm_flags,
	};
	unsigned int flags = request->header->nlmsg_flags, mode = 0;

	if (mac) {
		/* A TUN has no link-layer addresses. */
		if (!(interface->tun.flags & IFF_TAP) || mnl_attr_get_payload_len(mac) < ETH_ALEN)
			return -EINVAL;
		memcpy(neighbour.mac, mnl_attr_get_payload(mac), ETH_ALEN);
		neighbour.has_mac = true;
	}
	mode |= flags & NLM_F_CREATE ? STATE_CREATE : 0;
	mode |= flags & NLM_F_EXCL ? STATE_EXCLUSIVE : 0;
	mode |= flags & NLM_F_REPLACE ? STATE_REPLACE : 0;
	return state_neighbour_add(&interface->state, &neighbour, mode);
}

static int neighbour_get(const struct request *request, const struct interface *interface,
			 const struct address *address)
{
	union message message;

	for (size_t i = 0; i < interface->state.neighbour_count; i++) {
		const struct state_neighbour *neighbour = &interface->state.neighbours[i];

		if (!address_equal(&neighbour->address, address))
			continue;
		message_neighbour(&message, &request->to, RTM_NEWNEIGH, interface, neighbour);
		request_append(request, &message);
		return 0;
	}
	return -ENOENT;
}

struct rtnetlink_result rtnetlink_neighbour(const struct request *request)
{
	struct attributes attributes;
	struct interface *interface;
	const struct ndmsg *info;
	struct address address;
	struct ndmsg spare;

	info = request_head(request, &spare, sizeof(spare));
	if (!info || request_attributes(request, sizeof(spare), &attributes) < 0)
		return rtnetlink_kernel;
	if (request->is_dump)
		return neighbour_dump(request, info, &attributes);
	if (!request_is_our_index(info->ndm_ifindex))
		return rtnetlink_kernel;
	interface = request_interface(request, info->ndm_ifindex);
	if (!interface)
		return rtnetlink_ours(-ENODEV);
	if (info->ndm_flags & NTF_PROXY ||
	    (info->ndm_family != AF_INET && info->ndm_family != AF_INET6))
		return rtnetlink_ours(-EOPNOTSUPP);
	if (attribute_address(&attributes, NDA_DST, info->ndm_family, &address) < 0 ||
	    !address.kind)
		return rtnetlink_ours(-EINVAL);
	if (request->header->nlmsg_type == RTM_NEWNEIGH)
		return rtnetlink_ours(
			neighbour_new(request, interface, info, &attributes, &address));
	if (request->header->nlmsg_type == RTM_GETNEIGH)
		return rtnetlink_ours(neighbour_get(request, interface, &address));
	return rtnetlink_ours(state_neighbour_delete(&interface->state, &address));
}

/* SPDX-License-Identifier: MIT */
/* RTM_GETADDR, RTM_NEWADDR and RTM_DELADDR. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/rtnetlink_request.h"
#include "common/address.h"

/* The flags that a program may set. */
#define FLAGS_SET                                                                       \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | \
	 IFA_F_MCAUTOJOIN)

/* ------------------------------------------------------------------------------ get */

static void append_all(const struct request *request, const struct interface *interface, int family)
{
	union message message;

	for (size_t i = 0; i < interface->state.address_count; i++) {
		const struct state_address *address = &interface->state.addresses[i];

		if ((family == AF_INET) != (address->local.kind == ADDRESS_IPV4))
			continue;
		message_address(&message, &request->to, RTM_NEWADDR, interface, address);
		request_append(request, &message);
	}
}

static struct rtnetlink_result address_dump(const struct request *request,
					    const struct ifaddrmsg *info)
{
	int family = request_dump_family(info->ifa_family);
	const struct interface *interface;

	if (request_is_our_index(info->ifa_index)) {
		interface = request_interface(request, (int)info->ifa_index);
		if (!interface)
			return rtnetlink_ours(-ENODEV);
		if (family != AF_INET6)
			append_all(request, interface, AF_INET);
		if (family != AF_INET)
			append_all(request, interface, AF_INET6);
		return rtnetlink_ours(0);
	}
	if (family < 0 || (info->ifa_index && request->is_strict))
		return rtnetlink_kernel;
	/* As the kernel: all addresses of one family, then those of the other. */
	LIST_FOREACH(interface, &request->interfaces->list, link)
		append_all(request, interface, family == AF_INET6 ? AF_INET6 : AF_INET);
	LIST_FOREACH(interface, &request->interfaces->list, link) {
		if (family == AF_UNSPEC)
			append_all(request, interface, AF_INET6);
	}
	return rtnetlink_both;
}

/* Answer with the one address, which the kernel does for IPv6. */
static struct rtnetlink_result address_get(const struct request *request,
					   const struct interface *interface,
					   const struct state_address *wanted)
{
	union message message;

	for (size_t i = 0; i < interface->state.address_count; i++) {
		const struct state_address *address = &interface->state.addresses[i];

		if (!address_equal(&address->local, &wanted->local))
			continue;
		message_address(&message, &request->to, RTM_NEWADDR, interface, address);
		request_append(request, &message);
		return rtnetlink_ours(0);
	}
	return rtnetlink_ours(-EADDRNOTAVAIL);
}

/* ------------------------------------------------------------------------------ set */

/* Read the lifetimes. */
static int lifetimes_read(const struct attributes *attributes, struct state_address *address)
{
	const struct nlattr *attribute = attributes->at[IFA_CACHEINFO];
	struct ifa_cacheinfo lifetimes;

	address->preferred = address->valid = UINT32_MAX;
	if (!attribute)
		return 0;
	if (mnl_attr_get_payload_len(attribute) < sizeof(lifetimes))
		return -EINVAL;
	memcpy(&lifetimes, mnl_attr_get_payload(attribute), sizeof(lifetimes));
	if (!lifetimes.ifa_valid || lifetimes.ifa_prefered > lifetimes.ifa_valid)
		return -EINVAL;
	address->preferred = lifetimes.ifa_prefered;
	address->valid = lifetimes.ifa_valid;
	return 0;
}

static void label_read(const struct attributes *attributes, const struct interface *interface,
		       struct state_address *address)
{
	const struct nlattr *attribute = attributes->at[IFA_LABEL];

	if (!attribute)
		return;
	memcpy(address->label, mnl_attr_get_payload(attribute),
	       strnlen(mnl_attr_get_payload(attribute),
		       mnl_attr_get_payload_len(attribute) < IFNAMSIZ
			       ? mnl_attr_get_payload_len(attribute)
			       : IFNAMSIZ - 1));
	/* The interface's own name is what an address without a label shows. */
	if (strcmp(address->label, interface->tun.name) == 0)
		memset(address->label, 0, sizeof(address->label));
}

/* Read the addresses of the request. The peer's kind is 0 if it has none. */
static int addresses_read(const struct ifaddrmsg *info, const struct attributes *attributes,
			  struct state_address *address)
{
	if ((info->ifa_family != AF_INET && info->ifa_family != AF_INET6) ||
	    attribute_address(attributes, IFA_LOCAL, info->ifa_family, &address->local) < 0 ||
	    attribute_address(attributes, IFA_ADDRESS, info->ifa_family, &address->peer) < 0 ||
	    attribute_address(attributes, IFA_BROADCAST, AF_INET, &address->broadcast) < 0)
		return -EINVAL;
	address->length = info->ifa_prefixlen;
	/* IPv6: the one address of a request without a peer is IFA_ADDRESS. */
	if (info->ifa_family == AF_INET6 && !address->local.kind)
		address->local = address->peer;
	return 0;
}

static struct rtnetlink_result address_new(const struct request *request,
					   struct interface *interface,
					   const struct ifaddrmsg *info,
					   const struct attributes *attributes,
					   struct state_address *address)
{
	unsigned int flags = request->header->nlmsg_flags, mode = STATE_CREATE;
	int result = lifetimes_read(attributes, address);

	if (result < 0)
		return rtnetlink_ours(result);
	if (!address->local.kind || address->length > address_bits(&address->local))
		return rtnetlink_ours(-EINVAL);
	if (info->ifa_family == AF_INET6 && !address_is_host(&address->local))
		return rtnetlink_ours(-EADDRNOTAVAIL);
	if (!address->peer.kind)
		address->peer = address->local;
	address->scope = info->ifa_scope;
	if (info->ifa_family == AF_INET6)
		address->scope =
			address_is_link_local(&address->local) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	address->flags =
		FLAGS_SET & (attributes->at[IFA_FLAGS] ? attribute_number(attributes, IFA_FLAGS)
						       : info->ifa_flags);
	address->metric = attribute_number(attributes, IFA_RT_PRIORITY);
	mode |= flags & NLM_F_EXCL ? STATE_EXCLUSIVE : 0;
	mode |= flags & NLM_F_REPLACE ? STATE_REPLACE : 0;
	return rtnetlink_ours(state_address_add(&interface->state, address, mode));
}

struct rtnetlink_result rtnetlink_address(const struct request *request)
{
	struct state_address address = {0};
	struct attributes attributes;
	const struct ifaddrmsg *info;
	struct interface *interface;
	struct ifaddrmsg spare;

	info = request_head(request, &spare, sizeof(spare));
	if (!info || request_attributes(request, sizeof(spare), &attributes) < 0)
		return rtnetlink_kernel;
	if (request->is_dump)
		return address_dump(request, info);
	if (!request_is_our_index(info->ifa_index))
		return rtnetlink_kernel;
	interface = request_interface(request, (int)info->ifa_index);
	if (!interface)
		return rtnetlink_ours(-ENODEV);
	if (addresses_read(info, &attributes, &address) < 0)
		return rtnetlink_ours(-EINVAL);
	label_read(&attributes, interface, &address);
	if (request->header->nlmsg_type == RTM_NEWADDR)
		return address_new(request, interface, info, &attributes, &address);
	if (request->header->nlmsg_type == RTM_GETADDR)
		return address_get(request, interface, &address);
	return rtnetlink_ours(state_address_delete(&interface->state, &address));
}

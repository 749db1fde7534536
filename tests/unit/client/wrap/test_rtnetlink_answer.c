/* SPDX-License-Identifier: MIT */
/*
 * The answers to rtnetlink requests, without a kernel and without a broker: requests are built as
 * programs build them, and what the broker would be asked for is noted instead.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface.h"
#include "client/wrap/rtnetlink_answer.h"

#define PORT 4711
#define SEQUENCE 77

/* The number of the first interface. Others follow. */
#define INDEX (INTERFACE_INDEX_MIN + 1)

static struct interfaces interfaces;
static struct interface tun, tap;
static struct reply reply;
static bool strict;
static union message {
	struct nlmsghdr header;
	char bytes[1024];
} request;

/* ------------------------------------------------------------------------------ the broker */

static int asked_mtu;
static const char *deleted;

int __wrap_interface_change_mtu(struct interface *interface, int mtu);
int __wrap_interface_change_mtu(struct interface *interface, int mtu)
{
	asked_mtu = mtu;
	if (mtu < 68)
		return -EINVAL;
	interface->mtu = (unsigned int)mtu;
	return 0;
}

int __wrap_interface_delete(struct interface *interface);
int __wrap_interface_delete(struct interface *interface)
{
	deleted = interface->tun.name;
	return 0;
}

/* ------------------------------------------------------------------------------ fixture */

static void interface_make(struct interface *interface, const char *name, unsigned int flags,
			   uint32_t tunnel)
{
	memset(interface, 0, sizeof(*interface));
	tun_interface_init(&interface->tun, name, flags);
	interface->interfaces = &interfaces;
	interface->tun.queues = 1;
	interface->is_open = true;
	interface->tunnel_id = tunnel;
	interface->mtu = 1500;
	interface->flags = IFF_MULTICAST;
	/* Most tests count what they add themselves. */
	interface->address_mode = IN6_ADDR_GEN_MODE_NONE;
	LIST_INSERT_HEAD(&interfaces.list, interface, link);
}

static int set_up(void **unused)
{
	(void)unused;
	LIST_INIT(&interfaces.list);
	interface_make(&tap, "tap0", IFF_TAP | IFF_NO_PI, 2);
	interface_make(&tun, "tun0", IFF_TUN | IFF_NO_PI, 1);
	strict = false;
	asked_mtu = 0;
	deleted = NULL;
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	interface_state_free(&tun.state);
	interface_state_free(&tap.state);
	reply_free(&reply);
	return 0;
}

/* Begin a request, and return its zeroed structure of that size. */
static void *begin(uint16_t type, unsigned int flags, size_t size)
{
	mnl_nlmsg_put_header(&request);
	request.header.nlmsg_type = type;
	request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request.header.nlmsg_seq = SEQUENCE;
	return mnl_nlmsg_put_extra_header(&request.header, size);
}

static struct rtnetlink_result answer(void)
{
	reply_free(&reply);
	return rtnetlink_answer(&interfaces, &request.header, PORT, strict, &reply);
}

static void ours(int error)
{
	struct rtnetlink_result result = answer();

	assert_int_equal(result.part, RTNETLINK_OURS);
	assert_int_equal(result.error, error);
}

static void is_kernels(void)
{
	assert_int_equal(answer().part, RTNETLINK_KERNEL);
	assert_int_equal(reply.used, 0);
}

/* Return message number `which` of the answer. */
static const struct nlmsghdr *message(size_t which)
{
	size_t at = 0;

	for (;;) {
		const struct nlmsghdr *found = (const void *)(reply.bytes + at);

		assert_true(at < reply.used);
		if (which-- == 0)
			return found;
		at += MNL_ALIGN(found->nlmsg_len);
	}
}

static size_t message_count(void)
{
	size_t count = 0;

	for (size_t at = 0; at < reply.used; count++)
		at += MNL_ALIGN(
			((const struct nlmsghdr *)(const void *)(reply.bytes + at))->nlmsg_len);
	return count;
}

/* Return the attribute of a message; NULL: it is not there. */
static const struct nlattr *attribute(const struct nlmsghdr *header, size_t size, uint16_t type)
{
	const struct nlattr *found;

	mnl_attr_for_each(found, header, (unsigned int)size) {
		if (mnl_attr_get_type(found) == type)
			return found;
	}
	return NULL;
}

static const char *name_in(const struct nlmsghdr *header)
{
	return mnl_attr_get_str(attribute(header, sizeof(struct ifinfomsg), IFLA_IFNAME));
}

static void put_ip(uint16_t type, const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	mnl_attr_put(&request.header, type, address_bits(&address) / 8, address.bytes);
}

static void address_request(uint16_t type, unsigned int flags, unsigned char family,
			    const char *local, unsigned char length, unsigned int index)
{
	struct ifaddrmsg *info = begin(type, flags, sizeof(*info));

	info->ifa_family = family;
	info->ifa_prefixlen = length;
	info->ifa_index = index;
	put_ip(IFA_LOCAL, local);
	put_ip(IFA_ADDRESS, local);
}

static void route_request(uint16_t type, unsigned int flags, const char *destination,
			  unsigned char length, const char *gateway, uint32_t index)
{
	struct rtmsg *info = begin(type, flags, sizeof(*info));

	info->rtm_family = AF_INET;
	info->rtm_dst_len = length;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTPROT_BOOT;
	info->rtm_scope = *gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	info->rtm_type = RTN_UNICAST;
	put_ip(RTA_DST, destination);
	if (*gateway)
		put_ip(RTA_GATEWAY, gateway);
	if (index)
		mnl_attr_put_u32(&request.header, RTA_OIF, index);
}

/* Give tun0 the address 10.0.0.1/24, and bring it up. */
static void tun_configure(void)
{
	address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, AF_INET, "10.0.0.1", 24, INDEX);
	ours(0);
	interface_set_flags(&tun, IFF_UP, IFF_UP);
}

/* ------------------------------------------------------------------------------ link */

static void a_dump_of_links_has_ours_after_the_kernels(void **unused)
{
	struct rtgenmsg *family;

	(void)unused;
	begin(RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	assert_int_equal(message_count(), 2);
	assert_string_equal(name_in(message(0)), "tun0");
	assert_string_equal(name_in(message(1)), "tap0");
	assert_int_equal(message(0)->nlmsg_seq, SEQUENCE);
	assert_int_equal(message(0)->nlmsg_pid, PORT);
	assert_true(message(0)->nlmsg_flags & NLM_F_MULTI);
	/* glibc, Go and busybox give the family alone, pyroute2 one without a handler. */
	family = begin(RTM_GETLINK, NLM_F_DUMP, 1);
	family->rtgen_family = 255;
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	assert_int_equal(message_count(), 2);
	family = begin(RTM_GETLINK, NLM_F_DUMP, 1);
	family->rtgen_family = AF_BRIDGE;
	is_kernels();
}

static void a_dump_of_links_is_filtered(void **unused)
{
	struct nlattr *info;

	(void)unused;
	begin(RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	info = mnl_attr_nest_start(&request.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&request.header, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(&request.header, info);
	is_kernels();
	begin(RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(&request.header, IFLA_MASTER, 3);
	is_kernels();
}

static void a_link_is_found_by_number_and_by_name(void **unused)
{
	struct ifinfomsg *info = begin(RTM_GETLINK, 0, sizeof(*info));

	(void)unused;
	info->ifi_index = INDEX + 1;
	ours(0);
	assert_string_equal(name_in(message(0)), "tap0");
	assert_false(message(0)->nlmsg_flags & NLM_F_MULTI);
	assert_non_null(attribute(message(0), sizeof(*info), IFLA_ADDRESS));
	begin(RTM_GETLINK, 0, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_ALT_IFNAME, "tun0");
	ours(0);
	assert_string_equal(name_in(message(0)), "tun0");
	assert_null(attribute(message(0), sizeof(*info), IFLA_ADDRESS));
	begin(RTM_GETLINK, 0, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "lo");
	is_kernels();
}

static void a_link_is_changed(void **unused)
{
	struct ifinfomsg *info = begin(RTM_NEWLINK, 0, sizeof(*info));

	(void)unused;
	info->ifi_index = INDEX;
	info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_u32(&request.header, IFLA_MTU, 1400);
	ours(0);
	assert_int_equal(asked_mtu, 1400);
	assert_true(tun.state.is_up);
	assert_true(interface_flags(&tun) & IFF_RUNNING);
	info->ifi_flags = 0;
	ours(0);
	assert_false(tun.state.is_up);
	begin(RTM_NEWLINK, 0, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "tun0");
	mnl_attr_put_u32(&request.header, IFLA_MTU, 1);
	ours(-EINVAL);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "tun0");
	ours(-EEXIST);
	begin(RTM_NEWLINK, 0, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "tun0");
	mnl_attr_put_u32(&request.header, IFLA_MASTER, 3);
	ours(-EOPNOTSUPP);
	begin(RTM_DELLINK, 0, sizeof(*info));
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "tun0");
	ours(0);
	assert_string_equal(deleted, "tun0");
}

static void the_kernels_interfaces_are_the_kernels(void **unused)
{
	struct ifinfomsg *info = begin(RTM_NEWLINK, 0, sizeof(*info));

	(void)unused;
	info->ifi_index = 2;
	mnl_attr_put_u32(&request.header, IFLA_MTU, 1400);
	is_kernels();
	address_request(RTM_NEWADDR, NLM_F_CREATE, AF_INET, "10.0.0.1", 24, 2);
	is_kernels();
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.9.0.0", 16, "", 2);
	is_kernels();
	begin(RTM_GETRULE, NLM_F_DUMP, sizeof(struct rtmsg));
	is_kernels();
	/* A name of ours is taken. */
	info = begin(RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = 2;
	mnl_attr_put_strz(&request.header, IFLA_IFNAME, "tun0");
	ours(-EEXIST);
}

/* ------------------------------------------------------------------------------ address */

static void an_address_is_added_shown_and_deleted(void **unused)
{
	struct ifaddrmsg *info;

	(void)unused;
	tun_configure();
	ours(-EEXIST);
	begin(RTM_GETADDR, NLM_F_DUMP, sizeof(*info));
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	assert_int_equal(message_count(), 1);
	info = mnl_nlmsg_get_payload(message(0));
	assert_int_equal(info->ifa_index, INDEX);
	assert_int_equal(info->ifa_prefixlen, 24);
	assert_string_equal(mnl_attr_get_str(attribute(message(0), sizeof(*info), IFA_LABEL)),
			    "tun0");
	/* Of one interface, ours answers alone, as the kernel would say ENODEV. */
	info = begin(RTM_GETADDR, NLM_F_DUMP, sizeof(*info));
	info->ifa_index = INDEX + 1;
	ours(0);
	assert_int_equal(message_count(), 0);
	info->ifa_index = INDEX + 9;
	ours(-ENODEV);
	address_request(RTM_DELADDR, 0, AF_INET, "10.0.0.1", 24, INDEX);
	ours(0);
	ours(-EADDRNOTAVAIL);
}

/* Request another way of making IPv6 addresses. */
static void mode_request(uint8_t mode, int index)
{
	struct ifinfomsg *info = begin(RTM_SETLINK, 0, sizeof(*info));
	struct nlattr *families, *ipv6;

	info->ifi_index = index;
	families = mnl_attr_nest_start(&request.header, IFLA_AF_SPEC);
	ipv6 = mnl_attr_nest_start(&request.header, AF_INET6);
	mnl_attr_put_u8(&request.header, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(&request.header, ipv6);
	mnl_attr_nest_end(&request.header, families);
}

/* Assert that the interface has this IPv6 address, and no other. NULL: none. */
static void assert_ipv6(const struct interface *interface, const char *text)
{
	char shown[ADDRESS_TEXT_SIZE];

	assert_int_equal(interface->state.address_count, text != NULL);
	if (text)
		assert_string_equal(address_format(&interface->state.addresses[0].local, shown),
				    text);
}

static void an_interface_that_goes_up_gets_a_link_local_address(void **unused)
{
	char first[ADDRESS_TEXT_SIZE];

	(void)unused;
	memcpy(tap.tun.address, "\x02\x00\x5e\x10\x20\x30", 6);
	mode_request(IN6_ADDR_GEN_MODE_EUI64, INDEX + 1);
	ours(0);
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	assert_ipv6(&tap, "fe80::5eff:fe10:2030");
	assert_int_equal(tap.state.addresses[0].length, 64);
	assert_int_equal(tap.state.addresses[0].scope, RT_SCOPE_LINK);
	interface_set_flags(&tap, 0, IFF_UP);
	assert_ipv6(&tap, NULL);
	mode_request(IN6_ADDR_GEN_MODE_RANDOM, INDEX);
	ours(0);
	interface_set_flags(&tun, IFF_UP, IFF_UP);
	assert_int_equal(tun.state.address_count, 1);
	assert_true(address_is_link_local(&tun.state.addresses[0].local));
	assert_int_equal(tun.state.addresses[0].flags, IFA_F_PERMANENT | IFA_F_STABLE_PRIVACY);
	address_format(&tun.state.addresses[0].local, first);
	interface_set_flags(&tun, 0, IFF_UP);
	interface_set_flags(&tun, IFF_UP, IFF_UP);
	assert_ipv6(&tun, first);
}

static void an_interface_without_carrier_or_with_a_small_mtu_gets_none(void **unused)
{
	struct ifinfomsg *info;

	(void)unused;
	tap.address_mode = IN6_ADDR_GEN_MODE_EUI64;
	tap.tun.carrier = false;
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	assert_ipv6(&tap, NULL);
	/* It comes with the carrier. */
	info = begin(RTM_SETLINK, 0, sizeof(*info));
	info->ifi_index = INDEX + 1;
	mnl_attr_put_u8(&request.header, IFLA_CARRIER, 1);
	ours(0);
	assert_int_equal(tap.state.address_count, 1);
	interface_set_flags(&tap, 0, IFF_UP);
	tap.mtu = 1279;
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	assert_ipv6(&tap, NULL);
	/* One that is set is the only one. */
	tap.mtu = 1280;
	interface_set_flags(&tap, 0, IFF_UP);
	address_request(RTM_NEWADDR, NLM_F_CREATE, AF_INET6, "fe80::1", 64, INDEX + 1);
	ours(0);
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	assert_ipv6(&tap, "fe80::1");
}

static void how_ipv6_addresses_are_made_can_be_set(void **unused)
{
	struct ifinfomsg *info;
	const struct nlattr *families;

	(void)unused;
	tap.address_mode = IN6_ADDR_GEN_MODE_EUI64;
	mode_request(IN6_ADDR_GEN_MODE_STABLE_PRIVACY, INDEX + 1);
	ours(-EINVAL);
	mode_request(IN6_ADDR_GEN_MODE_RANDOM + 1, INDEX + 1);
	ours(-EINVAL);
	mode_request(IN6_ADDR_GEN_MODE_NONE, INDEX + 1);
	ours(0);
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	assert_ipv6(&tap, NULL);
	info = begin(RTM_GETLINK, 0, sizeof(*info));
	info->ifi_index = INDEX + 1;
	ours(0);
	families = attribute(message(0), sizeof(*info), IFLA_AF_SPEC);
	assert_non_null(families);
	families = mnl_attr_get_payload(mnl_attr_get_payload(families));
	assert_int_equal(mnl_attr_get_type(families), IFLA_INET6_ADDR_GEN_MODE);
	assert_int_equal(mnl_attr_get_u8(families), IN6_ADDR_GEN_MODE_NONE);
}

static void a_route_with_several_hops_is_refused(void **unused)
{
	struct rtmsg *info;
	struct rtnexthop hops[2] = {
		{.rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 2},
		{.rtnh_len = sizeof(hops[0]), .rtnh_ifindex = INDEX},
	};

	(void)unused;
	tun_configure();
	info = begin(RTM_NEWROUTE, NLM_F_CREATE, sizeof(*info));
	info->rtm_family = AF_INET;
	info->rtm_type = RTN_UNICAST;
	mnl_attr_put(&request.header, RTA_MULTIPATH, sizeof(hops), hops);
	ours(-EINVAL);
	hops[1].rtnh_ifindex = 3;
	info = begin(RTM_NEWROUTE, NLM_F_CREATE, sizeof(*info));
	info->rtm_family = AF_INET;
	info->rtm_type = RTN_UNICAST;
	mnl_attr_put(&request.header, RTA_MULTIPATH, sizeof(hops), hops);
	is_kernels();
}

static void addresses_come_family_by_family(void **unused)
{
	struct ifaddrmsg *info;

	(void)unused;
	address_request(RTM_NEWADDR, NLM_F_CREATE, AF_INET6, "fd00::1", 64, INDEX);
	ours(0);
	tun_configure();
	info = begin(RTM_GETADDR, NLM_F_DUMP, sizeof(*info));
	answer();
	assert_int_equal(message_count(), 2);
	info = mnl_nlmsg_get_payload(message(0));
	assert_int_equal(info->ifa_family, AF_INET);
	info = begin(RTM_GETADDR, NLM_F_DUMP, sizeof(*info));
	info->ifa_family = AF_INET6;
	answer();
	assert_int_equal(message_count(), 1);
}

static void only_a_strict_socket_filters_by_the_kernels_interface(void **unused)
{
	struct ifaddrmsg *info;

	(void)unused;
	tun_configure();
	info = begin(RTM_GETADDR, NLM_F_DUMP, sizeof(*info));
	info->ifa_index = 1;
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	strict = true;
	is_kernels();
}

static void a_wrong_address_is_refused(void **unused)
{
	struct ifaddrmsg *info;

	(void)unused;
	address_request(RTM_NEWADDR, 0, AF_INET, "10.0.0.1", 33, INDEX);
	ours(-EINVAL);
	address_request(RTM_NEWADDR, 0, AF_INET6, "ff02::1", 64, INDEX);
	ours(-EADDRNOTAVAIL);
	address_request(RTM_NEWADDR, 0, AF_INET, "fd00::1", 24, INDEX);
	ours(-EINVAL);
	info = begin(RTM_NEWADDR, 0, sizeof(*info));
	info->ifa_family = AF_INET;
	info->ifa_index = INDEX;
	ours(-EINVAL);
	info->ifa_index = INDEX + 9;
	ours(-ENODEV);
	/* Too short for the kernel, too. */
	begin(RTM_NEWADDR, 0, 4);
	is_kernels();
}

/* ------------------------------------------------------------------------------ route */

static void a_route_is_added_shown_and_deleted(void **unused)
{
	struct rtmsg *info;

	(void)unused;
	route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.9.0.0", 16, "", INDEX);
	ours(-ENETDOWN);
	tun_configure();
	route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.9.0.0", 16, "", INDEX);
	ours(0);
	ours(-EEXIST);
	strict = true;
	info = begin(RTM_GETROUTE, NLM_F_DUMP, sizeof(*info));
	info->rtm_family = AF_INET;
	info->rtm_table = RT_TABLE_MAIN;
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	assert_int_equal(message_count(), 2);
	route_request(RTM_DELROUTE, 0, "10.9.0.0", 16, "", 0);
	ours(0);
	/* Another one may be the kernel's. */
	is_kernels();
}

static void a_route_with_a_gateway_alone_is_ours_if_the_gateway_is(void **unused)
{
	(void)unused;
	tun_configure();
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.9.0.0", 16, "10.0.0.2", 0);
	ours(0);
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.8.0.0", 16, "192.0.2.1", 0);
	is_kernels();
	/* The gateway is an address of another interface, as of two OpenVPN under one memtun
	 * wrap. */
	address_request(RTM_NEWADDR, NLM_F_CREATE, AF_INET, "10.0.0.3", 32, INDEX + 1);
	ours(0);
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.7.0.0", 16, "10.0.0.3", 0);
	ours(0);
	/* OpenVPN's two halves of the default route do not take the host's own gateway. */
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "128.0.0.0", 1, "", INDEX);
	ours(0);
	route_request(RTM_NEWROUTE, NLM_F_CREATE, "10.8.0.0", 16, "192.0.2.1", 0);
	is_kernels();
}

static void the_same_route_of_another_interface_is_in_the_way(void **unused)
{
	(void)unused;
	tun_configure();
	interface_set_flags(&tap, IFF_UP, IFF_UP);
	route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.9.0.0", 16, "", INDEX);
	ours(0);
	route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.9.0.0", 16, "", INDEX + 1);
	ours(-EEXIST);
	route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "10.9.0.0", 16, "", INDEX + 1);
	ours(0);
	assert_int_equal(tap.state.route_count, 1);
	route_request(RTM_DELROUTE, 0, "10.9.0.0", 16, "", INDEX);
	ours(-ESRCH);
}

static void the_route_to_an_address_competes_with_the_kernels(void **unused)
{
	struct rtnetlink_result result;
	const struct rtmsg *info;

	(void)unused;
	tun_configure();
	route_request(RTM_GETROUTE, 0, "10.0.0.7", 32, "", 0);
	result = answer();
	assert_int_equal(result.part, RTNETLINK_LONGER);
	assert_int_equal(result.route_length, 24);
	info = mnl_nlmsg_get_payload(message(0));
	assert_int_equal(info->rtm_dst_len, 32);
	assert_int_equal(mnl_attr_get_u32(attribute(message(0), sizeof(*info), RTA_OIF)), INDEX);
	assert_non_null(attribute(message(0), sizeof(*info), RTA_PREFSRC));
	route_request(RTM_GETROUTE, 0, "192.0.2.7", 32, "", 0);
	is_kernels();
	route_request(RTM_GETROUTE, 0, "192.0.2.7", 32, "", INDEX);
	ours(-ENETUNREACH);
}

/* ------------------------------------------------------------------------------ neighbour */

static void a_neighbour_is_added_shown_and_deleted(void **unused)
{
	static const unsigned char mac[6] = {2, 0, 0, 0, 0, 1};
	struct ndmsg *info = begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info));

	(void)unused;
	info->ndm_family = AF_INET;
	info->ndm_ifindex = INDEX + 1;
	info->ndm_state = NUD_PERMANENT;
	put_ip(NDA_DST, "10.0.0.2");
	mnl_attr_put(&request.header, NDA_LLADDR, sizeof(mac), mac);
	ours(0);
	ours(-EEXIST);
	/* A TUN has no link-layer addresses. */
	info->ndm_ifindex = INDEX;
	ours(-EINVAL);
	begin(RTM_GETNEIGH, NLM_F_DUMP, sizeof(*info));
	assert_int_equal(answer().part, RTNETLINK_BOTH);
	assert_int_equal(message_count(), 1);
	assert_non_null(attribute(message(0), sizeof(*info), NDA_LLADDR));
	info = begin(RTM_DELNEIGH, 0, sizeof(*info));
	info->ndm_family = AF_INET;
	info->ndm_ifindex = INDEX + 1;
	put_ip(NDA_DST, "10.0.0.2");
	ours(0);
	ours(-ENOENT);
}

/* ------------------------------------------------------------------------------ datagrams */

static void a_datagram_fits_into_a_page_and_ends_between_messages(void **unused)
{
	size_t at = 0, length, datagrams = 0;

	(void)unused;
	interface_set_flags(&tun, IFF_UP, IFF_UP);
	for (unsigned int i = 0; i < 200; i++) {
		struct state_address address = {
			.local = {.kind = ADDRESS_IPV4},
			.length = 32,
			.valid = UINT32_MAX,
		};

		address.local.ipv4.s_addr = htonl(0x0a000000 + i);
		address.peer = address.local;
		assert_int_equal(state_address_add(&tun.state, &address, STATE_CREATE), 0);
	}
	begin(RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	answer();
	assert_int_equal(message_count(), 200);
	reply_done(&reply, &request.header, PORT);
	while ((length = reply_datagram(&reply, at)) > 0) {
		const struct nlmsghdr *header = (const void *)(reply.bytes + at);
		int left = (int)length;

		assert_true(length <= REPLY_DATAGRAM);
		while (mnl_nlmsg_ok(header, left))
			header = mnl_nlmsg_next(header, &left);
		assert_int_equal(left, 0);
		at += MNL_ALIGN(length);
		datagrams++;
	}
	assert_int_equal(at, reply.used);
	assert_true(datagrams >= 4);
	assert_int_equal(message(200)->nlmsg_type, NLMSG_DONE);
	assert_int_equal(reply_datagram(&reply, reply.used - MNL_ALIGN(message(200)->nlmsg_len)),
			 message(200)->nlmsg_len);
}

static void an_error_repeats_the_request(void **unused)
{
	const struct nlmsgerr *error;

	(void)unused;
	address_request(RTM_DELADDR, NLM_F_ACK, AF_INET, "10.0.0.1", 24, INDEX);
	reply_error(&reply, &request.header, PORT, -EPERM, false);
	error = mnl_nlmsg_get_payload(message(0));
	assert_int_equal(error->error, -EPERM);
	assert_memory_equal(&error->msg, &request, request.header.nlmsg_len);
	reply_free(&reply);
	reply_error(&reply, &request.header, PORT, 0, false);
	assert_int_equal(message(0)->nlmsg_len, MNL_NLMSG_HDRLEN + sizeof(*error));
	assert_true(message(0)->nlmsg_flags & NLM_F_CAPPED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		CASE(a_dump_of_links_has_ours_after_the_kernels),
		CASE(a_dump_of_links_is_filtered),
		CASE(a_link_is_found_by_number_and_by_name),
		CASE(a_link_is_changed),
		CASE(the_kernels_interfaces_are_the_kernels),
		CASE(an_address_is_added_shown_and_deleted),
		CASE(addresses_come_family_by_family),
		CASE(an_interface_that_goes_up_gets_a_link_local_address),
		CASE(an_interface_without_carrier_or_with_a_small_mtu_gets_none),
		CASE(how_ipv6_addresses_are_made_can_be_set),
		CASE(a_route_with_several_hops_is_refused),
		CASE(only_a_strict_socket_filters_by_the_kernels_interface),
		CASE(a_wrong_address_is_refused),
		CASE(a_route_is_added_shown_and_deleted),
		CASE(a_route_with_a_gateway_alone_is_ours_if_the_gateway_is),
		CASE(the_same_route_of_another_interface_is_in_the_way),
		CASE(the_route_to_an_address_competes_with_the_kernels),
		CASE(a_neighbour_is_added_shown_and_deleted),
		CASE(a_datagram_fits_into_a_page_and_ends_between_messages),
		CASE(an_error_repeats_the_request),
	};
#undef CASE

	return RUN_TESTS(tests);
}

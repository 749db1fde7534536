/* SPDX-License-Identifier: MIT */
#include "client/netns/rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"

/* Requests have a few attributes; an answer has a copy of the request. */
#define REQUEST_SIZE 512
#define ANSWER_SIZE 1024

/* A request, aligned as libmnl needs it. */
struct request {
	_Alignas(8) char bytes[REQUEST_SIZE];
	struct nlmsghdr *header;
};

int rtnetlink_open(struct rtnetlink *rtnetlink)
{
	rtnetlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	rtnetlink->sequence = 0;
	return rtnetlink->fd < 0 ? -1 : 0;
}

void rtnetlink_close(struct rtnetlink *rtnetlink)
{
	descriptor_close(&rtnetlink->fd);
}

/* ------------------------------------------------------------------------------ requests */

/* Begin a request. Return its fixed part, which is zero. */
static void *request_begin(struct request *request, uint16_t type, uint16_t flags, size_t size)
{
	/* libmnl leaves the bytes between attributes as they are. */
	memset(request->bytes, 0, sizeof(request->bytes));
	request->header = mnl_nlmsg_put_header(request->bytes);
	request->header->nlmsg_type = type;
	request->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return mnl_nlmsg_put_extra_header(request->header, size);
}

/* Begin a request that changes an interface. */
static struct ifinfomsg *link_begin(struct request *request, unsigned int index)
{
	struct ifinfomsg *link = request_begin(request, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = (int)index;
	return link;
}

/* Send the request, and return the kernel's answer. */
static int request_send(struct rtnetlink *rtnetlink, struct request *request)
{
	_Alignas(8) char answer[ANSWER_SIZE];
	ssize_t length;

	request->header->nlmsg_seq = ++rtnetlink->sequence;
	if (send(rtnetlink->fd, request->header, request->header->nlmsg_len, 0) < 0)
		return -1;
	length = recv(rtnetlink->fd, answer, sizeof(answer), 0);
	if (length < 0)
		return -1;
	/* mnl_cb_run() returns -1 with the errno of the answer. */
	return mnl_cb_run(answer, (size_t)length, rtnetlink->sequence, 0, NULL, NULL) < 0 ? -1 : 0;
}

static unsigned char family_of(const struct address *address)
{
	return address->kind == ADDRESS_IPV4 ? AF_INET : AF_INET6;
}

static void put_address(struct request *request, uint16_t type, const struct address *address)
{
	mnl_attr_put(request->header, type, address_bits(address) / 8, address->bytes);
}

/* ------------------------------------------------------------------------------ links */

int rtnetlink_set_name(struct rtnetlink *rtnetlink, unsigned int index, const char *name)
{
	struct request request;

	link_begin(&request, index);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	return request_send(rtnetlink, &request);
}

int rtnetlink_set_mac(struct rtnetlink *rtnetlink, unsigned int index,
		      const unsigned char mac[ETH_ALEN])
{
	struct request request;

	link_begin(&request, index);
	mnl_attr_put(request.header, IFLA_ADDRESS, ETH_ALEN, mac);
	return request_send(rtnetlink, &request);
}

int rtnetlink_set_mtu(struct rtnetlink *rtnetlink, unsigned int index, uint32_t mtu)
{
	struct request request;

	link_begin(&request, index);
	mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
	return request_send(rtnetlink, &request);
}

int rtnetlink_set_up(struct rtnetlink *rtnetlink, unsigned int index)
{
	struct request request;
	struct ifinfomsg *link = link_begin(&request, index);

	link->ifi_flags = link->ifi_change = IFF_UP;
	return request_send(rtnetlink, &request);
}

int rtnetlink_refuse_link_local(struct rtnetlink *rtnetlink, unsigned int index)
{
	struct request request;
	struct nlattr *families, *ipv6;

	link_begin(&request, index);
	families = mnl_attr_nest_start(request.header, IFLA_AF_SPEC);
	ipv6 = mnl_attr_nest_start(request.header, AF_INET6);
	mnl_attr_put_u8(request.header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(request.header, ipv6);
	mnl_attr_nest_end(request.header, families);
	return request_send(rtnetlink, &request);
}

/* ------------------------------------------------------------------------------ addresses */

/* Return the IPv4 address of all hosts within the prefix. */
static struct address broadcast_of(const struct address *address, unsigned int prefix_length)
{
	struct address all = *address;

	all.ipv4.s_addr |= htonl(UINT32_MAX >> prefix_length);
	return all;
}

int rtnetlink_add_address(struct rtnetlink *rtnetlink, unsigned int index,
			  const struct address *address, unsigned int prefix_length)
{
	struct request request;
	struct ifaddrmsg *message =
		request_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));

	message->ifa_family = family_of(address);
	message->ifa_prefixlen = (unsigned char)prefix_length;
	message->ifa_index = index;
	put_address(&request, IFA_LOCAL, address);
	put_address(&request, IFA_ADDRESS, address);
	if (address->kind == ADDRESS_IPV6) {
		message->ifa_flags = IFA_F_NODAD;
	} else if (prefix_length < 31) { /* a longer one has no such address: RFC 3021 */
		struct address broadcast = broadcast_of(address, prefix_length);

		put_address(&request, IFA_BROADCAST, &broadcast);
	}
	return request_send(rtnetlink, &request);
}

int rtnetlink_add_gateway(struct rtnetlink *rtnetlink, unsigned int index,
			  const struct address *gateway)
{
	struct request request;
	struct rtmsg *message =
		request_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));

	message->rtm_family = family_of(gateway);
	message->rtm_table = RT_TABLE_MAIN;
	message->rtm_protocol = RTPROT_STATIC;
	message->rtm_scope = RT_SCOPE_UNIVERSE;
	message->rtm_type = RTN_UNICAST;
	put_address(&request, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(request.header, RTA_OIF, index);
	return request_send(rtnetlink, &request);
}

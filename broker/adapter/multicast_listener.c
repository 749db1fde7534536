/* SPDX-License-Identifier: MIT */
#include "broker/adapter/multicast_listener.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"

/* RFC 3810, 5: all messages of MLD are sent with this hop limit. */
#define HOP_LIMIT 1

/* The type of a report: RFC 3810, 5.2. */
#define MLDV2_REPORT 143

/* A hop-by-hop header with the router alert option for MLD (RFC 2711) and two bytes of padding. */
struct router_alert {
	uint8_t next, units;
	uint8_t type, size;
	uint16_t value; /* 0: MLD */
	uint8_t padding[2];
};

struct report {
	uint8_t type, reserved;
	uint16_t checksum;
	uint16_t reserved2;
	uint16_t count;
	struct {
		uint8_t type, auxiliary_units;
		uint16_t sources;
		struct in6_addr group;
	} records[MULTICAST_REPORT_GROUPS_MAX];
};

_Static_assert(sizeof(struct router_alert) == 8, "as on the wire");
_Static_assert(sizeof(struct report) == 8 + MULTICAST_REPORT_GROUPS_MAX * 20, "as on the wire");

static const struct address all_routers = {
	.bytes = {0xff, 0x02, [15] = 0x16}, /* all MLDv2-capable routers */
	.kind = ADDRESS_IPV6,
};

/* Return whether the hop-by-hop header, of `length` bytes, has the router alert option. */
static bool options_have_alert(const unsigned char *header, size_t length)
{
	size_t at = 2;

	while (at < length) {
		if (header[at] == IP6OPT_PAD1) {
			at++;
			continue;
		}
		if (length - at < 2)
			return false;
		if (header[at] == IP6OPT_ROUTER_ALERT)
			return true;
		at += 2 + (size_t)header[at + 1];
	}
	return false;
}

/* Check the headers before an MLD message: RFC 3810, 6.2. */
static bool query_headers_are_valid(const struct frame_view *view, const unsigned char *frame,
				    size_t length)
{
	size_t options = view->network + sizeof(struct ip6_hdr);
	struct ip6_hdr ip;

	memcpy(&ip, frame + view->network, sizeof(ip));
	return ip.ip6_hlim == HOP_LIMIT && IN6_IS_ADDR_LINKLOCAL(&ip.ip6_src) &&
	       ip.ip6_nxt == IPPROTO_HOPOPTS && !view->fragment && !view->cut &&
	       options_have_alert(frame + options, 8 * (size_t)(frame[options + 1] + 1)) &&
	       frame_view_checksums_are_valid(view, frame, length);
}

bool multicast_query_read(struct address *group, const unsigned char *frame, size_t length)
{
	struct mld_hdr query;
	struct frame_view view;

	if (frame_view_parse(&view, MEMTUN_TAP, frame, length) < 0 || view.kind != FRAME_ICMPV6 ||
	    view.payload + view.payload_length - (size_t)view.transport < sizeof(query))
		return false;
	memcpy(&query, frame + view.transport, sizeof(query));
	if (query.mld_type != MLD_LISTENER_QUERY || query.mld_code != 0 ||
	    !query_headers_are_valid(&view, frame, length))
		return false;
	*group = address_ipv6(&query.mld_addr);
	return true;
}

size_t multicast_report_write(unsigned char frame[MULTICAST_REPORT_SIZE],
			      const unsigned char mac[ETH_ALEN], const struct address *from,
			      const struct address groups[], unsigned int count,
			      enum multicast_record type)
{
	static const struct in6_addr unspecified = IN6ADDR_ANY_INIT;
	const struct in6_addr *source = from ? &from->ipv6 : &unspecified;
	const struct router_alert alert = {
		.next = IPPROTO_ICMPV6,
		.type = IP6OPT_ROUTER_ALERT,
		.size = sizeof(alert.value),
		.padding = {IP6OPT_PADN, 0},
	};
	struct report report = {.type = MLDV2_REPORT, .count = htons((uint16_t)count)};
	size_t size = sizeof(report) - sizeof(report.records) + count * sizeof(report.records[0]);
	unsigned char to_mac[ETH_ALEN];
	unsigned char *at = frame;
	uint32_t sum;

	for (unsigned int i = 0; i < count; i++) {
		report.records[i].type = (uint8_t)type;
		report.records[i].group = groups[i].ipv6;
	}
	sum = checksum_pseudo_ipv6(source, &all_routers.ipv6, IPPROTO_ICMPV6, (uint32_t)size);
	report.checksum = checksum_fold(checksum_add(sum, &report, size));
	address_multicast_mac(&all_routers, to_mac);
	at += frame_build_ethernet(at, ETH_HLEN, mac, to_mac, -1, ETH_P_IPV6);
	at += frame_build_ipv6(at, sizeof(struct ip6_hdr), source, &all_routers.ipv6,
			       IPPROTO_HOPOPTS, HOP_LIMIT, sizeof(alert) + size);
	memcpy(at, &alert, sizeof(alert));
	memcpy(at + sizeof(alert), &report, size);
	return ETH_HLEN + sizeof(struct ip6_hdr) + sizeof(alert) + size;
}

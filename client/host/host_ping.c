/* SPDX-License-Identifier: MIT */
/*
 * lwIP sends and receives the messages by a raw PCB, which gets all ICMP messages before lwIP
 * itself does. A PCB gets them with their IP header, and unchecked.
 */
#include "client/host/host_ping.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/raw.h>

#include "client/host/host_interface.h"
#include "client/host/ping_text.h"
#include "common/address.h"
#include "common/clock.h"
#include "common/exit_status.h"

/*
 * The kernel tells ping(8) that a host has no neighbour. lwIP does not, so this file looks in
 * lwIP's cache of neighbours as long after the request as the kernel tries: three seconds.
 */

/* As ucast_solicit and retrans_time of the kernel's neighbours. */
#define UNREACHABLE_AFTER (3 * CLOCK_SECOND)

/* The time to live of requests, as that of the kernel. */
#define PING_TTL 64

/* An echo message, and what an error begins with: the same for ICMP and ICMPv6. */
struct echo {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id, sequence;
};

struct request {
	int64_t sent; /* 0: not yet */
	bool answered, failed;
};

static struct {
	const char *target;
	uint64_t count; /* 0: no limit */
	uint64_t size, interval, linger, deadline, quiet;
	struct host_interface *interface;
	struct raw_pcb *pcb;
	ip_addr_t address;
	bool is_ipv6;
	uint16_t id;
	int64_t began, next, last; /* the start, the next request, the last one */
	uint64_t acknowledged;     /* the highest sequence number of a reply */
	uint64_t checked;          /* requests up to here are not overdue, or have an answer */
	struct request requests[UINT16_MAX + 1]; /* by sequence number */
	struct ping_statistics statistics;
} ping;

int host_ping_set(const char *key, const char *value)
{
	const struct {
		const char *key;
		uint64_t *number;
	} numbers[] = {{"count", &ping.count},       {"size", &ping.size},
		       {"interval", &ping.interval}, {"linger", &ping.linger},
		       {"deadline", &ping.deadline}, {"quiet", &ping.quiet}};

	if (strcmp(key, "ping") == 0) {
		ping.target = value;
		return 0;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].number = strtoull(value, NULL, 10);
			return 0;
		}
	}
	return -1;
}

bool host_ping_is_set(void)
{
	return ping.target != NULL;
}

/* ------------------------------------------------------------------------------ receiving */

/* Return the address as text, until the next call. */
static const char *address_text(const ip_addr_t *from)
{
	static char text[ADDRESS_TEXT_SIZE];
	struct address address;

	/* Without the zone: there is one interface. */
	if (IP_IS_V6(from))
		address = address_ipv6(ip_2_ip6(from)->addr);
	else
		address = address_ipv4(&ip_2_ip4(from)->addr);
	return address_format(&address, text);
}

static void statistics_add(int64_t time)
{
	struct ping_statistics *statistics = &ping.statistics;

	if (statistics->received + statistics->duplicates == 1 || time < statistics->min)
		statistics->min = time;
	if (time > statistics->max)
		statistics->max = time;
	statistics->sum += (double)time;
	statistics->sum_of_squares += (double)time * (double)time;
}

static void reply_take(struct ping_reply *reply, uint16_t sequence, int64_t now)
{
	struct request *request = &ping.requests[sequence];

	reply->sequence = sequence;
	reply->time = request->sent ? now - request->sent : -1;
	if (reply->bad_checksum) {
		ping.statistics.corrupted++;
	} else if (request->answered || !request->sent) {
		reply->duplicate = true;
		ping.statistics.duplicates++;
	} else {
		ping.statistics.received++;
	}
	request->answered |= !reply->bad_checksum;
	if ((uint16_t)(sequence - (uint16_t)ping.acknowledged) < UINT16_MAX / 2)
		ping.acknowledged += (uint16_t)(sequence - (uint16_t)ping.acknowledged);
	if (reply->time >= 0 && !reply->bad_checksum)
		statistics_add(reply->time);
	if (!ping.quiet)
		ping_print_reply(reply);
}

/* Take an error about one of the requests, whose echo message is at `at` of the packet. */
static void error_take(const struct pbuf *packet, size_t at, const struct echo *error,
		       const ip_addr_t *from)
{
	uint16_t sequence;
	struct echo echo;
	uint32_t rest;

	if (pbuf_copy_partial(packet, &echo, sizeof(echo), (u16_t)at) != sizeof(echo) ||
	    echo.type != (ping.is_ipv6 ? ICMP6_TYPE_EREQ : ICMP_ECHO) || echo.id != ping.id)
		return;
	sequence = ntohs(echo.sequence);
	memcpy(&rest, &error->id, sizeof(rest));
	ping.statistics.errors++;
	ping.requests[sequence].failed = true;
	if (!ping.quiet)
		ping_print_error(ping.is_ipv6, address_text(from), sequence, error->type,
				 error->code, ntohl(rest));
}

static bool type_is_error(uint8_t type)
{
	if (ping.is_ipv6)
		return type < ICMP6_TYPE_EREQ; /* RFC 4443, 2.1 */
	return type == ICMP_DUR || type == ICMP_TE || type == ICMP_PP;
}

/* Return the length of the IP header at that byte. */
static size_t ip_length(const struct pbuf *packet, size_t at)
{
	return ping.is_ipv6 ? IP6_HLEN : (size_t)(pbuf_get_at(packet, (u16_t)at) & 0xf) * 4;
}

/* Return whether the checksum of the message, which begins at payload, is right. */
static bool checksum_is_right(struct pbuf *message, const ip_addr_t *from)
{
	if (!ping.is_ipv6)
		return inet_chksum_pbuf(message) == 0;
	return ip6_chksum_pseudo(message, IP6_NEXTH_ICMP6, message->tot_len, ip_2_ip6(from),
				 ip6_current_dest_addr()) == 0;
}

static u8_t message_received(void *context, struct raw_pcb *pcb, struct pbuf *packet,
			     const ip_addr_t *from)
{
	static uint8_t data[UINT16_MAX];
	size_t header = ping.is_ipv6 ? ip_current_header_tot_len() : ip_length(packet, 0);
	int64_t now = clock_now();
	struct ping_reply reply = {.data = data, .expected = ping.size};
	struct echo echo;

	LWIP_UNUSED_ARG(context);
	LWIP_UNUSED_ARG(pcb);
	if (pbuf_copy_partial(packet, &echo, sizeof(echo), (u16_t)header) != sizeof(echo))
		return 0;
	if (type_is_error(echo.type)) {
		size_t inner = header + sizeof(echo);

		error_take(packet, inner + ip_length(packet, inner), &echo, from);
		return 0;
	}
	if (echo.type != (ping.is_ipv6 ? ICMP6_TYPE_EREP : ICMP_ER) || echo.id != ping.id)
		return 0;
	reply.from = address_text(from);
	reply.ttl = pbuf_get_at(packet, ping.is_ipv6 ? 7 : 8); /* of the IP header */
	reply.different_address = !ip_addr_ismulticast(&ping.address) &&
				  !ip_addr_isbroadcast(&ping.address, &ping.interface->netif) &&
				  !ip_addr_cmp_zoneless(from, &ping.address);
	pbuf_remove_header(packet, header);
	reply.length = packet->tot_len;
	reply.bad_checksum = !checksum_is_right(packet, from);
	reply.data_length = pbuf_copy_partial(packet, data, (u16_t)ping.size, sizeof(echo));
	pbuf_add_header_force(packet, header);
	reply_take(&reply, ntohs(echo.sequence), now);
	return 0;
}

/* ------------------------------------------------------------------------------ sending */

static void ping_send(void)
{
	uint16_t sequence = (uint16_t)(ping.statistics.sent + 1);
	struct echo echo = {
		.type = ping.is_ipv6 ? ICMP6_TYPE_EREQ : ICMP_ECHO,
		.id = ping.id,
		.sequence = htons(sequence),
	};
	struct pbuf *message = pbuf_alloc(PBUF_IP, (u16_t)(sizeof(echo) + ping.size), PBUF_RAM);
	err_t error = ERR_MEM;
	uint8_t *at;

	ping.statistics.sent++;
	ping.last = clock_now();
	ping.requests[sequence] = (struct request){.sent = ping.last};
	if (ping.statistics.sent - ping.acknowledged > ping.statistics.pipe)
		ping.statistics.pipe = ping.statistics.sent - ping.acknowledged;
	if (message) {
		at = message->payload;
		for (size_t i = 0; i < ping.size; i++)
			at[sizeof(echo) + i] = (uint8_t)i;
		memcpy(at, &echo, sizeof(echo));
		/* lwIP's PCB computes the checksum of ICMPv6, which has the addresses in it. */
		if (!ping.is_ipv6) {
			echo.checksum = inet_chksum(at, message->len);
			memcpy(at, &echo, sizeof(echo));
		}
		error = raw_sendto(ping.pcb, message, &ping.address);
		pbuf_free(message);
	}
	if (error == ERR_OK)
		return;
	fprintf(stderr, "memtun: cannot send: %s\n",
		error == ERR_RTE ? "Network is unreachable" : lwip_strerr(error));
	ping.requests[sequence].failed = true;
	ping.statistics.errors++;
}

/* Report the requests that waited in vain for a MAC address. */
static void ping_report_unreachable(int64_t now)
{
	const ip_addr_t *own = ping.is_ipv6 ? ip6_select_source_address(&ping.interface->netif,
									ip_2_ip6(&ping.address))
					    : netif_ip_addr4(&ping.interface->netif);
	bool resolved = host_interface_has_neighbour(ping.interface, &ping.address);

	for (; ping.checked < ping.statistics.sent; ping.checked++) {
		struct request *request = &ping.requests[(uint16_t)(ping.checked + 1)];

		if (now - request->sent < UNREACHABLE_AFTER)
			return;
		if (request->answered || request->failed || resolved || !own)
			continue;
		request->failed = true;
		ping.statistics.errors++;
		if (!ping.quiet)
			ping_print_error(ping.is_ipv6, address_text(own),
					 (uint16_t)(ping.checked + 1),
					 ping.is_ipv6 ? ICMP6_TYPE_DUR : ICMP_DUR,
					 ping.is_ipv6 ? ICMP6_DUR_ADDRESS : ICMP_DUR_HOST, 0);
	}
}

/* ------------------------------------------------------------------------------ in time */

static bool ping_is_all_sent(void)
{
	return ping.count && ping.statistics.sent >= ping.count;
}

/* Return when the last reply is no longer awaited: twice the longest round trip, but at least an
 * interval, after the last request, as ping(8) does. */
static int64_t ping_last_at(void)
{
	int64_t wait = 2 * ping.statistics.max;

	if (!ping.statistics.received)
		wait = (int64_t)ping.linger * CLOCK_MILLISECOND;
	else if (wait < (int64_t)ping.interval * CLOCK_MILLISECOND)
		wait = (int64_t)ping.interval * CLOCK_MILLISECOND;
	return ping.last + wait;
}

static bool ping_is_over(int64_t now)
{
	const struct ping_statistics *statistics = &ping.statistics;

	if (ping.count && statistics->received + statistics->errors >= ping.count)
		return true;
	if (ping.deadline)
		return statistics->errors ||
		       now >= ping.began + (int64_t)ping.deadline * CLOCK_MILLISECOND;
	return ping_is_all_sent() && now >= ping_last_at();
}

bool host_ping_turn(void)
{
	int64_t now = clock_now();

	if (ping.interface->ethernet)
		ping_report_unreachable(now);
	if (ping_is_over(now))
		return false;
	/* With a deadline, ping(8) sends until it has received `count` replies. */
	if (now < ping.next || (ping_is_all_sent() && !ping.deadline))
		return true;
	ping_send();
	ping.next += (int64_t)ping.interval * CLOCK_MILLISECOND;
	if (ping.next < now)
		ping.next = now;
	return true;
}

int host_ping_timeout(void)
{
	int64_t now = clock_now(), at = ping.next;

	if (ping_is_all_sent() && !ping.deadline)
		at = ping_last_at();
	if (ping.deadline && at > ping.began + (int64_t)ping.deadline * CLOCK_MILLISECOND)
		at = ping.began + (int64_t)ping.deadline * CLOCK_MILLISECOND;
	if (ping.checked < ping.statistics.sent) {
		int64_t check =
			ping.requests[(uint16_t)(ping.checked + 1)].sent + UNREACHABLE_AFTER;

		at = check < at ? check : at;
	}
	if (at <= now)
		return 0;
	at = (at - now + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND;
	return at < INT_MAX ? (int)at : INT_MAX;
}

int host_ping_end(void)
{
	ping.statistics.elapsed = ping.last - ping.began;
	ping_print_statistics(ping.target, &ping.statistics);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "memtun: cannot write standard output: %s\n", strerror(errno));
		return EXIT_REFUSED;
	}
	if (!ping.statistics.received || (ping.deadline && ping.statistics.received < ping.count))
		return EXIT_REFUSED;
	return EXIT_SUCCESS;
}

int host_ping_start(struct host_interface *interface)
{
	ping.interface = interface;
	if (!ipaddr_aton(ping.target, &ping.address))
		return -1;
	ping.is_ipv6 = IP_IS_V6(&ping.address);
	if (ping.is_ipv6)
		ip6_addr_assign_zone(ip_2_ip6(&ping.address), IP6_UNKNOWN, &interface->netif);
	ping.pcb = raw_new_ip_type(ping.is_ipv6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4,
				   ping.is_ipv6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
	if (!ping.pcb)
		return -1;
	ping.pcb->ttl = PING_TTL;
	ping.pcb->chksum_reqd = ping.is_ipv6;
	ping.pcb->chksum_offset = offsetof(struct echo, checksum);
	ip_set_option(ping.pcb, SOF_BROADCAST);
	raw_recv(ping.pcb, message_received, NULL);
	ping.id = (uint16_t)getpid();
	ping.began = clock_now();
	ping.next = ping.began;
	ping.last = ping.began;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ping_print_start(ping.target, ping.is_ipv6, ping.size);
	return 0;
}

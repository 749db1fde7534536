/* SPDX-License-Identifier: MIT */
#include "client/host/ping_text.h"

#include <inttypes.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>

#define MICROSECOND 1000

/* Bytes of data in one line of a dump. */
#define DUMP_BYTES 32

/* Bytes that ping(8) says for IPv4 besides the data: the headers of IP and ICMP. */
#define IPV4_HEADERS 28

void ping_print_start(const char *target, bool is_ipv6, size_t size)
{
	if (is_ipv6)
		printf("PING %s(%s) %zu data bytes\n", target, target, size);
	else
		printf("PING %s (%s) %zu(%zu) bytes of data.\n", target, target, size,
		       size + IPV4_HEADERS);
}

/* ------------------------------------------------------------------------------ replies */

/* Print a time with three digits, or all of them if it is longer. */
static void print_time(int64_t time)
{
	int64_t us = time / MICROSECOND;

	if (us >= 100000)
		printf(" time=%" PRId64 " ms", (us + 500) / 1000);
	else if (us >= 10000)
		printf(" time=%" PRId64 ".%01" PRId64 " ms", us / 1000, us % 1000 / 100);
	else if (us >= 1000)
		printf(" time=%" PRId64 ".%02" PRId64 " ms", us / 1000, us % 1000 / 10);
	else
		printf(" time=0.%03" PRId64 " ms", us);
}

/* Print the first byte that is wrong, and all of the data. */
static void print_wrong_data(const struct ping_reply *reply)
{
	size_t i = 0;

	while (i < reply->data_length && reply->data[i] == (i & 0xff))
		i++;
	if (i == reply->data_length)
		return;
	printf("\nwrong data byte #%zu should be 0x%x but was 0x%x", i, (unsigned int)(i & 0xff),
	       reply->data[i]);
	for (i = 0; i < reply->data_length; i++) {
		if (i % DUMP_BYTES == 0)
			printf("\n#%zu\t", i);
		printf("%x ", reply->data[i]);
	}
}

void ping_print_reply(const struct ping_reply *reply)
{
	printf("%zu bytes from %s: icmp_seq=%u ttl=%u", reply->length, reply->from, reply->sequence,
	       reply->ttl);
	if (reply->data_length < reply->expected)
		printf(" (truncated)");
	if (reply->time >= 0)
		print_time(reply->time);
	if (reply->duplicate)
		printf(" (DUP!)");
	if (reply->bad_checksum)
		printf(" (BAD CHECKSUM!)");
	if (reply->different_address)
		printf(" (DIFFERENT ADDRESS!)");
	print_wrong_data(reply);
	putchar('\n');
}

/* ------------------------------------------------------------------------------ errors */

static const char *words_at(const char *const words[], size_t count, unsigned int index)
{
	return index < count ? words[index] : NULL;
}

#define WORD(words, index) words_at(words, sizeof(words) / sizeof((words)[0]), index)

static void print_ipv4_error(unsigned int type, unsigned int code, uint32_t rest)
{
	static const char *const unreachable[] = {
		"Destination Net Unreachable",
		"Destination Host Unreachable",
		"Destination Protocol Unreachable",
		"Destination Port Unreachable",
		NULL,
		"Source Route Failed",
		"Destination Net Unknown",
		"Destination Host Unknown",
		"Source Host Isolated",
		"Destination Net Prohibited",
		"Destination Host Prohibited",
		"Destination Net Unreachable for Type of Service",
		"Destination Host Unreachable for Type of Service",
		"Packet filtered",
		"Precedence Violation",
		"Precedence Cutoff",
	};

	if (type == ICMP_UNREACH && code == ICMP_UNREACH_NEEDFRAG)
		printf("Frag needed and DF set (mtu = %u)", rest & 0xffff);
	else if (type == ICMP_UNREACH && WORD(unreachable, code))
		printf("%s", WORD(unreachable, code));
	else if (type == ICMP_UNREACH)
		printf("Dest Unreachable, Bad Code: %u", code);
	else if (type == ICMP_TIMXCEED)
		printf("%s", code == 0 ? "Time to live exceeded" : "Frag reassembly time exceeded");
	else if (type == ICMP_PARAMPROB)
		printf("Parameter problem: pointer = %u", rest >> 24);
	else
		printf("Bad ICMP type: %u", type);
}

static void print_ipv6_error(unsigned int type, unsigned int code, uint32_t rest)
{
	static const char *const unreachable[] = {
		"No route",
		"Administratively prohibited",
		"Beyond scope of source address",
		"Address unreachable",
		"Port unreachable",
		"Source address failed ingress/egress policy",
		"Reject route to destination",
	};
	static const char *const problems[] = {"Wrong header field ", "Unknown header ",
					       "Unknown option "};

	if (type == ICMP6_DST_UNREACH && WORD(unreachable, code))
		printf("Destination unreachable: %s", WORD(unreachable, code));
	else if (type == ICMP6_DST_UNREACH)
		printf("Destination unreachable: Unknown code %u", code);
	else if (type == ICMP6_PACKET_TOO_BIG)
		printf("Packet too big: mtu=%u", rest);
	else if (type == ICMP6_TIME_EXCEEDED)
		printf("Time exceeded: %s", code == 0 ? "Hop limit" : "Defragmentation failure");
	else if (type == ICMP6_PARAM_PROB)
		printf("Parameter problem: %sat %u",
		       WORD(problems, code) ? WORD(problems, code) : "", rest);
	else
		printf("unknown icmp type: %u", type);
}

void ping_print_error(bool is_ipv6, const char *from, unsigned int sequence, unsigned int type,
		      unsigned int code, uint32_t rest)
{
	printf("From %s icmp_seq=%u ", from, sequence);
	if (is_ipv6)
		print_ipv6_error(type, code, rest);
	else
		print_ipv4_error(type, code, rest);
	putchar('\n');
}

/* ------------------------------------------------------------------------------ the end */

/* Return the integer part of a square root. */
static int64_t square_root(double number)
{
	int64_t low = 0, high = INT64_C(1) << 31;

	while (low < high) {
		int64_t middle = (low + high + 1) / 2;

		if ((double)middle * (double)middle <= number)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void print_ms(int64_t us, const char *after)
{
	printf("%" PRId64 ".%03" PRId64 "%s", us / 1000, us % 1000, after);
}

static void print_round_trips(const struct ping_statistics *statistics)
{
	double count = (double)(statistics->received + statistics->duplicates);
	double average = statistics->sum / count;
	double variance = statistics->sum_of_squares / count - average * average;

	printf("rtt min/avg/max/mdev = ");
	print_ms(statistics->min / MICROSECOND, "/");
	print_ms((int64_t)average / MICROSECOND, "/");
	print_ms(statistics->max / MICROSECOND, "/");
	print_ms(square_root(variance / MICROSECOND / MICROSECOND), " ms");
}

void ping_print_statistics(const char *target, const struct ping_statistics *statistics)
{
	uint64_t sent = statistics->sent, received = statistics->received;

	printf("\n--- %s ping statistics ---\n%" PRIu64 " packets transmitted, %" PRIu64
	       " received",
	       target, sent, received);
	if (statistics->duplicates)
		printf(", +%" PRIu64 " duplicates", statistics->duplicates);
	if (statistics->corrupted)
		printf(", +%" PRIu64 " corrupted", statistics->corrupted);
	if (statistics->errors)
		printf(", +%" PRIu64 " errors", statistics->errors);
	if (sent)
		printf(", %g%% packet loss, time %" PRId64 "ms",
		       (double)(float)((double)(sent - received) * 100.0 / (double)sent),
		       statistics->elapsed / (1000 * MICROSECOND));
	putchar('\n');
	if (received)
		print_round_trips(statistics);
	if (statistics->pipe > 1)
		printf("%spipe %" PRIu64, received ? ", " : "", statistics->pipe);
	putchar('\n');
}

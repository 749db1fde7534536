/* SPDX-License-Identifier: MIT */
/*
 * memtun ping: joins a bridge with a tunnel of its own, and becomes memtun-host, which sends ICMP
 * echo requests on it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/host_program.h"
#include "client/command/options_parse.h"
#include "common/clock.h"
#include "common/descriptor.h"

/* Bytes of data: the default of ping(8), and what lwIP's 16 bits have room for besides headers. */
#define SIZE_DEFAULT 56
#define SIZE_MAX_ECHO 65000

/* Milliseconds: how long ping(8) waits for the last reply. */
#define LINGER_DEFAULT 10000

#define NUMBER_SIZE 24

struct ping {
	const char *where; /* NAME or BRIDGE */
	struct memtun_options *options;
	struct host_program program;
	char from[ADDRESS_TEXT_SIZE + sizeof("/128")]; /* the default of --from */
	char numbers[5][NUMBER_SIZE];
	char bridge[MEMTUN_NAME_SIZE];
	uint64_t mode, vlan;
	bool is_port;
};

/* ------------------------------------------------------------------------------ command line */

/*
 * Write the address to send from if none is given: in the target's network, with prefix 24 or 64,
 * the last host number, or the one before if that is the target.
 */
static void ping_choose_from(struct ping *ping, const struct address *target)
{
	struct address from = *target;
	char text[ADDRESS_TEXT_SIZE];

	if (target->kind == ADDRESS_IPV4) {
		from.bytes[3] = target->bytes[3] == 254 ? 253 : 254;
		snprintf(ping->from, sizeof(ping->from), "%s/24", address_format(&from, text));
		return;
	}
	/* From a link-local address the host sends to one, so this one has no part in it. */
	if (address_is_link_local(target) || !address_is_host(target))
		memcpy(from.bytes, (const unsigned char[8]){0xfd}, 8);
	memset(from.bytes + 8, 0xff, 8);
	from.bytes[15] = target->bytes[15] == 0xfe ? 0xfd : 0xfe;
	snprintf(ping->from, sizeof(ping->from), "%s/64", address_format(&from, text));
}

/* Add the number for memtun-host. */
static void ping_add_number(struct ping *ping, int index, const char *key, uint64_t number)
{
	snprintf(ping->numbers[index], NUMBER_SIZE, "%" PRIu64, number);
	host_program_add(&ping->program, key, ping->numbers[index]);
}

/* Check the target against -4 and -6. 0, or EXIT_USAGE after a message. */
static int family_check(const struct invocation *invocation, const char *target,
			const struct address *address)
{
	bool is_ipv4 = address->kind == ADDRESS_IPV4;

	if (!options_has(invocation, is_ipv4 ? "-6" : "-4"))
		return 0;
	return command_fail(EXIT_USAGE, "%s: '%s' is an IPv%d address", is_ipv4 ? "-6" : "-4",
			    target, is_ipv4 ? 4 : 6);
}

static int ping_parse(struct ping *ping, const struct invocation *invocation)
{
	const char *target = invocation->words[1], *from = options_value(invocation, "--from");
	const char *gateway = options_value(invocation, "--gateway"), *wrong;
	uint64_t count = 0, size = SIZE_DEFAULT;
	uint64_t interval = CLOCK_SECOND;
	int linger = LINGER_DEFAULT, deadline = 0;
	struct address address;

	ping->where = invocation->words[0];
	if (address_parse(target, strlen(target), &address) < 0)
		return command_fail(EXIT_USAGE, "'%s' is neither an IPv4 nor an IPv6 address",
				    target);
	if (family_check(invocation, target, &address))
		return EXIT_USAGE;
	if (options_number(invocation, "-c", 1, UINT32_MAX, &count) ||
	    options_number(invocation, "-s", 0, SIZE_MAX_ECHO, &size) ||
	    options_time(invocation, "-i", &interval) ||
	    options_milliseconds(invocation, "-W", &linger) ||
	    options_milliseconds(invocation, "-w", &deadline))
		return EXIT_USAGE;
	if (interval < CLOCK_MILLISECOND)
		return command_fail(EXIT_USAGE, "-i takes at least 0.001 seconds");
	if (!from) {
		ping_choose_from(ping, &address);
		from = ping->from;
	}
	if (host_program_add_address(&ping->program, "address", "--from", from) ||
	    (gateway && host_program_add_address(&ping->program, "gateway", "--gateway", gateway)))
		return EXIT_USAGE;
	wrong = host_addresses_check(&ping->program.addresses);
	if (!wrong && (address.kind == ADDRESS_IPV4) != ping->program.addresses.ipv4.is_given)
		wrong = "the addresses are of different families";
	if (wrong)
		return command_fail(EXIT_USAGE, "--from %s: %s", from, wrong);
	host_program_add(&ping->program, "ping", target);
	ping_add_number(ping, 0, "count", count);
	ping_add_number(ping, 1, "size", size);
	ping_add_number(ping, 2, "interval", interval / CLOCK_MILLISECOND);
	ping_add_number(ping, 3, "linger", (uint64_t)linger);
	ping_add_number(ping, 4, "deadline", (uint64_t)deadline);
	if (options_has(invocation, "-q"))
		host_program_add(&ping->program, "quiet", "1");
	return 0;
}

/* ------------------------------------------------------------------------------ the bridge */

static void port_record(const struct memtun_record *record, void *context)
{
	const char *bridge = memtun_record_string(record, "bridge");
	struct ping *ping = context;

	ping->is_port = true;
	if (bridge)
		strlcpy(ping->bridge, bridge, sizeof(ping->bridge));
	memtun_record_number(record, "vlan", &ping->vlan);
}

static void bridge_record(const struct memtun_record *record, void *context)
{
	struct ping *ping = context;

	memtun_record_number(record, "mode", &ping->mode);
}

/* Find the bridge: that of the port with the name, or else the one that has it. -1 with errno. */
static int ping_find(struct ping *ping, struct memtun *memtun)
{
	if (memtun_show(memtun, ping->where, false, port_record, ping) < 0 && errno != ENOENT)
		return -1;
	if (!ping->is_port &&
	    memtun_uplink_show(memtun, ping->where, false, port_record, ping) < 0 &&
	    errno != ENOENT)
		return -1;
	if (!ping->is_port)
		strlcpy(ping->bridge, ping->where, sizeof(ping->bridge));
	if (!ping->bridge[0])
		return 0;
	return memtun_bridge_show(memtun, ping->bridge, bridge_record, ping);
}

/* Set the options of a port of its own. It has the mode of the bridge, which it does not change. */
static int ping_set_options(struct ping *ping)
{
	struct memtun_options *options = ping->options;

	return memtun_options_set(options, "bridge", ping->bridge) < 0 ||
			       memtun_options_set_number(options, "vlan", ping->vlan) < 0 ||
			       (ping->mode &&
				memtun_options_set_number(options, "mode", ping->mode) < 0)
		       ? command_fail(EXIT_REFUSED, "%s", memtun_options_error(options))
		       : 0;
}

static int ping_open(struct memtun *memtun, void *context)
{
	struct ping *ping = context;

	if (strlen(ping->where) >= MEMTUN_NAME_SIZE)
		return command_fail(EXIT_REFUSED, "name '%s' is longer than 15 bytes", ping->where);
	if (ping_find(ping, memtun) < 0)
		return -1;
	/* A tunnel without a bridge, such as one with a peer. */
	if (!ping->bridge[0])
		return host_program_open(&ping->program, memtun, ping->where, ping->options);
	if (ping_set_options(ping))
		return EXIT_REFUSED;
	return host_program_open(&ping->program, memtun, "ping%d", ping->options);
}

static int ping_run(const struct invocation *invocation)
{
	struct ping ping = {.program = {.fd = -1, .ready_fd = -1}};
	int status = ping_parse(&ping, invocation);

	if (status)
		return status;
	ping.options = memtun_options_new();
	if (!ping.options)
		return command_fail(EXIT_REFUSED, "out of memory");
	status = command_connected(invocation, ping_open, &ping);
	memtun_options_free(ping.options);
	if (status == 0)
		status = host_program_exec(&ping.program);
	descriptor_close(&ping.program.fd);
	return status;
}

static const struct command_option ping_options[] = {
	{"-c", 0, "COUNT", "stop after this many replies; default: no limit"},
	{"-i", 0, "TIME", "the time between two requests; default 1s"},
	{"-s", 0, "BYTES", "the data in a request, at most 65000; default 56"},
	{"-W", 0, "TIME", "how long to wait for the last reply; default 10s"},
	{"-w", 0, "TIME", "stop after this time"},
	{"-q", 0, NULL, "print only the first line and the statistics"},
	{"-n", 0, NULL, "print addresses as numbers, which it always does"},
	{"-4", 0, NULL, "only with an IPv4 ADDRESS"},
	{"-6", 0, NULL, "only with an IPv6 ADDRESS"},
	{"--from", 'I', "A/P", "the address to send from; default: one near ADDRESS"},
	{"--gateway", 0, "G", "the next hop of an ADDRESS outside the prefix of --from"},
	{0},
};

const struct command command_ping = {
	.name = "ping",
	.summary = "ping a host on a bridge",
	.usage = "NAME|BRIDGE ADDRESS",
	.about = "NAME is a port of the bridge. ping opens a NAME that is on no bridge.",
	.example = "memtun ping lab 10.0.0.1 -c 3 --from 10.0.0.9/24",
	.options = ping_options,
	.needs = "a NAME or BRIDGE and an ADDRESS",
	.words_min = 2,
	.words_max = 2,
	.run = ping_run,
};

/* SPDX-License-Identifier: MIT */
/* memtun inject: a datagram, a frame in hexadecimal digits, or the frames of a file. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/inject_file.h"
#include "client/command/injection.h"
#include "client/command/options_parse.h"
#include "common/address.h"
#include "common/descriptor.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_format.h"

/* The source of a datagram without --from, the same as in Twisted's test tunnel. */
#define DEFAULT_FROM_IPV4 "10.1.2.3:21345"
#define DEFAULT_FROM_IPV6 "[fd00::1:2:3]:21345"

struct inject {
	struct injection injection;
	const char *to, *from, *text; /* --udp */
	struct sockaddr_storage to_address, from_address;
	const char *hex;
	struct inject_file file; /* --pcap */
	bool allow_drop;
};

static int inject_udp(const struct inject *inject)
{
	unsigned char frame[FRAME_MAX];
	struct frame_udp udp = {
		.to = inject->to_address,
		.from = inject->from_address,
		.to_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		.from_mac = {0x02, 0, 0, 0, 0, 0x01},
		.vlan = -1,
		.ttl = 64,
		.payload = inject->text,
		.payload_length = strlen(inject->text),
	};
	ssize_t length;

	length = frame_build_udp(frame, sizeof(frame), inject->injection.mode, &udp);
	if (length < 0)
		return command_fail(EXIT_REFUSED, "cannot build the datagram: %s", strerror(errno));
	return injection_frame(&inject->injection, frame, (size_t)length);
}

static int hex_digit(char digit)
{
	static const char digits[] = "0123456789abcdef";

	return isxdigit((unsigned char)digit)
		       ? (int)(strchr(digits, tolower((unsigned char)digit)) - digits)
		       : -1;
}

static int inject_hex(const struct inject *inject)
{
	unsigned char frame[FRAME_MAX];
	const char *at = inject->hex;
	size_t length = 0;

	while (*(at += strspn(at, " :\n\t"))) {
		int high = hex_digit(at[0]);
		int low = high < 0 ? -1 : hex_digit(at[1]);

		if (low < 0 || length == sizeof(frame))
			return command_fail(EXIT_USAGE, "--hex: %s",
					    low < 0 ? "not pairs of hexadecimal digits"
						    : "longer than a frame can be");
		frame[length++] = (unsigned char)(high << 4 | low);
		at += 2;
	}
	return length ? injection_frame(&inject->injection, frame, length)
		      : command_fail(EXIT_USAGE, "--hex: no bytes");
}

/* Parse the addresses of --udp. Return the exit status. */
static int addresses_parse(struct inject *inject)
{
	const char *from = inject->from;

	if (socket_address_parse_with_port(inject->to, &inject->to_address) < 0)
		return command_fail(EXIT_USAGE, "--udp %s: not HOST:PORT in numbers", inject->to);
	if (!from)
		from = inject->to_address.ss_family == AF_INET ? DEFAULT_FROM_IPV4
							       : DEFAULT_FROM_IPV6;
	if (socket_address_parse_with_port(from, &inject->from_address) == 0 &&
	    inject->from_address.ss_family == inject->to_address.ss_family)
		return 0;
	return command_fail(EXIT_USAGE, "--from %s: not HOST:PORT in numbers of the same family",
			    from);
}

static int inject_parse(struct inject *inject, const struct invocation *invocation)
{
	*inject = (struct inject){
		.injection.name = invocation->words[0],
		.injection.direction = options_has(invocation, "--as-client") ? MEMTUN_FROM_CLIENT
									      : MEMTUN_TO_CLIENT,
		.injection.fd = -1,
		.to = options_value(invocation, "--udp"),
		.from = options_value(invocation, "--from"),
		.text = invocation->words[1],
		.hex = options_value(invocation, "--hex"),
		.file.injection = &inject->injection,
		.file.path = options_value(invocation, "--pcap"),
		.file.allow_truncated = options_has(invocation, "--allow-truncated"),
		.allow_drop = options_has(invocation, "--allow-drop"),
	};
	if (!!inject->to + !!inject->hex + !!inject->file.path != 1)
		return command_fail(EXIT_USAGE, "inject takes one of --udp, --hex and --pcap");
	if (!inject->to != !inject->text || (inject->from && !inject->to))
		return command_fail(EXIT_USAGE,
				    "--udp HOST:PORT takes a TEXT, and nothing else does");
	if (inject->file.allow_truncated && !inject->file.path)
		return command_fail(EXIT_USAGE, "--allow-truncated goes with --pcap");
	if (inject->to && addresses_parse(inject))
		return EXIT_USAGE;
	return inject_timing_parse(&inject->file.timing, invocation);
}

static int inject_send(struct memtun *memtun, void *context)
{
	struct inject *inject = context;
	int status;

	if (injection_open(&inject->injection, memtun) < 0)
		return -1;
	inject->file.memtun = memtun;
	status = inject->to    ? inject_udp(inject)
		 : inject->hex ? inject_hex(inject)
			       : inject_file(&inject->file);
	return status == 0 ? injection_finish(&inject->injection, inject->allow_drop) : status;
}

static int inject_run(const struct invocation *invocation)
{
	struct inject inject;
	int status = inject_parse(&inject, invocation);

	if (status == 0)
		status = command_connected(invocation, inject_send, &inject);
	descriptor_close(&inject.injection.fd);
	return status;
}

static const struct command_option inject_options[] = {
	{"--udp", 0, "HOST:PORT", "a UDP datagram to this address, with the bytes of TEXT"},
	{"--from", 0, "HOST:PORT", "its source; default: 10.1.2.3:21345"},
	{"--hex", 0, "BYTES", "a frame in hexadecimal digits"},
	{"--pcap", 0, "FILE", "all frames of a pcap or pcapng file; -: standard input"},
	{"--rate", 0, "FRAMES", "with --pcap: frames per second; default: no limit"},
	{"--timing", 0, "WHEN", "with --pcap: original, a factor, or clock"},
	{"--allow-truncated", 0, NULL, "with --pcap: inject what there is of cut frames"},
	{"--allow-drop", 0, NULL, "succeed also if the tunnel drops frames"},
	{"--as-client", 0, NULL, "inject as if the tunnel's client had sent the frames"},
	{0},
};

const struct command command_inject = {
	.name = "inject",
	.summary = "put frames on a tunnel",
	.usage = "NAME --udp HOST:PORT TEXT\n"
		 "NAME --hex BYTES\n"
		 "NAME --pcap FILE",
	.about = "The frames go to the tunnel's client.",
	.example = "memtun inject vm0 --udp 10.0.0.1:7 hello",
	.options = inject_options,
	.needs = "the NAME of a tunnel",
	.words_min = 1,
	.words_max = 2,
	.run = inject_run,
};

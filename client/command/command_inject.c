/* SPDX-License-Identifier: MIT */
/*
 * memtun inject: puts frames on a tunnel, towards its client or as if its client had sent them. The
 * broker takes them as fast as they can be delivered, and drops none for want of room.
 */
#include <ctype.h>
#include <errno.h>
#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "client/command/command.h"
#include "common/descriptor.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_format.h"
#include "memtun.h"

/* Where a datagram comes from unless that is said: as Twisted's tunnel has it. */
#define DEFAULT_FROM_IPV4 "10.1.2.3:21345"
#define DEFAULT_FROM_IPV6 "[fd00::1:2:3]:21345"

struct inject {
	const char *name;
	const char *to, *from, *text; /* --udp */
	const char *hex;
	const char *file; /* --pcap */
	uint64_t rate;    /* frames a second, 0: as fast as they are taken */
	enum memtun_direction direction;
	enum memtun_mode mode;
	int fd;
};

/* ------------------------------------------------------------------------------ one frame */

/* Would the broker take it? Towards a client it takes only what a bridge could forward. */
static bool frame_is_whole(enum memtun_mode mode, const unsigned char *frame, size_t length)
{
	if (mode == MEMTUN_TAP)
		return length >= ETH_HLEN;
	return length >= 20 && (frame[0] >> 4 == 4 || (frame[0] >> 4 == 6 && length >= 40));
}

static int inject_frame(const struct inject *inject, const void *frame, size_t length)
{
	if (inject->direction == MEMTUN_TO_CLIENT && !frame_is_whole(inject->mode, frame, length))
		return command_fail(EXIT_REFUSED, "%zu bytes that are no %s", length,
				    inject->mode == MEMTUN_TAP ? "Ethernet frame" : "IP packet");
	if (send(inject->fd, frame, length, MSG_NOSIGNAL) >= 0)
		return 0;
	return command_fail(EXIT_REFUSED, "cannot inject a frame of %zu bytes into %s: %s", length,
			    inject->name,
			    errno == EPIPE || errno == ECONNRESET ? "it is gone" : strerror(errno));
}

static int inject_udp(const struct inject *inject)
{
	unsigned char frame[FRAME_MAX];
	struct frame_udp udp = {
		.to_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		.from_mac = {0x02, 0, 0, 0, 0, 0x01},
		.vlan = -1,
		.ttl = 64,
		.payload = inject->text,
		.payload_length = strlen(inject->text),
	};
	const char *from = inject->from;
	ssize_t length;

	if (socket_address_parse_with_port(inject->to, &udp.to) < 0)
		return command_fail(EXIT_USAGE, "--udp %s: not HOST:PORT in numbers", inject->to);
	if (!from)
		from = udp.to.ss_family == AF_INET ? DEFAULT_FROM_IPV4 : DEFAULT_FROM_IPV6;
	if (socket_address_parse_with_port(from, &udp.from) < 0 ||
	    udp.from.ss_family != udp.to.ss_family)
		return command_fail(EXIT_USAGE,
				    "--from %s: not HOST:PORT in numbers of the same family", from);
	length = frame_build_udp(frame, sizeof(frame), inject->mode, &udp);
	if (length < 0)
		return command_fail(EXIT_REFUSED, "cannot build the datagram: %s", strerror(errno));
	return inject_frame(inject, frame, (size_t)length);
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
	return length ? inject_frame(inject, frame, length)
		      : command_fail(EXIT_USAGE, "--hex: no bytes");
}

/* ------------------------------------------------------------------------------ a file */

static bool link_type_fits(int link, enum memtun_mode mode)
{
	if (mode == MEMTUN_TAP)
		return link == DLT_EN10MB;
	return link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
}

/* Sleeps until the frame with that number is due. */
static void wait_turn(int64_t started, uint64_t number, uint64_t rate)
{
	int64_t due = started + (int64_t)((double)number * 1e9 / (double)rate);
	struct timespec until = {due / CLOCK_SECOND, due % CLOCK_SECOND};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* A bar on a terminal, four times a second. */
static void show_progress(pcap_t *file, long size, uint64_t frames, bool last)
{
	static int64_t shown;
	long at = size > 0 ? ftell(pcap_file(file)) : 0;
	int width = size > 0 ? (int)(40 * at / size) : 0;

	if (!isatty(STDERR_FILENO) || (!last && clock_now() - shown < CLOCK_SECOND / 4))
		return;
	shown = clock_now();
	fprintf(stderr, "\r[%-40.*s] %llu frames%s", width,
		"########################################", (unsigned long long)frames,
		last ? "\n" : "");
}

static int inject_all(const struct inject *inject, pcap_t *file, long size)
{
	int64_t started = clock_now();
	struct pcap_pkthdr *header;
	const unsigned char *data;
	uint64_t frames = 0;
	int status = 0, read;

	while ((read = pcap_next_ex(file, &header, &data)) == 1 && status == 0) {
		if (inject->rate)
			wait_turn(started, frames, inject->rate);
		status = inject_frame(inject, data, header->caplen);
		frames++;
		show_progress(file, size, frames, false);
	}
	show_progress(file, size, frames, true);
	if (read == PCAP_ERROR && status == 0)
		status = command_fail(EXIT_REFUSED, "%s: %s", inject->file, pcap_geterr(file));
	return status;
}

static int inject_file(const struct inject *inject)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(inject->file, text);
	const char *link;
	FILE *stream;
	long size = 0;
	int status;

	if (!file)
		return command_fail(EXIT_REFUSED, "%s", text);
	link = pcap_datalink_val_to_name(pcap_datalink(file));
	stream = pcap_file(file);
	if (stream) {
		long begin = ftell(stream);

		if (begin >= 0 && fseek(stream, 0, SEEK_END) == 0) {
			size = ftell(stream);
			fseek(stream, begin, SEEK_SET);
		}
	}
	if (link_type_fits(pcap_datalink(file), inject->mode))
		status = inject_all(inject, file, size);
	else
		status = command_fail(EXIT_REFUSED, "%s has link type %s, and %s is a %s",
				      inject->file, link ? link : "unknown", inject->name,
				      inject->mode == MEMTUN_TAP ? "tap" : "tun");
	pcap_close(file);
	return status;
}

/* ------------------------------------------------------------------------------ the command */

static int inject_parse(struct inject *inject, int count, char **words)
{
	*inject = (struct inject){.direction = MEMTUN_TO_CLIENT, .fd = -1};
	for (int i = 0; i < count; i++) {
		const char *value = i + 1 < count ? words[i + 1] : NULL;
		bool takes_value = true;

		if (strcmp(words[i], "--as-client") == 0) {
			inject->direction = MEMTUN_FROM_CLIENT;
			takes_value = false;
		} else if (strcmp(words[i], "--udp") == 0) {
			inject->to = value;
		} else if (strcmp(words[i], "--from") == 0) {
			inject->from = value;
		} else if (strcmp(words[i], "--hex") == 0) {
			inject->hex = value;
		} else if (strcmp(words[i], "--pcap") == 0) {
			inject->file = value;
		} else if (strcmp(words[i], "--rate") == 0) {
			if (value && command_number(words[i], value, 1, 100000000, &inject->rate))
				return EXIT_USAGE;
		} else if (words[i][0] == '-') {
			return command_fail(EXIT_USAGE, "inject has no option %s", words[i]);
		} else {
			takes_value = false;
			if (!inject->name)
				inject->name = words[i];
			else if (!inject->text)
				inject->text = words[i];
			else
				return command_fail(EXIT_USAGE, "what is '%s'?", words[i]);
		}
		if (takes_value && !value)
			return command_fail(EXIT_USAGE, "%s needs a value", words[i]);
		i += takes_value;
	}
	if (!inject->name)
		return command_fail(EXIT_USAGE, "inject needs a NAME; see memtun --help");
	if (!!inject->to + !!inject->hex + !!inject->file != 1)
		return command_fail(EXIT_USAGE, "inject takes one of --udp, --hex and --pcap");
	if (!inject->to != !inject->text || (inject->from && !inject->to))
		return command_fail(EXIT_USAGE,
				    "--udp HOST:PORT takes a TEXT, and nothing else does");
	if (inject->rate && !inject->file)
		return command_fail(EXIT_USAGE, "--rate goes with --pcap");
	return 0;
}

int command_inject(const struct invocation *invocation, int count, char **words)
{
	struct inject inject;
	struct memtun *memtun;
	int status = inject_parse(&inject, count, words);

	if (status != 0)
		return status;
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = command_mode(memtun, inject.name, &inject.mode);
	if (status == 0) {
		inject.fd = memtun_inject(memtun, inject.name, inject.direction);
		if (inject.fd < 0)
			status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	}
	if (status == 0)
		status = inject.to    ? inject_udp(&inject)
			 : inject.hex ? inject_hex(&inject)
				      : inject_file(&inject);
	descriptor_close(&inject.fd);
	memtun_free(memtun);
	return status;
}

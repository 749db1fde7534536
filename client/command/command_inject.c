/* SPDX-License-Identifier: MIT */
/*
 * memtun inject: sends frames to a tunnel's client, or as if the client had sent them. The broker
 * takes frames only as fast as it can deliver them, and drops none because a queue is full.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/inject_timing.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "common/address.h"
#include "common/clock.h"
#include "common/descriptor.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_format.h"
#include "common/frame/frame_segment.h"
#include "memtun.h"

/* The source of a datagram without --from, the same as in Twisted's test tunnel. */
#define DEFAULT_FROM_IPV4 "10.1.2.3:21345"
#define DEFAULT_FROM_IPV6 "[fd00::1:2:3]:21345"

struct inject {
	const char *name;
	const char *to, *from, *text; /* --udp */
	struct sockaddr_storage to_address, from_address;
	const char *hex;
	const char *file; /* --pcap */
	struct inject_timing timing;
	struct memtun *memtun;
	enum memtun_direction direction;
	enum memtun_mode mode;
	uint64_t mtu; /* of frames to the client */
	bool allow_truncated, allow_drop;
	int fd;
};

/* ------------------------------------------------------------------------------ one frame */

/* Return whether the broker takes the frame. It sends a client only what a bridge could forward. */
static bool frame_is_whole(enum memtun_mode mode, const unsigned char *frame, size_t length)
{
	if (mode == MEMTUN_TAP)
		return length >= ETH_HLEN;
	return length >= 20 && (frame[0] >> 4 == 4 || (frame[0] >> 4 == 6 && length >= 40));
}

/* Check that the broker would deliver the frame to the client. Fails with a message. */
static int inject_check(const struct inject *inject, const struct virtio_net_hdr *offload,
			const unsigned char *frame, size_t length)
{
	size_t packet;

	if (!frame_is_whole(inject->mode, frame, length))
		return command_fail(EXIT_REFUSED, "%zu bytes are no %s", length,
				    inject->mode == MEMTUN_TAP ? "Ethernet frame" : "IP packet");
	packet = frame_format_packet_length(inject->mode, frame, length);
	if (packet <= inject->mtu || offload->gso_type)
		return 0;
	return command_fail(EXIT_REFUSED,
			    "a packet of %zu bytes is too long for %s, whose mtu is %u; of the "
			    "packets that were captured before segmentation (GSO), only those "
			    "of TCP in a file can be injected",
			    packet, inject->name, (unsigned int)inject->mtu);
}

/* Inject a frame with its vnet header, which may be empty. */
static int inject_with_header(const struct inject *inject, const struct virtio_net_hdr *offload,
			      const void *frame, size_t length)
{
	struct virtio_net_hdr header = *offload;
	struct iovec parts[2] = {
		{&header, sizeof(header)},
		{(void *)(uintptr_t)frame, length},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (inject->direction == MEMTUN_TO_CLIENT && inject_check(inject, offload, frame, length))
		return EXIT_REFUSED;
	if (sendmsg(inject->fd, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	return command_fail(EXIT_REFUSED, "cannot inject a frame of %zu bytes into %s: %s", length,
			    inject->name,
			    errno == EPIPE || errno == ECONNRESET ? "the tunnel was deleted"
								  : strerror(errno));
}

static int inject_frame(const struct inject *inject, const void *frame, size_t length)
{
	static const struct virtio_net_hdr none;

	return inject_with_header(inject, &none, frame, length);
}

/*
 * Inject a frame of a file. A TCP segment that is longer than the mtu was captured before it was
 * cut, so it becomes a GSO frame again, which the broker cuts for each port that does not take it.
 */
static int inject_captured(const struct inject *inject, const void *data, size_t length)
{
	unsigned char frame[FRAME_MAX];
	struct virtio_net_hdr offload;

	if (length > sizeof(frame) || !frame_is_whole(inject->mode, data, length) ||
	    frame_format_packet_length(inject->mode, data, length) <= inject->mtu)
		return inject_frame(inject, data, length);
	memcpy(frame, data, length);
	if (frame_segment_prepare(inject->mode, frame, length, inject->mtu, &offload) < 0)
		return inject_frame(inject, data, length);
	return inject_with_header(inject, &offload, frame, length);
}

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

/* Draw a bar if standard error is a terminal, at most four times per second. */
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

/*
 * Inject a frame of the file without the frame check sequence that the file's link type announces
 * (pcap-savefile(5): a number of 16-bit words). A frame is cut if its file has fewer bytes than the
 * frame had (a snapshot length).
 */
static int inject_packet(const struct inject *inject, const struct pcap_pkthdr *header,
			 const void *data, int link, uint64_t number)
{
	uint32_t check =
		LT_FCS_LENGTH_PRESENT((uint32_t)link) ? 2 * LT_FCS_LENGTH((uint32_t)link) : 0;
	uint32_t whole = header->len > check ? header->len - check : 0;

	if (header->caplen < whole && !inject->allow_truncated)
		return command_fail(EXIT_REFUSED,
				    "%s: frame %" PRIu64 " is cut: %u of %u bytes are there; "
				    "--allow-truncated injects these",
				    inject->file, number, header->caplen, whole);
	return inject_captured(inject, data, header->caplen < whole ? header->caplen : whole);
}

static int inject_all(struct inject *inject, pcap_t *file, long size)
{
	int link = pcap_datalink_ext(file);
	struct pcap_pkthdr *header;
	const unsigned char *data;
	uint64_t frames = 0;
	int status = 0, read;

	while ((read = pcap_next_ex(file, &header, &data)) == 1 && status == 0) {
		status = inject_timing_wait(&inject->timing, inject->memtun,
					    header->ts.tv_sec * CLOCK_SECOND + header->ts.tv_usec);
		if (status == 0)
			status = inject_packet(inject, header, data, link, ++frames);
		show_progress(file, size, frames, false);
	}
	show_progress(file, size, frames, true);
	if (read == PCAP_ERROR && status == 0)
		status = command_fail(EXIT_REFUSED, "%s: %s", inject->file, pcap_geterr(file));
	return status;
}

static int inject_file(struct inject *inject)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline_with_tstamp_precision(inject->file,
							       PCAP_TSTAMP_PRECISION_NANO, text);
	const char *link;
	FILE *stream;
	long size = 0;
	int status;

	if (!file)
		/* The text has the name only if the file can't be opened. */
		return command_fail(EXIT_REFUSED, "%s%s%s",
				    strstr(text, inject->file) ? "" : inject->file,
				    strstr(text, inject->file) ? "" : ": ", text);
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
		.name = invocation->words[0],
		.to = options_value(invocation, "--udp"),
		.from = options_value(invocation, "--from"),
		.text = invocation->words[1],
		.hex = options_value(invocation, "--hex"),
		.file = options_value(invocation, "--pcap"),
		.direction = options_has(invocation, "--as-client") ? MEMTUN_FROM_CLIENT
								    : MEMTUN_TO_CLIENT,
		.allow_truncated = options_has(invocation, "--allow-truncated"),
		.allow_drop = options_has(invocation, "--allow-drop"),
		.fd = -1,
	};
	if (!!inject->to + !!inject->hex + !!inject->file != 1)
		return command_fail(EXIT_USAGE, "inject takes one of --udp, --hex and --pcap");
	if (!inject->to != !inject->text || (inject->from && !inject->to))
		return command_fail(EXIT_USAGE,
				    "--udp HOST:PORT takes a TEXT, and nothing else does");
	if (inject->allow_truncated && !inject->file)
		return command_fail(EXIT_USAGE, "--allow-truncated goes with --pcap");
	if (inject->to && addresses_parse(inject))
		return EXIT_USAGE;
	return inject_timing_parse(&inject->timing, invocation);
}

static void tunnel_record(const struct memtun_record *record, void *context)
{
	struct inject *inject = context;
	uint64_t mode = 0;

	memtun_record_number(record, "mode", &mode);
	memtun_record_number(record, "mtu", &inject->mtu);
	inject->mode = (enum memtun_mode)mode;
}

/* Add "NUMBER REASON" to the list of reasons. */
static void reason_add(char *text, size_t size, uint64_t number, const char *reason)
{
	size_t length = strlen(text);

	if (number)
		snprintf(text + length, size - length, "%s%" PRIu64 " %s", length ? ", " : "",
			 number, reason);
}

/* Fail with a message that says how many of the frames the tunnel dropped. If the broker has cut
 * frames, the drops are pieces, so the message has the number of pieces too. */
static int inject_report(const struct inject *inject, const struct memtun_inject_result *result,
			 const char *reasons)
{
	uint64_t dropped = result->dropped_no_client + result->dropped_mtu +
			   result->dropped_not_ip + result->dropped_needs_segmentation +
			   result->dropped_refused;
	char pieces[48] = "";

	if (result->offered > result->frames)
		snprintf(pieces, sizeof(pieces), "%" PRIu64 " pieces of ", result->offered);
	return command_fail(EXIT_REFUSED,
			    "%s dropped %" PRIu64 " of %s%" PRIu64
			    " frame%s: %s; --allow-drop accepts that",
			    inject->name, dropped, pieces, result->frames,
			    result->frames == 1 ? "" : "s", reasons);
}

/* Wait until the broker has read all frames, and tell which of them the tunnel dropped. */
static int inject_finish(const struct inject *inject)
{
	struct memtun_inject_result result;
	char reasons[160] = "";
	ssize_t length;

	if (shutdown(inject->fd, SHUT_WR) < 0)
		return command_fail(EXIT_REFUSED, "cannot end the injection: %s", strerror(errno));
	do {
		length = recv(inject->fd, &result, sizeof(result), 0);
	} while (length < 0 && errno == EINTR);
	if (length != sizeof(result))
		return command_fail(EXIT_REFUSED, "%s was deleted, with frames that were not read",
				    inject->name);
	reason_add(reasons, sizeof(reasons), result.dropped_no_client, "no-client");
	reason_add(reasons, sizeof(reasons), result.dropped_mtu, "mtu");
	reason_add(reasons, sizeof(reasons), result.dropped_not_ip, "not-ip");
	reason_add(reasons, sizeof(reasons), result.dropped_needs_segmentation,
		   "needs-segmentation");
	reason_add(reasons, sizeof(reasons), result.dropped_refused, "refused");
	if (!reasons[0] || inject->allow_drop)
		return 0;
	return inject_report(inject, &result, reasons);
}

static int inject_send(struct memtun *memtun, void *context)
{
	struct inject *inject = context;
	int status;

	if (memtun_show(memtun, inject->name, false, tunnel_record, inject) < 0)
		return -1;
	inject->memtun = memtun;
	inject->fd = memtun_inject_vnet(memtun, inject->name, inject->direction);
	if (inject->fd < 0)
		return -1;
	status = inject->to    ? inject_udp(inject)
		 : inject->hex ? inject_hex(inject)
			       : inject_file(inject);
	return status == 0 ? inject_finish(inject) : status;
}

static int inject_run(const struct invocation *invocation)
{
	struct inject inject;
	int status = inject_parse(&inject, invocation);

	if (status == 0)
		status = command_connected(invocation, inject_send, &inject);
	descriptor_close(&inject.fd);
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

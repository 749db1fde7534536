/* SPDX-License-Identifier: MIT */
#include "client/command/injection.h"

#include <errno.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client/command/command.h"
#include "common/frame/frame_format.h"
#include "common/frame/frame_segment.h"
#include "memtun.h"

static void tunnel_record(const struct memtun_record *record, void *context)
{
	struct injection *injection = context;
	uint64_t mode = 0;

	memtun_record_number(record, "mode", &mode);
	memtun_record_number(record, "mtu", &injection->mtu);
	injection->mode = (enum memtun_mode)mode;
}

int injection_open(struct injection *injection, struct memtun *memtun)
{
	if (memtun_show(memtun, injection->name, false, tunnel_record, injection) < 0)
		return -1;
	injection->fd = memtun_inject_vnet(memtun, injection->name, injection->direction);
	return injection->fd < 0 ? -1 : 0;
}

/* Return whether the broker takes the frame. It sends a client only what a bridge could forward. */
static bool frame_is_whole(enum memtun_mode mode, const unsigned char *frame, size_t length)
{
	if (mode == MEMTUN_TAP)
		return length >= ETH_HLEN;
	return length >= 20 && (frame[0] >> 4 == 4 || (frame[0] >> 4 == 6 && length >= 40));
}

/* Check that the broker would deliver the frame to the client. Fails with a message. */
static int injection_check(const struct injection *injection, const struct virtio_net_hdr *offload,
			   const unsigned char *frame, size_t length)
{
	size_t packet;

	if (!frame_is_whole(injection->mode, frame, length))
		return command_fail(EXIT_REFUSED, "%zu bytes are no %s", length,
				    injection->mode == MEMTUN_TAP ? "Ethernet frame" : "IP packet");
	packet = frame_format_packet_length(injection->mode, frame, length);
	if (packet <= injection->mtu || offload->gso_type)
		return 0;
	return command_fail(EXIT_REFUSED,
			    "a packet of %zu bytes is too long for %s, whose mtu is %u; of the "
			    "packets that were captured before segmentation (GSO), only those "
			    "of TCP in a file can be injected",
			    packet, injection->name, (unsigned int)injection->mtu);
}

/* Inject a frame with its vnet header, which may be empty. */
static int injection_send(const struct injection *injection, const struct virtio_net_hdr *offload,
			  const void *frame, size_t length)
{
	struct virtio_net_hdr header = *offload;
	struct iovec parts[2] = {
		{&header, sizeof(header)},
		{(void *)(uintptr_t)frame, length},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (injection->direction == MEMTUN_TO_CLIENT &&
	    injection_check(injection, offload, frame, length))
		return EXIT_REFUSED;
	if (sendmsg(injection->fd, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	return command_fail(EXIT_REFUSED, "cannot inject a frame of %zu bytes into %s: %s", length,
			    injection->name,
			    errno == EPIPE || errno == ECONNRESET ? "the tunnel was deleted"
								  : strerror(errno));
}

int injection_frame(const struct injection *injection, const void *frame, size_t length)
{
	static const struct virtio_net_hdr none;

	return injection_send(injection, &none, frame, length);
}

int injection_captured(const struct injection *injection, const void *data, size_t length)
{
	unsigned char frame[FRAME_MAX];
	struct virtio_net_hdr offload;

	if (length > sizeof(frame) || !frame_is_whole(injection->mode, data, length) ||
	    frame_format_packet_length(injection->mode, data, length) <= injection->mtu)
		return injection_frame(injection, data, length);
	memcpy(frame, data, length);
	if (frame_segment_prepare(injection->mode, frame, length, injection->mtu, &offload) < 0)
		return injection_frame(injection, data, length);
	return injection_send(injection, &offload, frame, length);
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
static int injection_report(const struct injection *injection,
			    const struct memtun_inject_result *result, const char *reasons)
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
			    injection->name, dropped, pieces, result->frames,
			    result->frames == 1 ? "" : "s", reasons);
}

int injection_finish(const struct injection *injection, bool allow_drop)
{
	struct memtun_inject_result result;
	char reasons[160] = "";
	ssize_t length;

	if (shutdown(injection->fd, SHUT_WR) < 0)
		return command_fail(EXIT_REFUSED, "cannot end the injection: %s", strerror(errno));
	do {
		length = recv(injection->fd, &result, sizeof(result), 0);
	} while (length < 0 && errno == EINTR);
	if (length != sizeof(result))
		return command_fail(EXIT_REFUSED, "%s was deleted, with frames that were not read",
				    injection->name);
	reason_add(reasons, sizeof(reasons), result.dropped_no_client, "no-client");
	reason_add(reasons, sizeof(reasons), result.dropped_mtu, "mtu");
	reason_add(reasons, sizeof(reasons), result.dropped_not_ip, "not-ip");
	reason_add(reasons, sizeof(reasons), result.dropped_needs_segmentation,
		   "needs-segmentation");
	reason_add(reasons, sizeof(reasons), result.dropped_refused, "refused");
	if (!reasons[0] || allow_drop)
		return 0;
	return injection_report(injection, &result, reasons);
}

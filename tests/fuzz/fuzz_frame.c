/* SPDX-License-Identifier: MIT */
/*
 * Frames, the headers before them, names and SPECs: all that is parsed byte by byte, except control
 * messages. The input's first byte is the mode (bit 0) and the headers (bits 1 to 3). The rest is
 * the frame with its headers, and is then parsed as a text.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/frame/frame_describe.h"
#include "common/frame/frame_format.h"
#include "common/frame/frame_view.h"
#include "common/spec.h"
#include "common/tunnel_name.h"

static void frame_try(enum memtun_mode mode, const uint8_t *frame, size_t length)
{
	char whole[FRAME_DESCRIPTION_SIZE], cut[16];
	struct frame_view view;
	int described, cut_length;

	if (frame_view_parse(&view, mode, frame, length) == 0) {
		if (view.payload > length || view.payload_length > length - view.payload ||
		    view.network > length ||
		    (view.transport >= 0 && (size_t)view.transport > length))
			abort();
		frame_view_checksums_are_valid(&view, frame, length);
	}
	described = frame_describe(whole, sizeof(whole), mode, frame, length);
	cut_length = frame_describe(cut, sizeof(cut), mode, frame, length);
	if (described < 0 || (size_t)described >= sizeof(whole) || described != cut_length ||
	    strncmp(whole, cut, sizeof(cut) - 1) != 0)
		abort();
}

static void headers_try(const struct frame_format *format, enum memtun_mode mode,
			const uint8_t *data, size_t size)
{
	size_t headers = frame_format_size(format);
	unsigned char again[FRAME_FORMAT_MAX];
	struct virtio_net_hdr offload, reread;

	if (size <= headers)
		return;
	if (frame_format_decode(format, data, size - headers, &offload) < 0)
		return;
	/* The checksum field must be inside the frame, as the broker writes there. */
	if ((offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    (size_t)offload.csum_start + offload.csum_offset + 2 > size - headers)
		abort();
	frame_format_encode(format, mode, data + headers, size - headers, &offload, again);
	if (frame_format_decode(format, again, size - headers, &reread) < 0 ||
	    memcmp(&offload, &reread, sizeof(offload)) != 0)
		abort();
}

static void name_try(const char *name)
{
	char expanded[MEMTUN_NAME_SIZE];

	tunnel_name_fault(name, false);
	if (tunnel_name_fault(name, true) || !tunnel_name_is_template(name) ||
	    !tunnel_name_expand(expanded, sizeof(expanded), name, 7))
		return;
	if (tunnel_name_fault(expanded, false))
		abort();
}

static void texts_try(const uint8_t *data, size_t size)
{
	struct attribute_set set = {0};
	struct fault fault = {0};
	char *text = malloc(size + 1);

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	name_try(text);
	spec_parse(text, ~0U, &set, &fault);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t vnet_sizes[] = {0, 10, 12, 20};
	struct frame_format format;
	enum memtun_mode mode;
	uint8_t *frame;

	if (size < 1)
		return 0;
	mode = (data[0] & 1) ? MEMTUN_TAP : MEMTUN_TUN;
	format.packet_information = data[0] & 2;
	format.vnet_size = vnet_sizes[data[0] >> 2 & 3];
	data++;
	size--;
	frame = malloc(size); /* of the exact size, so that a sanitizer sees a read beyond it */
	if (!frame)
		return 0;
	memcpy(frame, data, size);
	frame_try(mode, frame, size);
	headers_try(&format, mode, frame, size);
	texts_try(frame, size);
	free(frame);
	return 0;
}

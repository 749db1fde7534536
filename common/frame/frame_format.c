/* SPDX-License-Identifier: MIT */
#include "common/frame/frame_format.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/frame_view.h"

_Static_assert(sizeof(struct tun_pi) == 4, "FRAME_FORMAT_MAX and frame_format_size()");

/* Return whether the kernel knows the GSO type and all offsets are inside the frame. */
static bool offload_is_valid(const struct virtio_net_hdr *offload, size_t length)
{
	switch (offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_UDP:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		break;
	default:
		return false;
	}
	if (offload->gso_type != VIRTIO_NET_HDR_GSO_NONE &&
	    (offload->gso_size == 0 || !(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)))
		return false;
	if ((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    (size_t)offload->csum_start + offload->csum_offset + 2 > length)
		return false;
	return offload->hdr_len <= length;
}

bool frame_offload_is_valid(unsigned long offload)
{
	/* The kernel takes these two only together. */
	const unsigned long udp_segments = TUN_F_USO4 | TUN_F_USO6;

	/* As in the kernel's set_offload(): no bit is left after the known ones are cleared. */
	if (offload & TUN_F_CSUM) {
		if (offload & (TUN_F_TSO4 | TUN_F_TSO6))
			offload &= ~(unsigned long)(TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
		if ((offload & udp_segments) == udp_segments)
			offload &= ~udp_segments;
		offload &= ~(unsigned long)(TUN_F_CSUM | TUN_F_UFO);
	}
	return offload == 0;
}

int frame_format_decode(const struct frame_format *format, const void *headers, size_t length,
			struct virtio_net_hdr *offload)
{
	const unsigned char *at = headers;

	memset(offload, 0, sizeof(*offload));
	if (format->packet_information)
		at += sizeof(struct tun_pi);
	if (!format->vnet_size)
		return 0;
	memcpy(offload, at, sizeof(*offload));
	if (!offload_is_valid(offload, length))
		return failed(EINVAL);
	return 0;
}

/*
 * Return the protocol that packet information has for the frame: its ethertype in host byte order,
 * 0 if it has none.
 */
static uint16_t frame_format_protocol(enum memtun_mode mode, const void *frame, size_t length)
{
	struct ethhdr ethernet;

	if (mode == MEMTUN_TAP) {
		if (length < sizeof(ethernet))
			return 0;
		memcpy(&ethernet, frame, sizeof(ethernet));
		return ntohs(ethernet.h_proto);
	}
	switch (packet_ip_version(frame, length)) {
	case 4:
		return ETH_P_IP;
	case 6:
		return ETH_P_IPV6;
	default:
		return 0;
	}
}

size_t frame_format_packet_length(enum memtun_mode mode, const void *frame, size_t length)
{
	uint16_t protocol;

	if (mode == MEMTUN_TUN)
		return length;
	protocol = frame_format_protocol(mode, frame, length);
	return length - ETH_HLEN -
	       (ethertype_is_tag(protocol) && length >= ETH_HLEN + sizeof(struct vlan_tag)
			? sizeof(struct vlan_tag)
			: 0);
}

void frame_format_encode(const struct frame_format *format, enum memtun_mode mode,
			 const void *frame, size_t length, const struct virtio_net_hdr *offload,
			 void *headers)
{
	unsigned char *at = headers;

	if (format->packet_information) {
		struct tun_pi information = {
			.proto = htons(frame_format_protocol(mode, frame, length)),
		};

		memcpy(at, &information, sizeof(information));
		at += sizeof(information);
	}
	if (format->vnet_size) {
		/* The bytes after the first ten count merged buffers; a frame has none. */
		memset(at, 0, format->vnet_size);
		memcpy(at, offload, sizeof(*offload));
	}
}

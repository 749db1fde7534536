/* SPDX-License-Identifier: MIT */
/*
 * The rules of segmentation are those of Linux 6.18: virtio_net_hdr_to_skb(), inet_gso_segment(),
 * ipv6_gso_segment(), tcp_gso_segment(), __udp_gso_segment() and udp4_ufo_fragment().
 */
#include "common/frame/frame_segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "common/failed.h"
#include "common/frame/checksum.h"
#include "common/frame/frame_view.h"

/*
 * The sender of a GSO frame has written the sum of the pseudo header, with the length of the whole
 * frame, into the checksum field of TCP or UDP. The checksum of a piece starts from that sum, less
 * the old length, plus the new one. So it is right also behind an IPv6 routing header, where the
 * pseudo header has another destination than the IP header.
 */

/* ------------------------------------------------------------------------------ checking */

/* Return the transport protocol of the GSO type, or -1. */
static int gso_protocol(const struct virtio_net_hdr *offload)
{
	switch (offload->gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
	case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
		return IPPROTO_TCP;
	case VIRTIO_NET_HDR_GSO_UDP:
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return IPPROTO_UDP;
	default:
		return -1;
	}
}

/* Return whether the GSO type can have that version of IP. */
static bool gso_version_fits(uint8_t gso_type, uint8_t ip_version)
{
	if (gso_type == VIRTIO_NET_HDR_GSO_TCPV4)
		return ip_version == 4;
	if (gso_type == VIRTIO_NET_HDR_GSO_TCPV6)
		return ip_version == 6;
	return true;
}

/*
 * Return whether the pieces can repeat all headers between IPv6 and the transport. The kernel
 * repeats hop-by-hop options, destination options and routing headers. An authentication header
 * would have to be computed anew, and a fragment header with an identification of its own.
 */
static bool extensions_can_be_repeated(const struct frame_segment *segment)
{
	size_t at = segment->network + sizeof(struct ip6_hdr);
	struct ip6_ext extension;
	struct ip6_hdr ip;
	uint8_t next;

	memcpy(&ip, segment->frame + segment->network, sizeof(ip));
	/* A jumbogram (RFC 2675): its length is in a hop-by-hop option. */
	if (ip.ip6_plen == 0)
		return false;
	for (next = ip.ip6_nxt; at < segment->transport; at += (extension.ip6e_len + 1u) * 8) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING)
			return false;
		memcpy(&extension, segment->frame + at, sizeof(extension));
		next = extension.ip6e_nxt;
	}
	return true;
}

/* Find the headers, and compare them with the offload fields. */
static bool headers_agree(struct frame_segment *segment, enum memtun_mode mode,
			  const struct virtio_net_hdr *offload)
{
	int protocol = gso_protocol(offload);
	struct frame_view view;

	if (protocol < 0 || offload->gso_size == 0 ||
	    !(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    frame_view_parse(&view, mode, segment->frame, segment->length) < 0 ||
	    view.kind != (protocol == IPPROTO_TCP ? FRAME_TCP : FRAME_UDP))
		return false;
	segment->ip_version = view.ip_version;
	segment->gso_type = offload->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	segment->network = view.network;
	segment->transport = (size_t)view.transport;
	segment->headers = view.payload;
	/* The payload ends where IP, or UDP, says. */
	if (view.fragment || view.cut || view.payload + view.payload_length != segment->length ||
	    offload->csum_start != segment->transport ||
	    offload->csum_offset != (protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check)
							     : offsetof(struct udphdr, check)) ||
	    !gso_version_fits(segment->gso_type, view.ip_version))
		return false;
	return view.ip_version == 4 || extensions_can_be_repeated(segment);
}

/* ------------------------------------------------------------------------------ beginning */

/* Prepare to cut the datagram into IP fragments. False: it cannot be. */
static bool fragments_begin(struct frame_segment *segment, uint32_t fragment_id)
{
	segment->headers = segment->transport;
	if (segment->size % 8 != 0)
		return false;
	if (segment->ip_version == 6) {
		if (segment->transport != segment->network + sizeof(struct ip6_hdr))
			return false;
		segment->inserted = sizeof(struct ip6_frag);
		segment->fragment_id = fragment_id;
	}
	return true;
}

int frame_segment_begin(struct frame_segment *segment, enum memtun_mode mode, const void *frame,
			size_t length, const struct virtio_net_hdr *offload, uint32_t fragment_id)
{
	unsigned int max = FRAME_SEGMENTS_MAX;
	size_t payload;

	*segment = (struct frame_segment){
		.frame = frame,
		.length = length,
		.size = offload->gso_size,
		.csum_start = offload->csum_start,
		.csum_offset = offload->csum_offset,
	};
	if (!headers_agree(segment, mode, offload))
		return failed(EINVAL);
	if (segment->gso_type == VIRTIO_NET_HDR_GSO_UDP && !fragments_begin(segment, fragment_id))
		return failed(EINVAL);
	if (segment->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		max = FRAME_SEGMENTS_UDP_MAX;
	payload = length - segment->headers;
	if (payload > max * segment->size || segment->headers > FRAME_SEGMENT_HEADERS_MAX)
		return failed(EINVAL);
	segment->count = (unsigned int)((payload + segment->size - 1) / segment->size);
	/* The kernel takes a frame that fits one piece for a frame without GSO. */
	if (segment->count <= 1) {
		segment->count = 1;
		segment->gso_type = VIRTIO_NET_HDR_GSO_NONE;
		segment->inserted = 0;
	} else if (segment->gso_type == VIRTIO_NET_HDR_GSO_UDP) {
		segment->check = checksum_complete(segment->frame + segment->transport,
						   length - segment->transport);
	}
	return 0;
}

size_t frame_segment_max(const struct frame_segment *segment)
{
	return segment->count == 1 ? segment->length
				   : segment->headers + segment->inserted + segment->size;
}

/* ------------------------------------------------------------------------------ cutting */

/* Write what a piece of that length has in its IPv4 header. */
static void ipv4_patch(const struct frame_segment *segment, unsigned char *piece, size_t length,
		       bool last)
{
	unsigned char *header = piece + segment->network;
	struct ip ip;

	memcpy(&ip, header, sizeof(ip));
	ip.ip_len = htons((uint16_t)(length - segment->network));
	if (segment->gso_type == VIRTIO_NET_HDR_GSO_UDP)
		ip.ip_off = htons((uint16_t)(segment->done / 8 | (last ? 0 : IP_MF)));
	else /* also with "don't fragment" set */
		ip.ip_id = htons((uint16_t)(ntohs(ip.ip_id) + segment->index));
	ip.ip_sum = 0;
	memcpy(header, &ip, sizeof(ip));
	ip.ip_sum = checksum_fold(checksum_add(0, header, ip.ip_hl * sizeof(uint32_t)));
	memcpy(header + offsetof(struct ip, ip_sum), &ip.ip_sum, sizeof(ip.ip_sum));
}

static void ipv6_patch(const struct frame_segment *segment, unsigned char *piece, size_t length,
		       bool last)
{
	unsigned char *header = piece + segment->network;
	uint16_t payload = htons((uint16_t)(length - segment->network - sizeof(struct ip6_hdr)));
	struct ip6_frag fragment = {0};

	memcpy(header + offsetof(struct ip6_hdr, ip6_plen), &payload, sizeof(payload));
	if (!segment->inserted)
		return;
	fragment.ip6f_nxt = header[offsetof(struct ip6_hdr, ip6_nxt)];
	fragment.ip6f_offlg = htons((uint16_t)segment->done);
	if (!last)
		fragment.ip6f_offlg |= IP6F_MORE_FRAG;
	fragment.ip6f_ident = htonl(segment->fragment_id);
	header[offsetof(struct ip6_hdr, ip6_nxt)] = IPPROTO_FRAGMENT;
	memcpy(piece + segment->headers, &fragment, sizeof(fragment));
}

/* Write the sequence number and the flags of a piece: FIN and PSH are for the last one, CWR is for
 * the first. */
static void tcp_patch(const struct frame_segment *segment, unsigned char *header, bool last)
{
	struct tcphdr tcp;

	memcpy(&tcp, header, sizeof(tcp));
	tcp.seq = htonl(ntohl(tcp.seq) + (uint32_t)segment->done);
	if (!last) {
		tcp.fin = 0;
		tcp.psh = 0;
	}
	/* The two bits are CWR and ECE (RFC 3168, 6.1). */
	if (segment->index > 0)
		tcp.res2 &= 1;
	memcpy(header, &tcp, sizeof(tcp));
}

/* Write what a piece has in its TCP or UDP header, given the sum of its payload. */
static void transport_patch(const struct frame_segment *segment, unsigned char *piece,
			    size_t length, uint32_t sum, bool last)
{
	unsigned char *header = piece + segment->transport;
	uint16_t new_length = htons((uint16_t)(length - segment->transport));
	uint16_t old_length = htons((uint16_t)(segment->length - segment->transport));
	uint16_t check;

	if (segment->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		memcpy(header + offsetof(struct udphdr, len), &new_length, sizeof(new_length));
	else
		tcp_patch(segment, header, last);
	/* The headers have an even length, so their sum may come after the payload's. */
	sum = checksum_add(sum, header, segment->headers - segment->transport);
	sum = checksum_add(sum, &new_length, sizeof(new_length));
	old_length = (uint16_t)~old_length;
	sum = checksum_add(sum, &old_length, sizeof(old_length));
	check = checksum_fold(sum);
	if (check == 0 && segment->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		check = 0xffff;
	memcpy(header + segment->csum_offset, &check, sizeof(check));
}

/* Copy the frame that is the only piece, and complete its checksum. */
static size_t whole_copy(const struct frame_segment *segment, unsigned char *piece)
{
	uint16_t check = checksum_complete(segment->frame + segment->csum_start,
					   segment->length - segment->csum_start);

	memcpy(piece, segment->frame, segment->length);
	memcpy(piece + segment->csum_start + segment->csum_offset, &check, sizeof(check));
	return segment->length;
}

size_t frame_segment_next(struct frame_segment *segment, void *piece)
{
	size_t start = segment->headers + segment->done;
	size_t before = segment->headers + segment->inserted;
	unsigned char *bytes = piece;
	size_t size, length;
	bool last;

	if (segment->index == segment->count)
		return 0;
	if (segment->count == 1) {
		segment->index++;
		return whole_copy(segment, bytes);
	}
	last = segment->length - start <= segment->size;
	size = last ? segment->length - start : segment->size;
	length = before + size;
	memcpy(bytes, segment->frame, segment->headers);
	memcpy(bytes + before, segment->frame + start, size);
	if (segment->ip_version == 4)
		ipv4_patch(segment, bytes, length, last);
	else
		ipv6_patch(segment, bytes, length, last);
	if (segment->gso_type != VIRTIO_NET_HDR_GSO_UDP)
		transport_patch(segment, bytes, length, checksum_add(0, bytes + before, size),
				last);
	else if (segment->index == 0)
		memcpy(bytes + before + segment->csum_offset, &segment->check,
		       sizeof(segment->check));
	segment->done += size;
	segment->index++;
	return length;
}

/* ------------------------------------------------------------------------------ preparing */

/* Return the complement of the pseudo header's checksum, which the sender of a GSO frame writes. */
static uint16_t pseudo_sum(const struct frame_segment *segment)
{
	const unsigned char *network = segment->frame + segment->network;
	uint32_t length = (uint32_t)(segment->length - segment->transport);
	uint32_t sum;

	if (segment->ip_version == 4)
		sum = checksum_pseudo_ipv4(network + offsetof(struct ip, ip_src),
					   network + offsetof(struct ip, ip_dst), IPPROTO_TCP,
					   (uint16_t)length);
	else
		sum = checksum_pseudo_ipv6(network + offsetof(struct ip6_hdr, ip6_src),
					   network + offsetof(struct ip6_hdr, ip6_dst), IPPROTO_TCP,
					   length);
	return (uint16_t)~checksum_fold(sum);
}

int frame_segment_prepare(enum memtun_mode mode, unsigned char *frame, size_t length, size_t mtu,
			  struct virtio_net_hdr *offload)
{
	struct frame_segment segment;
	struct frame_view view;
	size_t headers;
	uint16_t sum;

	if (frame_view_parse(&view, mode, frame, length) < 0 || view.kind != FRAME_TCP ||
	    view.source_routed)
		return failed(EINVAL);
	headers = frame_format_packet_length(mode, frame, view.payload);
	if (headers >= mtu || mtu - headers > UINT16_MAX || view.payload > UINT16_MAX)
		return failed(EINVAL);
	*offload = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type =
			view.ip_version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)view.payload,
		.gso_size = (uint16_t)(mtu - headers),
		.csum_start = (uint16_t)view.transport,
		.csum_offset = offsetof(struct tcphdr, check),
	};
	if (frame_segment_begin(&segment, mode, frame, length, offload, 0) < 0)
		return -1;
	sum = pseudo_sum(&segment);
	memcpy(frame + offload->csum_start + offload->csum_offset, &sum, sizeof(sum));
	return 0;
}

/* ------------------------------------------------------------------------------ readers */

bool frame_segment_is_taken(uint8_t gso_type, unsigned int offload)
{
	unsigned int needed = TUN_F_CSUM;

	if (gso_type & VIRTIO_NET_HDR_GSO_ECN)
		needed |= TUN_F_TSO_ECN;
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needed |= TUN_F_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needed |= TUN_F_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP:
		needed |= TUN_F_UFO;
		break;
	default:
		/* The kernel takes the bits of both versions of IP together. */
		needed |= TUN_F_USO4;
		break;
	}
	return (offload & needed) == needed;
}

size_t frame_segment_piece_length(const void *frame, size_t length,
				  const struct virtio_net_hdr *offload)
{
	const unsigned char *header = (const unsigned char *)frame + offload->csum_start;
	size_t piece = (size_t)offload->csum_start + offload->gso_size;
	struct tcphdr tcp;

	switch (offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_UDP:
		break; /* gso_size counts the UDP header */
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		piece += sizeof(struct udphdr);
		break;
	default:
		if (length - offload->csum_start < sizeof(tcp))
			return length;
		memcpy(&tcp, header, sizeof(tcp));
		piece += tcp.doff * sizeof(uint32_t);
		break;
	}
	return piece < length && piece > ETH_HLEN ? piece : length;
}

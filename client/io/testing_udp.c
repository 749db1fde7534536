/* SPDX-License-Identifier: MIT */
/*
 * UDP datagrams to the program and from it. A receiver is a sorter with a socketpair: the test owns
 * one end, and the receiver writes payloads into the other. A test can thus poll a descriptor,
 * although frames move only in calls into the library.
 */
#include "client/io/testing_parts.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"

/* The sender of a datagram by default. Port and IPv4 address are those of Twisted's Tunnel. */
#define DEFAULT_PORT 21345
#define DEFAULT_IPV4 0x0a010203
static const struct in6_addr default_ipv6 = {{{0xfd, [11] = 1, [13] = 2, [15] = 3}}};

/* Payloads that wait here while the descriptor is full. Beyond them, frames stay in the tunnel. */
#define WAITING_MAX IO_MEMORY_WRITTEN

struct destination {
	int family;
	unsigned char address[sizeof(struct in6_addr)];
	uint16_t port; /* network byte order */
};

struct udp_receiver {
	struct io_sorter sorter;
	struct io_tunnel *tunnel;
	struct destination to;
	int fd;                          /* the receiver's end */
	STAILQ_HEAD(, io_frame) waiting; /* payloads only */
	unsigned int waiting_count;
};

static int destination_parse(struct destination *to, const char *host, uint16_t port)
{
	to->port = htons(port);
	to->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	return inet_pton(to->family, host, to->address) == 1 ? 0 : failed(EINVAL);
}

/* --------------------------------------------------------------------------- what was written */

/*
 * Complete the packet's checksum if the program left that to the receiver
 * (VIRTIO_NET_HDR_F_NEEDS_CSUM). False if the packet is to be segmented too.
 */
static bool packet_complete(const struct io_tunnel *tunnel, struct io_frame *frame)
{
	const struct tun_interface *interface = tunnel->device.interface;
	unsigned char *packet = frame->bytes + frame->header_size;
	size_t length = frame->length - frame->header_size;
	size_t before = interface->packet_information ? sizeof(struct tun_pi) : 0;
	struct virtio_net_hdr header;
	uint16_t start, place, sum;

	if (frame->header_size < before + sizeof(header))
		return true;
	memcpy(&header, frame->bytes + before, sizeof(header));
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	if (!(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	start = interface->little_endian ? le16toh(header.csum_start) : header.csum_start;
	place = interface->little_endian ? le16toh(header.csum_offset) : header.csum_offset;
	if (start > length || (size_t)start + place + sizeof(sum) > length)
		return false;
	sum = checksum_fold(checksum_add(0, packet + start, length - start));
	if (sum == 0)
		sum = UINT16_MAX; /* RFC 768: 0 means no checksum */
	memcpy(packet + start + place, &sum, sizeof(sum));
	header.flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
	memcpy(frame->bytes + before, &header, sizeof(header));
	return true;
}

static bool view_is_to(const struct frame_view *view, const unsigned char *packet,
		       const struct destination *to)
{
	struct ip6_hdr ip6;
	struct udphdr udp;
	struct ip ip4;

	if (view->kind != FRAME_UDP || view->ip_version != (to->family == AF_INET ? 4 : 6))
		return false;
	memcpy(&udp, packet + view->transport, sizeof(udp));
	if (udp.dest != to->port)
		return false;
	if (to->family == AF_INET) {
		memcpy(&ip4, packet + view->network, sizeof(ip4));
		return memcmp(&ip4.ip_dst, to->address, sizeof(ip4.ip_dst)) == 0;
	}
	memcpy(&ip6, packet + view->network, sizeof(ip6));
	return memcmp(&ip6.ip6_dst, to->address, sizeof(ip6.ip6_dst)) == 0;
}

/* Return the payload if the frame is a whole datagram to that address with correct checksums. */
static unsigned char *datagram_find(const struct io_tunnel *tunnel, struct io_frame *frame,
				    const struct destination *to, size_t *length)
{
	unsigned char *packet = frame->bytes + frame->header_size;
	size_t packet_length = frame->length - frame->header_size;
	struct frame_view view;
	enum memtun_mode mode;

	if (!tunnel->device.interface)
		return NULL;
	mode = tunnel->device.interface->flags & IFF_TAP ? MEMTUN_TAP : MEMTUN_TUN;
	if (frame_view_parse(&view, mode, packet, packet_length) < 0 ||
	    !view_is_to(&view, packet, to))
		return NULL;
	if (view.fragment || view.cut || view.source_routed || !packet_complete(tunnel, frame) ||
	    !frame_view_checksums_are_valid(&view, packet, packet_length))
		return NULL;
	*length = view.payload_length;
	return packet + view.payload;
}

/* What memtun_testing_take_udp() searches for, and what it has found. */
struct search {
	struct io_tunnel *tunnel;
	struct destination to;
	const void *payload;
	size_t length;
};

static bool search_chosen(struct io_frame *frame, void *context)
{
	struct search *search = context;

	search->payload = datagram_find(search->tunnel, frame, &search->to, &search->length);
	return search->payload;
}

struct memtun_testing_frame *memtun_testing_take_udp(struct memtun_testing_tunnel *tunnel,
						     const char *host, uint16_t port,
						     const void **payload, size_t *length)
{
	struct search search = {.tunnel = testing_tunnel(tunnel)};
	struct io_frame *frame;

	if (!tunnel) {
		errno = ENODEV;
		return NULL;
	}
	if (destination_parse(&search.to, host, port) < 0)
		return NULL;
	frame = io_memory_choose(search.tunnel, search_chosen, &search);
	if (frame) {
		*payload = search.payload;
		*length = search.length;
	}
	return testing_public_frame(frame);
}

/* ------------------------------------------------------------------------------ a receiver */

/* Return false if the payload has to wait. It is lost if the test has closed its end. */
static bool receiver_send(const struct udp_receiver *receiver, const void *payload, size_t length)
{
	return send(receiver->fd, payload, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
}

static bool receiver_turn(struct io_sorter *sorter)
{
	struct udp_receiver *receiver = container_of(sorter, struct udp_receiver, sorter);
	struct io_frame *payload;

	if (descriptor_hung_up(receiver->fd))
		return false;
	while ((payload = STAILQ_FIRST(&receiver->waiting))) {
		if (!receiver_send(receiver, payload->bytes, payload->length))
			break;
		STAILQ_REMOVE_HEAD(&receiver->waiting, next);
		receiver->waiting_count--;
		free(payload);
	}
	return true;
}

static bool receiver_take(struct io_sorter *sorter, struct io_frame *frame)
{
	struct udp_receiver *receiver = container_of(sorter, struct udp_receiver, sorter);
	size_t length;
	unsigned char *payload = datagram_find(receiver->tunnel, frame, &receiver->to, &length);

	if (!payload || receiver->waiting_count == WAITING_MAX)
		return false;
	if (STAILQ_EMPTY(&receiver->waiting) && receiver_send(receiver, payload, length)) {
		free(frame);
		return true;
	}
	memmove(frame->bytes, payload, length);
	frame->length = length;
	STAILQ_INSERT_TAIL(&receiver->waiting, frame, next);
	receiver->waiting_count++;
	return true;
}

static void receiver_end(struct io_sorter *sorter)
{
	struct udp_receiver *receiver = container_of(sorter, struct udp_receiver, sorter);
	struct io_frame *payload;

	while ((payload = STAILQ_FIRST(&receiver->waiting))) {
		STAILQ_REMOVE_HEAD(&receiver->waiting, next);
		free(payload);
	}
	descriptor_close(&receiver->fd);
	free(receiver);
}

int memtun_testing_receive_udp(struct memtun_testing_tunnel *tunnel, const char *host,
			       uint16_t port, int flags)
{
	struct udp_receiver *receiver;
	struct destination to;
	int ends[2];

	if (memtun_testing_mode(tunnel) < 0)
		return -1;
	if (flags & ~O_NONBLOCK)
		return failed(EINVAL);
	if (destination_parse(&to, host, port) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	descriptor_owned fd = descriptor_above_standard(ends[0]);
	descriptor_owned own_fd = descriptor_above_standard(ends[1]);

	if (fd < 0 || own_fd < 0)
		return -1;
	if (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	receiver = calloc(1, sizeof(*receiver));
	if (!receiver)
		return -1;
	receiver->sorter.turn = receiver_turn;
	receiver->sorter.take = receiver_take;
	receiver->sorter.end = receiver_end;
	receiver->tunnel = testing_tunnel(tunnel);
	receiver->to = to;
	receiver->fd = descriptor_take(&own_fd);
	STAILQ_INIT(&receiver->waiting);
	io_memory_add_sorter(testing_tunnel(tunnel), &receiver->sorter);
	return descriptor_take(&fd);
}

/* ------------------------------------------------------------------------------ to the program */

static void address_default(struct sockaddr_storage *from, int family)
{
	struct sockaddr_in *four = (struct sockaddr_in *)from;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)from;

	memset(from, 0, sizeof(*from));
	from->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		four->sin_port = htons(DEFAULT_PORT);
		four->sin_addr.s_addr = htonl(DEFAULT_IPV4);
	} else {
		six->sin6_port = htons(DEFAULT_PORT);
		six->sin6_addr = default_ipv6;
	}
}

int memtun_testing_send_udp(struct memtun_testing_tunnel *tunnel, const void *payload,
			    size_t length, const struct sockaddr *to, struct sockaddr_storage *from)
{
	struct frame_udp udp = {.payload = payload, .payload_length = length, .ttl = 64};
	size_t size = sizeof(struct ip6_hdr) + sizeof(struct udphdr) + length;
	struct sockaddr_storage source = {0};
	unsigned char *packet;
	ssize_t built;
	int result = -1;

	if (memtun_testing_mode(tunnel) < 0)
		return -1;
	if (to->sa_family != AF_INET && to->sa_family != AF_INET6)
		return failed(EINVAL);
	if (length > IP_MAXPACKET)
		return failed(EMSGSIZE);
	if (from && from->ss_family != AF_UNSPEC)
		source = *from;
	else
		address_default(&source, to->sa_family);
	udp.from = source;
	memcpy(&udp.to, to,
	       to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	packet = malloc(size);
	if (!packet)
		return -1;
	built = frame_build_udp(packet, size, MEMTUN_TUN, &udp);
	if (built > 0)
		result = memtun_testing_add_to_read_buffer(tunnel, packet, (size_t)built, NULL,
							   NULL);
	if (result == 1 && from)
		*from = source;
	free(packet);
	return result;
}

/* Make a socket address of a numeric one. -1 with EINVAL. */
static int address_of(struct sockaddr_storage *address, const char *host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		return failed(EINVAL);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return 0;
}

int memtun_testing_send_udp_to(struct memtun_testing_tunnel *tunnel, const void *payload,
			       size_t length, const char *from_host, uint16_t from_port,
			       const char *to_host, uint16_t to_port)
{
	struct sockaddr_storage from = {0}, to = {0};

	if (address_of(&to, to_host, to_port) < 0 ||
	    (from_host && address_of(&from, from_host, from_port) < 0))
		return -1;
	if (from_host && from.ss_family != to.ss_family)
		return failed(EINVAL);
	return memtun_testing_send_udp(tunnel, payload, length, (struct sockaddr *)&to, &from);
}

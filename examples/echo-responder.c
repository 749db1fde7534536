/* SPDX-License-Identifier: MIT */
#include "echo-responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

/* Packets that one call answers at most, so that the owner's event loop goes on. */
#define TURN_MAX 64

/* ------------------------------------------------------------------------------ packets */

static void swap(unsigned char *one, unsigned char *other, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = one[i];

		one[i] = other[i];
		other[i] = byte;
	}
}

/*
 * Change the type of an ICMP message, its first byte, and update the checksum (RFC 1624, equation
 * 3). ICMPv6's checksum covers the addresses too, but swapping them does not change their sum. A
 * message with a wrong checksum keeps a wrong one.
 */
static void icmp_turn(unsigned char *message, uint8_t from, uint8_t to)
{
	uint16_t checksum;
	uint32_t sum;

	memcpy(&checksum, message + 2, sizeof(checksum));
	sum = (uint16_t)~ntohs(checksum);
	sum += (uint16_t) ~(from << 8);
	sum += (uint16_t)(to << 8);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	checksum = htons((uint16_t)~sum);
	memcpy(message + 2, &checksum, sizeof(checksum));
	message[0] = to;
}

static bool answer_ipv4(unsigned char *packet, size_t length)
{
	struct iphdr *ip = (struct iphdr *)packet;
	size_t header_length;

	if (length < sizeof(*ip))
		return false;
	header_length = ip->ihl * 4u;
	if (ip->ihl < 5 || ip->protocol != IPPROTO_ICMP || ntohs(ip->tot_len) != length ||
	    length < header_length + ICMP_MINLEN || ip->frag_off & htons(IP_MF | IP_OFFMASK) ||
	    IN_MULTICAST(ntohl(ip->daddr)) || ip->daddr == INADDR_BROADCAST)
		return false;
	if (packet[header_length] != ICMP_ECHO || packet[header_length + 1] != 0)
		return false;
	/* The header's checksum is a sum of words too, so swapping the addresses keeps it. */
	swap((unsigned char *)&ip->saddr, (unsigned char *)&ip->daddr, sizeof(ip->saddr));
	icmp_turn(packet + header_length, ICMP_ECHO, ICMP_ECHOREPLY);
	return true;
}

static bool answer_ipv6(unsigned char *packet, size_t length)
{
	struct ip6_hdr *ip = (struct ip6_hdr *)packet;
	unsigned char *message = packet + sizeof(*ip);

	if (length < sizeof(*ip) + sizeof(struct icmp6_hdr) || ip->ip6_nxt != IPPROTO_ICMPV6 ||
	    ntohs(ip->ip6_plen) != length - sizeof(*ip) || IN6_IS_ADDR_MULTICAST(&ip->ip6_dst))
		return false;
	if (message[0] != ICMP6_ECHO_REQUEST || message[1] != 0)
		return false;
	swap((unsigned char *)&ip->ip6_src, (unsigned char *)&ip->ip6_dst, sizeof(ip->ip6_src));
	icmp_turn(message, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY);
	return true;
}

/* Turn an echo request into its reply. Return false for any other packet. */
static bool answer(unsigned char *packet, size_t length)
{
	switch (length ? packet[0] >> 4 : 0) {
	case 4:
		return answer_ipv4(packet, length);
	case 6:
		return answer_ipv6(packet, length);
	default:
		return false;
	}
}

/* ------------------------------------------------------------------------------ the device */

int echo_responder_open(struct echo_responder *responder, struct memtun_io *io, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int saved;

	memset(responder, 0, sizeof(*responder));
	if (strlen(name) >= sizeof(request.ifr_name)) {
		errno = EINVAL;
		return -1;
	}
	strcpy(request.ifr_name, name);
	responder->io = io;
	do
		responder->fd = memtun_io_open(io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	while (responder->fd < 0 && errno == EINTR);
	if (responder->fd < 0)
		return -1;
	while (memtun_io_ioctl(io, responder->fd, TUNSETIFF, &request) < 0) {
		if (errno == EINTR)
			continue;
		saved = errno;
		echo_responder_close(responder);
		errno = saved;
		return -1;
	}
	return 0;
}

void echo_responder_close(struct echo_responder *responder)
{
	memtun_io_close(responder->io, responder->fd);
	responder->fd = -1;
}

short echo_responder_events(const struct echo_responder *responder)
{
	return responder->pending ? POLLOUT : POLLIN;
}

/* Write the reply. Return 1 if it is written or lost, 0 if it has to wait; -1 with errno. */
static int echo_responder_write(struct echo_responder *responder)
{
	ssize_t written;

	do
		written = memtun_io_write(responder->io, responder->fd, responder->packet,
					  responder->pending);
	while (written < 0 && errno == EINTR);
	if (written < 0 && errno == EAGAIN)
		return 0;
	if (written < 0 && errno != ENOBUFS)
		return -1;
	responder->pending = 0;
	if (written < 0)
		responder->lost++; /* lost; the sender repeats its request */
	else
		responder->answered++;
	return 1;
}

int echo_responder_turn(struct echo_responder *responder)
{
	for (unsigned int i = 0; i < TURN_MAX; i++) {
		ssize_t got;

		if (responder->pending) {
			int written = echo_responder_write(responder);

			if (written <= 0)
				return written;
		}
		got = memtun_io_read(responder->io, responder->fd, responder->packet,
				     sizeof(responder->packet));
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0 && errno != EINTR)
			return -1;
		if (got > 0 && answer(responder->packet, (size_t)got))
			responder->pending = (size_t)got;
	}
	return 0;
}

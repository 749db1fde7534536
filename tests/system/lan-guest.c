/* SPDX-License-Identifier: MIT */
/*
 * A guest on the multicast LAN of a QEMU with user networking: it asks for an address, and pings
 * the gateway with frames of 1514 bytes. test_multicast_qemu.sh runs it: lan-guest GROUP PORT.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/clock.h"
#include "common/frame/frame_build.h"
#include "memtun/connector.h"

#define FULL_FRAME 1514

static const uint8_t guest_mac[ETH_ALEN] = {2, 0, 0, 0, 0, 9};
static struct memtun_connector *lan;

static void guest_write(const void *frame, ssize_t length)
{
	if (length < 0 || memtun_connector_write(lan, frame, (size_t)length, 0) != length)
		err(1, "cannot send");
}

/* RFC 2131, 2: a request over Ethernet, and in the options magic, DHCPDISCOVER, end. */
static ssize_t discover_build(uint8_t *frame, size_t size)
{
	uint8_t dhcp[300] = {1, 1, ETH_ALEN, 0, 'g', 'u', 'e', 's'};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(68)};
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(67),
		.sin_addr.s_addr = htonl(INADDR_BROADCAST),
	};
	struct frame_udp udp = {
		.to_mac = {255, 255, 255, 255, 255, 255},
		.vlan = -1,
		.ttl = 64,
		.payload = dhcp,
		.payload_length = sizeof(dhcp),
	};

	memcpy(dhcp + 28, guest_mac, ETH_ALEN);
	memcpy(dhcp + 236, (uint8_t[]){0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255}, 8);
	memcpy(udp.from_mac, guest_mac, ETH_ALEN);
	memcpy(&udp.from, &from, sizeof(from));
	memcpy(&udp.to, &to, sizeof(to));
	return frame_build_udp(frame, size, MEMTUN_TAP, &udp);
}

/* An echo request that fills the frame, from the address that was offered to who offered it. */
static ssize_t ping_build(uint8_t *frame, size_t size, const struct memtun_packet *offer)
{
	const size_t icmp_length = size - sizeof(struct ether_header) - sizeof(struct ip);
	struct icmphdr icmp = {.type = ICMP_ECHO};
	struct in_addr guest;
	struct in_addr gateway;
	uint8_t *ip = frame + sizeof(struct ether_header);
	uint8_t *message = ip + sizeof(struct ip);

	memcpy(&guest, offer->data + offer->payload + 16, sizeof(guest));
	memcpy(&gateway, offer->data + offer->ipv4 + offsetof(struct ip, ip_src), sizeof(gateway));
	if (frame_build_ethernet(frame, size, guest_mac, offer->data + ETH_ALEN, -1, ETH_P_IP) <
		    0 ||
	    frame_build_ipv4(ip, sizeof(struct ip), guest, gateway, IPPROTO_ICMP, 64, icmp_length) <
		    0)
		return -1;
	memset(message, 'p', icmp_length);
	memcpy(message, &icmp, sizeof(icmp));
	icmp.checksum = checksum_fold(checksum_add(0, message, icmp_length));
	memcpy(message, &icmp, sizeof(icmp));
	return (ssize_t)size;
}

/* Asks once a second, as QEMU may not be listening yet. */
static const struct memtun_packet *offer_expect(void)
{
	static const struct memtun_pattern patterns[] = {
		MEMTUN_FILTER("udp dst port 67"), /* our own, that no one else would send */
		MEMTUN_FILTER("udp src port 67"),
		MEMTUN_TIMEOUT,
	};
	const int64_t deadline = clock_now() + 20 * CLOCK_SECOND;
	uint8_t frame[FULL_FRAME];
	int result;

	do {
		guest_write(frame, discover_build(frame, sizeof(frame)));
		result = memtun_connector_expect(lan, patterns, 3, 1000, 0);
	} while (result == 2 && clock_now() < deadline);
	if (result == 0)
		errx(1, "it hears itself");
	if (result != 1)
		errx(1, "no offer: %s", memtun_connector_error(lan));
	return memtun_connector_match(lan, 0);
}

int main(int argc, char **argv)
{
	static const struct memtun_pattern reply[] = {
		MEMTUN_FILTER("icmp[icmptype] == icmp-echoreply and greater 1514"),
	};
	uint8_t frame[FULL_FRAME];
	const struct memtun_packet *packet;

	if (argc != 3)
		errx(2, "usage: lan-guest GROUP PORT");
	lan = memtun_connector_open_multicast(argv[1], (uint16_t)atoi(argv[2]), NULL, 1, 0);
	if (!lan)
		err(1, "cannot join %s port %s", argv[1], argv[2]);
	packet = offer_expect();
	guest_write(frame, ping_build(frame, sizeof(frame), packet));
	if (memtun_connector_expect(lan, reply, 1, 10000, 0) < 0)
		errx(1, "no reply: %s", memtun_connector_error(lan));
	packet = memtun_connector_match(lan, 0);
	if (packet->length != sizeof(frame) || packet->cut || packet->icmp != 34)
		errx(1, "the reply has %zu bytes", packet->length);
	printf("a ping of %zu bytes was answered\n", packet->length);
	memtun_connector_close(lan);
	return 0;
}

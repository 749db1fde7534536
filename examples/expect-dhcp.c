/* SPDX-License-Identifier: MIT */
/*
 * Gets an address on a multicast LAN, as a test of a DHCP server would: it sends a DHCPDISCOVER and
 * expects the offer. It needs no privileges, no daemon and no interface but loopback.
 *
 *	qemu-system-x86_64 -M none -nographic -nodefaults -netdev user,id=u \
 *		-netdev socket,id=m,mcast=230.0.0.1:5000,localaddr=127.0.0.1 \
 *		-netdev hubport,hubid=0,id=a,netdev=u -netdev hubport,hubid=0,id=b,netdev=m &
 *	expect-dhcp 230.0.0.1 5000
 */
#include <arpa/inet.h>
#include <err.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memtun/connector.h>

/* RFC 2131, section 2. A DHCPDISCOVER has zero in the members that are not set here. */
struct dhcp {
	uint8_t operation, hardware, hardware_length, hops;
	uint8_t id[4];
	uint8_t unused[8];
	uint8_t your_address[4];
	uint8_t servers[8];
	uint8_t client_mac[16];
	uint8_t names[192];
	uint8_t options[64];
} __attribute__((packed));

struct frame {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
	struct dhcp dhcp;
} __attribute__((packed));

static bool is_our_offer(const struct memtun_packet *packet, void *id)
{
	struct dhcp dhcp;

	if (packet->udp < 0 || packet->payload_length < offsetof(struct dhcp, options))
		return false;
	memcpy(&dhcp, packet->data + packet->payload, offsetof(struct dhcp, options));
	return dhcp.operation == 2 && memcmp(dhcp.id, id, sizeof(dhcp.id)) == 0;
}

static void discover_make(struct frame *frame)
{
	*frame = (struct frame){
		.ethernet = {{255, 255, 255, 255, 255, 255}, {2, 0, 0, 0, 0, 1}, htons(0x0800)},
		.dhcp = {1, 1, 6, .id = {'m', 'e', 'm', 't'}, .client_mac = {2, 0, 0, 0, 0, 1}},
	};
	memcpy(frame->dhcp.options, "\x63\x82\x53\x63\x35\x01\x01\xff",
	       8); /* cookie, DHCPDISCOVER, end */
	frame->udp.source = htons(68);
	frame->udp.dest = htons(67);
	frame->udp.len = htons(sizeof(frame->udp) + sizeof(frame->dhcp));
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(sizeof(*frame) - sizeof(frame->ethernet));
	frame->ip.ttl = 64;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.daddr = htonl(INADDR_BROADCAST);
	frame->ip.check = htons(0x79a6); /* computed for this header */
}

int main(int argc, char **argv)
{
	struct frame discover;
	const struct memtun_pattern patterns[] = {
		MEMTUN_CALLBACK(is_our_offer, discover.dhcp.id),
		MEMTUN_TIMEOUT,
	};
	struct memtun_connector *lan;
	const struct memtun_packet *offer;
	char address[INET_ADDRSTRLEN];
	int seconds = 0;
	int result;

	if (argc != 3)
		errx(2, "usage: %s GROUP PORT", argv[0]);
	lan = memtun_connector_open_multicast(argv[1], (uint16_t)atoi(argv[2]), NULL, 1, 0);
	if (!lan)
		err(1, "cannot join %s:%s on 127.0.0.1", argv[1], argv[2]);
	discover_make(&discover);
	/* Repeat each second: a server that is still starting misses the first requests. */
	do {
		if (seconds++ == 10)
			errx(1, "no offer in 10 seconds");
		if (memtun_connector_write(lan, &discover, sizeof(discover), 0) < 0)
			err(1, "cannot send");
		result = memtun_connector_expect(lan, patterns, 2, 1000, 0);
	} while (result == 1);
	if (result < 0)
		errx(1, "cannot expect an offer: %s", memtun_connector_error(lan));
	offer = memtun_connector_match(lan, 0);
	inet_ntop(AF_INET, offer->data + offer->payload + offsetof(struct dhcp, your_address),
		  address, sizeof(address));
	printf("offered %s\n", address);
	memtun_connector_close(lan);
	return 0;
}

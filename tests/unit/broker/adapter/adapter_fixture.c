/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/adapter/adapter_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/adapter/adapter_parts.h"
#include "common/frame/checksum.h"
#include "common/clock.h"
#include "broker/tunnel/tunnel.h"

const unsigned char everybody[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ------------------------------------------------------------------------------ time */

bool random_fails;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned int flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned int flags);

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned int flags)
{
	if (!random_fails)
		return __real_getrandom(buffer, size, flags);
	errno = ENOSYS;
	return -1;
}

struct adapter *adapter_of(struct broker_fixture *fixture, const char *name)
{
	struct tunnel *tunnel = tunnel_find(fixture->broker->tunnels, name);

	assert_non_null(tunnel);
	assert_non_null(tunnel->port.adapter);
	return tunnel->port.adapter;
}

void time_passes(struct broker_fixture *fixture, double seconds)
{
	struct due_queue *queue = &fixture->broker->engine->due;

	broker_quiesce(fixture);
	/* Round, because 1.9 s and 0.1 s would be less than 2 s on x87, which keeps more digits. */
	due_advance(queue, due_now(queue) + (int64_t)(seconds * (double)CLOCK_SECOND + 0.5),
		    UINT32_MAX);
	broker_quiesce(fixture);
}

/* ------------------------------------------------------------------------------ frames */

const unsigned char *host_mac(unsigned int n)
{
	static unsigned char macs[256][ETH_ALEN];

	macs[n][0] = 0x02;
	macs[n][5] = (unsigned char)n;
	return macs[n];
}

size_t frame_wrap(unsigned char *frame, const unsigned char to[ETH_ALEN],
		  const unsigned char from[ETH_ALEN], const unsigned char *packet, size_t length)
{
	memcpy(frame, to, ETH_ALEN);
	memcpy(frame + 6, from, ETH_ALEN);
	memcpy(frame + 12, packet[0] >> 4 == 4 ? "\x08\x00" : "\x86\xdd", 2);
	memcpy(frame + 14, packet, length);
	return 14 + length;
}

size_t arp_make(unsigned char *bytes, const struct arp *arp)
{
	memset(bytes, 0, 42);
	memcpy(bytes, arp->to, ETH_ALEN);
	memcpy(bytes + 6, arp->sender_mac, ETH_ALEN);
	memcpy(bytes + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00", 9);
	bytes[21] = (unsigned char)arp->operation;
	memcpy(bytes + 22, arp->sender_mac, ETH_ALEN);
	assert_int_equal(inet_pton(AF_INET, arp->sender, bytes + 28), 1);
	if (arp->target_mac)
		memcpy(bytes + 32, arp->target_mac, ETH_ALEN);
	assert_int_equal(inet_pton(AF_INET, arp->target, bytes + 38), 1);
	return 42;
}

void discovery_sum(unsigned char *bytes, size_t length)
{
	uint32_t sum = checksum_pseudo_ipv6(bytes + 22, bytes + 38, IPPROTO_ICMPV6,
					    (uint32_t)(length - 54));
	uint16_t folded;

	memset(bytes + 56, 0, 2);
	folded = checksum_fold(checksum_add(sum, bytes + 54, length - 54));
	memcpy(bytes + 56, &folded, 2);
}

size_t discovery_make(unsigned char *bytes, const struct discovery *discovery)
{
	size_t length = discovery->option ? 86 : 78;

	memset(bytes, 0, length);
	memcpy(bytes, discovery->to_mac, ETH_ALEN);
	memcpy(bytes + 6, discovery->from_mac, ETH_ALEN);
	memcpy(bytes + 12, "\x86\xdd\x60", 3);
	bytes[19] = (unsigned char)(length - 54);
	bytes[20] = IPPROTO_ICMPV6;
	bytes[21] = 255;
	assert_int_equal(inet_pton(AF_INET6, discovery->from, bytes + 22), 1);
	assert_int_equal(inet_pton(AF_INET6, discovery->to, bytes + 38), 1);
	bytes[54] = (unsigned char)discovery->type;
	bytes[58] = discovery->flags;
	assert_int_equal(inet_pton(AF_INET6, discovery->target, bytes + 62), 1);
	if (discovery->option) {
		bytes[78] = (unsigned char)discovery->option;
		bytes[79] = 1;
		memcpy(bytes + 80,
		       discovery->option_mac ? discovery->option_mac : discovery->from_mac,
		       ETH_ALEN);
	}
	discovery_sum(bytes, length);
	return length;
}

/* ------------------------------------------------------------------------------ the link */

void frames_discard(int fd)
{
	unsigned char bytes[2048];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		;
}

bool frame_is_report(const unsigned char *bytes, size_t length)
{
	return length >= 70 && memcmp(bytes, "\x33\x33\x00\x00\x00\x16", 6) == 0 &&
	       bytes[62] == 143;
}

/* Receive the next frame that is no report of MLD. */
static ssize_t frame_take(int fd, unsigned char *bytes, size_t size)
{
	ssize_t length;

	do {
		length = recv(fd, bytes, size, MSG_DONTWAIT);
	} while (length > 0 && frame_is_report(bytes, (size_t)length));
	return length;
}

void link_open(struct link *link, void **state, const char *options)
{
	char text[200];

	link->fixture = *state;
	link->tap = tunnel_opened(*state, "name=tap,bridge=b,mtu=65535");
	snprintf(text, sizeof(text), "name=tun,mode=tun,bridge=b,mtu=65535%s", options);
	link->tun = tunnel_opened(*state, text);
	link->mac = adapter_of(*state, "tun")->mac;
	broker_quiesce(*state);
	/* The second announcement of the addresses. */
	time_passes(*state, 2);
	frames_discard(link->tap);
}

void link_close(struct link *link)
{
	close(link->tun);
	close(link->tap);
	broker_quiesce(link->fixture);
}

void assert_comes(struct link *link, int fd, const unsigned char *bytes, size_t length)
{
	unsigned char got[70000];

	broker_quiesce(link->fixture);
	assert_int_equal(frame_take(fd, got, sizeof(got)), length);
	assert_memory_equal(got, bytes, length);
}

void assert_nothing(struct link *link, int fd)
{
	unsigned char got[2048];

	broker_quiesce(link->fixture);
	assert_int_equal(frame_take(fd, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
}

void packet_send(struct link *link, const char *from, const char *to)
{
	unsigned char packet[256];

	broker_quiesce(link->fixture); /* frames of the others arrive first */
	bytes_send(link->tun, packet, packet_make(packet, from, to));
}

static void assert_solicits(struct link *link, const char *from, const char *target,
			    const unsigned char *to_mac)
{
	unsigned char expected[100], group_mac[ETH_ALEN] = {0x33, 0x33, 0xff}, address[16];
	char group[INET6_ADDRSTRLEN];
	size_t length;

	inet_pton(AF_INET6, target, address);
	memcpy(group_mac + 3, address + 13, 3);
	snprintf(group, sizeof(group), "ff02::1:ff%02x:%02x%02x", address[13], address[14],
		 address[15]);
	length = discovery_make(expected, &(struct discovery){
						  .to_mac = to_mac ? to_mac : group_mac,
						  .from_mac = link->mac,
						  .type = 135,
						  .from = from,
						  .to = to_mac ? target : group,
						  .target = target,
						  .option = 1,
					  });
	assert_comes(link, link->tap, expected, length);
}

void assert_asks(struct link *link, const char *from, const char *target,
		 const unsigned char *to_mac)
{
	unsigned char expected[100];

	if (strchr(target, ':')) {
		assert_solicits(link, from, target, to_mac);
		return;
	}
	assert_comes(link, link->tap, expected,
		     arp_make(expected, &(struct arp){
						.to = to_mac ? to_mac : everybody,
						.operation = 1,
						.sender_mac = link->mac,
						.sender = from,
						.target_mac = to_mac,
						.target = target,
					}));
}

void host_answers(struct link *link, unsigned int n, const char *address, const char *to)
{
	unsigned char bytes[100];
	size_t length;

	if (strchr(address, ':'))
		length = discovery_make(bytes, &(struct discovery){
						       .to_mac = link->mac,
						       .from_mac = host_mac(n),
						       .type = 136,
						       .from = address,
						       .to = to,
						       .target = address,
						       .flags = 0x60,
						       .option = 2,
					       });
	else
		length = arp_make(bytes, &(struct arp){
						 .to = link->mac,
						 .operation = 2,
						 .sender_mac = host_mac(n),
						 .sender = address,
						 .target_mac = link->mac,
						 .target = to,
					 });
	bytes_send(link->tap, bytes, length);
}

void assert_packet(struct link *link, const char *from, const char *to, const unsigned char *mac)
{
	unsigned char packet[256], frame[300];
	size_t length = packet_make(packet, from, to);

	assert_comes(link, link->tap, frame, frame_wrap(frame, mac, link->mac, packet, length));
}

uint64_t counted(struct link *link, const char *word)
{
	broker_quiesce(link->fixture);
	return shown(link->fixture, "tun", word);
}

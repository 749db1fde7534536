/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/connector/connector_fixture.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/frame/frame_build.h"

struct ends ends;

void ends_open(int type)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	ends = (struct ends){
		.connector = memtun_connector_open_fd(fds[0], MEMTUN_TUN, 0),
		.peer = fds[1],
	};
	assert_non_null(ends.connector);
}

void ends_open_lan(void)
{
	uint16_t port = port_find();

	ends = (struct ends){
		.connector = memtun_connector_open_multicast(LAN_GROUP, port, NULL, 1, 0),
		.peer = -1,
		.other = memtun_connector_open_multicast(LAN_GROUP, port, "127.0.0.1", 1, 0),
	};
	assert_non_null(ends.connector);
	assert_non_null(ends.other);
}

void ends_close(void)
{
	memtun_connector_close(ends.connector);
	memtun_connector_close(ends.other);
	if (ends.peer >= 0)
		close(ends.peer);
}

int ends_pair_setup(void **state)
{
	(void)state;
	ends_open(SOCK_SEQPACKET);
	return 0;
}

int ends_datagram_setup(void **state)
{
	(void)state;
	ends_open(SOCK_DGRAM);
	return 0;
}

int ends_lan_setup(void **state)
{
	(void)state;
	ends_open_lan();
	return 0;
}

int ends_teardown(void **state)
{
	(void)state;
	ends_close();
	return 0;
}

uint16_t port_find(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

size_t udp_frame_make(uint8_t *buffer, size_t size, enum memtun_mode mode, uint16_t udp_port)
{
	struct frame_udp udp = {
		.from_mac = {2, 0, 0, 0, 0, 1},
		.to_mac = {2, 0, 0, 0, 0, 2},
		.vlan = -1,
		.ttl = 64,
		.payload = "hello",
		.payload_length = 5,
	};
	struct sockaddr_in *from = (struct sockaddr_in *)&udp.from;
	struct sockaddr_in *to = (struct sockaddr_in *)&udp.to;
	ssize_t length;

	from->sin_family = AF_INET;
	from->sin_port = htons(1024);
	from->sin_addr.s_addr = inet_addr("10.0.0.1");
	to->sin_family = AF_INET;
	to->sin_port = htons(udp_port);
	to->sin_addr.s_addr = inet_addr("10.0.0.2");
	length = frame_build_udp(buffer, size, mode, &udp);
	assert_true(length > 0);
	return (size_t)length;
}

void ends_send(const uint16_t *udp_ports)
{
	uint8_t frame[128];
	ssize_t length;

	for (; *udp_ports; udp_ports++) {
		if (ends.other) {
			length = (ssize_t)udp_frame_make(frame, sizeof(frame), MEMTUN_TAP,
							 *udp_ports);
			assert_int_equal(
				memtun_connector_write(ends.other, frame, (size_t)length, 0),
				length);
		} else {
			length = (ssize_t)udp_frame_make(frame, sizeof(frame), MEMTUN_TUN,
							 *udp_ports);
			assert_int_equal(send(ends.peer, frame, (size_t)length, 0), length);
		}
	}
}

unsigned int packet_port(const struct memtun_packet *packet)
{
	assert_non_null(packet);
	assert_true(packet->udp >= 0);
	return packet->data[packet->udp + 2] * 256u + packet->data[packet->udp + 3];
}

static void (*alarm_function)(void);

static void alarm_handle(int signal)
{
	(void)signal;
	if (alarm_function)
		alarm_function();
}

/* An alarm every 300 microseconds interrupts poll(2) even in its last millisecond. */
void alarms_start(void (*function)(void))
{
	const struct itimerval often = {.it_interval.tv_usec = 300, .it_value.tv_usec = 300};
	const struct sigaction action = {.sa_handler = alarm_handle};

	alarm_function = function;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

void alarms_stop(void)
{
	const struct itimerval never = {0};

	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	/* SIG_DFL would end the process, because one signal may still be pending. */
	assert_true(signal(SIGALRM, SIG_IGN) != SIG_ERR);
}

void assert_elapsed(int64_t since, int milliseconds)
{
	assert_true(clock_now() - since >= milliseconds * CLOCK_MILLISECOND);
}

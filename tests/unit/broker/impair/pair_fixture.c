/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/frame/frame_build.h"

void pair_open(struct pair *pair, struct broker_fixture *fixture, enum socket_type type,
	       const char *from_options, const char *to_options)
{
	char options[200];

	pair->fixture = fixture;
	pair->type = type;
	snprintf(options, sizeof(options), "name=vm0,bridge=b,socket=%s%s", socket_names[type],
		 from_options);
	pair->from = tunnel_opened(fixture, options);
	snprintf(options, sizeof(options), "name=vm1,bridge=b,socket=%s%s", socket_names[type],
		 to_options);
	pair->to = tunnel_opened(fixture, options);
}

void pair_close(struct pair *pair)
{
	assert_accounted(pair->fixture, "vm1");
	close(pair->from);
	close(pair->to);
	broker_quiesce(pair->fixture);
}

void pair_send(struct pair *pair, uint32_t first, uint32_t last)
{
	for (uint32_t number = first; number <= last; number++)
		assert_true(typed_frame_send(pair->type, pair->from, 1, 0xff, number));
	broker_quiesce(pair->fixture);
}

void assert_came(struct pair *pair, const uint32_t *numbers)
{
	broker_quiesce(pair->fixture);
	for (; *numbers; numbers++)
		assert_int_equal(typed_frame_receive(pair->type, pair->to), *numbers);
	assert_int_equal(typed_frame_receive(pair->type, pair->to), -1);
}

struct due_queue *manual_clock(struct broker_fixture *fixture)
{
	struct due_queue *queue = &fixture->broker->engine->due;

	due_use_manual_clock(queue);
	return queue;
}

void clock_to(struct broker_fixture *fixture, int64_t time)
{
	while (!due_advance(&fixture->broker->engine->due, time, 1000))
		;
	broker_quiesce(fixture);
}

void unfragmented_make(unsigned char *packet, size_t length)
{
	struct in_addr from = {htonl(0x0a000001)}, to = {htonl(0x0a000002)};

	memset(packet, 0, length);
	assert_int_equal(frame_build_ipv4(packet, length, from, to, IPPROTO_UDP, 64,
					  length - sizeof(struct ip)),
			 sizeof(struct ip));
}

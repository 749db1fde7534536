/* SPDX-License-Identifier: MIT */
/* The requests about rules: what is listed, and what is refused. */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/impair/impairment.h"

static void rules_are_listed(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned int rules = 0;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=a,loss=5%,seed=3");
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=b");
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=c");
	done(fixture, MEMTUN_CMD_IMPAIR_ADD, "name=c,delay=1ms");
	done(fixture, MEMTUN_CMD_IMPAIR_ADD, "name=c,delay=2ms");
	client_send(&fixture->client, MEMTUN_CMD_IMPAIR_SHOW, NLM_F_DUMP, "");
	while (client_receive(&fixture->client, &answer) && answer.message.type != NLMSG_DONE) {
		static const char *const names[] = {"a", "c", "c"};
		static const uint64_t numbers[] = {1, 1, 2};

		assert_int_equal(answer.error, 0);
		assert_in_range(rules, 0, 2);
		assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME),
				    names[rules]);
		assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_RULE),
				 numbers[rules]);
		rules++;
	}
	assert_int_equal(rules, 3);
}

static void wrong_rules_are_refused(void **state)
{
	static const char *const wrong[] = {
		"name=a",
		"name=a,seed=1",
		"name=a,jitter=1ms",
		"name=a,delay=1ms,distribution=normal",
		"name=a,delay=1ms,ordered",
		"name=a,loss-burst=3",
		"name=a,loss=80%,loss-burst=3",
		"name=a,loss=1%,reorder=5%",
		"name=a,loss=1%,gap=5",
		"name=a,loss=1%,icmp",
		"name=a,loss=1%,match=udp",
		"name=a,loss=1%,match-code=1+6 0 0 1",
		"name=a,loss=1%,match=udp,match-code=1",
		"name=a,loss=1%,match=udp,match-code=0+",
		"name=a,loss=1%,match=udp,match-code=1+6 0 0",
		"name=a,loss=1%,match=udp,match-code=1+6 0 0 1+",
		"name=a,loss=1%,match=udp,match-code=2+6 0 0 1",
		"name=a,loss=1%,match=udp,match-code=1+0 0 0 1",
		/* Codes of no instruction, for which bpf_filter(3) aborts. */
		"name=a,loss=1%,match=udp,match-code=1+36806 2 0 4137589365",
		"name=a,loss=1%,match=udp,match-code=2+13 0 0 0+6 0 0 1",
		/* A jump back to itself, by an overflow: no end. */
		"name=a,loss=1%,match=udp,match-code=2+5 0 0 4294967295+6 0 0 1",
		"name=a,hold,delay=1ms",
		"name=a,hold,rate=1mbit",
		"name=a,carrier",
		"name=a,carrier,seed=1",
		"name=a,carrier=off,loss=1%",
		"name=a,carrier=off,direction=to-client",
		"name=a,drop=0",
		"name=a,loss=1%,until=1,until-time=1s",
	};

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, wrong[i]), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=nosuch,loss=1%"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_SET, "name=a,rule=1,loss=1%"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=a,rule=1"), ENOENT);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=p,peer=q");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=p,loss=1%"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=r,peer=s,loss=1%"), EINVAL);
	assert_false(exists(*state, "r"));
	/* None of these has left anything. */
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_SET, "name=a,rule=1,jitter=1ms"),
			 EINVAL);
	assert_int_equal(shown(*state, "a", "rules"), 1);
}

static void a_port_has_at_most_64_rules(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	for (int i = 0; i < IMPAIRMENT_RULES_MAX; i++)
		done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%"), E2BIG);
}

static void an_open_tunnel_is_refused_with_another_rule(void **state)
{
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a,loss=1%,seed=3");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=a,loss=2%"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=a,delay=1ms"), EINVAL);
	fd = tunnel_opened(*state, "name=a,loss=1%");
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(rules_are_listed),
		WITH_BROKER(wrong_rules_are_refused),
		WITH_BROKER(a_port_has_at_most_64_rules),
		WITH_BROKER(an_open_tunnel_is_refused_with_another_rule),
	};

	return RUN_TESTS(tests);
}

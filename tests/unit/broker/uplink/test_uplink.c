/* SPDX-License-Identifier: MIT */
/*
 * What all uplinks have in common: adding and deleting, up and down, frames meanwhile, and the
 * addresses that their bridge knows. The uplinks are of type udp. A test takes one down by
 * uplink_lost(), and keeps it down by taking its port.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define HOST "127.0.0.1"

/* An uplink "u" on bridge "b" with a tunnel "t", and its remote. */
struct link {
	struct broker_fixture *fixture;
	struct uplink *uplink;
	int tunnel, peer;
	uint16_t port, peer_port;
};

static void link_open(struct link *link, struct broker_fixture *fixture, const char *options)
{
	*link = (struct link){.fixture = fixture};
	link->peer = udp_open(HOST, &link->peer_port);
	link->port = udp_port_find(HOST);
	link->tunnel = tunnel_opened(fixture, "name=t,bridge=b");
	uplink_added(fixture, "name=u,bridge=b,type=udp,local=%s:%u,remote=%s:%u%s", HOST,
		     link->port, HOST, link->peer_port, options);
	link->uplink = uplink_find(fixture->broker->uplinks, "u");
}

static void link_close(struct link *link)
{
	if (link->tunnel >= 0)
		close(link->tunnel);
	close(link->peer);
	broker_quiesce(link->fixture);
}

/* Take it down, and keep it down. */
static void link_lose(struct link *link, const char *why)
{
	uplink_lost(link->uplink, why);
	uplink_rest(link->fixture, "u");
}

static uint64_t counted(struct link *link, const char *word)
{
	return uplink_shown(link->fixture, "u", word);
}

/* Make the uplink send to a socket that can be full. Return the other end. */
static int link_make_full_able(struct link *link)
{
	struct lane *lane = &link->uplink->lane;
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	lane_close(lane);
	lane->envelope = NULL;
	assert_int_equal(lane_open(lane, &lane_packet_link, ends[0]), 0);
	return ends[1];
}

/* ------------------------------------------------------------------------------ shown */

static void an_uplink_is_shown_as_it_was_made(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	struct link link;
	char local[32];

	link_open(&link, fixture, ",mtu=1400,queue=7,overflow=drop-head");
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_UPLINK_SHOW, "name=u"),
			 0);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), "u");
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_BRIDGE), "b");
	snprintf(local, sizeof(local), "%s:%u", HOST, link.port);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_LOCAL), local);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_TYPE),
			 MEMTUN_UPLINK_UDP);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_STATE), MEMTUN_UP);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_MODE), MEMTUN_TAP);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_MTU), 1400);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_QUEUE_LIMIT), 7);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_OVERFLOW),
			 MEMTUN_DROP_HEAD);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_OWNER), FIXTURE_UID);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_CONNECTS), 1);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_REASON));
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_TO_CLIENT_OFFERED));
	link_close(&link);
}

static void a_list_has_all_uplinks_in_their_order(void **state)
{
	struct broker_fixture *fixture = *state;
	static const char *const names[] = {"zz", "aa", "mm"};
	struct answer answer;

	for (size_t i = 0; i < 3; i++)
		uplink_added(fixture, "name=%s,bridge=b,type=udp,local=%s:%u,remote=%s:9", names[i],
			     HOST, udp_port_find(HOST), HOST);
	client_send(&fixture->client, MEMTUN_CMD_UPLINK_SHOW, NLM_F_DUMP, "");
	for (size_t i = 0; i < 3; i++) {
		assert_true(client_receive(&fixture->client, &answer));
		assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME),
				    names[i]);
	}
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
}

/* ------------------------------------------------------------------------------ refused */

static void what_no_uplink_can_be_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	const char *rest = "type=udp,local=127.0.0.1:5000,remote=127.0.0.1:5001";
	static const struct {
		const char *options, *words;
	} tries[] = {
		{"bridge=b", "uplink add needs name"},
		{"name=u", "uplink add needs bridge"},
		{"name=u%d,bridge=b", "has no %d"},
		{"name=u,bridge=", "needs a bridge"},
		{"name=u,bridge=b,count=2", "takes no count"},
		{"name=u,bridge=b,mtu=1400,statistics", "takes no statistics"},
		{"name=u,bridge=b,address=10.0.0.1", "takes no address"},
		{"name=u,bridge=b,mode=tun", "takes no mode"},
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		uplink_refused(fixture, EINVAL, tries[i].words, "%s,%s", tries[i].options, rest);
	uplink_refused(fixture, EINVAL, "needs type", "name=u,bridge=b");
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SHOW, "name=u"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
}

static void tunnels_and_uplinks_share_their_names(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	struct link link;
	int other;

	link_open(&link, fixture, "");
	uplink_refused(fixture, EBUSY, "'u' exists: it is an uplink",
		       "name=u,bridge=b,type=udp,local=127.0.0.1:5000,remote=127.0.0.1:5001");
	uplink_refused(fixture, EBUSY, "'t' exists: it is a tunnel",
		       "name=t,bridge=b,type=udp,local=127.0.0.1:5000,remote=127.0.0.1:5001");
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=u"), EBUSY);
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=v,peer=u"), EBUSY);
	assert_int_equal(refused(fixture, MEMTUN_CMD_QUEUE_OPEN, "name=u"), EBUSY);
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=u"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=t"), ENOENT);
	/* A template skips the names of uplinks, and takes one that is free again. */
	uplink_added(fixture, "name=x0,bridge=b,type=udp,local=%s:%u,remote=%s:9", HOST,
		     udp_port_find(HOST), HOST);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=x%d"),
			 0);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), "x1");
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=x0");
	other = tunnel_opened(fixture, "name=x%d");
	assert_true(exists(fixture, "x0"));
	close(other);
	link_close(&link);
}

static void a_capture_takes_a_name_or_an_id(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	close(capture_opened(*state, "name=u"));
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=u,id=1"), EINVAL);
	link_close(&link);
}

static void only_its_owner_and_root_may_touch_it(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client stranger, root;
	struct answer answer;
	struct link link;

	link_open(&link, fixture, "");
	client_open(&stranger, fixture, FIXTURE_UID + 1, true);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_UPLINK_DELETE, "name=u"), EPERM);
	assert_string_equal(answer.fault.text, "'u' belongs to user 1000");
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_CAPTURE, "name=u"), EPERM);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=u"), EPERM);
	client_open(&root, fixture, 0, true);
	assert_int_equal(client_ask(&root, &answer, MEMTUN_CMD_UPLINK_DELETE, "name=u"), 0);
	client_close(&root);
	client_close(&stranger);
	link_close(&link);
}

/* The uplink would have been the first Ethernet port of the bridge. */
static void a_second_way_from_a_bridge_to_the_same_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	char lan[64];

	snprintf(lan, sizeof(lan), "type=mcast,group=230.0.0.9,port=%u", udp_port_find(HOST));
	uplink_added(fixture, "name=one,bridge=b,%s", lan);
	uplink_refused(fixture, EEXIST, "uplink 'one' joins bridge 'b' to the same place",
		       "name=two,bridge=b,%s,mtu=1000", lan);
	/* The address can be written in another way. */
	uplink_refused(fixture, EEXIST, "uplink 'one' joins bridge 'b' to the same place",
		       "name=two,bridge=b,%s,ifaddr=127.0.0.1", lan);
	uplink_refused(fixture, EEXIST, "uplink 'one' joins bridge 'b' to the same place",
		       "name=two,bridge=b,%s,ifaddr=127.0.0.2", lan);
	/* On another bridge, or in another LAN, it is no loop. */
	uplink_added(fixture, "name=two,bridge=c,%s", lan);
	uplink_added(fixture, "name=three,bridge=b,type=mcast,group=230.0.0.9,port=%u",
		     udp_port_find(HOST));
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=one");
	uplink_added(fixture, "name=one,bridge=b,%s", lan);
}

static void a_refused_uplink_leaves_its_bridge_alone(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,mode=tun,bridge=b");
	struct answer answer;

	uplink_refused(fixture, EADDRNOTAVAIL, "cannot listen on ",
		       "name=u,bridge=b,type=udp,local=192.0.2.1:5000,remote=192.0.2.1:5001");
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_BRIDGE_SHOW, "name=b"),
			 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_MODE), MEMTUN_TUN);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_PORTS), 1);
	close(tunnel);
}

/* ------------------------------------------------------------------------------ up and down */

/* Check that the next event is this one, of the uplink. */
static void assert_event(struct client *subscriber, enum memtun_event event, enum memtun_state now)
{
	struct answer answer;

	assert_true(client_receive(subscriber, &answer));
	assert_int_equal(answer.message.type, MEMTUN_CMD_EVENT);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT), event);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), "u");
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_STATE), now);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_TIME));
	assert_int_equal(attribute_set_has(&answer.message.set, MEMTUN_A_REASON),
			 event == MEMTUN_EVENT_UPLINK_DOWN);
}

static void assert_no_event(struct client *subscriber)
{
	struct answer answer;

	assert_false(client_receive(subscriber, &answer));
}

static void watchers_are_told_of_ups_and_downs(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	struct link link;
	uint16_t taken;
	int thief;

	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=b");
	client_open(&subscriber, fixture, FIXTURE_UID, true);
	link_open(&link, fixture, "");
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	uplink_added(fixture, "name=u,bridge=b,type=udp,local=%s:%u,remote=%s:%u", HOST, link.port,
		     HOST, link.peer_port);
	link.uplink = uplink_find(fixture->broker->uplinks, "u");
	assert_event(&subscriber, MEMTUN_EVENT_UPLINK_ADDED, MEMTUN_UP);
	link_lose(&link, "it is tried here");
	assert_event(&subscriber, MEMTUN_EVENT_UPLINK_DOWN, MEMTUN_DOWN);
	/* A further try that fails is no event. */
	taken = link.port;
	thief = udp_open(HOST, &taken);
	uplink_retry(link.fixture, "u");
	uplink_rest(link.fixture, "u");
	assert_no_event(&subscriber);
	link_lose(&link, "for another reason");
	assert_no_event(&subscriber);
	close(thief);
	uplink_retry(link.fixture, "u");
	assert_event(&subscriber, MEMTUN_EVENT_UPLINK_UP, MEMTUN_UP);
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	assert_event(&subscriber, MEMTUN_EVENT_UPLINK_DELETED, MEMTUN_DOWN);
	assert_no_event(&subscriber);
	client_close(&subscriber);
	link_close(&link);
}

static void assert_changed(struct client *subscriber, enum memtun_event event, const char *keys)
{
	struct answer answer;

	assert_true(client_receive(subscriber, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT), event);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_CHANGED), keys);
}

static void it_is_changed_while_it_is_up(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	struct link link;

	link_open(&link, fixture, "");
	client_open(&subscriber, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	done(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,mtu=1000,queue=7,overflow=block");
	assert_changed(&subscriber, MEMTUN_EVENT_UPLINK_CHANGED, "mtu,queue,overflow");
	assert_int_equal(uplink_shown(fixture, "u", "mtu"), 1000);
	assert_int_equal(uplink_shown(fixture, "u", "queue"), 7);
	assert_int_equal(uplink_shown(fixture, "u", "overflow"), MEMTUN_BLOCK);
	assert_true(link.uplink->up);
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=t,mtu=1000");
	assert_changed(&subscriber, MEMTUN_EVENT_CHANGED, "mtu");
	client_close(&subscriber);
	link_close(&link);
}

static void it_moves_to_another_bridge(void **state)
{
	struct broker_fixture *fixture = *state;
	struct link link;

	link_open(&link, fixture, "");
	done(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,bridge=other");
	assert_string_equal(uplink_text(fixture, "u", "bridge"), "other");
	done(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,bridge=");
	assert_string_equal(uplink_text(fixture, "u", "bridge"), "");
	done(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,bridge=b");
	assert_string_equal(uplink_text(fixture, "u", "bridge"), "b");
	link_close(&link);
}

static void a_change_that_fails_changes_nothing(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client stranger;
	struct answer answer;
	struct link link;

	link_open(&link, fixture, "");
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,queue=9,mtu=65535"),
			 EINVAL);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,queue=9,address=10.0.0.1"),
			 EINVAL);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SET, "name=u,type=udp"), EINVAL);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SET, "name=none,mtu=1000"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SET, "name=t,mtu=1000"), ENOENT);
	client_open(&stranger, fixture, FIXTURE_UID + 1, true);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_UPLINK_SET, "name=u,queue=9"),
			 EPERM);
	client_close(&stranger);
	assert_int_equal(uplink_shown(fixture, "u", "queue"), 1000);
	link_close(&link);
}

static void why_it_is_down_is_shown_until_it_is_up(void **state)
{
	struct link link;
	uint16_t taken;
	int thief;

	link_open(&link, *state, "");
	link_lose(&link, "it is tried here");
	assert_int_equal(counted(&link, "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(link.fixture, "u", "reason"), "it is tried here");
	taken = link.port;
	thief = udp_open(HOST, &taken);
	uplink_retry(link.fixture, "u");
	uplink_rest(link.fixture, "u");
	assert_non_null(strstr(uplink_text(link.fixture, "u", "reason"), "cannot listen on 127."));
	assert_non_null(strstr(uplink_text(link.fixture, "u", "reason"), strerror(EADDRINUSE)));
	close(thief);
	uplink_retry(link.fixture, "u");
	assert_int_equal(counted(&link, "state"), MEMTUN_UP);
	assert_string_equal(uplink_text(link.fixture, "u", "reason"), "");
	assert_int_equal(counted(&link, "connects"), 2);
	link_close(&link);
}

static bool is_up(void *context)
{
	return ((struct link *)context)->uplink->up;
}

static void it_comes_up_by_itself_and_works_again(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	uplink_lost(link.uplink, "it is tried here");
	assert_true(broker_wait(link.fixture, is_up, &link, 10.));
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	assert_true(frame_send(link.tunnel, 2, 1, 8));
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_int_equal(udp_frame_receive(link.peer), 8);
	link_close(&link);
}

/* Return the delay that the timer was set to, without waiting. The loop's time is that of its last
 * turn. */
static void assert_delay(struct link *link, double seconds)
{
	double delay =
		ev_timer_remaining(link->fixture->broker->engine->loop, &link->uplink->timer);

	assert_float_equal(delay, seconds, 0.001);
}

static void it_tries_ever_more_rarely_until_it_has_been_up_for_a_while(void **state)
{
	static const double delays[] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10., 10.};
	struct link link;
	uint16_t taken;
	int thief;

	link_open(&link, *state, "");
	uplink_lost(link.uplink, "it is tried here");
	taken = link.port;
	thief = udp_open(HOST, &taken);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		assert_delay(&link, delays[i]);
		uplink_retry(link.fixture, "u");
	}
	close(thief);
	uplink_retry(link.fixture, "u");
	assert_true(link.uplink->up);
	/* It goes down again at once, so the delay isn't reset. */
	uplink_lost(link.uplink, "once more");
	assert_delay(&link, 10.);
	uplink_retry(link.fixture, "u");
	link.uplink->since -= 11 * CLOCK_SECOND;
	uplink_lost(link.uplink, "after a while");
	assert_delay(&link, 0.1);
	link_close(&link);
}

static void a_broker_ends_with_uplinks_up_and_down(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	uplink_added(link.fixture, "name=v,bridge=b,type=udp,local=%s:%u,remote=%s:9", HOST,
		     udp_port_find(HOST), HOST);
	link_lose(&link, "it is tried here");
	link_close(&link);
}

/* ------------------------------------------------------------------------------ frames */

static void what_is_sent_while_it_is_down_is_counted(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	assert_true(frame_send(link.tunnel, 2, 1, 1));
	broker_quiesce(link.fixture);
	link_lose(&link, "it is tried here");
	for (uint32_t i = 2; i <= 5; i++)
		assert_true(frame_send(link.tunnel, 2, 1, i));
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "to-client-offered"), 5);
	assert_int_equal(counted(&link, "to-client-frames"), 1);
	assert_int_equal(counted(&link, "to-client-dropped-no-client"), 4);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

/* Send until that many frames are in the uplink's backlog. Return how many were sent. */
static uint32_t link_fill(struct link *link, uint64_t waiting)
{
	uint32_t sent = 0;

	while (link->uplink->lane.backlog.count < waiting) {
		assert_true(sent < 5000);
		assert_true(frame_send(link->tunnel, 2, 1, sent++));
		broker_quiesce(link->fixture);
	}
	return sent;
}

static void what_waits_when_it_goes_down_is_counted(void **state)
{
	struct link link;
	uint32_t sent;
	int end;

	link_open(&link, *state, "");
	end = link_make_full_able(&link);
	sent = link_fill(&link, 20);
	assert_int_equal(counted(&link, "to-client-queued"), 20);
	uplink_accounted(link.fixture, "u");
	link_lose(&link, "it is tried here");
	assert_int_equal(counted(&link, "to-client-offered"), sent);
	assert_int_equal(counted(&link, "to-client-dropped-no-client"), 20);
	uplink_accounted(link.fixture, "u");
	close(end);
	link_close(&link);
}

static void what_overflows_follows_its_policy(void **state)
{
	static const char *const options[] = {",queue=10", ",queue=10,overflow=drop-head"};

	for (int head = 0; head < 2; head++) {
		int64_t number, last = -1;
		struct link link;
		uint32_t sent;
		int end;

		link_open(&link, *state, options[head]);
		end = link_make_full_able(&link);
		sent = link_fill(&link, 10);
		for (uint32_t i = 0; i < 5; i++)
			assert_true(frame_send(link.tunnel, 2, 1, sent++));
		broker_quiesce(link.fixture);
		assert_int_equal(counted(&link, "to-client-dropped-full"), 5);
		uplink_accounted(link.fixture, "u");
		while ((number = frame_receive(end)) >= 0) {
			last = number;
			broker_quiesce(link.fixture);
		}
		assert_int_equal(last, head ? sent - 1 : sent - 6);
		done(link.fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		close(end);
		link_close(&link);
	}
}

static void one_that_blocks_loses_nothing_and_lets_go_when_it_is_lost(void **state)
{
	struct link link;
	uint32_t sent, received = 0;
	int end;

	link_open(&link, *state, ",queue=10,overflow=block");
	end = link_make_full_able(&link);
	for (sent = 0; sent < 5000 && frame_send(link.tunnel, 2, 1, sent); sent++)
		broker_quiesce(link.fixture);
	assert_true(sent < 5000); /* its writer is paused */
	while (frame_receive(end) == received) {
		received++;
		broker_quiesce(link.fixture);
	}
	assert_int_equal(received, sent);
	for (sent = 0; sent < 5000 && frame_send(link.tunnel, 2, 1, sent); sent++)
		broker_quiesce(link.fixture);
	assert_true(sent < 5000);
	link_lose(&link, "it is tried here");
	broker_quiesce(link.fixture);
	assert_true(frame_send(link.tunnel, 2, 1, 0));
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "to-client-dropped-full"), 0);
	uplink_accounted(link.fixture, "u");
	close(end);
	link_close(&link);
}

/* An uplink that a full tunnel has paused stays paused when it comes up again. */
static void its_pause_lasts_across_a_down_and_up(void **state)
{
	struct link link;
	uint64_t before;

	link_open(&link, *state, "");
	done(link.fixture, MEMTUN_CMD_TUNNEL_SET, "name=t,queue=1,overflow=block");
	for (uint32_t i = 0; i < 5000 && !link.uplink->port.source.pause_count; i++) {
		udp_frame_send(link.peer, HOST, link.port, 1, 2, i);
		broker_quiesce(link.fixture);
	}
	assert_true(link.uplink->port.source.pause_count > 0);
	link_lose(&link, "it is tried here");
	uplink_retry(link.fixture, "u");
	before = counted(&link, "from-client-frames");
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "from-client-frames"), before);
	while (frame_receive(link.tunnel) >= 0)
		broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "from-client-frames"), before + 1);
	link_close(&link);
}

static void it_outlives_its_bridge(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	done(link.fixture, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_string_equal(uplink_text(link.fixture, "u", "bridge"), "");
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	assert_true(frame_send(link.tunnel, 2, 1, 8));
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "from-client-dropped-no-destination"), 1);
	assert_int_equal(counted(&link, "to-client-offered"), 0);
	link_lose(&link, "it is tried here");
	uplink_retry(link.fixture, "u");
	done(link.fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	link_close(&link);
}

static void a_bridge_made_by_being_named_goes_with_its_last_uplink(void **state)
{
	struct link link;

	link_open(&link, *state, "");
	close(link.tunnel);
	link.tunnel = -1;
	broker_quiesce(link.fixture);
	done(link.fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	assert_int_equal(refused(link.fixture, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ captures */

static int captured(struct broker_fixture *fixture, const char *options)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_CAPTURE, options), 0);
	assert_true(answer.fd >= 0);
	return answer.fd;
}

static void its_frames_can_be_captured(void **state)
{
	struct link link;
	int both, to, bridge;

	link_open(&link, *state, "");
	both = captured(link.fixture, "name=u,plain");
	to = captured(link.fixture, "name=u,plain,direction=to-client");
	bridge = captured(link.fixture, "bridge=b,plain,direction=from-client");
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	broker_quiesce(link.fixture);
	/* A capture also sees the frames that are dropped while it is down. */
	link_lose(&link, "it is tried here");
	assert_true(frame_send(link.tunnel, 2, 1, 8));
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(both), 7);
	assert_int_equal(frame_receive(both), 8);
	assert_int_equal(frame_receive(to), 8);
	assert_int_equal(frame_receive(bridge), 7);
	assert_int_equal(frame_receive(bridge), 8);
	done(link.fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	broker_quiesce(link.fixture);
	assert_true(fd_ended(both));
	assert_true(fd_ended(to));
	assert_false(fd_ended(bridge));
	close(both);
	close(to);
	close(bridge);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ addresses */

/* Ask for a bridge's addresses. The caller receives the answer. */
static void addresses_ask(struct link *link, const char *options)
{
	client_send(&link->fixture->client, MEMTUN_CMD_ADDRESS_SHOW, NLM_F_DUMP, options);
}

static void a_bridges_addresses_are_shown_with_their_vlan(void **state)
{
	unsigned char tagged[FRAME_SIZE];
	struct answer answer;
	unsigned int seen = 0;
	struct link link;

	link_open(&link, *state, "");
	assert_true(frame_send(link.tunnel, 2, 1, 7));
	frame_make(tagged, sizeof(tagged), 9, 2, 7);
	memcpy(tagged + 12, "\x81\x00\xe0\x63", 4); /* priority 7, VLAN 99 */
	udp_send(link.peer, HOST, link.port, tagged, sizeof(tagged));
	broker_quiesce(link.fixture);
	addresses_ask(&link, "bridge=b");
	for (int i = 0; i < 2; i++) {
		const struct attribute_set *set = &answer.message.set;
		bool of_tunnel;

		assert_true(client_receive(&link.fixture->client, &answer));
		of_tunnel = strcmp(attribute_set_string(set, MEMTUN_A_NAME), "t") == 0;
		assert_string_equal(attribute_set_string(set, MEMTUN_A_BRIDGE), "b");
		assert_string_equal(attribute_set_string(set, MEMTUN_A_ADDRESS),
				    of_tunnel ? "02:00:00:00:00:02" : "02:00:00:00:00:09");
		assert_true(attribute_set_has(set, MEMTUN_A_VLAN));
		assert_int_equal(attribute_set_number(set, MEMTUN_A_VLAN), of_tunnel ? 0 : 99);
		assert_true(attribute_set_has(set, MEMTUN_A_AGE));
		seen |= of_tunnel ? 1 : 2;
	}
	assert_int_equal(seen, 3);
	assert_true(client_receive(&link.fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	link_close(&link);
}

static void ip_addresses_have_no_vlan(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned char packet[40] = {0x45, 0, 0, 40};
	int one = tunnel_opened(fixture, "name=t,mode=tun,bridge=b");
	int other = tunnel_opened(fixture, "name=t2,mode=tun,bridge=b");
	struct message strict;
	struct answer answer;

	memcpy(packet + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
	assert_int_equal(send(one, packet, sizeof(packet), 0), sizeof(packet));
	broker_quiesce(fixture);
	client_send(&fixture->client, MEMTUN_CMD_ADDRESS_SHOW, NLM_F_DUMP, "bridge=b");
	assert_true(client_receive(&fixture->client, &answer));
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_ADDRESS),
			    "10.0.0.1");
	/* Nor an address out of bounds, which clients would ignore. */
	assert_int_equal(message_parse(&strict, answer.bytes, (size_t)answer.length, MESSAGE_STRICT,
				       &answer.fault),
			 0);
	assert_false(attribute_set_has(&strict.set, MEMTUN_A_VLAN));
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	close(one);
	close(other);
}

/* More addresses than one turn sends, and more than the client's socket takes at once. */
#define MANY 3000

static void link_learn(struct link *link)
{
	unsigned char bytes[FRAME_SIZE];

	for (int i = 0; i < MANY; i++) {
		frame_make(bytes, sizeof(bytes), 1, 0xff, 7);
		bytes[7] = (unsigned char)(i >> 8);
		bytes[8] = (unsigned char)i;
		udp_send(link->peer, HOST, link->port, bytes, sizeof(bytes));
		if (i % 32 == 0)
			broker_quiesce(link->fixture);
	}
	broker_quiesce(link->fixture);
}

static void a_long_list_of_addresses_has_each_once(void **state)
{
	bool *seen = calloc(65536, sizeof(*seen));
	unsigned int count = 0;
	struct answer answer;
	struct link link;

	assert_non_null(seen);
	link_open(&link, *state, "");
	link_learn(&link);
	addresses_ask(&link, "bridge=b");
	while (client_receive(&link.fixture->client, &answer) &&
	       answer.message.type == MEMTUN_CMD_ADDRESS_SHOW) {
		unsigned int high, low;

		assert_int_equal(sscanf(attribute_set_string(&answer.message.set, MEMTUN_A_ADDRESS),
					"02:%x:%x:00:00:01", &high, &low),
				 2);
		assert_false(seen[high << 8 | low]);
		seen[high << 8 | low] = true;
		count++;
	}
	assert_int_equal(answer.message.type, NLMSG_DONE);
	assert_int_equal(count, MANY);
	free(seen);
	link_close(&link);
}

static void a_bridge_deleted_in_the_middle_ends_its_list(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	struct answer answer;
	unsigned int count = 0;
	struct link link;

	link_open(&link, fixture, "");
	link_learn(&link);
	client_open(&other, fixture, FIXTURE_UID, true);
	addresses_ask(&link, "bridge=b");
	broker_quiesce(fixture);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_BRIDGE_DELETE, "name=b"), 0);
	while (client_receive(&fixture->client, &answer) &&
	       answer.message.type == MEMTUN_CMD_ADDRESS_SHOW)
		count++;
	assert_true(count > 0 && count < MANY);
	assert_int_equal(answer.error, ENOENT);
	assert_string_equal(answer.fault.text, "there is no bridge 'b'");
	client_close(&other);
	link_close(&link);
}

static void a_hub_has_no_addresses(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	struct link link;

	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=b,hub");
	link_open(&link, fixture, "");
	assert_true(frame_send(link.tunnel, 2, 1, 7));
	broker_quiesce(fixture);
	addresses_ask(&link, "bridge=b");
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	assert_int_equal(refused(fixture, MEMTUN_CMD_ADDRESS_SHOW, "bridge=nowhere"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_ADDRESS_SHOW, ""), EINVAL);
	link_close(&link);
}

static void an_uplink_that_goes_takes_its_addresses_along(void **state)
{
	struct answer answer;
	struct link link;

	link_open(&link, *state, "");
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	broker_quiesce(link.fixture);
	/* While the uplink is down its addresses stay known. */
	link_lose(&link, "it is tried here");
	assert_int_equal(
		client_ask(&link.fixture->client, &answer, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_ADDRESSES), 1);
	done(link.fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	assert_int_equal(
		client_ask(&link.fixture->client, &answer, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_ADDRESSES), 0);
	link_close(&link);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(an_uplink_is_shown_as_it_was_made),
		WITH_BROKER(a_list_has_all_uplinks_in_their_order),
		WITH_BROKER(what_no_uplink_can_be_is_refused),
		WITH_BROKER(tunnels_and_uplinks_share_their_names),
		WITH_BROKER(a_capture_takes_a_name_or_an_id),
		WITH_BROKER(only_its_owner_and_root_may_touch_it),
		WITH_BROKER(a_second_way_from_a_bridge_to_the_same_is_refused),
		WITH_BROKER(a_refused_uplink_leaves_its_bridge_alone),
		WITH_BROKER(watchers_are_told_of_ups_and_downs),
		WITH_BROKER(it_is_changed_while_it_is_up),
		WITH_BROKER(it_moves_to_another_bridge),
		WITH_BROKER(a_change_that_fails_changes_nothing),
		WITH_BROKER(why_it_is_down_is_shown_until_it_is_up),
		WITH_BROKER(it_comes_up_by_itself_and_works_again),
		WITH_BROKER(it_tries_ever_more_rarely_until_it_has_been_up_for_a_while),
		WITH_BROKER(a_broker_ends_with_uplinks_up_and_down),
		WITH_BROKER(what_is_sent_while_it_is_down_is_counted),
		WITH_BROKER(what_waits_when_it_goes_down_is_counted),
		WITH_BROKER(what_overflows_follows_its_policy),
		WITH_BROKER(one_that_blocks_loses_nothing_and_lets_go_when_it_is_lost),
		WITH_BROKER(its_pause_lasts_across_a_down_and_up),
		WITH_BROKER(it_outlives_its_bridge),
		WITH_BROKER(a_bridge_made_by_being_named_goes_with_its_last_uplink),
		WITH_BROKER(its_frames_can_be_captured),
		WITH_BROKER(a_bridges_addresses_are_shown_with_their_vlan),
		WITH_BROKER(ip_addresses_have_no_vlan),
		WITH_BROKER(a_long_list_of_addresses_has_each_once),
		WITH_BROKER(a_bridge_deleted_in_the_middle_ends_its_list),
		WITH_BROKER(a_hub_has_no_addresses),
		WITH_BROKER(an_uplink_that_goes_takes_its_addresses_along),
	};

	return RUN_TESTS(tests);
}

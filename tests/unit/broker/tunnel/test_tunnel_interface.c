/* SPDX-License-Identifier: MIT */
/* The interface that programs see in place of a tunnel, and the tunnel's new name. */
#include "tests/unit/broker/adapter/adapter_fixture.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/adapter/adapter_parts.h"
#include "broker/tunnel/tunnel_interface.h"

#define SET MEMTUN_CMD_INTERFACE_SET
#define RENAME MEMTUN_CMD_TUNNEL_RENAME

static const char *text_of(const struct answer *answer, enum memtun_attribute which)
{
	return attribute_set_string(&answer->message.set, which);
}

static uint64_t number_of(const struct answer *answer, enum memtun_attribute which)
{
	assert_true(attribute_set_has(&answer->message.set, which));
	return attribute_set_number(&answer->message.set, which);
}

/* Make a request that is answered with the tunnel's record. */
static void changed(struct broker_fixture *fixture, uint16_t command, const char *options,
		    struct answer *answer)
{
	if (client_ask(&fixture->client, answer, command, options) != 0)
		fail_msg("%s: %s", options, answer->fault.text);
	assert_int_equal(answer->message.type, command);
}

/* Assert that a request is refused with that error and a text that has `says`. */
static void assert_refused(struct broker_fixture *fixture, uint16_t command, const char *options,
			   int error, const char *says)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, command, options), error);
	if (!strstr(answer.fault.text, says))
		fail_msg("%s: '%s' does not say '%s'", options, answer.fault.text, says);
}

/* ------------------------------------------------------------------------------ values */

static void a_tunnel_has_no_interface_until_one_is_set(void **state)
{
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,mode=tun");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	for (int which = MEMTUN_A_INTERFACE_FLAGS; which <= MEMTUN_A_INTERFACE_CARRIER; which++)
		assert_false(attribute_set_has(&answer.message.set, (enum memtun_attribute)which));
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_INTERFACE_INDEX));
	done(*state, SET, "name=t");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_INDEX),
			 (1 << 20) + number_of(&answer, MEMTUN_A_ID));
}

static void a_new_interface_is_as_the_kernel_makes_it(void **state)
{
	struct answer tun, tap;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,mode=tap");
	changed(*state, SET, "name=tun", &tun);
	changed(*state, SET, "name=tap", &tap);
	assert_int_equal(number_of(&tun, MEMTUN_A_INTERFACE_FLAGS),
			 IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST);
	assert_int_equal(number_of(&tap, MEMTUN_A_INTERFACE_FLAGS), IFF_BROADCAST | IFF_MULTICAST);
	assert_int_equal(number_of(&tun, MEMTUN_A_INTERFACE_TXQLEN), 500);
	assert_int_equal(number_of(&tap, MEMTUN_A_INTERFACE_TXQLEN), 1000);
	assert_int_equal(number_of(&tun, MEMTUN_A_INTERFACE_CARRIER), 1);
	assert_null(text_of(&tun, MEMTUN_A_INTERFACE_MAC));
	assert_int_equal(strlen(text_of(&tap, MEMTUN_A_INTERFACE_MAC)), 17);
	assert_null(text_of(&tun, MEMTUN_A_INTERFACE_ADDRESS));
	assert_null(text_of(&tun, MEMTUN_A_INTERFACE_ROUTE));
	assert_null(text_of(&tun, MEMTUN_A_INTERFACE_NEIGHBOUR));
}

static void a_tap_that_is_made_again_has_the_same_mac(void **state)
{
	struct answer first, other, again;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=b");
	changed(*state, SET, "name=a", &first);
	changed(*state, SET, "name=b", &other);
	assert_string_not_equal(text_of(&first, MEMTUN_A_INTERFACE_MAC),
				text_of(&other, MEMTUN_A_INTERFACE_MAC));
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=a");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	changed(*state, SET, "name=a", &again);
	assert_string_equal(text_of(&first, MEMTUN_A_INTERFACE_MAC),
			    text_of(&again, MEMTUN_A_INTERFACE_MAC));
}

static void an_attach_can_bring_an_interface(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer opened, answer;
	char text[64];

	assert_int_equal(client_ask(&fixture->client, &opened, MEMTUN_CMD_QUEUE_OPEN, ""), 0);
	snprintf(text, sizeof(text), "queue-id=%u,name=t,mode=tun,interface-flags=up",
		 (unsigned int)number_of(&opened, MEMTUN_A_QUEUE_ID));
	/* Without a number for it, nothing is made. */
	fixture->broker->engine->last_id = INT32_MAX;
	assert_refused(*state, MEMTUN_CMD_QUEUE_ATTACH, text, EOVERFLOW, "no number is left");
	assert_false(exists(*state, "t"));
	fixture->broker->engine->last_id = 1000;
	changed(*state, MEMTUN_CMD_QUEUE_ATTACH, text, &answer);
	assert_string_equal(text_of(&answer, MEMTUN_A_NAME), "t");
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS),
			 IFF_UP | IFF_POINTOPOINT | IFF_RUNNING | 0x10000);
	/* One that exists stays as it is. */
	done(*state, SET, "name=t,interface-flags=none,interface-txqlen=7");
	snprintf(text, sizeof(text), "queue-id=%u",
		 (unsigned int)number_of(&opened, MEMTUN_A_QUEUE_ID));
	done(*state, MEMTUN_CMD_QUEUE_DETACH, text);
	snprintf(text, sizeof(text), "queue-id=%u,name=t,mode=tun,interface-flags=up",
		 (unsigned int)number_of(&opened, MEMTUN_A_QUEUE_ID));
	changed(*state, MEMTUN_CMD_QUEUE_ATTACH, text, &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS), IFF_POINTOPOINT);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_TXQLEN), 7);
	close(opened.fd);
}

static void values_that_are_not_given_stay(void **state)
{
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	done(*state, SET,
	     "name=t,interface-flags=up+promisc,interface-txqlen=7,interface-mac=02:00:00:00:00:0a,"
	     "interface-address=10.0.0.1/24 broadcast 10.0.0.255+10.8.0.1 peer "
	     "10.8.0.2/32+fd00::1/64,"
	     "interface-route=10.9.0.0/16 via 10.0.0.2 metric 100,"
	     "interface-neighbour=10.0.0.2 lladdr 02:00:00:00:00:01");
	changed(*state, SET, "name=t,interface-txqlen=8", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_TXQLEN), 8);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS),
			 IFF_UP | IFF_PROMISC | IFF_BROADCAST);
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_MAC), "02:00:00:00:00:0a");
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_ADDRESS),
			    "10.0.0.1/24 broadcast 10.0.0.255+10.8.0.1 peer 10.8.0.2/32"
			    "+fd00::1/64");
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_ROUTE),
			    "10.9.0.0/16 via 10.0.0.2 metric 100");
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_NEIGHBOUR),
			    "10.0.0.2 lladdr 02:00:00:00:00:01");
	changed(*state, SET, "name=t,interface-route=none", &answer);
	assert_null(text_of(&answer, MEMTUN_A_INTERFACE_ROUTE));
	assert_non_null(text_of(&answer, MEMTUN_A_INTERFACE_NEIGHBOUR));
}

static void an_interface_runs_while_it_is_up_and_open_and_has_a_carrier(void **state)
{
	struct answer answer;
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,mode=tun");
	/* A program cannot set what follows from the tunnel. */
	changed(*state, SET, "name=t,interface-flags=up+running+lower_up+broadcast", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS), IFF_UP | IFF_POINTOPOINT);
	fd = tunnel_opened(*state, "name=t");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS),
			 IFF_UP | IFF_POINTOPOINT | IFF_RUNNING | IFF_LOWER_UP);
	changed(*state, SET, "name=t,interface-carrier=off", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS), IFF_UP | IFF_POINTOPOINT);
	changed(*state, SET, "name=t,interface-carrier=on,interface-flags=none", &answer);
	assert_int_equal(number_of(&answer, MEMTUN_A_INTERFACE_FLAGS), IFF_POINTOPOINT);
	close(fd);
}

static void wrong_values_are_refused_and_change_nothing(void **state)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{"name=tun,interface-address=10.0.0.300",
		 "'10.0.0.300' is no IPv4 or IPv6 address"},
		{"name=tun,interface-address=10.0.0.1+", "interface-address '' is no"},
		{"name=tun,interface-address=10.0.0.1/33", "'10.0.0.1/33' is no"},
		{"name=tun,interface-address=10.0.0.1/", "is no"},
		{"name=tun,interface-address=fd00::1/129", "is no"},
		{"name=tun,interface-address=10.0.0.1/24+x peer 10.0.0.2",
		 "'x peer 10.0.0.2' is no"},
		{"name=tun,interface-address=1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:"
		 "bbbb",
		 "is no"},
		{"name=tun,interface-mac=02:00:00:00:00:01", "'tun' is a tun, which has no MAC"},
		{"name=tap,interface-mac=02:00:00:00:00", "is no MAC address"},
		{"name=tap,interface-mac=02:00:00:00:00:0g", "is no MAC address"},
		{"name=tap,interface-mac=2:00:00:00:00:0:11", "is no MAC address"},
		{"name=tap,interface-mac=02:00:00:00:00:01:", "is no MAC address"},
		{"name=tap,interface-mac=03:00:00:00:00:01", "is not one host's"},
		{"name=tap,interface-mac=00:00:00:00:00:00", "is not one host's"},
		{"name=tap,mtu=1400", "interface set takes no mtu"},
		{"interface-txqlen=1", "a name or an id is missing"},
	};
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,mode=tap");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(*state, SET, cases[i].options, EINVAL, cases[i].says);
	assert_refused(*state, SET, "name=none", ENOENT, "there is no tunnel");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "tun", &answer);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_INTERFACE_INDEX));
	/* The kernel takes the length 0. */
	done(*state, SET, "name=tun,interface-address=10.0.0.1/0");
}

static void a_change_of_another_revision_is_refused(void **state)
{
	struct answer first, answer;
	char text[128];

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	assert_refused(*state, SET, "name=t,interface-revision=1", ESTALE, "changed since");
	changed(*state, SET, "name=t,interface-address=10.0.0.1/24", &first);
	snprintf(text, sizeof(text), "name=t,interface-address=10.0.0.2/24,interface-revision=%u",
		 (unsigned int)number_of(&first, MEMTUN_A_INTERFACE_REVISION));
	changed(*state, SET, text, &answer);
	assert_int_not_equal(number_of(&answer, MEMTUN_A_INTERFACE_REVISION),
			     number_of(&first, MEMTUN_A_INTERFACE_REVISION));
	assert_refused(*state, SET, text, ESTALE, "the interface of 't' has been changed since");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_ADDRESS), "10.0.0.2/24");
	/* Without one, the last change wins. */
	done(*state, SET, "name=t,interface-txqlen=1");
}

static void another_user_may_not_change_it(void **state)
{
	struct client stranger;
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&stranger, *state, FIXTURE_UID + 1, true);
	assert_int_equal(client_ask(&stranger, &answer, SET, "name=t"), EPERM);
	assert_int_equal(client_ask(&stranger, &answer, RENAME, "name=t,new-name=u"), EPERM);
	assert_true(exists(*state, "t"));
	client_close(&stranger);
}

/* ------------------------------------------------------------------------------ bounds */

/* Write "KEY=" and a list of `length` bytes behind the text. */
static void list_append(char *text, const char *key, size_t length)
{
	text += strlen(text);
	text += sprintf(text, ",%s=", key);
	memset(text, 'x', length);
	text[length] = '\0';
}

static void lists_are_bounded_and_fit_one_record(void **state)
{
	const size_t most = MEMTUN_LIST_SIZE - 1;
	struct answer answer;
	static char text[MEMTUN_PROTOCOL_RECORD_MAX];

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=fifteen--bytes1,bridge=fifteen--bytes2");
	strcpy(text, "name=fifteen--bytes1,interface-address=fd00::1 ");
	memset(text + strlen(text), 'x', most - strlen("fd00::1 "));
	list_append(text, "interface-route", most);
	list_append(text, "interface-neighbour", most);
	changed(*state, SET, text, &answer);
	assert_int_equal(strlen(text_of(&answer, MEMTUN_A_INTERFACE_ADDRESS)), most);
	assert_int_equal(strlen(text_of(&answer, MEMTUN_A_INTERFACE_ROUTE)), most);
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "fifteen--bytes1", &answer);
	assert_int_equal(strlen(text_of(&answer, MEMTUN_A_INTERFACE_NEIGHBOUR)), most);
}

/* Send a record with an attribute that is longer than its bound. */
static void a_list_that_is_too_long_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	static char list[MEMTUN_LIST_SIZE + 1];
	struct message_builder builder;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	memset(list, 'x', MEMTUN_LIST_SIZE);
	message_begin(&builder, SET, NLM_F_REQUEST, ++fixture->client.sequence);
	message_put_string(&builder, MEMTUN_A_NAME, "t");
	message_put_string(&builder, MEMTUN_A_INTERFACE_ROUTE, list);
	client_send_raw(&fixture->client, builder.bytes, message_end(&builder));
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.error, EINVAL);
	assert_string_equal(answer.fault.text, "interface-route is from 1 to 8191 bytes long");
}

static void the_lists_of_all_interfaces_are_bounded(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=u");
	done(fixture, SET, "name=t,interface-route=0123456789");
	assert_int_equal(fixture->broker->tunnels->list_bytes, 10);
	done(fixture, SET, "name=t,interface-route=01234");
	assert_int_equal(fixture->broker->tunnels->list_bytes, 5);
	fixture->broker->tunnels->list_bytes = TUNNEL_INTERFACE_BYTES_MAX - 4;
	assert_refused(fixture, SET, "name=u,interface-route=01234", ENOSPC, "more than 64 MiB");
	record_show(fixture, MEMTUN_CMD_TUNNEL_SHOW, "u", &answer);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_INTERFACE_INDEX));
	done(fixture, SET, "name=u,interface-route=0123");
	/* What is replaced does not count. */
	done(fixture, SET, "name=u,interface-route=0321");
	fixture->broker->tunnels->list_bytes = 9;
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=t");
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=u");
	assert_int_equal(fixture->broker->tunnels->list_bytes, 0);
}

/* Ask that client to set two lists of a tunnel, of that many bytes together. */
static int lists_set(struct client *client, const char *name, size_t bytes, struct answer *answer)
{
	static char text[MEMTUN_PROTOCOL_RECORD_MAX];

	sprintf(text, "name=%s", name);
	list_append(text, "interface-route", bytes / 2);
	list_append(text, "interface-neighbour", bytes - bytes / 2);
	return client_ask(client, answer, SET, text);
}

static void the_lists_of_one_user_leave_room_for_another(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client *own = &fixture->client, other;
	const size_t half = TUNNEL_INTERFACE_BYTES_OF_USER / 2 - 1000;
	struct answer answer;

	client_open(&other, fixture, FIXTURE_UID + 1, true);
	for (const char *name = "abc"; *name; name++) {
		char text[] = {'n', 'a', 'm', 'e', '=', *name, '\0'};

		done(fixture, MEMTUN_CMD_TUNNEL_ADD, text);
	}
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=o"), 0);
	assert_int_equal(lists_set(own, "a", half, &answer), 0);
	assert_int_equal(lists_set(own, "b", half, &answer), 0);
	assert_int_equal(lists_set(own, "c", 2001, &answer), ENOSPC);
	assert_non_null(strstr(answer.fault.text, "of this user"));
	assert_int_equal(lists_set(&other, "o", half, &answer), 0);
	/* The last 2000 bytes are the user's, and a change may always need less. */
	assert_int_equal(lists_set(own, "c", 2000, &answer), 0);
	assert_int_equal(lists_set(own, "a", half + 1, &answer), ENOSPC);
	assert_int_equal(lists_set(own, "a", half - 1, &answer), 0);
	assert_int_equal(fixture->broker->tunnels->list_bytes, 3 * half + 1999);
	client_close(&other);
}

static void an_id_that_is_too_large_has_no_interface(void **state)
{
	struct broker_fixture *fixture = *state;

	fixture->broker->engine->last_id = INT32_MAX - (1 << 20) - 1;
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	done(fixture, SET, "name=t");
	assert_int_equal(shown(fixture, "t", "interface-index"), INT32_MAX);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=u");
	assert_refused(fixture, SET, "name=u", EOVERFLOW, "no number is left");
}

/* ------------------------------------------------------------------------------ its end */

static void an_interface_goes_with_its_tunnel(void **state)
{
	struct answer answer;
	int fd = tunnel_opened(*state, "name=t");

	done(*state, SET, "name=t,interface-address=10.0.0.1/24");
	close(fd);
	broker_quiesce(*state);
	assert_false(exists(*state, "t"));
	fd = tunnel_opened(*state, "name=t");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_INTERFACE_INDEX));
	done(*state, SET, "name=t,interface-address=10.0.0.1/24");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=t,persistent");
	close(fd);
	broker_quiesce(*state);
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "t", &answer);
	assert_string_equal(text_of(&answer, MEMTUN_A_INTERFACE_ADDRESS), "10.0.0.1/24");
}

/* ------------------------------------------------------------------------------ events */

static void subscribers_are_told_what_has_changed(void **state)
{
	struct client subscriber;
	struct answer event;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&subscriber, *state, FIXTURE_UID, true);
	assert_int_equal(client_ask(&subscriber, &event, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	done(*state, SET, "name=t,interface-address=10.0.0.1/24,interface-flags=up");
	assert_true(client_receive(&subscriber, &event));
	assert_int_equal(number_of(&event, MEMTUN_A_EVENT), MEMTUN_EVENT_CHANGED);
	assert_string_equal(text_of(&event, MEMTUN_A_CHANGED), "interface-flags,interface-address");
	assert_string_equal(text_of(&event, MEMTUN_A_INTERFACE_ADDRESS), "10.0.0.1/24");
	done(*state, RENAME, "name=t,new-name=u");
	assert_true(client_receive(&subscriber, &event));
	assert_int_equal(number_of(&event, MEMTUN_A_EVENT), MEMTUN_EVENT_CHANGED);
	assert_string_equal(text_of(&event, MEMTUN_A_CHANGED), "name");
	assert_string_equal(text_of(&event, MEMTUN_A_NAME), "u");
	assert_string_equal(text_of(&event, MEMTUN_A_FORMER_NAME), "t");
	/* All keys at once are not cut. */
	done(*state, SET,
	     "name=u,interface-flags=up,interface-txqlen=1,interface-mac=02:00:00:00:00:01,"
	     "interface-address=10.0.0.1,interface-route=x,interface-neighbour=x,"
	     "interface-carrier=on");
	assert_true(client_receive(&subscriber, &event));
	assert_non_null(strstr(text_of(&event, MEMTUN_A_CHANGED), ",interface-neighbour,"));
	assert_non_null(strstr(text_of(&event, MEMTUN_A_CHANGED), ",interface-carrier"));
	client_close(&subscriber);
}

/* ------------------------------------------------------------------------------ the name */

static void a_tunnel_gets_another_name_and_keeps_the_rest(void **state)
{
	struct answer before, after;
	int fds[3];

	three_open(*state, "", fds);
	changed(*state, SET, "name=vm0,interface-address=10.0.0.1/24", &before);
	changed(*state, RENAME, "name=vm0,new-name=lan", &after);
	assert_string_equal(text_of(&after, MEMTUN_A_NAME), "lan");
	assert_int_equal(number_of(&after, MEMTUN_A_ID), number_of(&before, MEMTUN_A_ID));
	assert_string_equal(text_of(&after, MEMTUN_A_INTERFACE_MAC),
			    text_of(&before, MEMTUN_A_INTERFACE_MAC));
	assert_false(exists(*state, "vm0"));
	assert_true(frame_send(fds[1], 1, 0xff, 1));
	assert_int_equal(three_reached(*state, fds), 1 << 0 | 1 << 2);
	/* Its former name is free, for templates too. */
	changed(*state, RENAME, "name=vm2,new-name=vm%d", &after);
	assert_string_equal(text_of(&after, MEMTUN_A_NAME), "vm0");
	/* The same name again changes nothing. */
	done(*state, RENAME, "name=lan,new-name=lan");
	three_close(fds);
}

static void a_name_that_is_taken_or_wrong_is_refused(void **state)
{
	struct client stranger;
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=u");
	client_open(&stranger, *state, FIXTURE_UID + 1, true);
	assert_int_equal(client_ask(&stranger, &answer, MEMTUN_CMD_TUNNEL_ADD, "name=v"), 0);
	assert_refused(*state, RENAME, "name=t,new-name=u", EBUSY, "'u' exists: it is a tunnel");
	assert_refused(*state, RENAME, "name=t,new-name=v", EPERM, "'v' belongs to user");
	assert_refused(*state, RENAME, "name=t", EINVAL, "rename needs new-name");
	for (int i = 0; i < 100; i++)
		done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=thirteen-byte%d");
	assert_refused(*state, RENAME, "name=t,new-name=thirteen-byte%d", ENFILE, "no number");
	assert_true(exists(*state, "t"));
	client_close(&stranger);
}

static void a_peer_knows_the_new_name(void **state)
{
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,peer=u");
	done(*state, RENAME, "name=t,new-name=v");
	record_show(*state, MEMTUN_CMD_TUNNEL_SHOW, "u", &answer);
	assert_string_equal(text_of(&answer, MEMTUN_A_PEER), "v");
}

/* ------------------------------------------------------------------------------ the adapter */

/* Assert that the adapter answers ARP for the address, or not. */
static void assert_answers(struct link *link, const char *address, bool answers)
{
	unsigned char bytes[64];
	struct arp arp = {everybody, 1, host_mac(1), "10.0.0.1", NULL, address};
	size_t length = arp_make(bytes, &arp);

	broker_quiesce(link->fixture);
	frames_discard(link->tap);
	assert_int_equal(write(link->tap, bytes, length), length);
	arp = (struct arp){host_mac(1), 2, link->mac, address, host_mac(1), "10.0.0.1"};
	length = arp_make(bytes, &arp);
	if (answers)
		assert_comes(link, link->tap, bytes, length);
	else
		assert_nothing(link, link->tap);
}

static void a_tun_answers_for_the_addresses_of_its_interface(void **state)
{
	struct link link;

	link_open(&link, state, "");
	assert_answers(&link, "10.0.0.9", false);
	done(*state, SET, "name=tun,interface-address=10.0.0.9/24+10.8.0.1 peer 10.8.0.2/32");
	assert_answers(&link, "10.0.0.9", true);
	assert_answers(&link, "10.8.0.1", true);
	assert_answers(&link, "10.8.0.2", false);
	done(*state, SET, "name=tun,interface-address=none");
	assert_answers(&link, "10.0.0.9", false);
	link_close(&link);
}

static void what_the_user_has_configured_comes_first(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.8/24");
	done(*state, SET, "name=tun,interface-address=10.0.0.9/24");
	assert_answers(&link, "10.0.0.9", false);
	assert_answers(&link, "10.0.0.8", true);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=10.0.0.7/24");
	assert_answers(&link, "10.0.0.8", false);
	assert_answers(&link, "10.0.0.7", true);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=none");
	assert_answers(&link, "10.0.0.7", false);
	assert_answers(&link, "10.0.0.9", true);
	link_close(&link);
}

static void an_interface_that_comes_to_a_bridge_later_has_its_addresses(void **state)
{
	struct link link;

	link_open(&link, state, "");
	done(*state, SET, "name=tun,interface-address=10.0.0.9/24");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,bridge=");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,bridge=b");
	link.mac = adapter_of(*state, "tun")->mac;
	assert_answers(&link, "10.0.0.9", true);
	link_close(&link);
}

/* Packets outside of the prefix go to the gateway of the default route. */
static void the_gateway_is_the_default_routes(void **state)
{
	static const char *const routes[] = {
		"10.1.0.0/16 via 10.0.0.3+default via 10.0.0.2 metric 5",
		"0.0.0.0/0 via 10.0.0.2",
	};

	for (size_t i = 0; i < 2; i++) {
		char text[200];
		struct link link;

		link_open(&link, state, "");
		done(*state, SET, "name=tun,interface-address=10.0.0.9/24");
		broker_quiesce(*state);
		frames_discard(link.tap);
		packet_send(&link, "10.0.0.9", "192.0.2.1");
		assert_asks(&link, "10.0.0.9", "192.0.2.1", NULL);
		snprintf(text, sizeof(text), "name=tun,interface-route=%s", routes[i]);
		done(*state, SET, text);
		broker_quiesce(*state);
		frames_discard(link.tap);
		packet_send(&link, "10.0.0.9", "192.0.2.2");
		assert_asks(&link, "10.0.0.9", "10.0.0.2", NULL);
		link_close(&link);
	}
}

static void an_adapter_leaves_out_what_it_cannot_use(void **state)
{
	struct link link;

	link_open(&link, state, ",gateway=10.0.0.2");
	/* The network's own address comes without its prefix; a group does not come at all. The
	 * gateway of the route lies in no prefix, and the user has one configured. */
	done(*state, SET,
	     "name=tun,interface-address=224.0.0.1+10.3.0.0/24+10.0.0.9/24,"
	     "interface-route=default via 10.7.0.1");
	assert_answers(&link, "10.3.0.0", true);
	assert_answers(&link, "10.0.0.9", true);
	packet_send(&link, "10.0.0.9", "192.0.2.2");
	assert_asks(&link, "10.0.0.9", "10.0.0.2", NULL);
	/* Eight addresses at most. */
	done(*state, SET,
	     "name=tun,interface-address=10.0.0.11+10.0.0.12+10.0.0.13+10.0.0.14+10.0.0.15"
	     "+10.0.0.16+10.0.0.17+10.0.0.18+10.0.0.19");
	assert_answers(&link, "10.0.0.18", true);
	assert_answers(&link, "10.0.0.19", false);
	link_close(&link);
}

static void a_change_of_other_values_announces_nothing(void **state)
{
	struct link link;

	link_open(&link, state, "");
	done(*state, SET, "name=tun,interface-address=10.0.0.9/24");
	broker_quiesce(*state);
	frames_discard(link.tap);
	done(*state, SET, "name=tun,interface-flags=up");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,mtu=1400");
	assert_nothing(&link, link.tap);
	link_close(&link);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MANUAL_CLOCK(a_tunnel_has_no_interface_until_one_is_set),
		WITH_MANUAL_CLOCK(a_new_interface_is_as_the_kernel_makes_it),
		WITH_MANUAL_CLOCK(a_tap_that_is_made_again_has_the_same_mac),
		WITH_MANUAL_CLOCK(an_attach_can_bring_an_interface),
		WITH_MANUAL_CLOCK(values_that_are_not_given_stay),
		WITH_MANUAL_CLOCK(an_interface_runs_while_it_is_up_and_open_and_has_a_carrier),
		WITH_MANUAL_CLOCK(wrong_values_are_refused_and_change_nothing),
		WITH_MANUAL_CLOCK(a_change_of_another_revision_is_refused),
		WITH_MANUAL_CLOCK(another_user_may_not_change_it),
		WITH_MANUAL_CLOCK(lists_are_bounded_and_fit_one_record),
		WITH_MANUAL_CLOCK(a_list_that_is_too_long_is_refused),
		WITH_MANUAL_CLOCK(the_lists_of_all_interfaces_are_bounded),
		WITH_MANUAL_CLOCK(the_lists_of_one_user_leave_room_for_another),
		WITH_MANUAL_CLOCK(an_id_that_is_too_large_has_no_interface),
		WITH_MANUAL_CLOCK(an_interface_goes_with_its_tunnel),
		WITH_MANUAL_CLOCK(subscribers_are_told_what_has_changed),
		WITH_MANUAL_CLOCK(a_tunnel_gets_another_name_and_keeps_the_rest),
		WITH_MANUAL_CLOCK(a_name_that_is_taken_or_wrong_is_refused),
		WITH_MANUAL_CLOCK(a_peer_knows_the_new_name),
		WITH_MANUAL_CLOCK(a_tun_answers_for_the_addresses_of_its_interface),
		WITH_MANUAL_CLOCK(what_the_user_has_configured_comes_first),
		WITH_MANUAL_CLOCK(an_interface_that_comes_to_a_bridge_later_has_its_addresses),
		WITH_MANUAL_CLOCK(the_gateway_is_the_default_routes),
		WITH_MANUAL_CLOCK(an_adapter_leaves_out_what_it_cannot_use),
		WITH_MANUAL_CLOCK(a_change_of_other_values_announces_nothing),
	};

	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/* Tunnels: their names and owners, and how they are opened, changed and deleted. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/tunnel/tunnel.h"
#include "common/tunnel_name.h"

#define OTHER_UID 1001

/* Open a tunnel and assert its name. Store the descriptor in *kept, or close it if kept is NULL. */
static void assert_opens_as(struct broker_fixture *fixture, const char *options, const char *name,
			    int *kept)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, options), 0);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), name);
	if (kept)
		*kept = answer.fd;
	else
		close(answer.fd);
}

/* ------------------------------------------------------------------------------ names */

static void a_template_is_the_lowest_free_number(void **state)
{
	int fds[4];

	for (int i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "tap%d", i);
		assert_opens_as(*state, "name=tap%d", name, &fds[i]);
	}
	close(fds[1]);
	close(fds[2]);
	broker_quiesce(*state);
	assert_opens_as(*state, "name=tap%d", "tap1", &fds[1]);
	assert_opens_as(*state, "name=tap%d", "tap2", &fds[2]);
	assert_opens_as(*state, "name=tap%d", "tap4", NULL);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

static void a_template_finds_the_lowest_number_wherever_it_stands(void **state)
{
	static const char *const templates[] = {"t%d", "t1%d", "t%d.5",   "4t%d",
						"%d",  "t%d2", "a1b%dc3", "1a2%dc3d4"};
	const size_t count = sizeof(templates) / sizeof(templates[0]);
	unsigned int random = 1;

	/* Add and delete at random, and compare with trying each number. */
	for (int i = 0; i < 1000; i++) {
		const char *template;
		char name[16], option[40];
		int number = 0;

		random = random * 1103515245 + 12345;
		template = templates[(random >> 16) % count];
		do {
			tunnel_name_expand(name, sizeof(name), template, (unsigned int)number++);
		} while (exists(*state, name));
		snprintf(option, sizeof(option), "name=%s", template);
		if (strcmp(template, "t%d2") == 0 && number > 100) {
			assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, option), ENFILE);
		} else {
			done(*state, MEMTUN_CMD_TUNNEL_ADD, option);
			assert_true(exists(*state, name));
		}
		random = random * 1103515245 + 12345;
		template = templates[(random >> 16) % count];
		tunnel_name_expand(name, sizeof(name), template, (random >> 8) % 120);
		snprintf(option, sizeof(option), "name=%s", name);
		if (exists(*state, name))
			done(*state, MEMTUN_CMD_TUNNEL_DELETE, option);
		else if (i % 3 == 0)
			done(*state, MEMTUN_CMD_TUNNEL_ADD, option);
	}
}

/* How many names were made of templates, which is how many numbers were tried. */
static unsigned int expansions;

bool __real_tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number);
bool __wrap_tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number);

bool __wrap_tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number)
{
	expansions++;
	return __real_tunnel_name_expand(name, size, template, number);
}

/* Return how many numbers a tunnel of the template tries, after other names came and went. */
static unsigned int tried_numbers(struct broker_fixture *fixture, const char *template)
{
	static const char *const others[] = {"name=a%d", "name=b%d", "name=c%d", "name=d%d"};
	char first[40];

	__real_tunnel_name_expand(first, sizeof(first), template, 0);
	for (int other = 0; other < 4; other++)
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, others[other]);
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, first);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, first);
	expansions = 0;
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, template);
	return expansions;
}

static void a_template_tries_few_numbers_among_many_names(void **state)
{
	static const char *const templates[] = {"name=tap%d", "name=4vm%d", "name=as1r%de2"};

	for (int i = 0; i < 3000; i++)
		done(*state, MEMTUN_CMD_TUNNEL_ADD, templates[i % 3]);
	/* Two for each number of digits, of which a name has at most nine. */
	for (int i = 0; i < 3; i++)
		assert_in_range(tried_numbers(*state, templates[i]), 1, 2 * 9);
}

static void templates_do_not_disturb_each_other(void **state)
{
	int fds[6];

	assert_opens_as(*state, "name=tap%d", "tap0", &fds[0]);
	assert_opens_as(*state, "name=%dx", "0x", &fds[1]);
	assert_opens_as(*state, "name=a%db", "a0b", &fds[2]);
	assert_opens_as(*state, "name=tap%d", "tap1", &fds[3]);
	close(fds[0]);
	broker_quiesce(*state);
	assert_opens_as(*state, "name=%dx", "1x", &fds[4]);
	/* tap00 is not a name of the template, so tap0 is still free. */
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap00");
	assert_opens_as(*state, "name=tap%d", "tap0", &fds[5]);
	for (int i = 1; i < 6; i++)
		close(fds[i]);
}

static void a_template_skips_names_that_are_taken(void **state)
{
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap0");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap2");
	assert_opens_as(*state, "name=tap%d", "tap1", &fd);
	assert_opens_as(*state, "name=tap%d", "tap3", NULL);
	close(fd);
}

static void a_template_that_is_full_is_refused(void **state)
{
	/* Thirteen bytes leave room for two digits. */
	for (int i = 0; i < 100; i++)
		done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=thirteen-byte%d");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=thirteen-byte%d"), ENFILE);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=thirteen-byte42");
	assert_opens_as(*state, "name=thirteen-byte%d", "thirteen-byte42", NULL);
}

static void a_taken_name_is_busy(void **state)
{
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=here");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=here"), EBUSY);
	fd = tunnel_opened(*state, "name=here");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=here"), EBUSY);
	close(fd);
}

static void another_users_tunnel_is_not_permitted(void **state)
{
	static const uint16_t commands[] = {
		MEMTUN_CMD_TUNNEL_ADD,
		MEMTUN_CMD_QUEUE_OPEN,
		MEMTUN_CMD_TUNNEL_SET,
		MEMTUN_CMD_TUNNEL_DELETE,
	};
	struct answer answer;
	struct client other, root;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=mine");
	client_open(&other, *state, OTHER_UID, true);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(client_ask(&other, &answer, commands[i], "name=mine"), EPERM);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_QUEUE_OPEN, "name=mine,exclusive"),
			 EPERM);
	assert_string_equal(answer.fault.text, "'mine' belongs to user 1000");
	client_open(&root, *state, 0, true);
	assert_int_equal(client_ask(&root, &answer, MEMTUN_CMD_QUEUE_OPEN, "name=mine"), 0);
	close(answer.fd);
	assert_int_equal(shown(*state, "mine", "owner"), FIXTURE_UID);
	client_close(&other);
	client_close(&root);
}

static void a_name_may_have_fifteen_bytes(void **state)
{
	assert_opens_as(*state, "name=fifteen-bytes-x", "fifteen-bytes-x", NULL);
}

/* ------------------------------------------------------------------------------ lives */

static void an_opened_tunnel_is_deleted_with_its_last_queue(void **state)
{
	int fds[2];

	fds[0] = tunnel_opened(*state, "name=short,multi_queue");
	fds[1] = tunnel_opened(*state, "name=short");
	close(fds[0]);
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "short", "queues"), 1);
	close(fds[1]);
	broker_quiesce(*state);
	assert_false(exists(*state, "short"));
}

static void an_added_tunnel_persists(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=long");
	assert_int_equal(shown(*state, "long", "state"), MEMTUN_CLOSED);
	close(tunnel_opened(*state, "name=long"));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "long", "persistent"), 1);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=long");
	assert_false(exists(*state, "long"));
}

static void an_open_can_make_a_persistent_tunnel(void **state)
{
	close(tunnel_opened(*state, "name=long,persistent"));
	broker_quiesce(*state);
	assert_true(exists(*state, "long"));
}

static void options_that_differ_are_invalid(void **state)
{
	static const char *const differ[] = {
		"name=it,mode=tun",    "name=it,socket=dgram",   "name=it,mtu=1400",
		"name=it,queue=5",     "name=it,overflow=block", "name=it,pi",
		"name=it,vnet_hdr",    "name=it,bridge=other",   "name=it,bridge=",
		"name=it,peer=nobody", "name=it,persistent=off", "name=it,multi_queue",
	};
	static const char *const same[] = {
		"name=it",
		"name=it,mode=tap,socket=seqpacket,mtu=1500,queue=1000,overflow=drop-tail,bridge=b,"
		"pi=off,vnet_hdr=off,persistent,multi_queue=off",
	};

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it,bridge=b");
	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		if (refused(*state, MEMTUN_CMD_QUEUE_OPEN, differ[i]) != EINVAL)
			fail_msg("%s", differ[i]);
	}
	assert_int_equal(shown(*state, "it", "queues"), 0);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		close(tunnel_opened(*state, same[i]));
}

static void an_exclusive_open_makes_the_tunnel(void **state)
{
	int fd = tunnel_opened(*state, "name=new,exclusive");

	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=new,exclusive"), EBUSY);
	close(fd);
	/* The broker has not read the close of its client yet. */
	fd = tunnel_opened(*state, "name=new,exclusive");
	close(fd);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=stays");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=stays,exclusive"), EBUSY);
}

static void an_open_that_fails_leaves_no_tunnel(void **state)
{
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=new,mode=tun,address=ten"),
			 EINVAL);
	assert_false(exists(*state, "new"));
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=new,bridge=b,peer=other"),
			 EINVAL);
	assert_false(exists(*state, "new"));
	assert_false(exists(*state, "other"));
}

static void every_open_has_a_fresh_socket_that_the_answer_names(void **state)
{
	struct broker_fixture *fixture = *state;
	uint64_t last = 0;

	for (int i = 0; i < 3; i++) {
		struct answer answer;
		struct stat status;

		client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, "name=vm");
		assert_int_equal(answer.error, 0);
		assert_int_equal(fstat(answer.fd, &status), 0);
		assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_INODE),
				 status.st_ino);
		assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_FDS), 1);
		assert_true(attribute_set_number(&answer.message.set, MEMTUN_A_ID) > last);
		last = attribute_set_number(&answer.message.set, MEMTUN_A_ID);
		close(answer.fd);
	}
}

/* ------------------------------------------------------------------------------ queues */

static void a_request_sees_that_a_client_has_closed(void **state)
{
	int fd = tunnel_opened(*state, "name=closing");

	/* The broker has not run since. */
	close(fd);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SHOW, "name=closing"), ENOENT);
}

static void a_second_open_needs_multi_queue(void **state)
{
	int one = tunnel_opened(*state, "name=single");
	int two = tunnel_opened(*state, "name=multi,multi_queue");
	int three = tunnel_opened(*state, "name=multi,multi_queue");

	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=single"), EBUSY);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=single,multi_queue"), EBUSY);
	assert_int_equal(shown(*state, "multi", "queues"), 2);
	close(one);
	close(two);
	close(three);
}

static void a_tunnel_has_256_queues_at_the_most(void **state)
{
	int fds[TUNNEL_QUEUES_MAX];

	for (int i = 0; i < TUNNEL_QUEUES_MAX; i++)
		fds[i] = tunnel_opened(*state, "name=many,multi_queue");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=many"), E2BIG);
	close(fds[0]);
	fds[0] = tunnel_opened(*state, "name=many");
	for (int i = 0; i < TUNNEL_QUEUES_MAX; i++)
		close(fds[i]);
	broker_quiesce(*state);
	assert_false(exists(*state, "many"));
}

static void a_flow_stays_on_its_queue_and_flows_are_spread(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int seen[4] = {0};
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = tunnel_opened(*state, "name=many,bridge=b,multi_queue");
	for (uint32_t round = 0; round < 5; round++) {
		for (unsigned char host = 1; host <= 64; host++)
			assert_true(frame_send(from, host, 200, host * 8 + round));
		broker_quiesce(*state);
	}
	for (int i = 0; i < 4; i++) {
		uint32_t rounds[65] = {0};
		int64_t number;

		while ((number = frame_receive(fds[i])) >= 0) {
			/* In order, and a flow's frames all here or all elsewhere. */
			assert_int_equal(rounds[number / 8], number % 8);
			rounds[number / 8]++;
			seen[i]++;
		}
		for (int host = 1; host <= 64; host++)
			assert_true(rounds[host] == 0 || rounds[host] == 5);
		assert_true(seen[i] > 0);
		close(fds[i]);
	}
	assert_int_equal(seen[0] + seen[1] + seen[2] + seen[3], 320);
	close(from);
}

/* ------------------------------------------------------------------------------ set */

static void an_open_tunnel_moves_to_another_bridge(void **state)
{
	int one = tunnel_opened(*state, "name=one,bridge=x");
	int two = tunnel_opened(*state, "name=two,bridge=y");

	assert_true(frame_send(one, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(two), -1);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=one,bridge=y");
	assert_true(frame_send(one, 1, 0xff, 2));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(two), 2);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=one,bridge=");
	assert_true(frame_send(one, 1, 0xff, 3));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(two), -1);
	assert_int_equal(shown(*state, "one", "from-client-dropped-no-destination"), 2);
	close(one);
	close(two);
}

static void the_mtu_changes_while_it_is_open(void **state)
{
	int one = tunnel_opened(*state, "name=one,bridge=b");
	int two = tunnel_opened(*state, "name=two,bridge=b");

	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=two,mtu=68");
	for (size_t packet = 67; packet <= 69; packet++) {
		unsigned char bytes[200] = {0};

		frame_make(bytes, 14 + packet, 1, 0xff, (uint32_t)packet);
		assert_int_equal(send(one, bytes, 14 + packet, 0), 14 + packet);
		/* The MTU does not count a VLAN tag. */
		bytes[12] = 0x81;
		bytes[13] = 0;
		assert_int_equal(send(one, bytes, 14 + 4 + packet, 0), 14 + 4 + packet);
	}
	broker_quiesce(*state);
	for (int i = 0; i < 4; i++)
		assert_int_equal(frame_receive(two), 67 + i / 2);
	assert_int_equal(frame_receive(two), -1);
	assert_int_equal(shown(*state, "two", "to-client-dropped-mtu"), 2);
	/* The MTU does not limit what the client writes. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=one,mtu=68");
	close(one);
	close(two);
}

static void a_change_is_shown(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=it,mtu=9000,queue=7,overflow=drop-head,bridge=b");
	assert_int_equal(shown(*state, "it", "mtu"), 9000);
	assert_int_equal(shown(*state, "it", "queue"), 7);
	assert_int_equal(shown(*state, "it", "overflow"), MEMTUN_DROP_HEAD);
	assert_int_equal(shown(*state, "it", "persistent"), 1);
	/* These cannot be changed. */
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=it,mode=tun"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=nobody,mtu=70"), ENOENT);
}

static void a_change_that_fails_changes_nothing(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun");
	assert_int_equal(
		refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,bridge=b,mtu=1000,address=ten"),
		EINVAL);
	assert_int_equal(shown(*state, "tun", "mtu"), 1500);
	assert_int_equal(refused(*state, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
}

static void a_tunnel_that_is_no_longer_persistent_is_deleted(void **state)
{
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=closed");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=closed,persistent=off");
	assert_false(exists(*state, "closed"));
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=open");
	fd = tunnel_opened(*state, "name=open");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=open,persistent=off");
	assert_true(exists(*state, "open"));
	close(fd);
	broker_quiesce(*state);
	assert_false(exists(*state, "open"));
}

static void deleting_a_tunnel_closes_its_clients(void **state)
{
	int one = tunnel_opened(*state, "name=it,multi_queue");
	int two = tunnel_opened(*state, "name=it");

	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=it");
	assert_true(fd_ended(one));
	assert_true(fd_ended(two));
	assert_int_equal(frame_receive(one), -2);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=it"), ENOENT);
	close(one);
	close(two);
}

static void a_tunnel_is_found_by_its_id(void **state)
{
	char options[32];
	uint64_t id;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it");
	id = shown(*state, "it", "id");
	snprintf(options, sizeof(options), "id=%u", (unsigned int)id);
	done(*state, MEMTUN_CMD_TUNNEL_SHOW, options);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_DELETE, "id=4294967295"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_DELETE, "id=1,name=it"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_DELETE, ""), EINVAL);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, options);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SHOW, options), ENOENT);
	/* Ids are never used again. */
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it");
	assert_true(shown(*state, "it", "id") > id);
}

/* ------------------------------------------------------------------------------ batches */

static void a_batch_opens_the_count_that_was_asked_for(void **state)
{
	struct broker_fixture *fixture = *state;
	uint32_t sequence =
		client_send(&fixture->client, MEMTUN_CMD_QUEUE_OPEN, 0, "name=vm%d,count=5");
	struct answer answer;
	int fds[5];

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm%d", i);
		assert_true(client_receive(&fixture->client, &answer));
		assert_int_equal(answer.message.sequence, sequence);
		assert_true(answer.message.flags & NLM_F_MULTI);
		assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), name);
		fds[i] = answer.fd;
		assert_true(fds[i] >= 0);
	}
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

static void a_batch_needs_a_template(void **state)
{
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm,count=2"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=vm,count=2"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "count=2"), EINVAL);
}

static void a_batch_that_fails_keeps_the_tunnels_that_it_opened(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=thirteen-byte4");
	client_send(&fixture->client, MEMTUN_CMD_TUNNEL_ADD, 0, "name=thirteen-byte%d,count=120");
	for (int i = 0; i < 99; i++) {
		assert_true(client_receive(&fixture->client, &answer));
		assert_int_equal(answer.message.type, MEMTUN_CMD_TUNNEL_ADD);
	}
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.error, ENFILE);
	assert_false(client_receive(&fixture->client, &answer));
	assert_true(exists(fixture, "thirteen-byte99"));
}

static void a_batch_waits_for_a_client_that_does_not_read(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;
	struct answer answer;
	unsigned int made = 0;
	char name[16];

	client_open(&slow, fixture, FIXTURE_UID, true);
	client_send(&slow, MEMTUN_CMD_QUEUE_OPEN, 0, "name=vm%d,count=1000");
	/* The batch is paused, and other clients are served meanwhile. */
	broker_quiesce(fixture);
	for (struct tunnel *tunnel = tunnel_next(fixture->broker->tunnels, 0); tunnel;
	     tunnel = tunnel_next(fixture->broker->tunnels, tunnel->port.id))
		made++;
	assert_in_range(made, 1, 900);
	snprintf(name, sizeof(name), "vm%u", made);
	assert_false(exists(fixture, name));
	for (int i = 0; i < 1000; i++) {
		assert_true(client_receive(&slow, &answer));
		assert_int_equal(answer.error, 0);
		assert_true(answer.fd >= 0);
		close(answer.fd);
	}
	assert_true(client_receive(&slow, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	client_close(&slow);
}

/* ------------------------------------------------------------------------------ unattached */

/* Open a queue without a tunnel, and store its id in *id. Return the descriptor. */
static int unattached(struct broker_fixture *fixture, const char *options, uint64_t *id)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, options), 0);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_NAME));
	*id = attribute_set_number(&answer.message.set, MEMTUN_A_QUEUE_ID);
	assert_true(answer.fd >= 0);
	return answer.fd;
}

static int attach(struct broker_fixture *fixture, uint64_t id, const char *rest)
{
	struct answer answer;
	char options[128];

	snprintf(options, sizeof(options), "queue-id=%u,%s", (unsigned int)id, rest);
	client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_ATTACH, options);
	assert_int_equal(answer.fd, -1);
	return answer.error;
}

static void a_queue_is_attached_and_detached(void **state)
{
	int to = tunnel_opened(*state, "name=to,bridge=b");
	uint64_t id;
	int fd = unattached(*state, "", &id);
	char options[32];

	/* Frames that are written before the attach are discarded. */
	assert_true(frame_send(fd, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(attach(*state, id, "name=vm,bridge=b"), 0);
	assert_int_equal(attach(*state, id, "name=vm,bridge=b"), EEXIST);
	assert_true(frame_send(fd, 1, 0xff, 2));
	assert_true(frame_send(to, 2, 0xff, 3));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(to), 2);
	assert_int_equal(frame_receive(fd), 3);
	snprintf(options, sizeof(options), "queue-id=%u", (unsigned int)id);
	done(*state, MEMTUN_CMD_QUEUE_DETACH, options);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_DETACH, options), EINVAL);
	assert_false(fd_ended(fd));
	assert_true(frame_send(fd, 1, 0xff, 4));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(to), -1);
	assert_int_equal(attach(*state, id, "name=again%d,mode=tun"), 0);
	assert_int_equal(shown(*state, "again0", "mode"), MEMTUN_TUN);
	assert_false(exists(*state, "vm"));
	close(fd);
	broker_quiesce(*state);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_DETACH, options), ENOENT);
	close(to);
}

/* As in the kernel, where only the close of the last descriptor ends an interface. */
static void a_detached_queue_keeps_its_tunnel(void **state)
{
	uint64_t ids[2];
	int fds[2] = {unattached(*state, "", &ids[0]), unattached(*state, "", &ids[1])};
	char options[32];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(attach(*state, ids[i], "name=vm,multi_queue"), 0);
		snprintf(options, sizeof(options), "queue-id=%u", (unsigned int)ids[i]);
		done(*state, MEMTUN_CMD_QUEUE_DETACH, options);
	}
	assert_int_equal(shown(*state, "vm", "state"), MEMTUN_CLOSED);
	assert_int_equal(attach(*state, ids[0], "name=vm,multi_queue"), 0);
	assert_int_equal(shown(*state, "vm", "queues"), 1);
	close(fds[0]);
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "vm", "state"), MEMTUN_CLOSED);
	close(fds[1]);
	broker_quiesce(*state);
	assert_false(exists(*state, "vm"));
	/* A user may delete it nevertheless. The queue can then be attached to another one. */
	fds[0] = unattached(*state, "", &ids[0]);
	assert_int_equal(attach(*state, ids[0], "name=vm"), 0);
	snprintf(options, sizeof(options), "queue-id=%u", (unsigned int)ids[0]);
	done(*state, MEMTUN_CMD_QUEUE_DETACH, options);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=vm");
	assert_false(exists(*state, "vm"));
	assert_int_equal(attach(*state, ids[0], "name=other"), 0);
	assert_true(exists(*state, "other"));
	close(fds[0]);
	broker_quiesce(*state);
	assert_false(exists(*state, "other"));
}

/* Otherwise the next bytes, of another tunnel, would be read as the rest of that frame. */
static void a_stream_that_is_detached_within_a_frame_ends(void **state)
{
	struct broker_fixture *fixture = *state;
	int from = tunnel_opened(fixture, "name=from,bridge=b");
	uint64_t id;
	int fd = unattached(fixture, "socket=stream", &id);
	char options[32];

	assert_int_equal(attach(*state, id, "name=vm,socket=stream,bridge=b,mtu=65000"), 0);
	/* A frame of two buffers, of which only the first fits into the socket. */
	for (uint32_t i = 0; i < 8; i++) {
		unsigned char frame[60000];

		frame_make(frame, sizeof(frame), 1, 0xff, i);
		assert_int_equal(send(from, frame, sizeof(frame), MSG_DONTWAIT), sizeof(frame));
		broker_quiesce(fixture);
	}
	assert_true(queue_find(fixture->broker->tunnels, (uint32_t)id)->lane.sent_of_first > 0);
	snprintf(options, sizeof(options), "queue-id=%u", (unsigned int)id);
	done(*state, MEMTUN_CMD_QUEUE_DETACH, options);
	broker_quiesce(*state);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_DETACH, options), ENOENT);
	assert_true(fd_ended(fd));
	close(fd);
	close(from);
}

static void an_attach_that_fails_leaves_the_queue_as_it_was(void **state)
{
	uint64_t id, stream_id;
	int fd = unattached(*state, "", &id);
	int stream = unattached(*state, "socket=stream", &stream_id);

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=one,socket=dgram");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=two,peer=three");
	assert_int_equal(attach(*state, id, "name=one"), EINVAL);
	assert_int_equal(attach(*state, id, "name=two"), EINVAL);
	assert_int_equal(attach(*state, stream_id, "name=new"), EINVAL);
	assert_false(exists(*state, "new"));
	assert_int_equal(attach(*state, 4000, "name=new"), ENOENT);
	assert_int_equal(attach(*state, stream_id, "name=new,socket=stream"), 0);
	assert_int_equal(attach(*state, id, "name=new"), EBUSY);
	assert_int_equal(attach(*state, id, "name=other"), 0);
	close(fd);
	close(stream);
}

static void an_unattached_queue_takes_no_option_but_its_socket(void **state)
{
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "mode=tun"), EINVAL);
}

static void an_unattached_queue_ends_with_its_client(void **state)
{
	static const char *const options[] = {"", "socket=stream"};

	for (int i = 0; i < 2; i++) {
		uint64_t id;

		close(unattached(*state, options[i], &id));
		broker_quiesce(*state);
		assert_int_equal(attach(*state, id, "name=vm"), ENOENT);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_template_is_the_lowest_free_number),
		WITH_BROKER(a_template_finds_the_lowest_number_wherever_it_stands),
		WITH_BROKER(a_template_tries_few_numbers_among_many_names),
		WITH_BROKER(templates_do_not_disturb_each_other),
		WITH_BROKER(a_template_skips_names_that_are_taken),
		WITH_BROKER(a_template_that_is_full_is_refused),
		WITH_BROKER(a_taken_name_is_busy),
		WITH_BROKER(another_users_tunnel_is_not_permitted),
		WITH_BROKER(a_name_may_have_fifteen_bytes),
		WITH_BROKER(an_opened_tunnel_is_deleted_with_its_last_queue),
		WITH_BROKER(an_added_tunnel_persists),
		WITH_BROKER(an_open_can_make_a_persistent_tunnel),
		WITH_BROKER(options_that_differ_are_invalid),
		WITH_BROKER(an_exclusive_open_makes_the_tunnel),
		WITH_BROKER(an_open_that_fails_leaves_no_tunnel),
		WITH_BROKER(every_open_has_a_fresh_socket_that_the_answer_names),
		WITH_BROKER(a_request_sees_that_a_client_has_closed),
		WITH_BROKER(a_second_open_needs_multi_queue),
		WITH_BROKER(a_tunnel_has_256_queues_at_the_most),
		WITH_BROKER(a_flow_stays_on_its_queue_and_flows_are_spread),
		WITH_BROKER(an_open_tunnel_moves_to_another_bridge),
		WITH_BROKER(the_mtu_changes_while_it_is_open),
		WITH_BROKER(a_change_is_shown),
		WITH_BROKER(a_change_that_fails_changes_nothing),
		WITH_BROKER(a_tunnel_that_is_no_longer_persistent_is_deleted),
		WITH_BROKER(deleting_a_tunnel_closes_its_clients),
		WITH_BROKER(a_tunnel_is_found_by_its_id),
		WITH_BROKER(a_batch_opens_the_count_that_was_asked_for),
		WITH_BROKER(a_batch_needs_a_template),
		WITH_BROKER(a_batch_that_fails_keeps_the_tunnels_that_it_opened),
		WITH_BROKER(a_batch_waits_for_a_client_that_does_not_read),
		WITH_BROKER(a_queue_is_attached_and_detached),
		WITH_BROKER(a_detached_queue_keeps_its_tunnel),
		WITH_BROKER(a_stream_that_is_detached_within_a_frame_ends),
		WITH_BROKER(an_attach_that_fails_leaves_the_queue_as_it_was),
		WITH_BROKER(an_unattached_queue_takes_no_option_but_its_socket),
		WITH_BROKER(an_unattached_queue_ends_with_its_client),
	};

	return RUN_TESTS(tests);
}

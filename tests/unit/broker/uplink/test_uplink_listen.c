/* SPDX-License-Identifier: MIT */
/*
 * Uplinks that listen: bess, and stream on a path and on TCP. The peers are sockets of the test.
 */
#include "tests/unit/broker/uplink/local_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/address.h"
#include "common/log.h"

/* The time limit of a wait in seconds. Reaching it is a failure. */
#define LONG 10.

/* Where the listening uplink `l` of a test listens. */
enum where {
	BESS,
	STREAM,
	TCP,
	WHERES
};

static void listener_added(struct broker_fixture *fixture, enum where where, const char *options)
{
	uplink_added(fixture, "name=l,bridge=b,type=%s,listen=%s%s",
		     where == BESS ? "bess" : "stream", where == TCP ? "127.0.0.1:0" : place("l"),
		     options);
}

static void listener_gone(struct broker_fixture *fixture)
{
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=l");
}

/* Return a connected socket, which the broker may not have accepted yet. */
static int peer_open(struct broker_fixture *fixture, enum where where)
{
	struct sockaddr_storage address;
	int fd;

	if (where != TCP) {
		fd = socket(AF_UNIX,
			    (where == BESS ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC |
				    SOCK_NONBLOCK,
			    0);
		assert_true(fd >= 0);
		assert_int_equal(try_connect(fd, place("l")), 0);
		return fd;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(
		socket_address_parse_with_port(uplink_text(fixture, "l", "listen"), &address), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, socket_address_size(&address)),
			 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static bool peer_send(enum where where, int fd, unsigned char from, uint32_t number)
{
	return where == BESS ? frame_send(fd, from, 0xff, number)
			     : stream_frame_send(fd, from, 0xff, number);
}

static int64_t peer_receive(enum where where, int fd)
{
	return where == BESS ? frame_receive(fd) : stream_frame_receive(fd);
}

static bool port_exists(struct broker_fixture *fixture, const char *name)
{
	broker_quiesce(fixture);
	return uplink_find(fixture->broker->uplinks, name) != NULL;
}

/* What accept4(2) fails with; 0: it does not fail. */
static int accept_error, accept_calls;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	accept_calls++;
	if (!accept_error)
		return __real_accept4(fd, address, size, flags);
	errno = accept_error;
	return -1;
}

static bool one_is_connected(void *context)
{
	return uplink_shown(context, "l", "connected") == 1;
}

/* ------------------------------------------------------------------------------ peers */

static void each_peer_is_a_port_that_goes_with_it(void **state)
{
	for (enum where where = BESS; where < WHERES; where++) {
		int one, other;

		listener_added(*state, where, "");
		one = peer_open(*state, where);
		assert_true(port_exists(*state, "l0"));
		other = peer_open(*state, where);
		assert_true(port_exists(*state, "l1"));
		assert_int_equal(uplink_shown(*state, "l", "connected"), 2);
		assert_true(peer_send(where, one, 1, 7));
		broker_quiesce(*state);
		assert_int_equal(peer_receive(where, other), 7);
		assert_true(peer_send(where, other, 2, 8));
		broker_quiesce(*state);
		assert_int_equal(peer_receive(where, one), 8);
		assert_int_equal(uplink_shown(*state, "l0", "from-client-frames"), 1);
		assert_int_equal(uplink_shown(*state, "l0", "to-client-frames"), 1);
		uplink_accounted(*state, "l1");
		close(one);
		assert_false(port_exists(*state, "l0"));
		assert_true(port_exists(*state, "l1"));
		assert_int_equal(uplink_shown(*state, "l", "connected"), 1);
		close(other);
		assert_false(port_exists(*state, "l1"));
		assert_int_equal(uplink_shown(*state, "l", "accepted"), 2);
		assert_int_equal(uplink_shown(*state, "l", "refused"), 0);
		listener_gone(*state);
	}
}

static void a_port_tells_who_has_connected(void **state)
{
	for (enum where where = BESS; where < WHERES; where++) {
		int peer;

		listener_added(*state, where, "");
		peer = peer_open(*state, where);
		assert_true(port_exists(*state, "l0"));
		assert_string_equal(uplink_text(*state, "l0", "listener"), "l");
		if (where == TCP)
			assert_memory_equal(uplink_text(*state, "l0", "remote"), "127.0.0.1:", 10);
		else
			assert_int_equal(uplink_shown(*state, "l0", "pid"), getpid());
		assert_int_equal(uplink_shown(*state, "l0", "uid"), geteuid());
		close(peer);
		listener_gone(*state);
	}
}

static void the_name_of_a_peer_that_has_left_is_used_again(void **state)
{
	int peers[3];

	listener_added(*state, STREAM, "");
	for (int i = 0; i < 3; i++) {
		peers[i] = peer_open(*state, STREAM);
		broker_quiesce(*state);
	}
	/* The broker hears of both at once. */
	close(peers[1]);
	peers[1] = peer_open(*state, STREAM);
	broker_quiesce(*state);
	assert_true(port_exists(*state, "l1"));
	assert_false(port_exists(*state, "l3"));
	assert_int_equal(uplink_shown(*state, "l", "connected"), 3);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_name_that_is_taken_is_left_out(void **state)
{
	int tunnel = tunnel_opened(*state, "name=l0,bridge=b");
	int peer;

	listener_added(*state, STREAM, "");
	peer = peer_open(*state, STREAM);
	assert_true(port_exists(*state, "l1"));
	close(peer);
	close(tunnel);
	listener_gone(*state);
}

static void ports_have_the_options_of_the_listener(void **state)
{
	int one, other;

	listener_added(*state, BESS, ",queue=7,overflow=drop-head,mtu=1400");
	one = peer_open(*state, BESS);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "l0", "queue"), 7);
	assert_int_equal(uplink_shown(*state, "l0", "mtu"), 1400);
	assert_int_equal(uplink_shown(*state, "l0", "overflow"), MEMTUN_DROP_HEAD);
	done(*state, MEMTUN_CMD_UPLINK_SET, "name=l,queue=9,bridge=c");
	other = peer_open(*state, BESS);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "l1", "queue"), 9);
	assert_string_equal(uplink_text(*state, "l1", "bridge"), "c");
	assert_int_equal(uplink_shown(*state, "l0", "queue"), 7);
	assert_string_equal(uplink_text(*state, "l0", "bridge"), "b");
	done(*state, MEMTUN_CMD_UPLINK_SET, "name=l0,queue=8");
	assert_int_equal(uplink_shown(*state, "l0", "queue"), 8);
	close(one);
	close(other);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_listener_that_is_deleted_disconnects_its_peers(void **state)
{
	for (enum where where = BESS; where < WHERES; where++) {
		struct stat status;
		int peer;

		listener_added(*state, where, "");
		peer = peer_open(*state, where);
		assert_true(port_exists(*state, "l0"));
		listener_gone(*state);
		assert_false(port_exists(*state, "l0"));
		assert_true(fd_ended(peer));
		assert_int_equal(lstat(place("l"), &status), -1);
		assert_int_equal(lstat(place("l.lock"), &status), -1);
		close(peer);
	}
}

static void a_port_that_is_deleted_disconnects_its_peer_only(void **state)
{
	int one, other;

	listener_added(*state, STREAM, "");
	one = peer_open(*state, STREAM);
	broker_quiesce(*state);
	other = peer_open(*state, STREAM);
	broker_quiesce(*state);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=l0");
	assert_true(fd_ended(one));
	assert_false(fd_ended(other));
	assert_int_equal(uplink_shown(*state, "l", "connected"), 1);
	close(one);
	close(other);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void frames_do_not_go_to_the_listener(void **state)
{
	struct answer answer;
	int tunnel;

	listener_added(*state, STREAM, "");
	tunnel = tunnel_opened(*state, "name=t,bridge=b");
	assert_true(frame_send(tunnel, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "t", "from-client-dropped-no-destination"), 1);
	record_show(*state, MEMTUN_CMD_UPLINK_SHOW, "l", &answer);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_TO_CLIENT_OFFERED));
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=l"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=l,drop=1"), EINVAL);
	close(tunnel);
	listener_gone(*state);
}

/* ------------------------------------------------------------------------------ hostile peers */

static void garbage_ends_its_own_connection_only(void **state)
{
	int bad, good;

	listener_added(*state, STREAM, "");
	bad = peer_open(*state, STREAM);
	broker_quiesce(*state);
	good = peer_open(*state, STREAM);
	broker_quiesce(*state);
	bytes_send(bad, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_false(port_exists(*state, "l0"));
	assert_true(fd_ended(bad));
	assert_true(port_exists(*state, "l1"));
	close(bad);
	close(good);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_peer_that_never_reads_delays_no_other(void **state)
{
	int lazy, reader, writer;

	listener_added(*state, STREAM, ",queue=10");
	lazy = peer_open(*state, STREAM);
	broker_quiesce(*state);
	reader = peer_open(*state, STREAM);
	writer = peer_open(*state, STREAM);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_true(peer_send(STREAM, writer, 1, i));
		broker_quiesce(*state);
		assert_int_equal(peer_receive(STREAM, reader), i);
	}
	assert_true(uplink_shown(*state, "l0", "to-client-dropped-full") > 0);
	uplink_accounted(*state, "l0");
	close(lazy);
	close(reader);
	close(writer);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_hundred_peers_come_and_go(void **state)
{
	int descriptors;

	for (enum where where = BESS; where < WHERES; where++) {
		listener_added(*state, where, "");
		descriptors = descriptors_count();
		for (int i = 0; i < 100; i++) {
			int peer = peer_open(*state, where);

			if (i % 2)
				assert_true(port_exists(*state, "l0"));
			close(peer);
			broker_quiesce(*state);
		}
		assert_false(port_exists(*state, "l0"));
		assert_int_equal(descriptors_count(), descriptors);
		assert_int_equal(uplink_shown(*state, "l", "connected"), 0);
		listener_gone(*state);
	}
}

/* ------------------------------------------------------------------------------ refusals */

static void more_than_max_peers_are_refused_and_counted(void **state)
{
	int peers[3];

	listener_added(*state, STREAM, ",max=2");
	for (int i = 0; i < 3; i++) {
		peers[i] = peer_open(*state, STREAM);
		broker_quiesce(*state);
	}
	assert_true(fd_ended(peers[2]));
	assert_false(fd_ended(peers[0]));
	assert_int_equal(uplink_shown(*state, "l", "refused"), 1);
	close(peers[2]);
	close(peers[0]);
	peers[0] = peer_open(*state, STREAM);
	broker_quiesce(*state);
	assert_false(fd_ended(peers[0]));
	assert_int_equal(uplink_shown(*state, "l", "accepted"), 3);
	close(peers[0]);
	close(peers[1]);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_refusal_is_an_event_with_its_reason(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client watcher;
	struct answer answer;
	int one, other;

	listener_added(fixture, STREAM, ",max=1");
	one = peer_open(fixture, STREAM);
	broker_quiesce(fixture);
	client_open(&watcher, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&watcher, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	other = peer_open(fixture, STREAM);
	assert_true(client_receive(&watcher, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT),
			 MEMTUN_EVENT_UPLINK_REFUSED);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_REASON),
			    "1 peers are connected, the maximum");
	close(one);
	close(other);
	client_close(&watcher);
	listener_gone(fixture);
}

static void a_lack_of_descriptors_is_waited_for_without_spinning(void **state)
{
	int peer;

	listener_added(*state, STREAM, "");
	accept_error = EMFILE;
	accept_calls = 0;
	peer = peer_open(*state, STREAM);
	/* This fails if the loop spins. */
	broker_quiesce(*state);
	assert_int_equal(accept_calls, 1);
	assert_false(fd_ended(peer));
	accept_error = 0;
	assert_true(broker_wait(*state, one_is_connected, *state, LONG));
	assert_true(port_exists(*state, "l0"));
	close(peer);
	broker_quiesce(*state);
	listener_gone(*state);
}

static void a_listener_on_no_bridge_refuses_peers(void **state)
{
	int peer;

	listener_added(*state, STREAM, "");
	done(*state, MEMTUN_CMD_UPLINK_SET, "name=l,bridge=");
	peer = peer_open(*state, STREAM);
	assert_false(port_exists(*state, "l0"));
	assert_true(fd_ended(peer));
	assert_int_equal(uplink_shown(*state, "l", "refused"), 1);
	close(peer);
	listener_gone(*state);
}

/* ------------------------------------------------------------------------------ the socket */

static void options_that_do_not_fit_are_refused(void **state)
{
	static const struct {
		const char *options, *words;
	} cases[] = {
		{"type=stream", "needs path or listen"},
		{"type=stream,listen=/x,path=/y", "takes no path"},
		{"type=udp,listen=/x", "needs local"},
		{"type=mcast,group=230.0.0.1,port=1,listen=/x", "takes no listen"},
		{"type=stream,path=/x,max=3", "takes no max"},
		{"type=stream,listen=10.0.0.1:80", "no loopback address"},
		{"type=stream,listen=0.0.0.0:80", "no loopback address"},
		{"type=stream,listen=[fe80::1]:80", "no loopback address"},
		{"type=stream,listen=localhost:80", "listen takes PATH, @NAME, ADDRESS:PORT"},
		{"type=stream,listen=127.0.0.1:99999", "listen takes PATH"},
		{"type=bess,listen=127.0.0.1:80", "listens on PATH or @NAME"},
		{"type=stream,listen=@", "is empty"},
		{"type=stream,listen=/x,socket-mode=0660", "needs allow any"},
		{"type=stream,listen=/x,socket-group=0", "needs allow any"},
		{"type=stream,listen=/x,allow=any,socket-mode=0770", "octal mode of reading"},
		{"type=stream,listen=/x,allow=any,socket-mode=rw", "octal mode of reading"},
		{"type=stream,listen=/x,allow=any,socket-group=kvm", "no number of a group"},
		{"type=stream,listen=@x,allow=any,socket-mode=0660", "for a socket at a path"},
		{"type=stream,listen=127.0.0.1:0,allow=any,socket-group=0",
		 "for a socket at a path"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		uplink_refused(*state, EINVAL, cases[i].words, "name=l,bridge=b,%s",
			       cases[i].options);
	uplink_refused(*state, EINVAL, "'fourteen-bytes63', has more than 15 bytes",
		       "name=fourteen-bytes,bridge=b,type=stream,listen=%s", place("l"));
	uplink_added(*state, "name=fourteen-bytes,bridge=b,type=stream,max=10,listen=%s",
		     place("l"));
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=fourteen-bytes");
}

static void a_socket_or_a_file_in_use_is_not_replaced(void **state)
{
	struct stat status;
	int fd;

	listener_added(*state, STREAM, "");
	uplink_refused(*state, EADDRINUSE, "listens on", "name=m,bridge=b,type=stream,listen=%s",
		       place("l"));
	listener_gone(*state);
	fd = socket_bound(SOCK_STREAM, place("l"));
	assert_int_equal(listen(fd, 1), 0);
	uplink_refused(*state, EADDRINUSE, "another program listens on",
		       "name=m,bridge=b,type=stream,listen=%s", place("l"));
	close(fd);
	/* The socket's process has ended now. */
	listener_added(*state, STREAM, "");
	listener_gone(*state);
	fd = open(place("l"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	uplink_refused(*state, EEXIST, "is no socket", "name=m,bridge=b,type=stream,listen=%s",
		       place("l"));
	assert_int_equal(stat(place("l"), &status), 0);
	unlink(place("l"));
	uplink_refused(*state, ENOENT, "cannot make", "name=m,bridge=b,type=stream,listen=%s/none",
		       place("none"));
	assert_false(port_exists(*state, "m"));
}

static void the_socket_has_the_mode_that_was_asked_for(void **state)
{
	static const struct {
		const char *options;
		mode_t mode;
	} cases[] = {
		{"", 0600},
		{",allow=any", 0666},
		{",allow=any,socket-mode=0660", 0660},
		{",allow=any,socket-mode=600", 0600},
	};
	mode_t mask = umask(077);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stat status;

		listener_added(*state, STREAM, cases[i].options);
		assert_int_equal(lstat(place("l"), &status), 0);
		assert_int_equal(status.st_mode & 07777, cases[i].mode);
		listener_gone(*state);
	}
	umask(mask);
}

static void the_socket_has_the_group_that_was_asked_for(void **state)
{
	struct stat status;
	char options[60];

	snprintf(options, sizeof(options), ",allow=any,socket-mode=0660,socket-group=%u",
		 getegid());
	listener_added(*state, STREAM, options);
	assert_int_equal(lstat(place("l"), &status), 0);
	assert_int_equal(status.st_gid, getegid());
	listener_gone(*state);
	if (geteuid() == 0)
		return;
	uplink_refused(*state, EPERM, "the group of",
		       "name=m,bridge=b,type=stream,allow=any,socket-group=0,listen=%s",
		       place("l"));
	assert_int_equal(lstat(place("l"), &status), -1);
}

/* Connect as another user, which only root can. */
static void other_users_are_refused_without_allow_any(void **state)
{
	if (geteuid() != 0)
		skip();
	for (enum where where = BESS; where < WHERES; where++) {
		for (int allowed = 0; allowed < 2; allowed++) {
			int peer;

			listener_added(*state, where, allowed ? ",allow=any" : "");
			if (where != TCP)
				assert_int_equal(chmod(place("l"), 0666), 0);
			chmod(place(""), 0755);
			assert_int_equal(seteuid(FIXTURE_UID + 1), 0);
			peer = peer_open(*state, where);
			assert_int_equal(seteuid(0), 0);
			assert_int_equal(port_exists(*state, "l0"), allowed);
			assert_int_equal(fd_ended(peer), !allowed);
			if (allowed)
				assert_int_equal(uplink_shown(*state, "l0", "uid"),
						 FIXTURE_UID + 1);
			assert_int_equal(uplink_shown(*state, "l", "refused"), !allowed);
			close(peer);
			broker_quiesce(*state);
			listener_gone(*state);
		}
	}
}

/* ------------------------------------------------------------------------------ all tests */

static const struct CMUnitTest listen_tests[] = {
	WITH_BROKER(each_peer_is_a_port_that_goes_with_it),
	WITH_BROKER(a_port_tells_who_has_connected),
	WITH_BROKER(the_name_of_a_peer_that_has_left_is_used_again),
	WITH_BROKER(a_name_that_is_taken_is_left_out),
	WITH_BROKER(ports_have_the_options_of_the_listener),
	WITH_BROKER(a_listener_that_is_deleted_disconnects_its_peers),
	WITH_BROKER(a_port_that_is_deleted_disconnects_its_peer_only),
	WITH_BROKER(frames_do_not_go_to_the_listener),
	WITH_BROKER(garbage_ends_its_own_connection_only),
	WITH_BROKER(a_peer_that_never_reads_delays_no_other),
	WITH_BROKER(a_hundred_peers_come_and_go),
	WITH_BROKER(more_than_max_peers_are_refused_and_counted),
	WITH_BROKER(a_refusal_is_an_event_with_its_reason),
	WITH_BROKER(a_lack_of_descriptors_is_waited_for_without_spinning),
	WITH_BROKER(a_listener_on_no_bridge_refuses_peers),
	WITH_BROKER(options_that_do_not_fit_are_refused),
	WITH_BROKER(a_socket_or_a_file_in_use_is_not_replaced),
	WITH_BROKER(the_socket_has_the_mode_that_was_asked_for),
	WITH_BROKER(the_socket_has_the_group_that_was_asked_for),
	WITH_BROKER(other_users_are_refused_without_allow_any),
};

int main(void)
{
	log_open("test_uplink_listen", LOG_LEVEL_ERROR); /* refusals are warnings */
	return RUN_TESTS_WITH(listen_tests, places_set_up, places_tear_down);
}

/* SPDX-License-Identifier: MIT */
/*
 * Uplinks that connect to a listening UNIX socket: bess and stream. The peer is a socket of the
 * test.
 */
#include "tests/unit/broker/uplink/local_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const types[] = {"bess", "stream"};
enum {
	BESS,
	STREAM,
	TYPES
};

static int socket_listening(int type, const char *path)
{
	int fd = socket_bound(type == STREAM ? SOCK_STREAM : SOCK_SEQPACKET, path);

	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* An uplink `up` to a listener, and a tunnel `t` on its bridge. */
struct link {
	struct broker_fixture *fixture;
	int type;
	const char *path;
	int listener;
	int peer; /* the accepted connection */
	int tunnel;
};

static void link_open(struct link *link, struct broker_fixture *fixture, int type,
		      const char *options)
{
	link->fixture = fixture;
	link->type = type;
	link->path = place("peer");
	link->listener = socket_listening(type, link->path);
	uplink_added(fixture, "name=up,bridge=b,type=%s,path=%s%s", types[type], link->path,
		     options);
	link->peer = accept4(link->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(link->peer >= 0);
	link->tunnel = tunnel_opened(fixture, "name=t,bridge=b");
}

static void link_close(struct link *link)
{
	close(link->peer);
	close(link->listener);
	close(link->tunnel);
	uplink_gone(link->fixture);
	unlink(link->path);
}

static void link_send(struct link *link, uint32_t number)
{
	assert_true(link->type == STREAM ? stream_frame_send(link->peer, 1, 0xff, number)
					 : frame_send(link->peer, 1, 0xff, number));
	broker_quiesce(link->fixture);
}

static int64_t link_receive(struct link *link)
{
	return link->type == STREAM ? stream_frame_receive(link->peer) : frame_receive(link->peer);
}

static void tunnel_send(struct link *link, uint32_t number)
{
	assert_true(frame_send(link->tunnel, 2, 0xff, number));
	broker_quiesce(link->fixture);
}

/* ------------------------------------------------------------------------------ connecting */

static void frames_go_both_ways(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct link link;

		link_open(&link, *state, type, "");
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
		for (uint32_t i = 0; i < 100; i++) {
			link_send(&link, i);
			assert_int_equal(frame_receive(link.tunnel), i);
			tunnel_send(&link, 1000 + i);
			assert_int_equal(link_receive(&link), 1000 + i);
		}
		assert_int_equal(uplink_shown(*state, "up", "from-client-frames"), 100);
		assert_int_equal(uplink_shown(*state, "up", "to-client-frames"), 100);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

static void rules_impair_both_ways(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct link link;

		link_open(&link, *state, type, ",drop=2,duplicate=100%,seed=1");
		for (uint32_t number = 1; number <= 3; number++) {
			link_send(&link, number);
			tunnel_send(&link, number);
			for (int copy = 0; copy < 2 && number != 2; copy++) {
				assert_int_equal(frame_receive(link.tunnel), number);
				assert_int_equal(link_receive(&link), number);
			}
			assert_int_equal(frame_receive(link.tunnel), -1);
			assert_int_equal(link_receive(&link), -1);
		}
		assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-listed"), 1);
		assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-listed"), 1);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

static void an_abstract_socket_will_do(void **state)
{
	char name[40];
	int listener, peer;

	snprintf(name, sizeof(name), "@memtun-test-%d", getpid());
	listener = socket_listening(BESS, name);
	uplink_added(*state, "name=up,bridge=b,type=bess,path=%s", name);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	close(peer);
	close(listener);
	uplink_gone(*state);
}

static void an_uplink_waits_for_a_peer_that_is_not_there_yet(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		const char *path = place("peer");
		int tunnel = tunnel_opened(*state, "name=t,bridge=b");
		int listener;

		uplink_added(*state, "name=up,bridge=b,type=%s,path=%s", types[type], path);
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
		assert_non_null(
			strstr(uplink_text(*state, "up", "reason"), "No such file or directory"));
		assert_true(frame_send(tunnel, 1, 0xff, 1));
		broker_quiesce(*state);
		assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
		listener = socket_listening(type, path);
		wait_up(*state);
		assert_string_equal(uplink_text(*state, "up", "reason"), "");
		assert_int_equal(uplink_shown(*state, "up", "connects"), 1);
		uplink_gone(*state);
		close(listener);
		close(tunnel);
		unlink(path);
	}
}

static void a_missing_listener_and_a_full_backlog_are_waited_for(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		int kind = type == STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
		const char *path = place("peer");
		int listener = socket_bound(kind, path);
		int first = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int accepted;

		uplink_added(*state, "name=up,bridge=b,type=%s,path=%s", types[type], path);
		assert_non_null(strstr(uplink_text(*state, "up", "reason"), "Connection refused"));
		uplink_gone(*state);
		assert_int_equal(listen(listener, 0), 0);
		assert_int_equal(try_connect(first, path), 0);
		uplink_added(*state, "name=up,bridge=b,type=%s,path=%s", types[type], path);
		assert_non_null(strstr(uplink_text(*state, "up", "reason"),
				       "Resource temporarily unavailable"));
		accepted = accept(listener, NULL, NULL);
		wait_up(*state);
		uplink_gone(*state);
		close(accepted);
		close(first);
		close(listener);
		unlink(path);
	}
}

static void a_second_way_to_the_same_socket_is_refused(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		const char *path = place("peer");
		int listener = socket_listening(type, path);
		char abstract[40];

		uplink_added(*state, "name=up,bridge=b,type=%s,path=%s", types[type], path);
		uplink_refused(*state, EEXIST, "joins bridge 'b' to the same place",
			       "name=again,bridge=b,type=%s,path=%s", types[type], place("./peer"));
		uplink_added(*state, "name=other,bridge=c,type=%s,path=%s", types[type], path);
		uplink_gone(*state);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=other");
		close(listener);
		unlink(path);
		snprintf(abstract, sizeof(abstract), "@memtun-test-%d", getpid());
		uplink_added(*state, "name=up,bridge=b,type=%s,path=%s", types[type], abstract);
		uplink_refused(*state, EEXIST, "joins bridge 'b' to the same place",
			       "name=again,bridge=b,type=%s,path=%s", types[type], abstract);
		uplink_added(*state, "name=other,bridge=b,type=%s,path=%s-other", types[type],
			     abstract);
		uplink_gone(*state);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=other");
	}
}

static void a_socket_of_another_type_is_refused(void **state)
{
	const char *path = place("peer");
	int listener = socket_listening(STREAM, path);

	uplink_refused(*state, EPROTOTYPE, "cannot connect to the seqpacket socket",
		       "name=up,bridge=b,type=bess,path=%s", path);
	/* connect(2) says ECONNREFUSED for it, as for a socket without a listener. */
	uplink_refused(*state, ENOTSOCK, "cannot connect to the stream socket",
		       "name=up,bridge=b,type=stream,path=%s", place("."));
	uplink_refused(*state, EINVAL, "is empty", "name=up,bridge=b,type=stream,path=@");
	uplink_refused(*state, EINVAL, "needs path or listen", "name=up,bridge=b,type=stream");
	uplink_refused(*state, EINVAL, "takes no remote",
		       "name=up,bridge=b,type=bess,path=%s,remote=/x", path);
	close(listener);
	unlink(path);
}

static void a_peer_that_goes_and_comes_back_is_found_again(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct link link;

		link_open(&link, *state, type, "");
		link_send(&link, 1);
		/* Frames that the peer sent before its end still arrive. */
		assert_true(type == STREAM ? stream_frame_send(link.peer, 1, 0xff, 2)
					   : frame_send(link.peer, 1, 0xff, 2));
		close(link.peer);
		broker_quiesce(*state);
		assert_int_equal(frame_receive(link.tunnel), 1);
		assert_int_equal(frame_receive(link.tunnel), 2);
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
		assert_string_equal(uplink_text(*state, "up", "reason"),
				    "the other side has closed it");
		tunnel_send(&link, 3);
		assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
		wait_up(*state);
		link.peer = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		assert_int_equal(uplink_shown(*state, "up", "connects"), 2);
		tunnel_send(&link, 4);
		assert_int_equal(link_receive(&link), 4);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

/* The uplink is paused, because a blocking tunnel is full. */
static void the_end_of_a_paused_peer_is_seen(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct broker_fixture *fixture = *state;
		struct link link;
		int slow;

		link_open(&link, fixture, type, "");
		slow = tunnel_opened(fixture, "name=slow,bridge=b,queue=1,overflow=block");
		for (uint32_t i = 0; !uplink_find(fixture->broker->uplinks, "up")->lane.paused;
		     i++) {
			assert_in_range(i, 0, 10000);
			link_send(&link, i);
			broker_quiesce(fixture);
		}
		close(link.peer);
		link.peer = -1;
		wait_down(fixture);
		uplink_accounted(fixture, "up");
		close(slow);
		broker_quiesce(fixture);
		link_close(&link);
	}
}

static void runts_and_empty_records_are_counted(void **state)
{
	struct link link;

	link_open(&link, *state, BESS, "");
	assert_int_equal(send(link.peer, "x", 1, 0), 1);
	assert_int_equal(send(link.peer, "thirteen bytes", 13, 0), 13);
	assert_int_equal(send(link.peer, "", 0, 0), 0);
	link_send(&link, 1);
	assert_int_equal(frame_receive(link.tunnel), 1);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-runt"), 2);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-empty"), 1);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ streams */

static void half_a_frame_waits_for_the_rest_and_delays_no_other(void **state)
{
	unsigned char bytes[4 + FRAME_SIZE];
	uint32_t length = htonl(FRAME_SIZE);
	struct link link;
	int other;

	link_open(&link, *state, STREAM, "");
	other = tunnel_opened(*state, "name=other,bridge=b");
	memcpy(bytes, &length, 4);
	frame_make(bytes + 4, FRAME_SIZE, 1, 0xff, 7);
	for (size_t split = 1; split < sizeof(bytes); split++) {
		assert_int_equal(send(link.peer, bytes, split, 0), split);
		broker_quiesce(*state);
		assert_int_equal(frame_receive(link.tunnel), -1);
		/* Before the rest comes: */
		tunnel_send(&link, 8);
		assert_int_equal(frame_receive(other), 8);
		assert_int_equal(link_receive(&link), 8);
		assert_int_equal(send(link.peer, bytes + split, sizeof(bytes) - split, 0),
				 sizeof(bytes) - split);
		broker_quiesce(*state);
		assert_int_equal(frame_receive(link.tunnel), 7);
		assert_int_equal(frame_receive(other), 7);
	}
	/* If the rest never comes: */
	assert_int_equal(send(link.peer, bytes, 20, 0), 20);
	close(link.peer);
	broker_quiesce(*state);
	link.peer = -1;
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-malformed"), 1);
	close(other);
	link_close(&link);
}

static void a_length_of_4_gib_ends_the_connection(void **state)
{
	struct link link;

	link_open(&link, *state, STREAM, "");
	link_send(&link, 1);
	assert_int_equal(send(link.peer, "\xff\xff\xff\xff", 4, 0), 4);
	broker_quiesce(*state);
	assert_int_equal(frame_receive(link.tunnel), 1);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-oversize"), 1);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(*state, "up", "reason"), "Message too long");
	assert_true(fd_ended(link.peer));
	link_close(&link);
}

/* Read all that is there now, and check that it is whole frames after their lengths. */
static unsigned int stream_read_frames(int fd, unsigned char *kept, size_t *size)
{
	unsigned int frames = 0;
	ssize_t received;
	size_t at = 0;

	received = recv(fd, kept + *size, 65536, MSG_DONTWAIT);
	if (received < 0)
		return 0;
	*size += (size_t)received;
	while (*size - at >= 4) {
		uint32_t length;

		memcpy(&length, kept + at, 4);
		length = ntohl(length);
		assert_true(length == FRAME_SIZE || length == 60000);
		if (*size - at - 4 < length)
			break;
		at += 4 + length;
		frames++;
	}
	memmove(kept, kept + at, *size - at);
	*size -= at;
	return frames;
}

/* A reader that has read half a frame gets the rest as soon as its socket has room: passt waits for
 * the rest and does nothing else meanwhile. */
static void the_rest_of_a_frame_follows_as_soon_as_there_is_room(void **state)
{
	static unsigned char kept[200000], frame[60000];
	unsigned int sent = 0, read = 0, pieces = 0;
	struct link link;
	size_t size = 0;

	link_open(&link, *state, STREAM, "");
	frame_make(frame, sizeof(frame), 2, 0xff, 0);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=t,mtu=65535");
	while (uplink_shown(*state, "up", "to-client-queued") < 3) {
		assert_int_equal(send(link.tunnel, frame, sizeof(frame), MSG_NOSIGNAL),
				 sizeof(frame));
		broker_quiesce(*state);
		sent++;
	}
	while (read < sent) {
		size_t before = size;
		unsigned int frames = stream_read_frames(link.peer, kept, &size);

		/* A frame that is in the backlog while there is nothing to read was kept back. */
		assert_true(frames || size != before);
		read += frames;
		pieces += size != 0;
		broker_quiesce(*state);
	}
	assert_int_equal(size, 0);
	assert_true(pieces > 0);
	uplink_accounted(*state, "up");
	link_close(&link);
}

/* ------------------------------------------------------------------------------ a slow peer */

static void what_waits_for_a_peer_that_reads_nothing_is_bounded(void **state)
{
	static const char *const overflows[] = {"drop-tail", "drop-head"};

	for (int type = 0; type < TYPES; type++) {
		for (int overflow = 0; overflow < 2; overflow++) {
			int64_t received, last = -1;
			char options[64];
			struct link link;
			uint32_t i;

			snprintf(options, sizeof(options), ",queue=10,overflow=%s",
				 overflows[overflow]);
			link_open(&link, *state, type, options);
			for (i = 0; i < 3000; i++)
				tunnel_send(&link, i);
			assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 10);
			assert_true(uplink_shown(*state, "up", "to-client-dropped-full") > 0);
			uplink_accounted(*state, "up");
			while ((received = link_receive(&link)) >= 0) {
				assert_true(received > last);
				last = received;
				broker_quiesce(*state);
			}
			assert_int_equal(received, -1);
			/* drop-tail: the newest frames were dropped. */
			assert_int_equal(last == 2999, overflow == 1);
			assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 0);
			uplink_accounted(*state, "up");
			link_close(&link);
		}
	}
}

static void a_blocking_uplink_loses_nothing_and_pauses_its_source(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		uint32_t sent = 0, received = 0;
		struct link link;

		link_open(&link, *state, type, ",queue=10,overflow=block");
		while (sent < 5000) {
			if (frame_send(link.tunnel, 2, 0xff, sent)) {
				sent++;
				broker_quiesce(*state);
				continue;
			}
			/* block: the tunnel isn't read. */
			assert_int_equal(link_receive(&link), received++);
			broker_quiesce(*state);
		}
		for (; received < sent; received++) {
			assert_int_equal(link_receive(&link), received);
			broker_quiesce(*state);
		}
		assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-full"), 0);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

static void what_waited_for_a_peer_that_goes_is_counted(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct link link;

		link_open(&link, *state, type, ",queue=100");
		while (uplink_shown(*state, "up", "to-client-queued") < 5)
			tunnel_send(&link, 0);
		close(link.peer);
		broker_quiesce(*state);
		link.peer = -1;
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
		assert_true(uplink_shown(*state, "up", "to-client-dropped-no-client") >= 5);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

static const struct CMUnitTest local_tests[] = {
	WITH_BROKER(frames_go_both_ways),
	WITH_BROKER(rules_impair_both_ways),
	WITH_BROKER(an_abstract_socket_will_do),
	WITH_BROKER(an_uplink_waits_for_a_peer_that_is_not_there_yet),
	WITH_BROKER(a_missing_listener_and_a_full_backlog_are_waited_for),
	WITH_BROKER(a_second_way_to_the_same_socket_is_refused),
	WITH_BROKER(a_socket_of_another_type_is_refused),
	WITH_BROKER(a_peer_that_goes_and_comes_back_is_found_again),
	WITH_BROKER(the_end_of_a_paused_peer_is_seen),
	WITH_BROKER(runts_and_empty_records_are_counted),
	WITH_BROKER(half_a_frame_waits_for_the_rest_and_delays_no_other),
	WITH_BROKER(a_length_of_4_gib_ends_the_connection),
	WITH_BROKER(the_rest_of_a_frame_follows_as_soon_as_there_is_room),
	WITH_BROKER(what_waits_for_a_peer_that_reads_nothing_is_bounded),
	WITH_BROKER(a_blocking_uplink_loses_nothing_and_pauses_its_source),
	WITH_BROKER(what_waited_for_a_peer_that_goes_is_counted),
};

int main(void)
{
	return RUN_TESTS_WITH(local_tests, places_set_up, places_tear_down);
}

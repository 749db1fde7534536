/* SPDX-License-Identifier: MIT */
/*
 * Uplinks to UNIX sockets: bess and stream, that connect to somebody's, and dgram, where both sides
 * have a path. The other side is a socket of the test, in a directory of its own.
 */
#include "uplink_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_socket.h"

/* Longer than any wait here takes: a look a second, and the first delays. */
#define LONG 10.

static char directory[] = "/tmp/memtun-local-XXXXXX";

static const char *const types[] = {"bess", "stream"};
enum {
	BESS,
	STREAM,
	TYPES
};

static int group_set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

/* Each test takes away what it made: else this fails. */
static int group_tear_down(void **state)
{
	(void)state;
	return rmdir(directory);
}

/* A path in the test's directory, good for a while. */
static const char *place(const char *name)
{
	static char paths[4][64];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static int socket_bound(int type, const char *path)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_true(fd >= 0);
	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	return fd;
}

static int socket_listening(int type, const char *path)
{
	int fd = socket_bound(type == STREAM ? SOCK_STREAM : SOCK_SEQPACKET, path);

	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static int try_connect(int fd, const char *path)
{
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	return connect(fd, (struct sockaddr *)&name, size);
}

/* ------------------------------------------------------------------------------ waiting */

static bool uplink_is_up(void *context)
{
	return uplink_find(((struct broker_fixture *)context)->broker, "up")->up;
}

static bool uplink_is_down(void *context)
{
	return !uplink_is_up(context);
}

static void wait_up(struct broker_fixture *fixture)
{
	assert_true(broker_wait(fixture, uplink_is_up, fixture, LONG));
	broker_settle(fixture);
}

static void wait_down(struct broker_fixture *fixture)
{
	assert_true(broker_wait(fixture, uplink_is_down, fixture, LONG));
	broker_settle(fixture);
}

static void uplink_gone(struct broker_fixture *fixture)
{
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=up");
}

/* An uplink `up` to a listener, and a tunnel `t` on its bridge. */
struct link {
	struct broker_fixture *fixture;
	int type;
	const char *path;
	int listener;
	int peer; /* its connection */
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

static void link_say(struct link *link, uint32_t number)
{
	assert_true(link->type == STREAM ? stream_frame_send(link->peer, 1, 0xff, number)
					 : frame_send(link->peer, 1, 0xff, number));
	broker_settle(link->fixture);
}

static int64_t link_hear(struct link *link)
{
	return link->type == STREAM ? stream_frame_receive(link->peer) : frame_receive(link->peer);
}

static void tunnel_say(struct link *link, uint32_t number)
{
	assert_true(frame_send(link->tunnel, 2, 0xff, number));
	broker_settle(link->fixture);
}

/* ------------------------------------------------------------------------------ connecting */

static void frames_go_both_ways(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		struct link link;

		link_open(&link, *state, type, "");
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
		for (uint32_t i = 0; i < 100; i++) {
			link_say(&link, i);
			assert_int_equal(frame_receive(link.tunnel), i);
			tunnel_say(&link, 1000 + i);
			assert_int_equal(link_hear(&link), 1000 + i);
		}
		assert_int_equal(uplink_shown(*state, "up", "from-client-frames"), 100);
		assert_int_equal(uplink_shown(*state, "up", "to-client-frames"), 100);
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
		broker_settle(*state);
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

static void nobody_listening_and_a_full_backlog_are_waited_for(void **state)
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

static void a_socket_of_another_type_is_refused(void **state)
{
	const char *path = place("peer");
	int listener = socket_listening(STREAM, path);

	uplink_refused(*state, EPROTOTYPE, "cannot connect to the seqpacket socket",
		       "name=up,bridge=b,type=bess,path=%s", path);
	/* Which connect(2) would only say that it refuses, as a socket of somebody who has gone. */
	uplink_refused(*state, ENOTSOCK, "cannot connect to the stream socket",
		       "name=up,bridge=b,type=stream,path=%s", directory);
	uplink_refused(*state, EINVAL, "is empty", "name=up,bridge=b,type=stream,path=@");
	uplink_refused(*state, EINVAL, "needs path", "name=up,bridge=b,type=stream");
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
		link_say(&link, 1);
		/* What it said last still arrives. */
		assert_true(type == STREAM ? stream_frame_send(link.peer, 1, 0xff, 2)
					   : frame_send(link.peer, 1, 0xff, 2));
		close(link.peer);
		broker_settle(*state);
		assert_int_equal(frame_receive(link.tunnel), 1);
		assert_int_equal(frame_receive(link.tunnel), 2);
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
		assert_string_equal(uplink_text(*state, "up", "reason"),
				    "the other side has closed it");
		tunnel_say(&link, 3);
		assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
		wait_up(*state);
		link.peer = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		assert_int_equal(uplink_shown(*state, "up", "connects"), 2);
		tunnel_say(&link, 4);
		assert_int_equal(link_hear(&link), 4);
		uplink_accounted(*state, "up");
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
	link_say(&link, 1);
	assert_int_equal(frame_receive(link.tunnel), 1);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-runt"), 2);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-empty"), 1);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ streams */

static void half_a_frame_waits_for_the_rest_and_holds_up_nobody(void **state)
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
		broker_settle(*state);
		assert_int_equal(frame_receive(link.tunnel), -1);
		/* Meanwhile: */
		tunnel_say(&link, 8);
		assert_int_equal(frame_receive(other), 8);
		assert_int_equal(link_hear(&link), 8);
		assert_int_equal(send(link.peer, bytes + split, sizeof(bytes) - split, 0),
				 sizeof(bytes) - split);
		broker_settle(*state);
		assert_int_equal(frame_receive(link.tunnel), 7);
		assert_int_equal(frame_receive(other), 7);
	}
	/* And if there is no rest: */
	assert_int_equal(send(link.peer, bytes, 20, 0), 20);
	close(link.peer);
	broker_settle(*state);
	link.peer = -1;
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-malformed"), 1);
	close(other);
	link_close(&link);
}

static void a_length_of_4_gib_ends_the_connection(void **state)
{
	struct link link;

	link_open(&link, *state, STREAM, "");
	link_say(&link, 1);
	assert_int_equal(send(link.peer, "\xff\xff\xff\xff", 4, 0), 4);
	broker_settle(*state);
	assert_int_equal(frame_receive(link.tunnel), 1);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-oversize"), 1);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(*state, "up", "reason"), "Message too long");
	assert_true(fd_ended(link.peer));
	link_close(&link);
}

/* Reads all that is there now; what is read is frames after their lengths, and all are whole. */
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

/* A reader that has all that was sent, half a frame among it, needs nothing but readiness to get
 * the other half: passt waits for it and does nothing else meanwhile. */
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
		broker_settle(*state);
		sent++;
	}
	while (read < sent) {
		size_t before = size;
		unsigned int frames = stream_read_frames(link.peer, kept, &size);

		/* Nothing read, and yet something waits: it was kept back. */
		assert_true(frames || size != before);
		read += frames;
		pieces += size != 0;
		broker_settle(*state);
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
			int64_t heard, last = -1;
			char options[64];
			struct link link;
			uint32_t i;

			snprintf(options, sizeof(options), ",queue=10,overflow=%s",
				 overflows[overflow]);
			link_open(&link, *state, type, options);
			for (i = 0; i < 3000; i++)
				tunnel_say(&link, i);
			assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 10);
			assert_true(uplink_shown(*state, "up", "to-client-dropped-full") > 0);
			uplink_accounted(*state, "up");
			while ((heard = link_hear(&link)) >= 0) {
				assert_true(heard > last);
				last = heard;
				broker_settle(*state);
			}
			assert_int_equal(heard, -1);
			/* Of the tail the last were dropped. */
			assert_int_equal(last == 2999, overflow == 1);
			assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 0);
			uplink_accounted(*state, "up");
			link_close(&link);
		}
	}
}

static void a_blocking_uplink_loses_nothing_and_holds_its_source(void **state)
{
	for (int type = 0; type < TYPES; type++) {
		uint32_t sent = 0, heard = 0;
		struct link link;

		link_open(&link, *state, type, ",queue=10,overflow=block");
		while (sent < 5000) {
			if (frame_send(link.tunnel, 2, 0xff, sent)) {
				sent++;
				broker_settle(*state);
				continue;
			}
			/* No room: the tunnel isn't read. */
			assert_int_equal(link_hear(&link), heard++);
			broker_settle(*state);
		}
		for (; heard < sent; heard++) {
			assert_int_equal(link_hear(&link), heard);
			broker_settle(*state);
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
			tunnel_say(&link, 0);
		close(link.peer);
		broker_settle(*state);
		link.peer = -1;
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
		assert_true(uplink_shown(*state, "up", "to-client-dropped-no-client") >= 5);
		uplink_accounted(*state, "up");
		link_close(&link);
	}
}

/* ------------------------------------------------------------------------------ dgram */

static int peer_at(const char *path)
{
	return socket_bound(SOCK_DGRAM, path);
}

static int send_to(int fd, const char *path, const void *bytes, size_t length)
{
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	return sendto(fd, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&name, size) < 0 ? -errno
											   : 0;
}

static int frame_to(int fd, const char *path, uint32_t number)
{
	unsigned char frame[FRAME_SIZE];

	frame_make(frame, sizeof(frame), 1, 0xff, number);
	return send_to(fd, path, frame, sizeof(frame));
}

static bool is_there(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static void datagrams_go_both_ways(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int peer = peer_at(theirs);
	struct stat status;

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(lstat(ours, &status), 0);
	assert_int_equal(status.st_mode & 077, 0);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(frame_to(peer, ours, i), 0);
		broker_settle(*state);
		assert_int_equal(frame_receive(tunnel), i);
		assert_true(frame_send(tunnel, 2, 0xff, i));
		broker_settle(*state);
		assert_int_equal(frame_receive(peer), i);
	}
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	assert_false(is_there(ours));
	close(peer);
	close(tunnel);
	unlink(theirs);
}

static void nobody_but_the_peer_may_send_datagrams(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	int peer = peer_at(theirs), other = peer_at(others);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(frame_to(other, ours, 1), -EPERM);
	assert_int_equal(frame_to(peer, ours, 2), 0);
	uplink_gone(*state);
	close(peer);
	close(other);
	unlink(theirs);
	unlink(others);
}

static void a_peer_that_binds_later_is_joined(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int other = peer_at(others), peer;

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "No such file or directory"));
	assert_int_equal(frame_to(other, ours, 1), 0);
	broker_settle(*state);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"), 1);
	/* By its first frame it is found at once. */
	peer = peer_at(theirs);
	assert_int_equal(frame_to(peer, ours, 2), 0);
	broker_settle(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(frame_receive(tunnel), 2);
	uplink_gone(*state);
	/* And if it says nothing, soon. */
	close(peer);
	unlink(theirs);
	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	peer = peer_at(theirs);
	wait_up(*state);
	uplink_gone(*state);
	close(peer);
	close(other);
	close(tunnel);
	unlink(theirs);
	unlink(others);
}

static void a_silent_peers_death_is_seen_and_its_return_too(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int peer = peer_at(theirs);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(frame_to(peer, ours, 1), 0);
	/* As if killed: the file stays. */
	close(peer);
	wait_down(*state);
	assert_int_equal(frame_receive(tunnel), 1);
	assert_true(is_there(ours));
	unlink(theirs);
	peer = peer_at(theirs);
	wait_up(*state);
	assert_int_equal(uplink_shown(*state, "up", "connects"), 2);
	assert_true(frame_send(tunnel, 2, 0xff, 3));
	broker_settle(*state);
	assert_int_equal(frame_receive(peer), 3);
	/* A frame that can't be sent tells it at once. */
	close(peer);
	assert_true(frame_send(tunnel, 2, 0xff, 4));
	broker_settle(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(*state, "up", "reason"), "Connection refused");
	assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	assert_false(is_there(ours));
	close(tunnel);
	unlink(theirs);
}

static void a_peer_that_is_joined_to_somebody_else_is_waited_for(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int peer = peer_at(theirs), other = peer_at(others);

	assert_int_equal(try_connect(peer, others), 0);
	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_int_equal(connect(peer, &nobody, sizeof(nobody)), 0);
	wait_up(*state);
	uplink_gone(*state);
	close(peer);
	close(other);
	unlink(theirs);
	unlink(others);
}

static void without_remote_the_first_that_sends_is_the_peer(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int peer = peer_at(theirs);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s", ours);
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "nobody has sent to"));
	assert_true(frame_send(tunnel, 2, 0xff, 1));
	assert_int_equal(frame_to(nameless, ours, 2), 0);
	broker_settle(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"), 1);
	assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
	/* vfkit's and libkrun's greeting. */
	assert_int_equal(send_to(peer, ours, "VFKT", 4), 0);
	assert_int_equal(frame_to(peer, ours, 3), 0);
	broker_settle(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-runt"), 1);
	assert_int_equal(frame_receive(tunnel), 3);
	assert_int_equal(frame_receive(tunnel), -1);
	assert_true(frame_send(tunnel, 2, 0xff, 4));
	broker_settle(*state);
	assert_int_equal(frame_receive(peer), 4);
	/* The next peer may be another. */
	close(peer);
	wait_down(*state);
	unlink(theirs);
	theirs = place("second");
	peer = peer_at(theirs);
	assert_int_equal(frame_to(peer, ours, 5), 0);
	wait_up(*state);
	assert_int_equal(frame_receive(tunnel), 5);
	uplink_gone(*state);
	close(peer);
	close(nameless);
	close(tunnel);
	unlink(theirs);
}

static void a_dead_processs_socket_is_replaced(void **state)
{
	const char *ours = place("ours");

	close(peer_at(ours));
	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s", ours);
	/* Somebody else's file at that place is left there. */
	unlink(ours);
	close(peer_at(ours));
	uplink_gone(*state);
	assert_true(is_there(ours));
	unlink(ours);
}

static void what_is_not_a_dead_socket_is_left_alone(void **state)
{
	const char *ours = place("ours");
	int types_there[] = {SOCK_DGRAM, SOCK_STREAM};
	int fd;

	for (int i = 0; i < 2; i++) {
		fd = socket_bound(types_there[i], ours);
		if (types_there[i] == SOCK_STREAM)
			assert_int_equal(listen(fd, 1), 0);
		uplink_refused(*state, EADDRINUSE, "cannot bind",
			       "name=up,bridge=b,type=dgram,path=%s", ours);
		assert_true(is_there(ours));
		close(fd);
		unlink(ours);
	}
	fd = open(ours, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	uplink_refused(*state, EEXIST, "cannot bind", "name=up,bridge=b,type=dgram,path=%s", ours);
	assert_true(is_there(ours));
	unlink(ours);
	uplink_refused(*state, ENOTDIR, "cannot bind",
		       "name=up,bridge=b,type=dgram,path=/dev/null/x");
	uplink_refused(*state, EINVAL, "the other side's path",
		       "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, ours);
}

static void a_remote_of_another_type_is_refused_and_leaves_no_file(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int listener = socket_listening(STREAM, theirs);

	uplink_refused(*state, EPROTOTYPE, "cannot join",
		       "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_false(is_there(ours));
	close(listener);
	unlink(theirs);
}

static void two_uplinks_find_each_other_in_either_order(void **state)
{
	const char *one = place("one"), *two = place("two");
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state, "name=to,bridge=c");

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", one, two);
	for (int i = 0; i < 2; i++) {
		uplink_added(*state, "name=other,bridge=c,type=dgram,path=%s,remote=%s", two, one);
		wait_up(*state);
		assert_true(frame_send(from, 1, 0xff, (uint32_t)i));
		broker_settle(*state);
		assert_int_equal(frame_receive(to), i);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=other");
		wait_down(*state);
	}
	uplink_gone(*state);
	close(from);
	close(to);
}

static void a_datagram_peer_that_reads_nothing_loses_only_its_own(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int other = tunnel_opened(*state, "name=other,bridge=b");
	int peer = peer_at(theirs);
	uint32_t heard = 0;

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s,queue=10", ours,
		     theirs);
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(frame_send(tunnel, 2, 0xff, i));
		broker_settle(*state);
		assert_int_equal(frame_receive(other), i);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 10);
	assert_true(uplink_shown(*state, "up", "to-client-dropped-full") > 0);
	while (frame_receive(peer) == heard) {
		heard++;
		broker_settle(*state);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 0);
	assert_int_equal(uplink_shown(*state, "up", "to-client-frames"), heard);
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	close(peer);
	close(other);
	close(tunnel);
	unlink(theirs);
}

static const struct CMUnitTest local_tests[] = {
	WITH_BROKER(frames_go_both_ways),
	WITH_BROKER(an_abstract_socket_will_do),
	WITH_BROKER(an_uplink_waits_for_a_peer_that_is_not_there_yet),
	WITH_BROKER(nobody_listening_and_a_full_backlog_are_waited_for),
	WITH_BROKER(a_socket_of_another_type_is_refused),
	WITH_BROKER(a_peer_that_goes_and_comes_back_is_found_again),
	WITH_BROKER(runts_and_empty_records_are_counted),
	WITH_BROKER(half_a_frame_waits_for_the_rest_and_holds_up_nobody),
	WITH_BROKER(a_length_of_4_gib_ends_the_connection),
	WITH_BROKER(the_rest_of_a_frame_follows_as_soon_as_there_is_room),
	WITH_BROKER(what_waits_for_a_peer_that_reads_nothing_is_bounded),
	WITH_BROKER(a_blocking_uplink_loses_nothing_and_holds_its_source),
	WITH_BROKER(what_waited_for_a_peer_that_goes_is_counted),
	WITH_BROKER(datagrams_go_both_ways),
	WITH_BROKER(nobody_but_the_peer_may_send_datagrams),
	WITH_BROKER(a_peer_that_binds_later_is_joined),
	WITH_BROKER(a_silent_peers_death_is_seen_and_its_return_too),
	WITH_BROKER(a_peer_that_is_joined_to_somebody_else_is_waited_for),
	WITH_BROKER(without_remote_the_first_that_sends_is_the_peer),
	WITH_BROKER(a_dead_processs_socket_is_replaced),
	WITH_BROKER(what_is_not_a_dead_socket_is_left_alone),
	WITH_BROKER(a_remote_of_another_type_is_refused_and_leaves_no_file),
	WITH_BROKER(two_uplinks_find_each_other_in_either_order),
	WITH_BROKER(a_datagram_peer_that_reads_nothing_loses_only_its_own),
};

int main(void)
{
	return RUN_TESTS_WITH(local_tests, group_set_up, group_tear_down);
}

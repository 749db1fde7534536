/* SPDX-License-Identifier: MIT */
/*
 * Uplinks by UNIX datagrams. The peer is a socket of the test.
 */
#include "tests/unit/broker/uplink/local_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/control_socket.h"

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
		broker_quiesce(*state);
		assert_int_equal(frame_receive(tunnel), i);
		assert_true(frame_send(tunnel, 2, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(peer), i);
	}
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	assert_false(is_there(ours));
	close(peer);
	close(tunnel);
	unlink(theirs);
}

static void only_the_peer_may_send_datagrams(void **state)
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
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"), 1);
	/* A peer that sends a frame is connected at once. */
	peer = peer_at(theirs);
	assert_int_equal(frame_to(peer, ours, 2), 0);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(frame_receive(tunnel), 2);
	uplink_gone(*state);
	/* A silent peer is connected within a second. */
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

/* Other processes can send until the sockets are connected, which the first frame causes. */
static void frames_of_others_before_the_connect_are_counted(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int other = peer_at(others), peer;

	for (int known = 0; known < 2; known++) {
		uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s%s%s", ours,
			     known ? ",remote=" : "", known ? theirs : "");
		peer = peer_at(theirs);
		assert_int_equal(frame_to(known ? other : peer, ours, 1), 0);
		assert_int_equal(frame_to(nameless, ours, 2), 0);
		assert_int_equal(frame_to(other, ours, 3), 0);
		assert_int_equal(frame_to(peer, ours, 4), 0);
		broker_quiesce(*state);
		assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
		assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"),
				 known ? 3 : 2);
		if (!known)
			assert_int_equal(frame_receive(tunnel), 1);
		assert_int_equal(frame_receive(tunnel), 4);
		assert_int_equal(frame_receive(tunnel), -1);
		uplink_gone(*state);
		close(peer);
		unlink(theirs);
	}
	close(other);
	close(nameless);
	close(tunnel);
	unlink(others);
}

/* A descriptor that is taken would stay open in the broker. */
static void descriptors_that_come_with_frames_are_not_taken(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	unsigned char frame[FRAME_SIZE];
	struct iovec part = {frame, sizeof(frame)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int peer = peer_at(theirs);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s", ours);
	frame_make(frame, sizeof(frame), 1, 0xff, 1);
	/* The first frame, which connects them, and a second one. */
	for (int i = 0; i < 2; i++) {
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
		if (i == 0)
			assert_int_equal(try_connect(peer, ours), 0);
		if (sendmsg(peer, &message, 0) < 0) {
			/* The kernel refuses the descriptor itself. */
			assert_int_equal(errno, EPERM);
			bytes_send(peer, frame, sizeof(frame));
		}
		close(ends[1]);
		broker_quiesce(*state);
		assert_int_equal(frame_receive(tunnel), 1);
		/* Its end is closed: the broker has not kept the other one. */
		assert_int_equal(read(ends[0], frame, 1), 0);
		close(ends[0]);
	}
	uplink_gone(*state);
	close(peer);
	close(tunnel);
	unlink(theirs);
}

#define LONGEST_PATH sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* A peer at a path of the full 108 bytes without a NUL. */
static int peer_at_long_path(char path[LONGEST_PATH + 1])
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage storage = {0};
	struct sockaddr_un *name = (struct sockaddr_un *)&storage;
	const char *beginning = place("long-");

	memset(path, 'x', LONGEST_PATH);
	path[LONGEST_PATH] = '\0';
	memcpy(path, beginning, strlen(beginning));
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, path, LONGEST_PATH);
	assert_int_equal(bind(fd, (struct sockaddr *)name, sizeof(*name)), 0);
	return fd;
}

static void strangers_that_cannot_be_joined_do_not_keep_the_peer_out(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int peer = peer_at(theirs), other = peer_at(others), listener;
	char path[LONGEST_PATH + 1];
	int distant = peer_at_long_path(path);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s", ours);
	assert_int_equal(frame_to(distant, ours, 1), 0);
	/* First another socket has its path, then the path of the uplink itself leads there. */
	assert_int_equal(frame_to(other, ours, 2), 0);
	unlink(others);
	listener = socket_bound(SOCK_STREAM, others);
	broker_quiesce(*state);
	assert_int_equal(frame_to(other, ours, 3), 0);
	unlink(others);
	assert_int_equal(symlink(ours, others), 0);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"), 3);
	assert_int_equal(frame_to(peer, ours, 4), 0);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(frame_receive(tunnel), 4);
	uplink_gone(*state);
	close(distant);
	close(listener);
	close(other);
	close(peer);
	close(tunnel);
	unlink(path);
	unlink(others);
	unlink(theirs);
}

static void its_path_stays_while_it_is_down(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int peer = peer_at(theirs), listener;

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	close(peer);
	wait_down(*state);
	unlink(theirs);
	listener = socket_bound(SOCK_STREAM, theirs);
	uplink_retry(*state, "up");
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "wrong type"));
	assert_true(is_there(ours));
	close(listener);
	unlink(theirs);
	peer = peer_at(theirs);
	wait_up(*state);
	uplink_gone(*state);
	assert_false(is_there(ours));
	close(peer);
	unlink(theirs);
}

static void it_is_not_joined_to_itself(void **state)
{
	const char *ours = place("ours"), *link = place("link");

	assert_int_equal(symlink(ours, link), 0);
	uplink_refused(*state, EINVAL, "is the same socket as path",
		       "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, link);
	assert_false(is_there(ours));
	unlink(link);
}

static void a_silent_peers_death_is_seen_and_its_return_too(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int peer = peer_at(theirs);

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(frame_to(peer, ours, 1), 0);
	/* As after a kill: the file stays. */
	close(peer);
	wait_down(*state);
	assert_int_equal(frame_receive(tunnel), 1);
	assert_true(is_there(ours));
	unlink(theirs);
	peer = peer_at(theirs);
	wait_up(*state);
	assert_int_equal(uplink_shown(*state, "up", "connects"), 2);
	assert_true(frame_send(tunnel, 2, 0xff, 3));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(peer), 3);
	/* A frame that can't be sent takes the uplink down at once. */
	close(peer);
	assert_true(frame_send(tunnel, 2, 0xff, 4));
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(*state, "up", "reason"), "Connection refused");
	assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	assert_false(is_there(ours));
	close(tunnel);
	unlink(theirs);
}

static void a_peer_that_is_connected_elsewhere_is_waited_for(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs"), *others = place("others");
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int peer = peer_at(theirs), other = peer_at(others);

	assert_int_equal(try_connect(peer, others), 0);
	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, theirs);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_int_equal(connect(peer, &none, sizeof(none)), 0);
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
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "no program has sent to"));
	assert_true(frame_send(tunnel, 2, 0xff, 1));
	assert_int_equal(frame_to(nameless, ours, 2), 0);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-foreign"), 1);
	assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-no-client"), 1);
	/* The first datagram of vfkit and libkrun. */
	assert_int_equal(send_to(peer, ours, "VFKT", 4), 0);
	assert_int_equal(frame_to(peer, ours, 3), 0);
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_UP);
	assert_int_equal(uplink_shown(*state, "up", "from-client-dropped-runt"), 1);
	assert_int_equal(frame_receive(tunnel), 3);
	assert_int_equal(frame_receive(tunnel), -1);
	assert_true(frame_send(tunnel, 2, 0xff, 4));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(peer), 4);
	/* The next peer may have another path. */
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
	/* A file that another program has put there stays. */
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
	uplink_refused(*state, EINVAL, "remote and path are the same",
		       "name=up,bridge=b,type=dgram,path=%s,remote=%s", ours, ours);
}

static void a_remote_of_another_type_is_refused_and_leaves_no_file(void **state)
{
	const char *ours = place("ours"), *theirs = place("theirs");
	int listener = socket_bound(SOCK_STREAM, theirs);

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
		broker_quiesce(*state);
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
	uint32_t received = 0;

	uplink_added(*state, "name=up,bridge=b,type=dgram,path=%s,remote=%s,queue=10", ours,
		     theirs);
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(frame_send(tunnel, 2, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(other), i);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 10);
	assert_true(uplink_shown(*state, "up", "to-client-dropped-full") > 0);
	while (frame_receive(peer) == received) {
		received++;
		broker_quiesce(*state);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 0);
	assert_int_equal(uplink_shown(*state, "up", "to-client-frames"), received);
	uplink_accounted(*state, "up");
	uplink_gone(*state);
	close(peer);
	close(other);
	close(tunnel);
	unlink(theirs);
}

static const struct CMUnitTest dgram_tests[] = {
	WITH_BROKER(datagrams_go_both_ways),
	WITH_BROKER(only_the_peer_may_send_datagrams),
	WITH_BROKER(a_peer_that_binds_later_is_joined),
	WITH_BROKER(frames_of_others_before_the_connect_are_counted),
	WITH_BROKER(descriptors_that_come_with_frames_are_not_taken),
	WITH_BROKER(strangers_that_cannot_be_joined_do_not_keep_the_peer_out),
	WITH_BROKER(its_path_stays_while_it_is_down),
	WITH_BROKER(it_is_not_joined_to_itself),
	WITH_BROKER(a_silent_peers_death_is_seen_and_its_return_too),
	WITH_BROKER(a_peer_that_is_connected_elsewhere_is_waited_for),
	WITH_BROKER(without_remote_the_first_that_sends_is_the_peer),
	WITH_BROKER(a_dead_processs_socket_is_replaced),
	WITH_BROKER(what_is_not_a_dead_socket_is_left_alone),
	WITH_BROKER(a_remote_of_another_type_is_refused_and_leaves_no_file),
	WITH_BROKER(two_uplinks_find_each_other_in_either_order),
	WITH_BROKER(a_datagram_peer_that_reads_nothing_loses_only_its_own),
};

int main(void)
{
	return RUN_TESTS_WITH(dgram_tests, places_set_up, places_tear_down);
}

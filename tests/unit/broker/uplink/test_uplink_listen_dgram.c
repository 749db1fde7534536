/* SPDX-License-Identifier: MIT */
/*
 * Uplinks that listen and whose peers have datagram sockets of their own: vde, as a switch of VDE
 * does, and dgram, for vfkit. The peers are sockets of the test.
 */
#include "tests/unit/broker/uplink/local_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/log.h"

/* The time limit of a wait in seconds. Reaching it is a failure. */
#define LONG 10.

/* A client of VDE. */
struct client_of_vde {
	int control, data;
	char path[108]; /* of its data socket */
};

struct request {
	uint32_t magic, version, type;
	struct sockaddr_un socket;
	char text[128];
} __attribute__((packed));

static bool port_exists(struct broker_fixture *fixture, const char *name)
{
	broker_quiesce(fixture);
	return uplink_find(fixture->broker->uplinks, name) != NULL;
}

static uint64_t refusals(struct broker_fixture *fixture)
{
	broker_quiesce(fixture);
	return uplink_shown(fixture, "l", "refused");
}

static void listener_gone(struct broker_fixture *fixture)
{
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=l");
}

/* ------------------------------------------------------------------------------ vde */

static void switch_added(struct broker_fixture *fixture, const char *options)
{
	uplink_added(fixture, "name=l,bridge=b,type=vde,listen=%s%s", place("sw"), options);
}

/* Connect to the control socket, and bind a data socket at the path. */
static void client_connect(struct client_of_vde *client, const char *path)
{
	client->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(client->control >= 0);
	assert_int_equal(try_connect(client->control, place("sw/ctl")), 0);
	strlcpy(client->path, path, sizeof(client->path));
	client->data = socket_bound(SOCK_DGRAM, client->path);
}

static void client_ask_with(struct client_of_vde *client, uint32_t magic, uint32_t version,
			    const char *path)
{
	struct request request = {
		.magic = magic,
		.version = version,
		.socket.sun_family = AF_UNIX,
		.text = "a test",
	};

	strlcpy(request.socket.sun_path, path, sizeof(request.socket.sun_path));
	bytes_send(client->control, &request, sizeof(request) - sizeof(request.text) + 6);
}

/* Receive the answer, and connect the data socket. */
static void client_join(struct client_of_vde *client)
{
	struct sockaddr_un answer;

	assert_int_equal(recv(client->control, &answer, sizeof(answer), MSG_DONTWAIT),
			 sizeof(answer));
	assert_int_equal(connect(client->data, (const struct sockaddr *)&answer, sizeof(answer)),
			 0);
}

static void client_open_vde(struct broker_fixture *fixture, struct client_of_vde *client,
			    const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", place("sw"), name);
	client_connect(client, path);
	client_ask_with(client, 0xfeedface, 3, path);
	broker_quiesce(fixture);
	client_join(client);
}

static void client_close_vde(struct broker_fixture *fixture, struct client_of_vde *client)
{
	close(client->control);
	close(client->data);
	unlink(client->path);
	broker_quiesce(fixture);
}

static void clients_of_vde_are_ports(void **state)
{
	struct client_of_vde one, other;
	struct stat status;

	switch_added(*state, "");
	client_open_vde(*state, &one, "one");
	client_open_vde(*state, &other, "other");
	assert_true(port_exists(*state, "l1"));
	assert_int_equal(uplink_shown(*state, "l0", "pid"), getpid());
	assert_int_equal(uplink_shown(*state, "l0", "mtu"), 1500);
	for (uint32_t i = 0; i < 20; i++) {
		assert_true(frame_send(one.data, 1, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(other.data), i);
		assert_true(frame_send(other.data, 2, 1, 100 + i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(one.data), 100 + i);
	}
	uplink_accounted(*state, "l0");
	/* Frames that were sent before the end arrive. */
	assert_true(frame_send(one.data, 1, 0xff, 7));
	client_close_vde(*state, &one);
	assert_int_equal(frame_receive(other.data), 7);
	assert_false(port_exists(*state, "l0"));
	client_open_vde(*state, &one, "one");
	assert_true(port_exists(*state, "l0"));
	client_close_vde(*state, &one);
	client_close_vde(*state, &other);
	assert_int_equal(lstat(place("sw/1"), &status), -1);
	listener_gone(*state);
	assert_int_equal(lstat(place("sw"), &status), -1);
}

static void a_deleted_switch_disconnects_its_clients(void **state)
{
	struct client_of_vde client;
	struct stat status;

	assert_int_equal(mkdir(place("sw"), 0700), 0);
	switch_added(*state, "");
	client_open_vde(*state, &client, "one");
	listener_gone(*state);
	assert_true(fd_ended(client.control));
	assert_int_equal(lstat(place("sw/ctl"), &status), -1);
	assert_int_equal(lstat(place("sw/1"), &status), -1);
	client_close_vde(*state, &client);
	/* The uplink has not made the directory, so it leaves it. */
	assert_int_equal(rmdir(place("sw")), 0);
}

/* The broker is not to send to a socket of another program. */
static void only_a_socket_of_the_client_in_the_directory_is_used(void **state)
{
	struct client_of_vde client;
	int victim;
	static const char *const paths[] = {
		"sw/none", "victim", "sw/link", "sw/file", "sw/../victim",
		"sw/.",    "sw/..",  "sw/ctl",  "sw/",     "mine",
	};
	unsigned int count = sizeof(paths) / sizeof(paths[0]);

	switch_added(*state, "");
	victim = socket_bound(SOCK_DGRAM, place("victim"));
	assert_int_equal(symlink(place("victim"), place("sw/link")), 0);
	close(open(place("sw/file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (unsigned int i = 0; i < count; i++) {
		client_connect(&client, place("sw/mine"));
		client_ask_with(&client, 0xfeedface, 3, place(paths[i]));
		assert_int_equal(refusals(*state), i + 1);
		assert_true(fd_ended(client.control));
		client_close_vde(*state, &client);
	}
	client_connect(&client, place("sw/mine"));
	client_ask_with(&client, 0xfeedface, 3, "mine");
	assert_int_equal(refusals(*state), count + 1);
	client_close_vde(*state, &client);
	client_connect(&client, place("sw/mine"));
	client_ask_with(&client, 0xfeedface, 3, "");
	assert_int_equal(refusals(*state), count + 2);
	client_close_vde(*state, &client);
	assert_int_equal(frame_receive(victim), -1);
	close(victim);
	unlink(place("victim"));
	unlink(place("sw/link"));
	unlink(place("sw/file"));
	listener_gone(*state);
}

static void a_socket_of_another_user_is_not_used(void **state)
{
	struct client_of_vde client;

	if (geteuid() != 0)
		skip();
	switch_added(*state, "");
	client_connect(&client, place("sw/mine"));
	assert_int_equal(chown(client.path, FIXTURE_UID, FIXTURE_UID), 0);
	client_ask_with(&client, 0xfeedface, 3, client.path);
	assert_int_equal(refusals(*state), 1);
	client_close_vde(*state, &client);
	listener_gone(*state);
}

static void a_malformed_request_is_refused(void **state)
{
	struct client_of_vde client;

	switch_added(*state, "");
	client_connect(&client, place("sw/mine"));
	bytes_send(client.control, "GET /", 5);
	assert_int_equal(refusals(*state), 1);
	client_close_vde(*state, &client);
	client_connect(&client, place("sw/mine"));
	client_ask_with(&client, 0xfeedface, 2, client.path);
	assert_int_equal(refusals(*state), 2);
	client_close_vde(*state, &client);
	client_connect(&client, place("sw/mine"));
	broker_quiesce(*state);
	client_close_vde(*state, &client);
	assert_int_equal(refusals(*state), 3);
	listener_gone(*state);
}

static bool one_is_refused(void *context)
{
	return uplink_shown(context, "l", "refused") == 1;
}

static void a_client_that_never_asks_is_refused_and_takes_a_place(void **state)
{
	struct client_of_vde client, more;

	switch_added(*state, ",max=1");
	client_connect(&client, place("sw/mine"));
	bytes_send(client.control, "\xce\xfa\xed\xfe", 4);
	broker_quiesce(*state);
	assert_false(fd_ended(client.control));
	client_connect(&more, place("sw/more"));
	assert_int_equal(refusals(*state), 1);
	assert_true(fd_ended(more.control));
	client_close_vde(*state, &more);
	client_close_vde(*state, &client);
	listener_gone(*state);
	switch_added(*state, "");
	client_connect(&client, place("sw/mine"));
	assert_true(broker_wait(*state, one_is_refused, *state, LONG));
	assert_true(fd_ended(client.control));
	client_close_vde(*state, &client);
	/* One that waits when the uplink is deleted. */
	client_connect(&client, place("sw/mine"));
	broker_quiesce(*state);
	listener_gone(*state);
	assert_true(fd_ended(client.control));
	client_close_vde(*state, &client);
	rmdir(place("sw"));
}

static void places_that_are_no_directory_are_refused(void **state)
{
	close(open(place("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	uplink_refused(*state, ENOTDIR, "cannot make or use the directory",
		       "name=l,bridge=b,type=vde,listen=%s", place("file"));
	unlink(place("file"));
	uplink_refused(*state, ENOENT, "cannot make or use the directory",
		       "name=l,bridge=b,type=vde,listen=%s", place("none/sw"));
	uplink_refused(*state, EINVAL, "listens in a directory",
		       "name=l,bridge=b,type=vde,listen=@x");
	uplink_refused(*state, ENAMETOOLONG, "too long for a socket",
		       "name=l,bridge=b,type=vde,listen=/%0104d", 1);
	switch_added(*state, "");
	uplink_refused(*state, EADDRINUSE, "listens on", "name=m,bridge=b,type=vde,listen=%s",
		       place("sw"));
	listener_gone(*state);
}

static void the_directory_has_the_mode_that_clients_need(void **state)
{
	static const struct {
		const char *options;
		mode_t mode;
	} cases[] = {
		{"", 0700},
		{",allow=any", 01777},
		{",allow=any,socket-mode=0660", 01770},
		{",allow=any,socket-mode=0600", 0700},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stat status;

		switch_added(*state, cases[i].options);
		assert_int_equal(lstat(place("sw"), &status), 0);
		assert_int_equal(status.st_mode & 07777, cases[i].mode);
		listener_gone(*state);
	}
}

/* ------------------------------------------------------------------------------ dgram */

static void path_added(struct broker_fixture *fixture, const char *options)
{
	uplink_added(fixture, "name=l,bridge=b,type=dgram,listen=%s%s", place("l"), options);
}

/* Return a socket as vfkit's, which has said hello. */
static int vfkit_open(struct broker_fixture *fixture, const char *name)
{
	int fd = socket_bound(SOCK_DGRAM, place(name));

	assert_int_equal(try_connect(fd, place("l")), 0);
	bytes_send(fd, "VFKT", 4);
	broker_quiesce(fixture);
	return fd;
}

static void clients_that_say_hello_are_ports(void **state)
{
	int one, other;
	struct stat status;

	path_added(*state, "");
	one = vfkit_open(*state, "one");
	other = vfkit_open(*state, "other");
	assert_true(port_exists(*state, "l1"));
	assert_int_equal(uplink_shown(*state, "l0", "pid"), getpid());
	assert_int_equal(uplink_shown(*state, "l0", "uid"), geteuid());
	for (uint32_t i = 0; i < 20; i++) {
		assert_true(frame_send(one, 1, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(other), i);
		assert_true(frame_send(other, 2, 1, 100 + i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(one), 100 + i);
	}
	assert_int_equal(uplink_shown(*state, "l0", "from-client-frames"), 20);
	uplink_accounted(*state, "l0");
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=l0");
	assert_false(frame_send(one, 1, 0xff, 1));
	assert_true(port_exists(*state, "l1"));
	listener_gone(*state);
	assert_false(frame_send(other, 1, 0xff, 1));
	assert_int_equal(lstat(place("l"), &status), -1);
	assert_int_equal(lstat(place("l.lock"), &status), -1);
	assert_int_equal(lstat(place("l.next"), &status), -1);
	close(one);
	close(other);
	unlink(place("one"));
	unlink(place("other"));
}

static void frames_right_behind_the_hello_arrive(void **state)
{
	int tunnel = tunnel_opened(*state, "name=t,bridge=b");
	int fd = socket_bound(SOCK_DGRAM, place("one"));

	path_added(*state, "");
	assert_int_equal(try_connect(fd, place("l")), 0);
	bytes_send(fd, "VFKT", 4);
	assert_true(frame_send(fd, 1, 0xff, 1));
	assert_true(frame_send(fd, 1, 0xff, 2));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(tunnel), 1);
	assert_int_equal(frame_receive(tunnel), 2);
	close(fd);
	unlink(place("one"));
	close(tunnel);
	listener_gone(*state);
}

static bool port_is_gone(void *context)
{
	return !uplink_find(((struct broker_fixture *)context)->broker->uplinks, "l0");
}

static void the_end_of_a_client_is_seen(void **state)
{
	int fd;

	path_added(*state, "");
	fd = vfkit_open(*state, "one");
	assert_true(port_exists(*state, "l0"));
	close(fd);
	unlink(place("one"));
	assert_true(broker_wait(*state, port_is_gone, *state, LONG));
	/* One that comes back at once has the same name. */
	fd = vfkit_open(*state, "one");
	close(fd);
	unlink(place("one"));
	fd = vfkit_open(*state, "one");
	assert_true(port_exists(*state, "l0"));
	assert_false(port_exists(*state, "l1"));
	assert_int_equal(uplink_shown(*state, "l", "accepted"), 3);
	close(fd);
	unlink(place("one"));
	listener_gone(*state);
}

static void what_does_not_begin_with_hello_is_refused(void **state)
{
	int fd, tunnel = tunnel_opened(*state, "name=t,bridge=b");

	path_added(*state, "");
	fd = socket_bound(SOCK_DGRAM, place("one"));
	assert_int_equal(try_connect(fd, place("l")), 0);
	assert_true(frame_send(fd, 1, 0xff, 1));
	bytes_send(fd, "VFK", 3);
	bytes_send(fd, "VFKTx", 5);
	bytes_send(fd, "", 0);
	assert_int_equal(refusals(*state), 4);
	assert_false(port_exists(*state, "l0"));
	assert_int_equal(frame_receive(tunnel), -1);
	/* The hello may still come. */
	bytes_send(fd, "VFKT", 4);
	assert_true(port_exists(*state, "l0"));
	close(fd);
	unlink(place("one"));
	close(tunnel);
	listener_gone(*state);
}

static void a_client_needs_a_path_that_is_its_own(void **state)
{
	char name[40];
	int fd, victim;

	path_added(*state, "");
	snprintf(name, sizeof(name), "@memtun-test-%d", getpid());
	fd = socket_bound(SOCK_DGRAM, name);
	assert_int_equal(try_connect(fd, place("l")), 0);
	bytes_send(fd, "VFKT", 4);
	assert_int_equal(refusals(*state), 1);
	close(fd);
	/* The client has put a link to another socket in the place of its own. */
	victim = socket_bound(SOCK_DGRAM, place("victim"));
	fd = socket_bound(SOCK_DGRAM, place("one"));
	unlink(place("one"));
	assert_int_equal(symlink(place("victim"), place("one")), 0);
	assert_int_equal(try_connect(fd, place("l")), 0);
	bytes_send(fd, "VFKT", 4);
	assert_int_equal(refusals(*state), 2);
	unlink(place("one"));
	bytes_send(fd, "VFKT", 4);
	assert_int_equal(refusals(*state), 3);
	assert_int_equal(frame_receive(victim), -1);
	close(fd);
	close(victim);
	unlink(place("victim"));
	/* The uplink's socket is as it was. */
	fd = vfkit_open(*state, "one");
	assert_true(port_exists(*state, "l0"));
	close(fd);
	unlink(place("one"));
	listener_gone(*state);
}

static void datagrams_of_others_are_no_frames_of_the_client(void **state)
{
	int one, other, tunnel = tunnel_opened(*state, "name=t,bridge=b");

	path_added(*state, "");
	one = socket_bound(SOCK_DGRAM, place("one"));
	other = socket_bound(SOCK_DGRAM, place("other"));
	assert_int_equal(try_connect(one, place("l")), 0);
	assert_int_equal(try_connect(other, place("l")), 0);
	bytes_send(one, "VFKT", 4);
	assert_true(frame_send(other, 2, 0xff, 5));
	assert_true(frame_send(one, 1, 0xff, 6));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(tunnel), 6);
	assert_int_equal(frame_receive(tunnel), -1);
	assert_int_equal(uplink_shown(*state, "l0", "from-client-dropped-foreign"), 1);
	/* The other has to connect again, to the new socket. */
	assert_false(frame_send(other, 2, 0xff, 7));
	assert_int_equal(try_connect(other, place("l")), 0);
	bytes_send(other, "VFKT", 4);
	assert_true(port_exists(*state, "l1"));
	close(one);
	close(other);
	unlink(place("one"));
	unlink(place("other"));
	close(tunnel);
	listener_gone(*state);
}

/* Without a socket at the path no further client could come. */
static void a_client_is_refused_if_the_path_cannot_be_bound_again(void **state)
{
	int one, other;

	path_added(*state, "");
	one = socket_bound(SOCK_DGRAM, place("one"));
	assert_int_equal(try_connect(one, place("l")), 0);
	assert_int_equal(rename(place("l"), place("moved")), 0);
	assert_int_equal(mkdir(place("l"), 0700), 0);
	bytes_send(one, "VFKT", 4);
	assert_int_equal(refusals(*state), 1);
	assert_false(port_exists(*state, "l0"));
	rmdir(place("l"));
	close(open(place("l.next"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	bytes_send(one, "VFKT", 4);
	assert_int_equal(refusals(*state), 2);
	unlink(place("l.next"));
	assert_int_equal(rename(place("moved"), place("l")), 0);
	/* The socket is still for any client. */
	other = vfkit_open(*state, "other");
	assert_true(port_exists(*state, "l0"));
	close(one);
	close(other);
	unlink(place("one"));
	unlink(place("other"));
	listener_gone(*state);
}

/* The kernel tells the real user of a datagram's sender. The saved one is the way back. */
static int user_become(uid_t uid)
{
	return setresuid(uid, uid, 0);
}

static void max_and_users_are_checked(void **state)
{
	int one, other;

	path_added(*state, ",max=1");
	one = vfkit_open(*state, "one");
	other = vfkit_open(*state, "other");
	assert_int_equal(refusals(*state), 1);
	close(one);
	unlink(place("one"));
	close(other);
	unlink(place("other"));
	other = vfkit_open(*state, "other");
	assert_true(port_exists(*state, "l0"));
	assert_int_equal(refusals(*state), 1);
	close(other);
	unlink(place("other"));
	listener_gone(*state);
	if (geteuid() != 0)
		return;
	for (int allowed = 0; allowed < 2; allowed++) {
		path_added(*state, allowed ? ",allow=any" : "");
		assert_int_equal(chmod(place("l"), 0666), 0);
		assert_int_equal(chmod(place(""), 0777), 0);
		assert_int_equal(user_become(FIXTURE_UID + 1), 0);
		for (int i = 0; i < 2; i++) {
			char name[8];

			snprintf(name, sizeof(name), "c%d", i);
			one = socket_bound(SOCK_DGRAM, place(name));
			assert_int_equal(try_connect(one, place("l")), 0);
			bytes_send(one, "VFKT", 4);
			assert_int_equal(user_become(0), 0);
			assert_int_equal(port_exists(*state, i ? "l1" : "l0"), allowed);
			assert_int_equal(user_become(FIXTURE_UID + 1), 0);
			/* The first socket stays open, so that the second client is another. */
			if (!i)
				other = one;
		}
		assert_int_equal(user_become(0), 0);
		assert_int_equal(refusals(*state), allowed ? 0 : 2);
		close(one);
		close(other);
		unlink(place("c0"));
		unlink(place("c1"));
		listener_gone(*state);
	}
	assert_int_equal(chmod(place(""), 0700), 0);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	uplink_refused(*state, EINVAL, "listens on a path", "name=l,bridge=b,type=dgram,listen=@x");
	uplink_refused(*state, ENAMETOOLONG, "has more than",
		       "name=l,bridge=b,type=dgram,listen=/%0104d", 1);
	uplink_refused(*state, ENOENT, "cannot make", "name=l,bridge=b,type=dgram,listen=%s",
		       place("none/l"));
	path_added(*state, "");
	uplink_refused(*state, EADDRINUSE, "listens on", "name=m,bridge=b,type=dgram,listen=%s",
		       place("l"));
	listener_gone(*state);
}

/* ------------------------------------------------------------------------------ all tests */

static const struct CMUnitTest listen_tests[] = {
	WITH_BROKER(clients_of_vde_are_ports),
	WITH_BROKER(a_deleted_switch_disconnects_its_clients),
	WITH_BROKER(only_a_socket_of_the_client_in_the_directory_is_used),
	WITH_BROKER(a_socket_of_another_user_is_not_used),
	WITH_BROKER(a_malformed_request_is_refused),
	WITH_BROKER(a_client_that_never_asks_is_refused_and_takes_a_place),
	WITH_BROKER(places_that_are_no_directory_are_refused),
	WITH_BROKER(the_directory_has_the_mode_that_clients_need),
	WITH_BROKER(clients_that_say_hello_are_ports),
	WITH_BROKER(frames_right_behind_the_hello_arrive),
	WITH_BROKER(the_end_of_a_client_is_seen),
	WITH_BROKER(what_does_not_begin_with_hello_is_refused),
	WITH_BROKER(a_client_needs_a_path_that_is_its_own),
	WITH_BROKER(datagrams_of_others_are_no_frames_of_the_client),
	WITH_BROKER(a_client_is_refused_if_the_path_cannot_be_bound_again),
	WITH_BROKER(max_and_users_are_checked),
	WITH_BROKER(a_path_that_does_not_fit_is_refused),
};

int main(void)
{
	log_open("test_uplink_listen_dgram", LOG_LEVEL_ERROR); /* refusals are warnings */
	return RUN_TESTS_WITH(listen_tests, places_set_up, places_tear_down);
}

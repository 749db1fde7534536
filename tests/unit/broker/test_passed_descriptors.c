/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that clients send to the broker. The kernel refuses them: one that waits in a socket
 * of the broker would keep its file open, and with it the client's connection or tunnel, after the
 * client's death.
 */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/control/listener.h"
#include "common/control_connect.h"
#include "common/control_socket.h"
#include "common/descriptor.h"

static void skip_without_passrights(void)
{
	int ends[2], passed = 0;
	bool refuses;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	refuses = setsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS, &passed, sizeof(passed)) == 0;
	close(ends[0]);
	close(ends[1]);
	if (!refuses)
		test_skip("this kernel has no SO_PASSRIGHTS");
}

/* Send a frame with a descriptor of the same socket. Return 0, or the errno of sendmsg(2). */
static int send_itself(int fd)
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	unsigned char frame[64];
	struct iovec part = {frame, sizeof(frame)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	frame_make(frame, sizeof(frame), 1, 0xff, 1);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

static void a_client_cannot_send_its_connection_to_the_broker(void **state)
{
	struct broker_fixture *fixture = *state;
	struct control_socket socket;
	struct listener listener;
	struct fault fault;
	char address[64];
	int fd;

	skip_without_passrights();
	snprintf(address, sizeof(address), "@memtun-test-passed-%d", getpid());
	assert_int_equal(control_socket_listen(&socket, address, SOCK_SEQPACKET, &fault), 0);
	assert_true(socket.refuses_descriptors);
	fixture->broker->control->uid = geteuid();
	listener_start(&listener, fixture->broker->control, &socket, listener_accept_session, NULL);
	fd = control_connect(address, -1, &fault);
	assert_true(fd >= 0);
	/* The broker has not accepted the connection yet, and then it has. */
	assert_int_equal(send_itself(fd), EPERM);
	broker_quiesce(fixture);
	assert_int_equal(send_itself(fd), EPERM);
	close(fd);
	listener_stop(&listener);
}

static void no_descriptor_of_frames_takes_descriptors(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[8], count = 0;

	skip_without_passrights();
	fds[count++] = tunnel_opened(fixture, "name=seqpacket");
	fds[count++] = tunnel_opened(fixture, "name=dgram,socket=dgram");
	fds[count++] = tunnel_opened(fixture, "name=stream,socket=stream");
	fds[count++] = tunnel_opened(fixture, "socket=seqpacket");
	/* The broker keeps the end of b until a client opens it. */
	fds[count++] = tunnel_opened(fixture, "name=a,peer=b");
	fds[count++] = capture_opened(fixture, "name=seqpacket");
	fds[count++] = injector_opened(fixture, "name=seqpacket,direction=from-client");
	fds[count++] = injector_opened(fixture, "name=seqpacket,direction=to-client");
	for (int i = 0; i < count; i++) {
		if (send_itself(fds[i]) != EPERM)
			fail_msg("descriptor %d takes descriptors", i);
		close(fds[i]);
	}
}

static void no_uplink_takes_descriptors(void **state)
{
	struct broker_fixture *fixture = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_un uplinks = {.sun_family = AF_UNIX};
	struct answer answer;
	char options[200];
	int listening, peer, dgram;

	skip_without_passrights();
	snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/memtun-test-%d", getpid());
	snprintf(uplinks.sun_path, sizeof(uplinks.sun_path), "/tmp/memtun-test-%d-up", getpid());
	listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listening, 1), 0);
	snprintf(options, sizeof(options), "name=bess,bridge=b,type=bess,path=%s", name.sun_path);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_UPLINK_ADD, options), 0);
	peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	assert_int_equal(send_itself(peer), EPERM);
	snprintf(options, sizeof(options), "name=dgram,bridge=b,type=dgram,path=%s",
		 uplinks.sun_path);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_UPLINK_ADD, options), 0);
	dgram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(dgram, (struct sockaddr *)&uplinks, sizeof(uplinks)), 0);
	assert_int_equal(send_itself(dgram), EPERM);
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=bess");
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=dgram");
	close(peer);
	close(dgram);
	close(listening);
	unlink(name.sun_path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_client_cannot_send_its_connection_to_the_broker),
		WITH_BROKER(no_descriptor_of_frames_takes_descriptors),
		WITH_BROKER(no_uplink_takes_descriptors),
	};

	return RUN_TESTS(tests);
}

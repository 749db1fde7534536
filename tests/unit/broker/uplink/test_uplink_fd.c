/* SPDX-License-Identifier: MIT */
/*
 * Uplinks on descriptors that were handed in: what becomes a port, what is refused, and what ends
 * them.
 */
#include "tests/unit/broker/uplink/hand_in_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "common/descriptor.h"

static const int types[SOCKET_TYPES] = {SOCK_SEQPACKET, SOCK_DGRAM, SOCK_STREAM};

static void a_socket_of_each_type_becomes_a_port(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b");

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		int ends[2];

		foreign_pair(types[type], ends);
		fd_uplink_added(fixture, "u", ends[0], -1, "");
		assert_string_equal(uplink_text(fixture, "u", "device"), "");
		assert_int_equal(uplink_shown(fixture, "u", "socket"), type + 1);
		assert_true(typed_frame_send(type, ends[1], 1, 0xff, 7));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnel), 7);
		assert_true(frame_send(tunnel, 2, 1, 8));
		broker_quiesce(fixture);
		assert_int_equal(typed_frame_receive(type, ends[1]), 8);
		uplink_accounted(fixture, "u");
		/* The client's copy is as it was. */
		assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		assert_false(fd_ended(ends[1]));
		close(ends[0]);
		close(ends[1]);
	}
	close(tunnel);
}

static void the_uplink_is_deleted_when_the_other_side_closes(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b"), ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	close(ends[0]);
	assert_true(frame_send(ends[1], 1, 0xff, 7));
	close(ends[1]);
	assert_false(uplink_exists(fixture, "u"));
	assert_int_equal(frame_receive(tunnel), 7);
	close(tunnel);
}

static void the_uplink_is_deleted_when_its_life_ends(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	assert_int_equal(uplink_shown(fixture, "u", "life"), MEMTUN_LIFE_PIPE);
	/* What is in the pipe is not read, and no end. */
	assert_int_equal(write(life[1], "x", 1), 1);
	assert_true(uplink_exists(fixture, "u"));
	close(life[1]);
	assert_false(uplink_exists(fixture, "u"));
	close(life[0]);
	close(ends[0]);
	assert_true(fd_ended(ends[1]));
	close(ends[1]);
}

/* The broker asks this before it refuses a name, so the order of its events does not matter. */
static void a_name_is_free_as_soon_as_the_life_has_ended(void **state)
{
	struct broker_fixture *fixture = *state;
	struct uplinks *uplinks = fixture->broker->uplinks;
	struct port *port;
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	port = &uplink_find(uplinks, "u")->port;
	assert_false(port->operations->delete_if_dead(port));
	close(life[1]);
	assert_true(port->operations->delete_if_dead(port));
	assert_null(uplink_find(uplinks, "u"));
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	port = &uplink_find(uplinks, "u")->port;
	assert_false(port->operations->delete_if_dead(port));
	close(life[0]);
	close(ends[0]);
	close(ends[1]);
}

static void a_name_is_free_as_soon_as_the_other_side_has_closed(void **state)
{
	struct broker_fixture *fixture = *state;
	struct uplinks *uplinks = fixture->broker->uplinks;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		struct port *port;
		int ends[2];

		foreign_pair(types[type], ends);
		fd_uplink_added(fixture, "u", ends[0], -1, "");
		close(ends[0]);
		port = &uplink_find(uplinks, "u")->port;
		assert_false(port->operations->delete_if_dead(port));
		close(ends[1]);
		assert_true(port->operations->delete_if_dead(port));
		assert_null(uplink_find(uplinks, "u"));
	}
}

/* ------------------------------------------------------------------------------ refusals */

static void what_is_neither_a_device_nor_a_socket_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int pipe_ends[2], fd;

	foreign_pipe(pipe_ends);
	fd_uplink_refused(fixture, EINVAL, "a pipe can't be a port", pipe_ends[0], -1, "");
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	fd = foreign(open("/dev/zero", O_RDWR | O_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "a character device can't be a port", fd, -1, "");
	close(fd);
	fd = foreign(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "a regular file can't be a port", fd, -1, "");
	close(fd);
	fd = foreign(open("/", O_PATH | O_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "a directory can't be a port", fd, -1, "");
	close(fd);
	fd = foreign(eventfd(0, EFD_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "can't be a port", fd, -1, "");
	close(fd);
}

static void a_device_without_an_interface_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		test_skip("/dev/net/tun cannot be opened");
	fd = foreign(fd);
	fd_uplink_refused(fixture, EBADFD, "TUNSETIFF", fd, -1, "");
	close(fd);
}

/* Return a socket, bound to any name of its family. */
static int socket_made(int family, int type)
{
	struct sockaddr_storage name = {.ss_family = (sa_family_t)family};
	socklen_t size = family == AF_UNIX ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	return foreign(fd);
}

static void sockets_of_other_families_are_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int fd = socket_made(AF_INET, SOCK_STREAM);

	fd_uplink_refused(fixture, EINVAL, "a socket of IPv4 can't be a port", fd, -1, "");
	close(fd);
	fd = foreign(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	fd_uplink_refused(fixture, EINVAL, "a socket of another family can't be a port", fd, -1,
			  "");
	close(fd);
}

static void sockets_that_are_not_connected_are_refused(void **state)
{
	struct broker_fixture *fixture = *state;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		int fd = socket_made(AF_UNIX, types[type]);

		fd_uplink_refused(fixture, ENOTCONN, "not connected", fd, -1, "");
		if (type != SOCKET_DGRAM) {
			assert_int_equal(listen(fd, 1), 0);
			fd_uplink_refused(fixture, EINVAL, "a listening socket", fd, -1, "");
		}
		close(fd);
	}
}

static void a_socket_that_was_closed_at_the_other_side_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2];

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		foreign_pair(types[type], ends);
		close(ends[1]);
		fd_uplink_refused(fixture, EPIPE, "has closed it", ends[0], -1, "");
		close(ends[0]);
	}
}

static void a_second_copy_and_the_other_end_of_a_port_are_refused(void **state)
{
	struct broker_fixture *fixture = *state;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		int ends[2];

		foreign_pair(types[type], ends);
		fd_uplink_added(fixture, "u", ends[0], -1, "");
		fd_uplink_refused(fixture, EEXIST, "has this socket already", ends[0], -1, "");
		fd_uplink_refused(fixture, ELOOP, "the broker's own", ends[1], -1, "");
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		/* It isn't the broker's any more. */
		fd_uplink_added(fixture, "u", ends[1], -1, "");
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		close(ends[0]);
		close(ends[1]);
	}
}

static void a_datagram_socket_that_is_connected_to_itself_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	int fd = socket_made(AF_UNIX, SOCK_DGRAM);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, size), 0);
	fd_uplink_refused(fixture, ELOOP, "connected to itself", fd, -1, "");
	close(fd);
}

static void the_clients_ends_of_the_brokers_own_sockets_are_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[8], count = 0;
	struct client other;

	fds[count++] = tunnel_opened(fixture, "name=seqpacket");
	fds[count++] = tunnel_opened(fixture, "name=dgram,socket=dgram");
	fds[count++] = tunnel_opened(fixture, "name=stream,socket=stream");
	fds[count++] = tunnel_opened(fixture, "socket=seqpacket");
	fds[count++] = injector_opened(fixture, "name=seqpacket,direction=to-client");
	fds[count++] = capture_opened(fixture, "name=seqpacket");
	client_open(&other, fixture, FIXTURE_UID, true);
	fds[count++] = other.fd;
	for (int i = 0; i < count; i++) {
		fds[i] = foreign(fds[i]);
		fd_uplink_refused(fixture, ELOOP, "the broker's own", fds[i], -1, "");
	}
	/* So it is where the kernel does not tell who the peer is: its process is this one. */
	descriptor_close(&fixture->broker->engine->diag.fd);
	for (int i = 0; i < count; i++)
		fd_uplink_refused(fixture, ELOOP, "the broker's own", fds[i], -1, "");
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

static void a_search_that_fails_refuses(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	search_fails(ENOENT);
	fd_uplink_refused(fixture, ENOENT, "/proc/self/fd", ends[0], -1, "");
	search_fails(0);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	close(ends[0]);
	close(ends[1]);
	close(life[0]);
	close(life[1]);
}

static void a_refused_uplink_keeps_no_descriptor(void **state)
{
	struct broker_fixture *fixture = *state;
	struct pollfd polled = {0};
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=x");
	/* The name is taken: this is found before anything is opened. */
	uplink_refused(fixture, EBUSY, "", "name=x,bridge=b,type=fd,hand-in=%u",
		       handed_in(&fixture->client, ends[0], life[0]));
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=x");
	fd_uplink_refused(fixture, EINVAL, "address", ends[0], life[0], ",address=wrong");
	uplink_refused(fixture, EINVAL, "socket, not a device",
		       "name=x,bridge=b,type=device,hand-in=%u",
		       handed_in(&fixture->client, ends[0], life[0]));
	/* There is no room for the bridge; this is found when the lane is open. */
	fixture->broker->engine->objects_max = fixture->broker->engine->objects + 1;
	fd_uplink_refused(fixture, ENOSPC, "", ends[0], life[0], "");
	close(ends[0]);
	close(life[0]);
	polled.fd = life[1];
	broker_quiesce(fixture);
	assert_true(fd_ended(ends[1]));
	assert_true(poll(&polled, 1, 0) > 0 && (polled.revents & POLLERR));
	close(ends[1]);
	close(life[1]);
}

/* ------------------------------------------------------------------------------ lives */

static void what_cannot_hang_up_is_no_life(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], other[2], pipe_ends[2], fd;

	foreign_pair(SOCK_SEQPACKET, ends);
	fd = foreign(open("/dev/zero", O_RDWR | O_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "a character device can't be a life", ends[0], fd, "");
	close(fd);
	fd = foreign(eventfd(1, EFD_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "does not hang up", ends[0], fd, "");
	close(fd);
	fd = foreign(open("/", O_RDONLY | O_CLOEXEC));
	fd_uplink_refused(fixture, EINVAL, "a directory can't be a life", ends[0], fd, "");
	close(fd);
	fd = socket_made(AF_INET, SOCK_STREAM);
	fd_uplink_refused(fixture, EINVAL, "IPv4 can't be a life", ends[0], fd, "");
	close(fd);
	foreign_pair(SOCK_DGRAM, other);
	fd_uplink_refused(fixture, EINVAL, "datagram socket does not hang up", ends[0], other[0],
			  "");
	close(other[0]);
	close(other[1]);
	/* A FIFO that is open for both. */
	foreign_pipe(pipe_ends);
	{
		char path[40];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_ends[0]);
		fd = foreign(open(path, O_RDWR | O_CLOEXEC));
	}
	fd_uplink_refused(fixture, EINVAL, "never hangs up", ends[0], fd, "");
	close(fd);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void a_life_that_the_broker_holds_itself_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], pipe_ends[2], other_ends[2];
	struct client other;

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pair(SOCK_SEQPACKET, other_ends);
	foreign_pipe(pipe_ends);
	client_open(&other, fixture, FIXTURE_UID, true);
	other.fd = foreign(other.fd);
	fd_uplink_refused(fixture, ELOOP, "the broker's own", ends[0], other.fd, "");
	client_close(&other);
	/* The two ends of a pipe would keep each other open; the same end twice is of use. */
	fd_uplink_added(fixture, "u", ends[0], pipe_ends[0], "");
	fd_uplink_refused(fixture, ELOOP, "pipe is the broker's own", other_ends[0], pipe_ends[1],
			  "");
	fd_uplink_added(fixture, "v", other_ends[0], pipe_ends[0], "");
	close(pipe_ends[1]);
	assert_false(uplink_exists(fixture, "u"));
	assert_false(uplink_exists(fixture, "v"));
	close(pipe_ends[0]);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(other_ends[i]);
	}
}

/* Return a pidfd of the child, or skip the test: Linux before 5.3 and valgrind 3.19 have none. */
static int pidfd_made(pid_t child)
{
	int fd = (int)syscall(SYS_pidfd_open, child, 0);

	if (fd >= 0)
		return foreign(fd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	test_skip("pidfd_open is not there");
}

static void a_life_that_has_ended_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], other[2], pipe_ends[2], fd;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_true(child > 0);
	fd = pidfd_made(child);
	foreign_pair(SOCK_SEQPACKET, ends);
	assert_int_equal(waitpid(child, NULL, 0), child);
	fd_uplink_refused(fixture, ESRCH, "the process has ended", ends[0], fd, "");
	close(fd);
	foreign_pipe(pipe_ends);
	close(pipe_ends[0]);
	fd_uplink_refused(fixture, EPIPE, "pipe is closed", ends[0], pipe_ends[1], "");
	close(pipe_ends[1]);
	foreign_pair(SOCK_STREAM, other);
	close(other[1]);
	fd_uplink_refused(fixture, EPIPE, "has closed it", ends[0], other[0], "");
	close(other[0]);
	close(ends[0]);
	close(ends[1]);
}

static bool uplink_is_gone(void *context)
{
	struct broker_fixture *fixture = context;

	return !uplink_find(fixture->broker->uplinks, "u");
}

static void the_end_of_a_process_deletes_the_uplink_with_an_event(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client watcher;
	struct answer answer;
	int ends[2], fd;
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	fd = pidfd_made(child);
	foreign_pair(SOCK_SEQPACKET, ends);
	fd_uplink_added(fixture, "u", ends[0], fd, "");
	close(ends[0]);
	close(fd);
	assert_int_equal(uplink_shown(fixture, "u", "pid"), child);
	assert_int_equal(uplink_shown(fixture, "u", "life"), MEMTUN_LIFE_PROCESS);
	client_open(&watcher, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&watcher, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(broker_wait(fixture, uplink_is_gone, fixture, 10.));
	assert_true(fd_ended(ends[1]));
	assert_true(client_receive(&watcher, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT),
			 MEMTUN_EVENT_UPLINK_DELETED);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_REASON),
			    "the process has ended");
	assert_int_equal(waitpid(child, NULL, 0), child);
	client_close(&watcher);
	close(ends[1]);
}

static void a_half_closed_life_socket_is_an_end_and_unread_bytes_are_none(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], life[2];

	foreign_pair(SOCK_STREAM, ends);
	foreign_pair(SOCK_STREAM, life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	assert_int_equal(uplink_shown(fixture, "u", "life"), MEMTUN_LIFE_SOCKET);
	assert_int_equal(send(life[1], "x", 1, 0), 1);
	assert_true(uplink_exists(fixture, "u"));
	assert_int_equal(shutdown(life[1], SHUT_WR), 0);
	assert_false(uplink_exists(fixture, "u"));
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(life[i]);
	}
}

static void frames_from_before_the_end_of_the_life_are_forwarded(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b"), ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	for (uint32_t i = 0; i < 100; i++)
		assert_true(frame_send(ends[1], 1, 0xff, i));
	close(life[1]);
	assert_false(uplink_exists(fixture, "u"));
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(frame_receive(tunnel), i);
	close(life[0]);
	close(ends[0]);
	close(ends[1]);
	close(tunnel);
}

/* ------------------------------------------------------------------------------ as a port */

static void a_closed_datagram_socket_is_found_and_the_uplink_deleted(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2];

	foreign_pair(SOCK_DGRAM, ends);
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	close(ends[0]);
	close(ends[1]);
	assert_true(broker_wait(fixture, uplink_is_gone, fixture, 10.));
}

static void the_uplink_outlives_the_session_that_made_it(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	struct answer answer;
	int ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	client_open(&other, fixture, FIXTURE_UID, true);
	assert_int_equal(fd_uplink_asked(&other, &answer, "u", ends[0], -1, ""), 0);
	client_close(&other);
	assert_true(uplink_exists(fixture, "u"));
	close(ends[0]);
	close(ends[1]);
}

static void the_mode_of_a_socket_is_an_option(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned char packet[256], received[256];
	int tunnel = tunnel_opened(fixture, "name=t,mode=tun,bridge=b"), ends[2];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.2");

	foreign_pair(SOCK_SEQPACKET, ends);
	fd_uplink_added(fixture, "u", ends[0], -1, ",mode=tun,mtu=1400,queue=7,overflow=block");
	assert_int_equal(uplink_shown(fixture, "u", "mode"), MEMTUN_TUN);
	assert_int_equal(uplink_shown(fixture, "u", "mtu"), 1400);
	assert_int_equal(uplink_shown(fixture, "u", "queue"), 7);
	assert_int_equal(send(ends[1], packet, length, 0), length);
	broker_quiesce(fixture);
	assert_int_equal(recv(tunnel, received, sizeof(received), MSG_DONTWAIT), length);
	assert_memory_equal(packet, received, length);
	close(ends[0]);
	close(ends[1]);
	close(tunnel);
}

static void a_port_takes_no_descriptors(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], passed = -1;
	socklen_t size = sizeof(passed);

	foreign_pair(SOCK_STREAM, ends);
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	if (getsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS, &passed, &size) < 0)
		test_skip("this kernel has no SO_PASSRIGHTS");
	assert_int_equal(hand_in_sent(ends[1], "xxxxx", 5, &ends[1], 1), EPERM);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_socket_of_each_type_becomes_a_port),
		WITH_BROKER(the_uplink_is_deleted_when_the_other_side_closes),
		WITH_BROKER(the_uplink_is_deleted_when_its_life_ends),
		WITH_BROKER(a_name_is_free_as_soon_as_the_life_has_ended),
		WITH_BROKER(a_name_is_free_as_soon_as_the_other_side_has_closed),
		WITH_BROKER(what_is_neither_a_device_nor_a_socket_is_refused),
		WITH_BROKER(a_device_without_an_interface_is_refused),
		WITH_BROKER(sockets_of_other_families_are_refused),
		WITH_BROKER(sockets_that_are_not_connected_are_refused),
		WITH_BROKER(a_socket_that_was_closed_at_the_other_side_is_refused),
		WITH_BROKER(a_second_copy_and_the_other_end_of_a_port_are_refused),
		WITH_BROKER(a_datagram_socket_that_is_connected_to_itself_is_refused),
		WITH_BROKER(the_clients_ends_of_the_brokers_own_sockets_are_refused),
		WITH_BROKER(a_search_that_fails_refuses),
		WITH_BROKER(a_refused_uplink_keeps_no_descriptor),
		WITH_BROKER(what_cannot_hang_up_is_no_life),
		WITH_BROKER(a_life_that_the_broker_holds_itself_is_refused),
		WITH_BROKER(a_life_that_has_ended_is_refused),
		WITH_BROKER(the_end_of_a_process_deletes_the_uplink_with_an_event),
		WITH_BROKER(a_half_closed_life_socket_is_an_end_and_unread_bytes_are_none),
		WITH_BROKER(frames_from_before_the_end_of_the_life_are_forwarded),
		WITH_BROKER(a_closed_datagram_socket_is_found_and_the_uplink_deleted),
		WITH_BROKER(the_uplink_outlives_the_session_that_made_it),
		WITH_BROKER(the_mode_of_a_socket_is_an_option),
		WITH_BROKER(a_port_takes_no_descriptors),
	};

	return RUN_TESTS(tests);
}

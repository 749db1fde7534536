/* SPDX-License-Identifier: MIT */
/* The I/O system in memory: its devices, and what a descriptor is. */
#include "tests/unit/client/io/io_memory_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/io/io_memory_parts.h"
#include "memtun/io.h"

/* ------------------------------------------------------------------------------ devices */

static void an_unknown_path_has_no_device(void **state)
{
	assert_fails(memtun_io_open(*state, "/dev/net/tap", O_RDWR), ENOSYS);
	assert_fails(memtun_io_open(*state, "", O_RDWR), ENOSYS);
}

static void the_tun_device_can_be_taken_away(void **state)
{
	int fd = memtun_io_open(*state, TUN, O_RDWR);

	assert_int_equal(memtun_io_unregister_device(*state, TUN), 0);
	assert_fails(memtun_io_unregister_device(*state, TUN), ENOENT);
	assert_fails(memtun_io_open(*state, TUN, O_RDWR), ENOSYS);
	/* The open descriptor stays open. */
	assert_int_equal(tun_try_attach(*state, fd, "kept", IFF_TAP), 0);
	assert_int_equal(memtun_io_close(*state, fd), 0);
}

static void a_path_has_one_device(void **state)
{
	static const struct memtun_io_device nothing;

	assert_fails(memtun_io_register_device(*state, TUN, &memtun_io_loopback, NULL), EEXIST);
	assert_fails(memtun_io_register_device(*state, "/dev/x", &nothing, NULL), EINVAL);
	assert_int_equal(memtun_io_register_device(*state, "/dev/x", &memtun_io_loopback, NULL), 0);
	assert_fails(memtun_io_register_device(*state, "/dev/x", &memtun_io_loopback, NULL),
		     EEXIST);
}

/* A device that records its calls. */
struct notes {
	int flags;
	unsigned long request;
	void *argument;
	unsigned int closed;
	int pipe[2];
};

static int notes_open(void *context, int flags, void **state)
{
	struct notes *notes = context;

	notes->flags = flags;
	*state = notes;
	assert_int_equal(pipe2(notes->pipe, O_CLOEXEC), 0);
	return notes->pipe[0];
}

static ssize_t notes_write(void *state, int fd, const struct iovec *parts, int count)
{
	struct notes *notes = state;

	assert_int_equal(fd, notes->pipe[0]);
	return writev(notes->pipe[1], parts, count);
}

static int notes_ioctl(void *state, int fd, unsigned long request, void *argument)
{
	struct notes *notes = state;

	(void)fd;
	notes->request = request;
	notes->argument = argument;
	return 42;
}

static void notes_close(void *state)
{
	struct notes *notes = state;

	close(notes->pipe[1]);
	notes->closed++;
}

static void a_devices_functions_are_called(void **state)
{
	static const struct memtun_io_device operations = {
		.open = notes_open,
		.write = notes_write,
		.ioctl = notes_ioctl,
		.close = notes_close,
	};
	struct notes notes = {0};
	char bytes[10];
	int fd;

	assert_int_equal(memtun_io_register_device(*state, "/dev/notes", &operations, &notes), 0);
	fd = memtun_io_open(*state, "/dev/notes", O_RDWR | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(notes.flags, O_RDWR | O_APPEND);
	assert_int_equal(memtun_io_write(*state, fd, "hello", 5), 5);
	assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(memtun_io_ioctl(*state, fd, 7, &notes), 42);
	assert_int_equal(notes.request, 7);
	assert_ptr_equal(notes.argument, &notes);
	assert_int_equal(memtun_io_close(*state, fd), 0);
	assert_int_equal(notes.closed, 1);
}

static void what_is_written_to_loopback_can_be_read_there(void **state)
{
	struct pollfd end = {.events = POLLIN};
	struct iovec parts[2];
	char bytes[10];
	int fd, copy;

	assert_int_equal(memtun_io_register_device(*state, "/dev/loop", &memtun_io_loopback, NULL),
			 0);
	fd = memtun_io_open(*state, "/dev/loop", O_RDWR | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	assert_int_equal(memtun_io_write(*state, fd, "one", 3), 3);
	parts[0] = (struct iovec){(char[]){"t"}, 1};
	parts[1] = (struct iovec){(char[]){"wo"}, 2};
	assert_int_equal(memtun_io_writev(*state, fd, parts, 2), 3);
	assert_int_equal(write(fd, "three", 5), 5);
	end.fd = fd;
	assert_int_equal(poll(&end, 1, 0), 1);
	assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "one", 3);
	assert_int_equal(memtun_io_read(*state, fd, bytes, 2), 2);
	assert_memory_equal(bytes, "tw", 2);
	copy = dup(fd);
	assert_int_equal(memtun_io_read(*state, copy, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "three", 5);
	assert_fails(memtun_io_ioctl(*state, fd, TUNGETFEATURES, bytes), EINVAL);
	assert_int_equal(memtun_io_close(*state, copy), 0);
	assert_int_equal(memtun_io_close(*state, fd), 0);
}

/* ------------------------------------------------------------------------------ descriptors */

static void flags_of_open_are_set_on_the_descriptor(void **state)
{
	int fd = memtun_io_open(*state, TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	memtun_io_close(*state, fd);
	fd = memtun_io_open(*state, TUN, O_RDWR);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	memtun_io_close(*state, fd);
	assert_fails(memtun_io_open(*state, TUN, O_RDWR | O_DIRECTORY), ENOTDIR);
	assert_fails(memtun_io_open(*state, TUN, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	fd = memtun_io_open(*state, TUN, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	memtun_io_close(*state, fd);
}

static void an_ioctl_makes_it_nonblocking(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN, O_RDWR), on = 1;
	char byte;

	assert_int_equal(memtun_io_ioctl(*state, fd, FIONBIO, &on), 0);
	assert_fails(memtun_io_read(*state, fd, &byte, 1), EAGAIN);
	memtun_io_close(*state, fd);
}

static void the_access_mode_limits_what_it_is_good_for(void **state)
{
	int fd = tun_attach(*state, "", IFF_TAP | IFF_NO_PI, O_RDONLY | O_NONBLOCK);
	char bytes[60];

	assert_fails(memtun_io_write(*state, fd, ethernet, sizeof(ethernet)), EBADF);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EAGAIN);
	memtun_io_close(*state, fd);
	fd = tun_attach(*state, "", IFF_TAP | IFF_NO_PI, O_WRONLY | O_NONBLOCK);
	assert_int_equal(memtun_io_write(*state, fd, ethernet, sizeof(ethernet)), 60);
	assert_fails(memtun_io_read(*state, fd, bytes, sizeof(bytes)), EBADF);
	memtun_io_close(*state, fd);
}

static void assert_not_ours(struct memtun_io *io, int fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP};
	struct iovec part = {&request, sizeof(request)};

	assert_fails(memtun_io_read(io, fd, &request, sizeof(request)), EBADF);
	assert_fails(memtun_io_write(io, fd, &request, sizeof(request)), EBADF);
	assert_fails(memtun_io_readv(io, fd, &part, 1), EBADF);
	assert_fails(memtun_io_writev(io, fd, &part, 1), EBADF);
	assert_fails(memtun_io_ioctl(io, fd, TUNSETIFF, &request), EBADF);
	assert_fails(memtun_io_close(io, fd), EBADF);
}

static void foreign_and_closed_descriptors_are_bad(void **state)
{
	int fd = memtun_io_open(*state, TUN, O_RDWR), ends[2];

	assert_int_equal(memtun_io_close(*state, fd), 0);
	assert_not_ours(*state, fd);
	assert_not_ours(*state, -1);
	assert_not_ours(*state, 1 << 30);
	assert_int_equal(pipe(ends), 0);
	assert_not_ours(*state, ends[0]);
	/* Other files' descriptors were not touched. */
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

static void a_number_closed_behind_our_back_is_bad(void **state)
{
	int fd = tun_attach(*state, "lost", IFF_TAP, O_RDWR), other;

	close(fd);
	assert_fails(memtun_io_ioctl(*state, fd, TUNGETIFF, NULL), EBADF);
	/* The name is free again. */
	other = tun_attach(*state, "lost", IFF_TAP, O_RDWR);
	close(other);
	other = open("/dev/null", O_RDONLY);
	assert_fails(memtun_io_close(*state, other), EBADF);
	assert_int_equal(close(other), 0);
}

static void a_duplicate_is_as_good_as_the_first(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	int copy = dup(fd);
	char bytes[60];

	assert_int_equal(memtun_io_write(*state, copy, packet4, sizeof(packet4)), 20);
	assert_written(*state, fd, packet4, sizeof(packet4));
	assert_int_equal(memtun_io_close(*state, fd), 0);
	assert_int_equal(io_memory_inject(io_memory_find(*state, copy), packet6, 40), 1);
	assert_int_equal(memtun_io_read(*state, copy, bytes, sizeof(bytes)), 40);
	assert_int_equal(memtun_io_close(*state, copy), 0);
	assert_not_ours(*state, copy);
}

/* Return the descriptor after it was in a message, and nowhere else. */
static int move_through_message(struct memtun_io *io, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(ends[0], &message, 0), 1);
	assert_int_equal(memtun_io_close(io, fd), 0);
	assert_int_equal(recvmsg(ends[1], &message, 0), 1);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	close(ends[0]);
	close(ends[1]);
	return fd;
}

static void a_descriptor_that_was_in_a_message_only_is_known_again(void **state)
{
	int fd = tun_attach(*state, "moved", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	char bytes[60];

	fd = move_through_message(*state, fd);
	assert_int_equal(memtun_io_write(*state, fd, packet4, sizeof(packet4)), 20);
	assert_written(*state, fd, packet4, sizeof(packet4));
	assert_int_equal(io_memory_inject(io_memory_find(*state, fd), packet6, 40), 1);
	assert_int_equal(io_memory_count_unread(io_memory_find(*state, fd)), 1);
	assert_int_equal(memtun_io_read(*state, fd, bytes, sizeof(bytes)), 40);
	assert_int_equal(memtun_io_close(*state, fd), 0);
	/* Its name is free. */
	fd = tun_attach(*state, "moved", IFF_TUN | IFF_TUN_EXCL, O_RDWR);
	assert_int_equal(memtun_io_close(*state, fd), 0);
}

static void a_duplicate_put_over_another_tunnel_is_the_new_one(void **state)
{
	int first = tun_attach(*state, "first", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	int second = tun_attach(*state, "second", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct ifreq request = {0};

	assert_int_equal(dup2(second, first), first);
	assert_int_equal(memtun_io_write(*state, first, packet4, sizeof(packet4)), 20);
	assert_written(*state, second, packet4, sizeof(packet4));
	assert_int_equal(memtun_io_close(*state, second), 0);
	assert_int_equal(memtun_io_ioctl(*state, first, TUNGETIFF, &request), 0);
	assert_string_equal(request.ifr_name, "second");
	assert_int_equal(memtun_io_close(*state, first), 0);
}

static void the_unread_frames_of_a_duplicate_are_counted_after_its_original_was_closed(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	int copy = dup(fd), other;

	assert_int_equal(memtun_io_close(*state, fd), 0);
	/* The number is another file's now. */
	other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(other, fd);
	assert_int_equal(io_memory_inject(tunnel, packet4, 20), 1);
	assert_int_equal(io_memory_count_unread(tunnel), 1);
	assert_int_equal(memtun_io_close(*state, copy), 0);
	close(other);
}

static void reads_and_writes_leave_a_number_alone_that_is_another_file_now(void **state)
{
	int fd = tun_attach(*state, "", IFF_TUN | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct iovec part = {(void *)packet4, 20};
	int ends[2], file;
	char byte;

	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	file = ends[0];
	if (file != fd)
		file = dup2(ends[0], fd);
	assert_int_equal(send(ends[1], "x", 1, 0), 1);
	assert_fails(memtun_io_write(*state, file, packet4, 20), EBADF);
	assert_fails(memtun_io_writev(*state, file, &part, 1), EBADF);
	assert_fails(memtun_io_read(*state, file, &byte, 1), EBADF);
	assert_int_equal(recv(file, &byte, 1, MSG_DONTWAIT), 1);
	assert_fails(recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	if (file != ends[0])
		close(file);
	close(ends[0]);
	close(ends[1]);
}

static void the_program_keeps_what_the_system_leaves_behind(void **state)
{
	struct memtun_io *io = memtun_io_memory_new();
	int fd = tun_attach(io, "", IFF_TUN, O_RDWR);
	struct pollfd end = {.fd = fd, .events = POLLIN};

	(void)state;
	memtun_io_free(io);
	assert_int_equal(poll(&end, 1, 0), 1);
	assert_true(end.revents & POLLHUP);
	assert_int_equal(close(fd), 0);
	memtun_io_free(NULL);
}

/* ------------------------------------------------------------------------------ permissions */

static void what_is_not_permitted_is_refused(void **state)
{
	struct memtun_io *io = *state;
	int fd = tun_attach(io, "", IFF_TAP | IFF_NO_PI, O_RDWR | O_NONBLOCK);
	struct iovec part = {(void *)ethernet, sizeof(ethernet)};
	char bytes[60];

	memtun_io_permit(io, MEMTUN_IO_ALL & ~MEMTUN_IO_OPEN);
	assert_fails(memtun_io_open(io, TUN, O_RDWR), EPERM);
	assert_int_equal(memtun_io_write(io, fd, ethernet, sizeof(ethernet)), 60);

	memtun_io_permit(io, MEMTUN_IO_ALL & ~MEMTUN_IO_WRITE);
	assert_fails(memtun_io_write(io, fd, ethernet, sizeof(ethernet)), EPERM);
	assert_fails(memtun_io_writev(io, fd, &part, 1), EPERM);
	assert_fails(memtun_io_read(io, fd, bytes, sizeof(bytes)), EAGAIN);

	memtun_io_permit(io, MEMTUN_IO_ALL & ~MEMTUN_IO_READ);
	part.iov_base = bytes;
	assert_fails(memtun_io_read(io, fd, bytes, sizeof(bytes)), EPERM);
	assert_fails(memtun_io_readv(io, fd, &part, 1), EPERM);

	memtun_io_permit(io, MEMTUN_IO_ALL & ~MEMTUN_IO_IOCTL);
	assert_fails(memtun_io_ioctl(io, fd, TUNGETIFF, bytes), EPERM);
	/* EBADF comes before EPERM. */
	assert_fails(memtun_io_ioctl(io, -1, TUNGETIFF, bytes), EBADF);

	memtun_io_permit(io, MEMTUN_IO_ALL);
	assert_int_equal(memtun_io_ioctl(io, fd, TUNGETIFF, bytes), 0);
	memtun_io_permit(io, 0);
	assert_int_equal(memtun_io_close(io, fd), 0);
}

/* ------------------------------------------------------------------------------ processes */

/*
 * The parent closes its descriptor. The interface and its name stay until the child closes its own.
 */
static void a_descriptor_lives_on_in_a_child(void **state)
{
	int fd = tun_attach(*state, "handed", IFF_TUN | IFF_NO_PI, O_RDWR);
	struct io_tunnel *tunnel = io_memory_find(*state, fd);
	struct io_frame *frame = NULL;
	int status, other, go[2];
	pid_t child;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char bytes[60];

		/* Close it as execve(2) would. */
		close(memory_of_tunnel(tunnel)->network_fd);
		if (read(fd, bytes, sizeof(bytes)) != 20 || write(fd, bytes, 20) != 20)
			_exit(1);
		close(go[1]);
		/* Wait until the parent has finished its checks. */
		_exit(read(go[0], bytes, 1) == 0 ? 0 : 2);
	}
	assert_int_equal(memtun_io_close(*state, fd), 0);
	assert_int_equal(io_memory_inject(tunnel, packet4, 20), 1);
	while (!(frame = io_memory_take(tunnel)))
		sched_yield();
	assert_memory_equal(frame->bytes, packet4, 20);
	free(frame);
	other = memtun_io_open(*state, TUN, O_RDWR);
	assert_fails(tun_try_attach(*state, other, "handed", IFF_TUN), EBUSY);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(tun_try_attach(*state, other, "handed", IFF_TUN), 0);
	memtun_io_close(*state, other);
}

static const struct CMUnitTest tests[] = {
	IN_MEMORY(an_unknown_path_has_no_device),
	IN_MEMORY(the_tun_device_can_be_taken_away),
	IN_MEMORY(a_path_has_one_device),
	IN_MEMORY(a_devices_functions_are_called),
	IN_MEMORY(what_is_written_to_loopback_can_be_read_there),
	IN_MEMORY(flags_of_open_are_set_on_the_descriptor),
	IN_MEMORY(an_ioctl_makes_it_nonblocking),
	IN_MEMORY(the_access_mode_limits_what_it_is_good_for),
	IN_MEMORY(foreign_and_closed_descriptors_are_bad),
	IN_MEMORY(a_number_closed_behind_our_back_is_bad),
	IN_MEMORY(a_duplicate_is_as_good_as_the_first),
	IN_MEMORY(a_descriptor_that_was_in_a_message_only_is_known_again),
	IN_MEMORY(a_duplicate_put_over_another_tunnel_is_the_new_one),
	IN_MEMORY(the_unread_frames_of_a_duplicate_are_counted_after_its_original_was_closed),
	IN_MEMORY(reads_and_writes_leave_a_number_alone_that_is_another_file_now),
	IN_MEMORY(the_program_keeps_what_the_system_leaves_behind),
	IN_MEMORY(what_is_not_permitted_is_refused),
	IN_MEMORY(a_descriptor_lives_on_in_a_child),
};

int main(void)
{
	return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT */
/* The broker's socket: its lock, dead and live sockets, and directories of other users. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/control_connect.h"
#include "common/control_place.h"
#include "common/control_socket.h"
#include "common/descriptor.h"

struct place {
	char directory[32];
	char path[64];
	char lock[64];
};

static int place_make(void **state)
{
	static struct place place;

	strcpy(place.directory, "/tmp/memtun-test-XXXXXX");
	if (!mkdtemp(place.directory))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/control", place.directory);
	snprintf(place.lock, sizeof(place.lock), "%s/control.lock", place.directory);
	unsetenv("MEMTUN_SOCKET");
	setenv("XDG_RUNTIME_DIR", place.directory, 1);
	*state = &place;
	return 0;
}

/* Fail if a file is left there. */
static int place_remove(void **state)
{
	struct place *place = *state;

	return rmdir(place->directory);
}

static void assert_listens(struct control_socket *socket, const char *address)
{
	struct fault fault;

	if (control_socket_listen(socket, address, SOCK_SEQPACKET, &fault) < 0)
		fail_msg("%s", fault.text);
}

static int listen_error(const char *address, const char *word)
{
	struct control_socket socket;
	struct fault fault;

	assert_int_equal(control_socket_listen(&socket, address, SOCK_SEQPACKET, &fault), -1);
	assert_int_equal(errno, fault.error);
	if (!strstr(fault.text, word))
		fail_msg("'%s' doesn't say '%s'", fault.text, word);
	return fault.error;
}

static void a_client_reaches_a_listening_broker(void **state)
{
	struct place *place = *state;
	struct control_socket socket;
	struct stat status;
	struct fault fault;
	int fd, accepted;

	assert_listens(&socket, place->path);
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	fd = control_connect(place->path, -1, &fault);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	accepted = accept4(socket.fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	close(accepted);
	close(fd);
	control_socket_close(&socket);
	/* The teardown checks that no file is left, nor the lock. */
}

static void the_mode_does_not_depend_on_the_umask(void **state)
{
	struct place *place = *state;
	struct control_socket socket;
	struct stat status;
	mode_t former = umask(0);

	assert_listens(&socket, place->path);
	umask(former);
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	control_socket_close(&socket);
}

static void a_live_brokers_socket_is_never_taken(void **state)
{
	struct place *place = *state;
	struct control_socket socket;
	struct fault fault;
	int fd;

	assert_listens(&socket, place->path);
	assert_int_equal(listen_error(place->path, "a broker listens"), EADDRINUSE);
	fd = control_connect(place->path, -1, &fault);
	assert_true(fd >= 0);
	close(fd);
	control_socket_close(&socket);
}

static void a_live_socket_without_a_lock_is_never_taken(void **state)
{
	static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM};
	struct place *place = *state;

	for (int i = 0; i < 2; i++) {
		struct control_socket socket;
		struct fault fault;

		assert_int_equal(control_socket_listen(&socket, place->path, types[i], &fault), 0);
		unlink(place->lock);
		assert_int_equal(listen_error(place->path, "listens"), EADDRINUSE);
		assert_int_equal(access(place->path, F_OK), 0);
		assert_int_equal(access(place->lock, F_OK), -1);
		control_socket_close(&socket);
	}
}

static void a_dead_brokers_socket_is_replaced(void **state)
{
	struct place *place = *state;
	struct control_socket dead, socket;
	struct fault fault;
	int fd;

	assert_listens(&dead, place->path);
	/* As after a kill: both files stay, and the lock is free. */
	descriptor_close(&dead.fd);
	descriptor_close(&dead.lock);
	assert_int_equal(access(place->path, F_OK), 0);
	assert_int_equal(control_connect(place->path, -1, &fault), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_non_null(strstr(fault.text, "memtund"));
	assert_listens(&socket, place->path);
	fd = control_connect(place->path, -1, &fault);
	assert_true(fd >= 0);
	close(fd);
	control_socket_close(&socket);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct place *place = *state;
	int file = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	close(file);
	assert_int_equal(listen_error(place->path, "no socket"), EEXIST);
	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(symlink("/dev/null", place->path), 0);
	assert_int_equal(listen_error(place->path, "no socket"), EEXIST);
	assert_int_equal(unlink(place->path), 0);
}

static void a_lock_that_is_a_link_is_not_followed(void **state)
{
	struct place *place = *state;
	char elsewhere[64];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", place->directory);
	assert_int_equal(symlink(elsewhere, place->lock), 0);
	assert_int_equal(listen_error(place->path, place->lock), ELOOP);
	assert_int_equal(access(elsewhere, F_OK), -1);
	unlink(place->lock);
}

static void addresses_that_are_none_are_told(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(listen_error(longest, "allows 107"), ENAMETOOLONG);
	longest[0] = '@';
	assert_int_equal(listen_error(longest, "allows 107"), ENAMETOOLONG);
	longest[CONTROL_ADDRESS_SIZE] = '\0';
	assert_int_equal(listen_error(longest, "allows 107"), ENAMETOOLONG);
	assert_int_equal(listen_error("", "empty"), EINVAL);
	assert_int_equal(listen_error("@", "empty"), EINVAL);
	assert_int_equal(listen_error("/nowhere/at/all/control", "/nowhere/at/all"), ENOENT);
}

static void the_longest_address_will_do(void **state)
{
	char name[CONTROL_ADDRESS_SIZE];
	struct control_socket socket;
	struct fault fault;
	int fd;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(name, 40, "@memtun-test-longest-%d", getpid());
	name[strlen(name)] = 'x';
	assert_listens(&socket, name);
	fd = control_connect(name, -1, &fault);
	assert_true(fd >= 0);
	close(fd);
	control_socket_close(&socket);
}

static void an_abstract_name_is_busy_while_it_is_used(void **state)
{
	struct control_socket socket;
	char name[64];
	struct fault fault;

	(void)state;
	snprintf(name, sizeof(name), "@memtun-test-abstract-%d", getpid());
	assert_int_equal(control_connect(name, -1, &fault), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_listens(&socket, name);
	assert_int_equal(listen_error(name, "another program does already"), EADDRINUSE);
	control_socket_close(&socket);
	assert_listens(&socket, name);
	control_socket_close(&socket);
}

static void moving_leaves_nothing_behind(void **state)
{
	struct place *place = *state;
	struct control_socket from, to;

	assert_listens(&from, place->path);
	control_socket_move(&to, &from);
	control_socket_close(&from);
	assert_int_equal(access(place->path, F_OK), 0);
	control_socket_close(&to);
}

/* ------------------------------------------------------------------------------ places */

static void the_default_place_is_made_for_this_user_alone(void **state)
{
	struct place *place = *state;
	char address[CONTROL_ADDRESS_SIZE], directory[64], expected[64];
	struct stat status;
	struct fault fault;

	snprintf(directory, sizeof(directory), "%s/memtun", place->directory);
	snprintf(expected, sizeof(expected), "%s/memtun/control", place->directory);
	assert_int_equal(control_place_default(address, &fault), 0);
	assert_string_equal(address, expected);
	assert_int_equal(lstat(directory, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(control_place_default(address, &fault), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* Check that another directory is used than the runtime one, and that no file was changed. */
static void assert_passed_over(const char *directory)
{
	char address[CONTROL_ADDRESS_SIZE], temporary[64], expected[80];
	struct fault fault;

	snprintf(temporary, sizeof(temporary), "/tmp/memtun-%u", geteuid());
	snprintf(expected, sizeof(expected), "%s/control", temporary);
	assert_int_equal(control_place_default(address, &fault), 0);
	assert_string_equal(address, expected);
	assert_int_equal(access(directory, F_OK), 0);
	/* This fails if a broker uses the directory, and then it stays. */
	(void)!rmdir(temporary);
}

static void a_directory_that_is_not_this_users_alone_is_passed_over(void **state)
{
	static const mode_t modes[] = {0701, 0710, 0770, 0777};
	struct place *place = *state;
	char directory[64];

	snprintf(directory, sizeof(directory), "%s/memtun", place->directory);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(mkdir(directory, 0700), 0);
		assert_int_equal(chmod(directory, modes[i]), 0);
		assert_passed_over(directory);
		assert_int_equal(rmdir(directory), 0);
	}
	/* A symbolic link to a directory is refused. */
	assert_int_equal(symlink(place->directory, directory), 0);
	assert_passed_over(directory);
	assert_int_equal(unlink(directory), 0);
}

static void what_the_environment_says_comes_first(void **state)
{
	struct place *place = *state;
	char address[CONTROL_ADDRESS_SIZE];
	struct control_socket socket;
	struct fault fault;
	char longest[200];
	int fd;

	setenv("MEMTUN_SOCKET", place->path, 1);
	assert_int_equal(control_place_default(address, &fault), 0);
	assert_string_equal(address, place->path);
	assert_int_equal(control_connect(NULL, -1, &fault), -1);
	assert_int_equal(errno, ENOENT);
	assert_listens(&socket, place->path);
	fd = control_connect(NULL, -1, &fault);
	assert_true(fd >= 0);
	close(fd);
	control_socket_close(&socket);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("MEMTUN_SOCKET", longest, 1);
	assert_int_equal(control_place_default(address, &fault), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	unsetenv("MEMTUN_SOCKET");
}

static void a_client_finds_the_default_place(void **state)
{
	struct place *place = *state;
	char address[CONTROL_ADDRESS_SIZE], directory[64];
	struct control_socket socket;
	struct fault fault;
	int fd;

	assert_int_equal(control_place_default(address, &fault), 0);
	assert_listens(&socket, address);
	fd = control_connect(NULL, -1, &fault);
	assert_true(fd >= 0);
	close(fd);
	control_socket_close(&socket);
	snprintf(directory, sizeof(directory), "%s/memtun", place->directory);
	assert_int_equal(rmdir(directory), 0);
}

static struct place *swapped;

int __real_connect(int fd, const struct sockaddr *name, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *name, socklen_t size);

/* After the connection is refused, replace the directory by a link to `victim`, as its owner may. */
int __wrap_connect(int fd, const struct sockaddr *name, socklen_t size)
{
	int result = __real_connect(fd, name, size);
	int error = errno;
	char moved[64], victim[64];

	if (swapped) {
		snprintf(moved, sizeof(moved), "%s/moved", swapped->directory);
		snprintf(victim, sizeof(victim), "%s/victim", swapped->directory);
		snprintf(swapped->lock, sizeof(swapped->lock), "%s/attacker", swapped->directory);
		assert_int_equal(rename(swapped->lock, moved), 0);
		assert_int_equal(symlink(victim, swapped->lock), 0);
	}
	swapped = NULL;
	errno = error;
	return result;
}

static void a_directory_that_is_replaced_costs_no_file_elsewhere(void **state)
{
	struct place *place = *state;
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/victim", place->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/victim/name", place->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/attacker", place->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/attacker/name", place->directory);
	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	close(fd);
	swapped = place;
	assert_int_equal(control_socket_clear(&name, size, SOCK_DGRAM), 0);
	assert_null(swapped);
	snprintf(path, sizeof(path), "%s/victim/name", place->directory);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/victim", place->directory);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/attacker", place->directory);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/moved", place->directory);
	assert_int_equal(rmdir(path), 0);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		AT_PLACE(a_client_reaches_a_listening_broker),
		AT_PLACE(the_mode_does_not_depend_on_the_umask),
		AT_PLACE(a_live_brokers_socket_is_never_taken),
		AT_PLACE(a_live_socket_without_a_lock_is_never_taken),
		AT_PLACE(a_dead_brokers_socket_is_replaced),
		AT_PLACE(what_is_no_socket_is_left_alone),
		AT_PLACE(a_lock_that_is_a_link_is_not_followed),
		cmocka_unit_test(addresses_that_are_none_are_told),
		cmocka_unit_test(the_longest_address_will_do),
		cmocka_unit_test(an_abstract_name_is_busy_while_it_is_used),
		AT_PLACE(moving_leaves_nothing_behind),
		AT_PLACE(the_default_place_is_made_for_this_user_alone),
		AT_PLACE(a_directory_that_is_not_this_users_alone_is_passed_over),
		AT_PLACE(what_the_environment_says_comes_first),
		AT_PLACE(a_client_finds_the_default_place),
		AT_PLACE(a_directory_that_is_replaced_costs_no_file_elsewhere),
	};

	return RUN_TESTS(tests);
}

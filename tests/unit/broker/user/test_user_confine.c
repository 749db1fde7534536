/* SPDX-License-Identifier: MIT */
/* What memtun-user may do when it has confined itself, tried in a child process. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/user/user_confine.h"

static char path[] = "/tmp/memtun-confine-XXXXXX";

static int reads_a_file(void)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int has_sockets_of_ip(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0
		       ? -1
		       : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int signals_itself(void)
{
	return (int)syscall(SYS_tgkill, getpid(), gettid(), 0);
}

static int writes_a_file(void)
{
	return open(path, O_WRONLY | O_CLOEXEC);
}

static int reads_and_writes_a_file(void)
{
	return openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC);
}

static int makes_a_file(void)
{
	return open("/tmp/memtun-confine-made", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int empties_a_file(void)
{
	return open(path, O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static int removes_a_file(void)
{
	return unlink(path);
}

static int changes_a_mode(void)
{
	return chmod(path, 0600);
}

#ifndef SYS_socketcall
static int has_a_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int has_a_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}
#endif

static int makes_a_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int executes(void)
{
	return execl("/bin/true", "true", NULL);
}

static int signals_its_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int types_into_a_terminal(void)
{
	int end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	return ioctl(end, TIOCSTI, "x");
}

static const struct {
	const char *what;
	int (*tries)(void);
	bool may;
} attempts[] = {
	{"read a file", reads_a_file, true},
	{"make sockets of IP", has_sockets_of_ip, true},
	{"signal itself", signals_itself, true},
	{"write a file", writes_a_file, false},
	{"read and write a file", reads_and_writes_a_file, false},
	{"make a file", makes_a_file, false},
	{"empty a file", empties_a_file, false},
	{"remove a file", removes_a_file, false},
	{"change a mode", changes_a_mode, false},
#ifndef SYS_socketcall
	{"make a UNIX socket", has_a_unix_socket, false},
	{"make a netlink socket", has_a_netlink_socket, false},
#endif
	{"make a process", makes_a_process, false},
	{"execute a program", executes, false},
	{"signal its parent", signals_its_parent, false},
	{"type into a terminal", types_into_a_terminal, false},
};

/* Return the errno that the attempt ends with in a confined process; 0: it succeeds. */
static int attempt(int (*tries)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || user_confine() < 0)
			_exit(255);
		_exit(tries() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_confined_process_reads_files_and_has_ip_and_no_more(void **state)
{
	int fd;

	(void)state;
	/* valgrind has no seccomp(2). */
	if (syscall(SYS_seccomp, UINT_MAX, 0, NULL) < 0 && errno == ENOSYS) {
		print_message("skipped: no seccomp(2) here\n");
		skip();
	}
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int error = attempt(attempts[i].tries);

		if (error != (attempts[i].may ? 0 : EPERM))
			fail_msg("to %s ends with error %d", attempts[i].what, error);
	}
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_confined_process_reads_files_and_has_ip_and_no_more),
	};

	return RUN_TESTS(tests);
}

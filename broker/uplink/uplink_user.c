/* SPDX-License-Identifier: MIT */
/*
 * Uplinks to a network of their own by libslirp, in a program that the broker starts, memtun-user.
 * It is not a child that calls libslirp, because that would have the broker's memory, and libslirp
 * parses what guests send.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/system/socketpair.h"
#include "broker/uplink/uplink.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"
#include "common/user_network.h"

/*
 * A client chooses none of what is executed: the program is the one beside memtund, or the one that
 * was installed. memtun-user gets the two descriptors that it needs, and the kernel has closed the
 * broker's others when posix_spawn(3) returns.
 */

/* The MTU of libslirp's network, IF_MTU_DEFAULT. */
#define USER_MTU 1500

#define PROGRAM "memtun-user"

struct user {
	struct uplink uplink; /* first */
	ev_io status;         /* a pipe on which the program tells how its start went */
	int frames;           /* our end of the socket until then; -1: none */
	int process;          /* a pidfd, -1: none */
};

/* ------------------------------------------------------------------------------ the program */

/* Start the program at that path with the two descriptors as 3 and 4. -1 with errno. */
static int spawn_at(const char *path, char *words[], int frames, int status, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int error;

	if ((error = posix_spawn_file_actions_init(&actions)))
		goto fail;
	if ((error = posix_spawnattr_init(&attr))) {
		posix_spawn_file_actions_destroy(&actions);
		goto fail;
	}
	sigfillset(&all);
	sigemptyset(&none);
	/*
	 * It has no use of the broker's input and output, and a terminal's ^C is for the foreground
	 * process group. user_start() has raised both descriptors above 4, so neither call
	 * overwrites the other's.
	 */
	if (!(error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) &&
	    !(error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)) &&
	    !(error = posix_spawn_file_actions_adddup2(&actions, frames, 3)) &&
	    !(error = posix_spawn_file_actions_adddup2(&actions, status, 4)) &&
	    !(error = posix_spawn_file_actions_addclosefrom_np(&actions, 5)) &&
	    !(error = posix_spawnattr_setsigdefault(&attr, &all)) &&
	    !(error = posix_spawnattr_setsigmask(&attr, &none)) &&
	    !(error = posix_spawnattr_setpgroup(&attr, 0)) &&
	    !(error = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF |
							      POSIX_SPAWN_SETSIGMASK |
							      POSIX_SPAWN_SETPGROUP)))
		error = posix_spawn(pid, path, &actions, &attr, words, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
fail:
	errno = error;
	return error ? -1 : 0;
}

/* Start the program beside this one, as before installation, or else the installed one. */
static int user_spawn(char *words[], int frames, int status, pid_t *pid)
{
	char beside[PATH_MAX + sizeof(PROGRAM)];
	ssize_t length = readlink("/proc/self/exe", beside, PATH_MAX);

	if (length > 0) {
		beside[length] = '\0';
		strcpy(strrchr(beside, '/') + 1, PROGRAM);
		if (spawn_at(beside, words, frames, status, pid) == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return spawn_at(PKGLIBEXECDIR "/" PROGRAM, words, frames, status, pid);
}

static char *option_text(const struct uplink *uplink, enum memtun_attribute which)
{
	static char empty[] = "";
	const char *string = attribute_set_string(&uplink->options, which);

	return string ? (char *)(uintptr_t)string : empty;
}

/* Return a descriptor above 4. -1 with errno. */
static int descriptor_raise(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 5);
}

static int user_start(struct user *user, int frames, int status)
{
	const struct uplink *uplink = &user->uplink;
	char name[] = PROGRAM, restricts[] = "restrict", none[] = "";
	char *words[] = {
		name,
		option_text(uplink, MEMTUN_A_NET),
		option_text(uplink, MEMTUN_A_NET6),
		option_text(uplink, MEMTUN_A_FORWARD),
		option_text(uplink, MEMTUN_A_TFTP),
		option_text(uplink, MEMTUN_A_BOOTFILE),
		attribute_set_number(&uplink->options, MEMTUN_A_RESTRICT) ? restricts : none,
		NULL,
	};
	descriptor_owned raised_frames = descriptor_raise(frames);
	descriptor_owned raised_status = descriptor_raise(status);
	pid_t pid;

	if (raised_frames < 0 || raised_status < 0 ||
	    user_spawn(words, raised_frames, raised_status, &pid) < 0)
		return -1;
	/* Nothing has waited for it yet, so the number is still this process's. */
	user->process = (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}

/* ------------------------------------------------------------------------------ its start */

static void user_failed(struct user *user, const char *why)
{
	char text[MEMTUN_TEXT_SIZE + 16];

	snprintf(text, sizeof(text), PROGRAM ": %s", why);
	uplink_lost(&user->uplink, text);
}

static void user_told(struct ev_loop *loop, ev_io *io, int events)
{
	struct user *user = io->data;
	char text[MEMTUN_TEXT_SIZE];
	ssize_t length = read(io->fd, text, sizeof(text) - 1);

	(void)loop;
	(void)events;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		user_failed(user, "it has ended while it started");
		return;
	}
	text[length] = '\0';
	if (text[0] != '\n') {
		user_failed(user, text);
		return;
	}
	ev_io_stop(loop, io);
	close(io->fd);
	ev_io_set(io, -1, 0);
	if (lane_open(&user->uplink.lane, &lane_packet_link, user->frames) < 0) {
		user_failed(user, strerror(errno));
		return;
	}
	user->frames = -1;
	uplink_opened(&user->uplink);
}

/* ------------------------------------------------------------------------------ the uplink */

/* Check the directory now, because the answers of TFTP would not say what is wrong. */
static int tftp_check(const struct attribute_set *options, struct fault *fault)
{
	const char *directory = attribute_set_string(options, MEMTUN_A_TFTP);
	struct stat status;

	if (!directory)
		return 0;
	if (directory[0] != '/')
		return fault_set(fault, EINVAL, "tftp takes an absolute path, not '%.60s'",
				 directory);
	if (stat(directory, &status) < 0)
		return fault_set(fault, errno, "tftp %.60s: %s", directory, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return fault_set(fault, ENOTDIR, "tftp %.60s: %s", directory, strerror(ENOTDIR));
	return 0;
}

static int user_prepare(struct uplink *uplink, const struct attribute_set *options,
			struct fault *fault)
{
	struct user *user = container_of(uplink, struct user, uplink);
	struct user_network network;

	ev_io_init(&user->status, user_told, -1, EV_READ);
	user->status.data = user;
	user->frames = -1;
	user->process = -1;
	user_network_init(&network);
	if (user_network_parse(&network, attribute_set_string(options, MEMTUN_A_NET),
			       attribute_set_string(options, MEMTUN_A_NET6),
			       attribute_set_string(options, MEMTUN_A_FORWARD), fault) < 0)
		return -1;
	return tftp_check(options, fault);
}

static int user_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct user *user = container_of(uplink, struct user, uplink);
	struct engine *engine = uplink->port.engine;
	descriptor_owned ours = -1, theirs = -1, told = -1, tells = -1;
	int ends[2];
	ino_t inode;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot start " PROGRAM);
	if (socketpair_open(MEMTUN_SEQPACKET, engine->default_buffer_fits, ends, &inode) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	told = ends[0];
	tells = ends[1];
	if (descriptor_check_reserve(ours) < 0 || descriptor_check_reserve(told) < 0 ||
	    user_start(user, theirs, tells) < 0)
		return -1;
	user->frames = descriptor_take(&ours);
	ev_io_set(&user->status, descriptor_take(&told), EV_READ);
	ev_io_start(engine->loop, &user->status);
	snprintf(text, UPLINK_TEXT_SIZE, PROGRAM " is starting");
	return 1;
}

/* End the program. If it has not ended when this returns, the loop waits for it. */
static void user_close(struct uplink *uplink)
{
	struct user *user = container_of(uplink, struct user, uplink);

	ev_io_stop(uplink->port.engine->loop, &user->status);
	if (user->status.fd >= 0)
		close(user->status.fd);
	ev_io_set(&user->status, -1, EV_READ);
	descriptor_close(&user->frames);
	if (user->process < 0)
		return;
	syscall(SYS_pidfd_send_signal, user->process, SIGKILL, NULL, 0);
	waitid((idtype_t)P_PIDFD, (id_t)user->process, NULL, WEXITED | WNOHANG);
	descriptor_close(&user->process);
}

const struct uplink_kind uplink_user = {
	.size = sizeof(struct user),
	.takes = {.allowed = {MEMTUN_A_NET, MEMTUN_A_NET6, MEMTUN_A_FORWARD, MEMTUN_A_TFTP,
			      MEMTUN_A_BOOTFILE, MEMTUN_A_RESTRICT},
		  .options = OPTION_UPLINK_ANY},
	.mtu = USER_MTU,
	.prepare = user_prepare,
	.open = user_open,
	.close = user_close,
};

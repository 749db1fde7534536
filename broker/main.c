/* SPDX-License-Identifier: MIT */
/*
 * memtund: puts a broker on its loop, listens for clients, starts the command that it was given,
 * and handles signals.
 */
#include <ev.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/control/control.h"
#include "broker/control/handoff.h"
#include "broker/control/listener.h"
#include "broker/engine/engine.h"
#include "broker/settings.h"
#include "broker/switch/lane.h"
#include "broker/system/activation.h"
#include "broker/system/child.h"
#include "broker/system/confine.h"
#include "broker/system/kernel_device.h"
#include "broker/system/loop_reserve.h"
#include "broker/system/signals.h"
#include "broker/tunnel/tunnel.h"
#include "common/clock.h"
#include "common/control_place.h"
#include "common/control_socket.h"
#include "common/descriptor.h"
#include "common/exit_status.h"
#include "common/identity.h"
#include "common/log.h"
#include "common/process.h"
#include "common/user.h"

/* How long a client may read nothing, where it can keep its own connection open by sending its
 * descriptor to the broker. */
#define STALL_LIMIT (60 * CLOCK_SECOND)

struct daemon {
	struct broker *broker;
	struct listener listener;
	struct handoff *handoffs[SETTINGS_HANDOFFS_MAX];
	struct child child;
	struct child_inherited inherited;
	char directory[CONTROL_ADDRESS_SIZE]; /* of a private broker's socket; "" : none */
	char address[CONTROL_ADDRESS_SIZE];
	char child_address[CONTROL_ADDRESS_SIZE];
	struct signals signals;
};

/* ------------------------------------------------------------------------------ preparing */

/* Raise the limit of descriptors as far as the system allows: each queue needs one. */
static int raise_limit(struct rlimit *files)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, files) < 0)
		return -1;
	raised = (struct rlimit){files->rlim_max, files->rlim_max};
	return setrlimit(RLIMIT_NOFILE, &raised);
}

/* Make a directory of its own for the socket of a private broker. */
static int private_address(struct daemon *daemon, struct fault *fault)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int length;

	if (!base || base[0] != '/' || access(base, W_OK) < 0)
		base = "/tmp";
	length = snprintf(daemon->directory, sizeof(daemon->directory), "%s/memtun-XXXXXX", base);
	if (length < 0 || (size_t)length >= sizeof(daemon->directory) - sizeof("/control"))
		snprintf(daemon->directory, sizeof(daemon->directory), "/tmp/memtun-XXXXXX");
	if (!mkdtemp(daemon->directory)) {
		fault_set(fault, errno, "cannot make a directory %s: %s", daemon->directory,
			  strerror(errno));
		daemon->directory[0] = '\0';
		return -1;
	}
	snprintf(daemon->address, sizeof(daemon->address), "%.*s/control",
		 (int)(sizeof(daemon->address) - sizeof("/control")), daemon->directory);
	return 0;
}

/* Make the control socket, or take the one that a service manager passes, and store its address. */
static int daemon_socket(struct daemon *daemon, const struct settings *settings,
			 struct control_socket *control, struct fault *fault)
{
	/* Descriptors that are passed to a memtund with a command are the command's. */
	int taken = settings->command ? 0 : activation_take(control, daemon->address, fault);

	if (taken < 0)
		return -1;
	if (taken && settings->address)
		return fault_set(fault, EINVAL,
				 "--socket %.60s: LISTEN_FDS has passed the socket %.40s",
				 settings->address, daemon->address);
	if (taken)
		return 0;
	if (settings->address) {
		if (strlcpy(daemon->address, settings->address, sizeof(daemon->address)) >=
		    sizeof(daemon->address))
			return fault_set(fault, ENAMETOOLONG, "--socket %.60s...: too long",
					 settings->address);
	} else if (settings->command ? private_address(daemon, fault) < 0
				     : control_place_default(daemon->address, fault) < 0) {
		return -1;
	}
	return control_socket_listen(control, daemon->address, SOCK_SEQPACKET, fault);
}

static int daemon_listen(struct daemon *daemon, const struct settings *settings,
			 struct fault *fault)
{
	struct control_socket control;

	if (daemon_socket(daemon, settings, &control, fault) < 0)
		return -1;
	if (!control.refuses_descriptors)
		daemon->broker->control->stall_limit = STALL_LIMIT;
	daemon->broker->engine->identity = identity_hash(daemon->address);
	listener_start(&daemon->listener, daemon->broker->control, &control,
		       listener_accept_session, NULL);
	for (int i = 0; i < settings->handoff_count; i++) {
		daemon->handoffs[i] =
			handoff_new(daemon->broker->control, settings->handoffs[i], fault);
		if (!daemon->handoffs[i]) {
			struct fault why = *fault;

			return fault_set(fault, why.error, "--handoff %.60s: %.100s",
					 settings->handoffs[i], why.text);
		}
	}
	return 0;
}

static void daemon_stop(struct daemon *daemon)
{
	for (int i = 0; i < SETTINGS_HANDOFFS_MAX && daemon->handoffs[i]; i++)
		handoff_free(daemon->handoffs[i]);
	if (daemon->signals.loop)
		signals_stop(&daemon->signals);
	if (daemon->listener.control)
		listener_stop(&daemon->listener);
	broker_free(daemon->broker);
	if (daemon->directory[0])
		rmdir(daemon->directory);
}

/* ------------------------------------------------------------------------------ running */

/*
 * End the broker. While a command runs, relay the signal to it instead, unless the kernel has sent
 * it to the whole process group. If a process has sent it to the group, the broker cannot tell,
 * because kill(2) gives the same siginfo_t for a group as for one process. INT and QUIT are never
 * relayed, as in system(3).
 */
static void signal_came(struct signals *signals, int number, bool to_group)
{
	struct daemon *daemon = signals->context;

	if (daemon->child.pid <= 0)
		ev_break(signals->loop, EVBREAK_ALL);
	else if (!to_group && number != SIGINT && number != SIGQUIT)
		child_signal(&daemon->child, number);
}

static int daemon_take_signals(struct daemon *daemon, bool has_command)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	/* Without a command to relay them to, the last three do what they do in any program. */
	for (int i = 0; i < (has_command ? 6 : 3); i++)
		sigaddset(&set, numbers[i]);
	/* A SIGHUP that nohup(1) ignores stays ignored. */
	if (sigismember(&daemon->inherited.signals.ignored, SIGHUP) == 1)
		sigdelset(&set, SIGHUP);
	return signals_start(&daemon->signals, daemon->broker->engine->loop, &set, signal_came,
			     daemon);
}

static int report_ready(int fd)
{
	if (fd < 0)
		return 0;
	if (write(fd, "\n", 1) != 1 || close(fd) < 0)
		return -1;
	return process_fill_descriptors(); /* FD may be 0, 1 or 2 */
}

/* Give the command the socket's absolute path, if that fits: it may change its directory. */
static void child_address_set(struct daemon *daemon)
{
	const char *address = daemon->address;
	char *directory = address[0] == '/' || address[0] == '@' ? NULL : getcwd(NULL, 0);
	size_t size = sizeof(daemon->child_address);

	if (!directory ||
	    (size_t)snprintf(daemon->child_address, size, "%s/%s", directory, address) >= size)
		strlcpy(daemon->child_address, address, size);
	free(directory);
	daemon->inherited.address = daemon->child_address;
}

static int daemon_run(struct daemon *daemon, const struct settings *settings)
{
	struct fault fault = {0};

	if (daemon_listen(daemon, settings, &fault) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", fault.text);
		if (settings->command)
			return EXIT_OURS;
		return fault.error == EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	}
	child_address_set(daemon);
	if (daemon_take_signals(daemon, settings->command) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot take signals: %s", strerror(errno));
		return settings->command ? EXIT_OURS : EXIT_FAILURE;
	}
	if (report_ready(settings->ready_fd) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot write to --ready-fd %d: %s", settings->ready_fd,
			 strerror(errno));
		return settings->command ? EXIT_OURS : EXIT_FAILURE;
	}
	if (settings->command && child_start(&daemon->child, daemon->broker->engine->loop,
					     settings->command, &daemon->inherited) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", settings->command[0],
			 strerror(errno));
		return EXIT_OURS;
	}
	/* After the command's start, as the command keeps its privileges. */
	if (confine(settings->kernel) < 0)
		log_line(LOG_LEVEL_WARNING, "cannot drop privileges: %s", strerror(errno));
	log_line(LOG_LEVEL_INFO, "listening on %s", daemon->address);
	ev_run(daemon->broker->engine->loop, 0);
	return settings->command ? daemon->child.status : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.child.pid = -1};
	struct settings settings;
	int status = settings_parse(&settings, argc, argv);

	if (status >= 0)
		return status;
	/* Backlogs come and go by the megabyte. To return their memory to the kernel and ask for it
	 * again would cost more than to copy the frames. */
	mallopt(M_TRIM_THRESHOLD, 2 * LANE_BYTES_MAX);
	log_open("memtund", settings.level);
	if (process_begin(&daemon.inherited.signals) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot open /dev/null: %s", strerror(errno));
		return settings.command ? EXIT_OURS : EXIT_FAILURE;
	}
	if (settings.kernel && !confine_can_keep()) {
		log_line(LOG_LEVEL_ERROR,
			 "--kernel needs CAP_NET_ADMIN, which this process hasn't");
		return settings.command ? EXIT_OURS : EXIT_FAILURE;
	}
	/* The broker outlives the reader of its log. */
	signal(SIGPIPE, SIG_IGN);
	/* A client can make the kernel send it (F_SETOWN, O_ASYNC) for a descriptor handed in. */
	signal(SIGIO, SIG_IGN);
	if (raise_limit(&daemon.inherited.files) < 0)
		log_line(LOG_LEVEL_WARNING, "cannot raise the limit of descriptors: %s",
			 strerror(errno));
	loop_reserve_prepare();
	/* ev_child works on the default loop only. */
	daemon.broker = broker_new(ev_default_loop(EVFLAG_AUTO));
	if (!daemon.broker) {
		log_line(LOG_LEVEL_ERROR, "cannot start: %s", strerror(errno));
		return settings.command ? EXIT_OURS : EXIT_FAILURE;
	}
	if (settings.manual_clock)
		due_use_manual_clock(&daemon.broker->engine->due);
	daemon.broker->tunnels->kernel_allowed = settings.kernel;
	daemon.broker->engine->has_seed = settings.has_seed;
	daemon.broker->engine->seed = settings.seed;
	/* Not an error: the device may be there by the time that it is needed. */
	if (settings.kernel && kernel_device_check() < 0)
		log_line(LOG_LEVEL_WARNING,
			 "cannot open /dev/net/tun: %s; until it can, there are no interfaces",
			 strerror(errno));
	if (user_is_unmapped(geteuid()))
		log_line(LOG_LEVEL_WARNING,
			 "this user namespace shows unmapped users as user %u, the user of this "
			 "process: only root can connect",
			 geteuid());
	loop_reserve_descriptors(daemon.broker->engine->loop, daemon.inherited.files.rlim_max);
	status = daemon_run(&daemon, &settings);
	daemon_stop(&daemon);
	log_close();
	return status;
}

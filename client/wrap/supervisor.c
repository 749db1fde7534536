/* SPDX-License-Identifier: MIT */
#include "client/wrap/supervisor.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/connection.h"
#include "client/wrap/answer.h"
#include "client/wrap/interface_broker.h"
#include "client/wrap/notification.h"
#include "client/wrap/preload_server.h"
#include "client/wrap/way.h"
#include "client/wrap/wrap.h"
#include "common/descriptor.h"
#include "common/exit_status.h"

struct supervisor {
	const struct wrap_settings *settings;
	struct answerer answerer;
	struct memtun *memtun;
	struct preload_server server;
	pid_t program; /* 0 after its end */
	int front;     /* -1 after the front's or the program's end */
	int listener;  /* -1: none */
	int signals;   /* a signalfd(2) of SIGCHLD */
	int others;    /* an epoll(7) of all descriptors but the listener and the library's */
	unsigned int renewals; /* the value of interfaces.renewals whose broker is in it */
};

static void tell(struct supervisor *supervisor, enum supervisor_news news, int value)
{
	struct supervisor_message message = {news, value};

	/* A front that was killed hears nothing, and needs nothing. */
	send(supervisor->front, &message, sizeof(message), MSG_NOSIGNAL);
}

/* ------------------------------------------------------------------------------ start */

static int broker_connect(struct supervisor *supervisor)
{
	supervisor->memtun = memtun_new();
	if (!supervisor->memtun) {
		warnx("out of memory");
		return -1;
	}
	memtun_set_timeout(supervisor->memtun, supervisor->settings->timeout);
	if (memtun_connect(supervisor->memtun, supervisor->settings->socket) == 0)
		return 0;
	warnx("%s", memtun_error(supervisor->memtun));
	return -1;
}

/* Put all descriptors but the listener and the library's into one. -1 after a message. */
static int others_open(struct supervisor *supervisor)
{
	struct {
		int fd;
		uint32_t events;
	} others[] = {
		{supervisor->signals, EPOLLIN},
		{supervisor->front, 0},
		{memtun_fd(supervisor->memtun), EPOLLIN},
		{supervisor->answerer.netlink.epoll, EPOLLIN},
	};

	supervisor->others = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct epoll_event event = {.events = others[i].events};

		if (supervisor->others >= 0 &&
		    epoll_ctl(supervisor->others, EPOLL_CTL_ADD, others[i].fd, &event) < 0)
			descriptor_close(&supervisor->others);
	}
	if (supervisor->others < 0)
		warn("cannot wait for events");
	return supervisor->others < 0 ? -1 : 0;
}

/* Start the program, and whatever brings its calls. Return 0 or an exit status after a message. */
static int program_start(struct supervisor *supervisor)
{
	struct way way;

	if (broker_connect(supervisor) < 0)
		return EXIT_OURS;
	if (way_choose(&way, supervisor->settings) < 0) {
		warnx("%s", way.reason);
		return EXIT_OURS;
	}
	if (way.preloads) {
		if (supervisor->settings->way != WRAP_PRELOAD)
			warnx("%s; only dynamically linked programs are reached, "
			      "by " PRELOAD_LIBRARY,
			      way.reason);
		if (preload_server_open(&supervisor->server, way.names.socket) < 0) {
			warn("cannot listen for " PRELOAD_LIBRARY);
			launch_cancel(&way.launch);
			return EXIT_OURS;
		}
	}
	supervisor->listener = descriptor_take(&way.launch.listener);
	supervisor->program = way.launch.child;
	answerer_init(&supervisor->answerer, supervisor->memtun, supervisor->settings->socket,
		      &supervisor->settings->choice);
	supervisor->answerer.trace = supervisor->settings->trace;
	if (others_open(supervisor) < 0) {
		launch_cancel(&way.launch);
		return EXIT_OURS;
	}
	launch_go(&way.launch, way.preloads);
	tell(supervisor, SUPERVISOR_STARTED, supervisor->program);
	return 0;
}

/* Point the standard descriptor at /dev/null, so that the program alone keeps a pipe open. */
static void give_up(int standard)
{
	descriptor_owned null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, standard);
}

/*
 * Close what the program has inherited, so that it is the program that ends a pipe. Keep standard
 * error and the supervisor's own descriptors.
 */
static void close_inherited(const struct supervisor *supervisor)
{
	const int kept[] = {
		supervisor->listener,  supervisor->front,
		supervisor->signals,   memtun_fd(supervisor->memtun),
		supervisor->server.fd, supervisor->answerer.netlink.epoll,
		supervisor->others,
	};
	unsigned int from = STDERR_FILENO + 1;

	for (;;) {
		unsigned int next = ~0U;

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
			if (kept[i] >= 0 && (unsigned int)kept[i] >= from &&
			    (unsigned int)kept[i] < next)
				next = (unsigned int)kept[i];
		}
		if (next > from)
			close_range(from, next == ~0U ? next : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

/* Begin to receive SIGCHLD, before there is a child that could end. -1 after a message. */
static int signals_open(struct supervisor *supervisor)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child, NULL) == 0)
		supervisor->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signals >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
		return 0;
	warn("cannot wait for the program's processes");
	return -1;
}

/*
 * Leave the process group, the terminal and the descriptors to the program, which has inherited
 * them. A signal to this process alone is ignored until the program has ended, because the program
 * needs the supervisor.
 */
static void detach(const struct supervisor *supervisor)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setsid();
	give_up(STDIN_FILENO);
	give_up(STDOUT_FILENO);
	close_inherited(supervisor);
}

/* ------------------------------------------------------------------------------ events */

/* Pass on the program's status. From now on only its descendants are left. */
static void program_ended(struct supervisor *supervisor, int status)
{
	supervisor->program = 0;
	tell(supervisor, SUPERVISOR_ENDED, status);
	descriptor_close(&supervisor->front);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (!supervisor->answerer.trace)
		give_up(STDERR_FILENO);
}

/* Reap the children that have ended. Return false if there are no more. */
static bool children_reap(struct supervisor *supervisor)
{
	struct signalfd_siginfo ignored;
	pid_t pid;
	int status;

	while (read(supervisor->signals, &ignored, sizeof(ignored)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == supervisor->program)
			program_ended(supervisor, status);
	}
	return pid == 0;
}

static void notification_serve(struct supervisor *supervisor, short events)
{
	struct call call;

	if (events & POLLIN) {
		if (notification_receive(supervisor->listener, &call) == 0)
			answer_call(&supervisor->answerer, &call);
	} else if (events) {
		/* POLLHUP: the last process with the filter has ended. */
		descriptor_close(&supervisor->listener);
	}
}

static void library_serve(struct supervisor *supervisor, const struct pollfd *polled, size_t count)
{
	struct call call;

	if (count && polled[0].revents)
		preload_server_accept(&supervisor->server);
	for (size_t i = 1; i < count; i++) {
		if (!polled[i].revents ||
		    preload_server_receive(&supervisor->server, polled[i].fd, &call) < 0)
			continue;
		answer_call(&supervisor->answerer, &call);
		close(call.channel);
	}
}

/* The front was killed: nobody could end the program any more, as a signal to it would have. */
static void front_serve(struct supervisor *supervisor, short events)
{
	if (!events)
		return;
	descriptor_close(&supervisor->front);
	if (supervisor->program)
		kill(supervisor->program, SIGKILL);
}

/*
 * Apply the events that came during a request, of which poll(2) does not tell, and wait for those of
 * the broker that was connected to since.
 */
static void events_apply(struct supervisor *supervisor)
{
	struct interfaces *interfaces = &supervisor->answerer.devices.interfaces;
	struct epoll_event event = {.events = EPOLLIN};

	if (events_are_queued(supervisor->memtun))
		interface_broker_update(interfaces);
	if (supervisor->renewals == interfaces->renewals)
		return;
	supervisor->renewals = interfaces->renewals;
	if (epoll_ctl(supervisor->others, EPOLL_CTL_ADD, memtun_fd(supervisor->memtun), &event) < 0)
		warn("the interfaces of others are seen late");
}

/*
 * Answer the program's calls until another event happens. To poll two descriptors instead of five
 * takes 5 % off the time of a call.
 */
static void calls_serve(struct supervisor *supervisor)
{
	struct pollfd polled[] = {
		{.fd = supervisor->listener, .events = POLLIN},
		{.fd = supervisor->others, .events = POLLIN},
	};

	while (!polled[1].revents && (polled[0].revents & ~POLLIN) == 0) {
		events_apply(supervisor);
		if (poll(polled, 2, netlink_timeout(&supervisor->answerer.netlink)) < 0)
			return;
		if (polled[0].revents & POLLIN)
			notification_serve(supervisor, POLLIN);
		netlink_held_check(&supervisor->answerer.netlink);
	}
}

static void supervisor_loop(struct supervisor *supervisor)
{
	enum {
		LISTENER,
		SIGNALS,
		FRONT,
		BROKER,
		NETLINK,
		LIBRARY
	};

	for (;;) {
		if (supervisor->listener >= 0)
			calls_serve(supervisor);
		struct pollfd polled[LIBRARY + 1 + PRELOAD_CONNECTIONS] = {
			[LISTENER] = {.fd = supervisor->listener, .events = POLLIN},
			[SIGNALS] = {.fd = supervisor->signals, .events = POLLIN},
			[FRONT] = {.fd = supervisor->front},
			[BROKER] = {.fd = memtun_fd(supervisor->memtun), .events = POLLIN},
			[NETLINK] = {.fd = supervisor->answerer.netlink.epoll, .events = POLLIN},
		};
		size_t count = preload_server_poll(&supervisor->server, polled + LIBRARY);

		events_apply(supervisor);
		if (poll(polled, LIBRARY + count, netlink_timeout(&supervisor->answerer.netlink)) <
		    0)
			continue;
		notification_serve(supervisor, polled[LISTENER].revents);
		library_serve(supervisor, polled + LIBRARY, count);
		if (polled[BROKER].revents)
			interface_broker_update(&supervisor->answerer.devices.interfaces);
		if (polled[NETLINK].revents)
			netlink_dispatch(&supervisor->answerer.netlink);
		netlink_held_check(&supervisor->answerer.netlink);
		front_serve(supervisor, polled[FRONT].revents);
		if (polled[SIGNALS].revents && !children_reap(supervisor))
			return;
	}
}

int supervisor_run(const struct wrap_settings *settings, int front)
{
	struct supervisor supervisor = {
		.settings = settings,
		.front = front,
		.listener = -1,
		.server.fd = -1,
		.signals = -1,
		.others = -1,
	};
	int status = signals_open(&supervisor) < 0 ? EXIT_OURS : program_start(&supervisor);

	if (status == 0) {
		detach(&supervisor);
		supervisor_loop(&supervisor);
		answerer_free(&supervisor.answerer);
	} else {
		tell(&supervisor, SUPERVISOR_REFUSED, status);
	}
	preload_server_close(&supervisor.server);
	descriptor_close(&supervisor.listener);
	descriptor_close(&supervisor.signals);
	descriptor_close(&supervisor.others);
	descriptor_close(&supervisor.front);
	memtun_free(supervisor.memtun);
	return status;
}

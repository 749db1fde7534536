/* SPDX-License-Identifier: MIT */
/*
 * memtund: reads the command line, puts a broker on its loop and a listener before it, and sees to
 * signals.
 */
#include <ev.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/system/child.h"
#include "config.h"
#include "broker/system/confine.h"
#include "common/control_socket.h"
#include "common/descriptor.h"
#include "broker/control/handoff.h"
#include "broker/system/kernel_device.h"
#include "broker/control/listener.h"
#include "common/log.h"
#include "broker/system/loop_reserve.h"
#include "broker/tunnel/queue.h"

#define EXIT_USAGE 2

/* libev's table of descriptors is made for so many at the start, as it aborts where it can't be
 * made larger later. */
#define LOOP_DESCRIPTORS 65536

struct settings {
	const char *address;
	const char *handoffs[16];
	int handoff_count;
	int ready_fd;
	enum log_level level;
	bool kernel;    /* keeps CAP_NET_ADMIN, for interfaces of the kernel */
	char **command; /* NULL: a broker for everybody */
};

/* What runs. */
struct daemon {
	struct broker *broker;
	struct listener listener;
	struct handoff *handoffs[16];
	struct child child;
	struct child_inherited inherited;
	char directory[CONTROL_ADDRESS_SIZE];
	char address[CONTROL_ADDRESS_SIZE];
	char child_address[CONTROL_ADDRESS_SIZE];
	ev_signal signals[3];
};

static const char usage[] =
	"Usage: memtund [OPTIONS] [-- COMMAND [ARG...]]\n"
	"Owns memory-backed TUN and TAP tunnels and hands their ends to clients as descriptors.\n"
	"With COMMAND: a private broker for it, that ends with it and passes its status on.\n"
	"\n"
	"      --socket ADDRESS     listen there: a path, or @NAME (abstract namespace)\n"
	"  -H, --handoff PATH=SPEC  hand out the tunnel SPEC, NAME[:KEY=VALUE,...], by one byte\n"
	"                           with one descriptor to whoever connects to the stream socket\n"
	"                           PATH; may be given several times\n"
	"  -k, --kernel             keep CAP_NET_ADMIN, which it needs, to make interfaces of the\n"
	"                           kernel: uplinks of type kernel, tunnels with backend kernel\n"
	"  -r, --ready-fd FD        write a newline to descriptor FD, and close it, once "
	"listening\n"
	"  -l, --log-level LEVEL    error, warning (default), info or debug\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"Without --socket: $MEMTUN_SOCKET, $XDG_RUNTIME_DIR/memtun/control or\n"
	"/tmp/memtun-UID/control; with COMMAND, a new private directory.\n";

static void say_usage_hint(void)
{
	fprintf(stderr, "memtund: see memtund --help\n");
}

/* -1: go on; else the status to exit with. */
static int settings_parse(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 'S'},
		{"handoff", required_argument, NULL, 'H'},
		{"kernel", no_argument, NULL, 'k'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	const char *wrong;
	int option, level;

	*settings = (struct settings){.ready_fd = -1, .level = LOG_LEVEL_WARNING};
	while ((option = getopt_long(argc, argv, "+H:kr:l:hV", options, NULL)) >= 0) {
		switch (option) {
		case 'S':
			settings->address = optarg;
			break;
		case 'H':
			if (settings->handoff_count == 16) {
				fprintf(stderr, "memtund: more than 16 handoffs\n");
				return EXIT_USAGE;
			}
			settings->handoffs[settings->handoff_count++] = optarg;
			break;
		case 'k':
			settings->kernel = true;
			break;
		case 'r':
			settings->ready_fd = (int)strtonum(optarg, 0, 1 << 20, &wrong);
			if (wrong) {
				fprintf(stderr, "memtund: --ready-fd %s: %s\n", optarg, wrong);
				return EXIT_USAGE;
			}
			/* Later the number may be a descriptor of our own. */
			if (fcntl(settings->ready_fd, F_GETFD) < 0) {
				fprintf(stderr, "memtund: --ready-fd %s: %s\n", optarg,
					strerror(errno));
				return EXIT_USAGE;
			}
			break;
		case 'l':
			level = log_level_parse(optarg);
			if (level < 0) {
				fprintf(stderr,
					"memtund: --log-level is error, warning, info or debug, "
					"not %s\n",
					optarg);
				return EXIT_USAGE;
			}
			settings->level = (enum log_level)level;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("memtund " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			say_usage_hint();
			return EXIT_USAGE;
		}
	}
	if (optind == argc && strcmp(argv[argc - 1], "--") == 0) {
		fprintf(stderr, "memtund: there is no command after --\n");
		say_usage_hint();
		return EXIT_USAGE;
	}
	if (optind == argc)
		return -1;
	if (strcmp(argv[optind - 1], "--") != 0) {
		fprintf(stderr, "memtund: what is '%s'? A command goes after --\n", argv[optind]);
		say_usage_hint();
		return EXIT_USAGE;
	}
	settings->command = argv + optind;
	return -1;
}

/* ------------------------------------------------------------------------------ preparing */

/* Where 0, 1 or 2 is closed, a socket of ours would get the number, and what we say. */
static void standard_descriptors_fill(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* As many descriptors as the system lets us have: a tunnel is one. */
static int raise_limit(struct rlimit *files)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, files) < 0)
		return -1;
	raised = (struct rlimit){files->rlim_max, files->rlim_max};
	return setrlimit(RLIMIT_NOFILE, &raised);
}

static void loop_never(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)io;
	(void)events;
}

/* Makes libev's table as large as it may have to be. */
static void loop_presize(struct ev_loop *loop, rlim_t max)
{
	int last = (int)(max < LOOP_DESCRIPTORS ? max : LOOP_DESCRIPTORS) - 1;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, last);
	ev_io io;

	if (fd < 0)
		return;
	ev_io_init(&io, loop_never, fd, EV_READ);
	ev_io_start(loop, &io);
	ev_io_stop(loop, &io);
	close(fd);
}

/* A directory of its own for a private broker's socket: found by those who are told of it. */
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

static int daemon_listen(struct daemon *daemon, const struct settings *settings,
			 struct fault *fault)
{
	struct control_socket control;

	if (settings->address) {
		if (strlcpy(daemon->address, settings->address, sizeof(daemon->address)) >=
		    sizeof(daemon->address))
			return fault_set(fault, ENAMETOOLONG, "--socket %.60s...: too long",
					 settings->address);
	} else if (settings->command ? private_address(daemon, fault) < 0
				     : control_socket_default(daemon->address, fault) < 0) {
		return -1;
	}
	if (control_socket_listen(&control, daemon->address, SOCK_SEQPACKET, fault) < 0)
		return -1;
	listener_start(&daemon->listener, daemon->broker, &control, listener_accept_session, NULL);
	for (int i = 0; i < settings->handoff_count; i++) {
		daemon->handoffs[i] = handoff_new(daemon->broker, settings->handoffs[i], fault);
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
	for (int i = 0; i < 16 && daemon->handoffs[i]; i++)
		handoff_free(daemon->handoffs[i]);
	if (daemon->listener.broker)
		listener_stop(&daemon->listener);
	broker_free(daemon->broker);
	if (daemon->directory[0])
		rmdir(daemon->directory);
}

/* ------------------------------------------------------------------------------ running */

/*
 * TERM, INT and HUP end the broker. With a command that is the command's to decide: it is passed
 * on, but for INT, which the terminal sends to both.
 */
static void signal_came(struct ev_loop *loop, ev_signal *subscriber, int events)
{
	struct daemon *daemon = subscriber->data;

	(void)events;
	if (daemon->child.pid <= 0)
		ev_break(loop, EVBREAK_ALL);
	else if (subscriber->signum != SIGINT)
		child_signal(&daemon->child, subscriber->signum);
}

static void signals_start(struct daemon *daemon)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (int i = 0; i < 3; i++) {
		struct sigaction action;

		/* As nohup(1) wants it: what was ignored stays ignored. */
		if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			continue;
		ev_signal_init(&daemon->signals[i], signal_came, numbers[i]);
		daemon->signals[i].data = daemon;
		ev_signal_start(daemon->broker->loop, &daemon->signals[i]);
	}
}

static int say_ready(int fd)
{
	if (fd < 0)
		return 0;
	if (write(fd, "\n", 1) != 1 || close(fd) < 0)
		return -1;
	standard_descriptors_fill(); /* it may have been one */
	return 0;
}

/* The command may change its directory: it is told of the socket by its whole path, if that fits.
 */
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
			return CHILD_OURS;
		return fault.error == EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	}
	child_address_set(daemon);
	signals_start(daemon);
	if (say_ready(settings->ready_fd) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot write to --ready-fd %d: %s", settings->ready_fd,
			 strerror(errno));
		return settings->command ? CHILD_OURS : EXIT_FAILURE;
	}
	if (settings->command && child_start(&daemon->child, daemon->broker->loop,
					     settings->command, &daemon->inherited) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", settings->command[0],
			 strerror(errno));
		return CHILD_OURS;
	}
	/* After the command's start: what it may do is no business of ours. */
	if (confine(settings->kernel) < 0)
		log_line(LOG_LEVEL_WARNING, "cannot give up privileges: %s", strerror(errno));
	log_line(LOG_LEVEL_INFO, "listening on %s", daemon->address);
	ev_run(daemon->broker->loop, 0);
	return settings->command ? daemon->child.status : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.child.pid = -1};
	struct settings settings;
	int status = settings_parse(&settings, argc, argv);

	if (status >= 0)
		return status;
	standard_descriptors_fill();
	/* Frames that wait come and go by the megabyte: to give their memory back to the kernel and
	 * ask for it again would cost more than to copy them. */
	mallopt(M_TRIM_THRESHOLD, 2 * LANE_BYTES_MAX);
	log_open("memtund", settings.level);
	if (settings.kernel && !confine_can_keep()) {
		log_line(LOG_LEVEL_ERROR,
			 "--kernel needs CAP_NET_ADMIN, which this process hasn't");
		return settings.command ? CHILD_OURS : EXIT_FAILURE;
	}
	/* The end of whoever reads the log must not be the broker's. */
	daemon.inherited.broken_pipe = signal(SIGPIPE, SIG_IGN);
	/* A shell's background job has it ignored. */
	daemon.inherited.interrupt = signal(SIGINT, SIG_DFL);
	if (raise_limit(&daemon.inherited.files) < 0)
		log_line(LOG_LEVEL_WARNING, "cannot raise the limit of descriptors: %s",
			 strerror(errno));
	loop_reserve_prepare();
	/* ev_child works on the default loop only. */
	daemon.broker = broker_new(ev_default_loop(EVFLAG_AUTO));
	if (!daemon.broker) {
		log_line(LOG_LEVEL_ERROR, "cannot start: %s", strerror(errno));
		return settings.command ? CHILD_OURS : EXIT_FAILURE;
	}
	daemon.broker->kernel = settings.kernel;
	/* It may be there when it is needed. */
	if (settings.kernel && kernel_device_check() < 0)
		log_line(LOG_LEVEL_WARNING,
			 "cannot open /dev/net/tun: %s; until it can, there are no interfaces",
			 strerror(errno));
	loop_presize(daemon.broker->loop, daemon.inherited.files.rlim_max);
	status = daemon_run(&daemon, &settings);
	daemon_stop(&daemon);
	return status;
}

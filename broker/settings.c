/* SPDX-License-Identifier: MIT */
#include "broker/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/exit_status.h"
#include "config.h"

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
	"  -c, --clock real|manual  the clock that delays, ageing and neighbour timers follow;\n"
	"                           the manual one moves only by memtun clock\n"
	"  -l, --log-level LEVEL    error, warning (default), info or debug\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"Without --socket: $MEMTUN_SOCKET, $XDG_RUNTIME_DIR/memtun/control or\n"
	"/tmp/memtun-UID/control; with COMMAND, a new private directory.\n"
	"$MEMTUN_SEED is the default seed of the rules of memtun impair.\n";

/* Print a message and where the usage is to be found. */
static int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("memtund: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\nmemtund: see memtund --help\n", stderr);
	va_end(arguments);
	return EXIT_USAGE;
}

static int set_handoff(struct settings *settings, const char *value)
{
	if (settings->handoff_count == SETTINGS_HANDOFFS_MAX)
		return usage_error("more than %d handoffs", SETTINGS_HANDOFFS_MAX);
	settings->handoffs[settings->handoff_count++] = value;
	return -1;
}

/* Check now that the descriptor is open. Later another file may have its number. */
static int set_ready_fd(struct settings *settings, const char *value)
{
	const char *wrong;

	settings->ready_fd = (int)strtonum(value, 0, 1 << 20, &wrong);
	if (wrong)
		return usage_error("--ready-fd %s: %s", value, wrong);
	if (fcntl(settings->ready_fd, F_GETFD) < 0)
		return usage_error("--ready-fd %s: %s", value, strerror(errno));
	return -1;
}

static int set_log_level(struct settings *settings, const char *value)
{
	int level = log_level_parse(value);

	if (level < 0)
		return usage_error("--log-level is error, warning, info or debug, not %s", value);
	settings->level = (enum log_level)level;
	return -1;
}

static int set_clock(struct settings *settings, const char *value)
{
	if (strcmp(value, "real") != 0 && strcmp(value, "manual") != 0)
		return usage_error("--clock is real or manual, not %s", value);
	settings->manual_clock = value[0] == 'm';
	return -1;
}

/* Take the seed of the environment, if it has one. */
static int set_seed(struct settings *settings)
{
	const char *value = getenv("MEMTUN_SEED");
	char *end;

	if (!value || value[0] == '\0')
		return -1;
	errno = 0;
	settings->seed = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno)
		return usage_error("MEMTUN_SEED is a number from 0 to 2^64 - 1, not '%.40s'",
				   value);
	settings->has_seed = true;
	return -1;
}

/* Print a text that was asked for, and return the exit status. */
static int print(const char *text)
{
	if (fputs(text, stdout) != EOF && fflush(stdout) != EOF)
		return EXIT_SUCCESS;
	fprintf(stderr, "memtund: cannot write standard output: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

/* Take one option; -1: go on. */
static int settings_take(struct settings *settings, int option)
{
	switch (option) {
	case 'S':
		settings->address = optarg;
		return -1;
	case 'H':
		return set_handoff(settings, optarg);
	case 'c':
		return set_clock(settings, optarg);
	case 'k':
		settings->kernel = true;
		return -1;
	case 'r':
		return set_ready_fd(settings, optarg);
	case 'l':
		return set_log_level(settings, optarg);
	case 'h':
		return print(usage);
	case 'V':
		return print("memtund " PACKAGE_VERSION "\n");
	default:
		fputs("memtund: see memtund --help\n", stderr);
		return EXIT_USAGE;
	}
}

int settings_parse(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 'S'},
		{"handoff", required_argument, NULL, 'H'},
		{"clock", required_argument, NULL, 'c'},
		{"kernel", no_argument, NULL, 'k'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option, status;

	*settings = (struct settings){.ready_fd = -1, .level = LOG_LEVEL_WARNING};
	while ((option = getopt_long(argc, argv, "+H:c:kr:l:hV", options, NULL)) >= 0) {
		status = settings_take(settings, option);
		if (status >= 0)
			return status;
	}
	status = set_seed(settings);
	if (status >= 0)
		return status;
	if (optind == argc && strcmp(argv[argc - 1], "--") == 0)
		return usage_error("there is no command after --");
	if (optind == argc)
		return -1;
	if (strcmp(argv[optind - 1], "--") != 0)
		return usage_error("unexpected argument '%s': a command goes after --",
				   argv[optind]);
	settings->command = argv + optind;
	return -1;
}

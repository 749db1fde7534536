/* SPDX-License-Identifier: MIT */
/*
 * memtun: finds the command, and holds what all commands use.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "config.h"
#include "memtun.h"
#include "client/lib/options.h"

static const char usage[] =
	"Usage: memtun [-s] [-j] [--socket ADDRESS] COMMAND ...\n"
	"TUN and TAP tunnels without /dev/net/tun, from a memtund.\n"
	"\n"
	"  add NAME [KEY VALUE]...   make a tunnel that stays; a %d in NAME is the lowest free "
	"number\n"
	"  set NAME KEY VALUE...     change it: bridge B, nobridge, mtu, queue, overflow, "
	"address,\n"
	"                            gateway, persistent\n"
	"  del NAME                  delete it\n"
	"  show [NAME]               list tunnels\n"
	"  bridge add B [hub]        make a bridge that stays; a hub floods\n"
	"  bridge del B\n"
	"  bridge show [B] [--dot]   a tree of bridges, ports and addresses; or a graph for dot\n"
	"  uplink add NAME bridge B type mcast|kernel|vde|bess|stream|dgram|udp|vxlan KEY "
	"VALUE...\n"
	"                            join a bridge to something outside\n"
	"  uplink del NAME\n"
	"  uplink show [NAME]        list uplinks\n"
	"  exec [-t SPEC]... -- CMD [ARG]...\n"
	"                            run CMD with descriptors of tunnels from 3 up;\n"
	"                            {NAME} in an ARG is that tunnel's number\n"
	"  monitor [--ready-fd FD]   print events as they come\n"
	"  inject NAME [--as-client] --udp HOST:PORT [--from HOST:PORT] TEXT | --hex BYTES |\n"
	"         --pcap FILE [--rate N]\n"
	"                            put frames on a tunnel: to its client, or as its client\n"
	"  expect NAME [--to-client] [--timeout S] [--limit N] [--ready-fd FD] FILTER...\n"
	"                            wait for a frame from its client that a filter matches\n"
	"  wait NAME open|closed|drained|up|down [--timeout S]\n"
	"                            wait until a tunnel, or an uplink, is so\n"
	"  capture NAME|B [-w FILE|-] [-c COUNT] [--ready-fd FD] [FILTER]\n"
	"                            write a port's or a bridge's frames as pcapng, or as lines\n"
	"  top [-b] [-n TIMES] [-d SECONDS]\n"
	"                            frames, bytes and drops a second, live; -b: as tables\n"
	"  host NAME address A/P [address A6/P6] [gateway G]... [KEY VALUE]... [--ready-fd FD]\n"
	"                            be somebody to talk to: answers ping, echoes port 7\n"
	"\n"
	"Keys: mode tap|tun, bridge B, peer NAME2, socket seqpacket|dgram|stream, mtu BYTES,\n"
	"      queue FRAMES, overflow drop-tail|drop-head|block, backend memory|kernel, count N,\n"
	"      address A[/P][+A...], gateway G[+G...],\n"
	"      and the flags pi, vnet_hdr, multi_queue, each [on|off]\n"
	"Uplinks' keys: mtu, queue and overflow, and\n"
	"      mcast: group G, port P, ifaddr A, ttl N, loop; kernel: name N, mode, address, "
	"gateway;\n"
	"      vde, bess, stream: path P; dgram: path P, remote P2;\n"
	"      udp: local A:P, remote A:P; vxlan: vni N, local A, remote B | group G, port P, ttl "
	"N\n"
	"SPEC: NAME[:KEY=VALUE,FLAG,...]\n"
	"\n"
	"  -s, --statistics      show counters\n"
	"  -j, --json            print JSON\n"
	"      --socket ADDRESS  the broker's socket: a path, or @NAME\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version\n"
	"\n"
	"Exit status: 0; 1 refused or failed; 2 usage; 3 no broker; exec: CMD's own, 125 if "
	"memtun\n"
	"failed, 126 if CMD can't be run, 127 if it isn't found; expect and wait: 124 timeout,\n"
	"4 the tunnel has ended (host as well), 5 limit.\n";

static const struct {
	const char *name;
	command_function *run;
	unsigned int takes;
	bool own_options; /* ours stand before its name only */
} commands[] = {
	{"add", command_add, 0, false},
	{"bridge", command_bridge, TAKES_JSON | TAKES_STATISTICS | TAKES_DOT, false},
	{"capture", command_capture, 0, true},
	{"del", command_delete, 0, false},
	{"exec", command_exec, 0, true},
	{"expect", command_expect, 0, true},
	{"host", command_host, 0, true},
	{"inject", command_inject, 0, true},
	{"monitor", command_monitor, TAKES_JSON | TAKES_READY_FD, false},
	{"set", command_set, 0, false},
	{"show", command_show, TAKES_JSON | TAKES_STATISTICS, false},
	{"top", command_top, TAKES_JSON, true},
	{"uplink", command_uplink, TAKES_JSON | TAKES_STATISTICS, false},
	{"wait", command_wait, 0, true},
};

int command_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("memtun: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return status;
}

int command_check(const struct invocation *invocation, const char *name, unsigned int takes)
{
	const char *surplus = invocation->json && !(takes & TAKES_JSON)               ? "-j"
			      : invocation->statistics && !(takes & TAKES_STATISTICS) ? "-s"
			      : invocation->dot && !(takes & TAKES_DOT)               ? "--dot"
			      : invocation->ready_fd && !(takes & TAKES_READY_FD)     ? "--ready-fd"
										      : NULL;

	return surplus ? command_fail(EXIT_USAGE, "%s takes no %s", name, surplus) : 0;
}

struct memtun *command_connect(const struct invocation *invocation, int *status)
{
	struct memtun *memtun = memtun_new();

	if (!memtun) {
		*status = command_fail(EXIT_REFUSED, "out of memory");
		return NULL;
	}
	if (memtun_connect(memtun, invocation->socket) == 0)
		return memtun;
	*status = command_fail(errno == ENOENT || errno == ECONNREFUSED ? EXIT_NO_BROKER
									: EXIT_REFUSED,
			       "%s", memtun_error(memtun));
	memtun_free(memtun);
	return NULL;
}

int command_number(const char *option, const char *value, uint64_t min, uint64_t max,
		   uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 && *number >= min &&
	    *number <= max)
		return 0;
	return command_fail(EXIT_USAGE,
			    "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", option,
			    min, max, value);
}

int command_seconds(const char *option, const char *value, int *milliseconds)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end != '\0' || !(seconds >= 0 && seconds <= 1000000))
		return command_fail(EXIT_USAGE, "%s takes seconds, not '%s'", option, value);
	*milliseconds = (int)(seconds * 1000);
	return 0;
}

int command_ready_fd(const char *value, int *fd)
{
	uint64_t number;

	if (command_number("--ready-fd", value, 0, 1 << 20, &number))
		return EXIT_USAGE;
	/* Later the number may be a descriptor of our own. */
	if (fcntl((int)number, F_GETFD) < 0)
		return command_fail(EXIT_USAGE, "--ready-fd %s: %s", value, strerror(errno));
	*fd = (int)number;
	return 0;
}

int command_ready(int fd)
{
	if (fd < 0)
		return 0;
	if (write(fd, "\n", 1) == 1 && close(fd) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "cannot write to --ready-fd %d: %s", fd, strerror(errno));
}

static void mode_record(const struct memtun_record *record, void *context)
{
	uint64_t mode = 0;

	memtun_record_number(record, "mode", &mode);
	*(enum memtun_mode *)context = (enum memtun_mode)mode;
}

int command_find_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode)
{
	/* If it is neither, it is told that there is no such tunnel: that is what most mean. */
	if (memtun_uplink_show(memtun, name, false, mode_record, mode) == 0)
		return 0;
	return memtun_show(memtun, name, false, mode_record, mode);
}

int command_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode)
{
	if (command_find_mode(memtun, name, mode) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
}

int command_option(struct memtun_options *options, int count, char **words)
{
	const char *value = count > 1 ? words[1] : NULL;
	uint64_t before = options->set.present[0], twice;
	bool is_flag, switched;

	options->set.present[0] = 0;
	is_flag = memtun_options_set(options, words[0], NULL) == 0;
	switched = value && (strcmp(value, "on") == 0 || strcmp(value, "off") == 0);
	if ((!is_flag || switched) && memtun_options_set(options, words[0], value) < 0) {
		command_fail(EXIT_USAGE, "%s", memtun_options_error(options));
		return -1;
	}
	twice = before & options->set.present[0];
	if (twice) {
		command_fail(EXIT_USAGE, "%s is there twice",
			     attributes[__builtin_ctzll(twice)].word);
		return -1;
	}
	options->set.present[0] |= before;
	return is_flag && !switched ? 1 : 2;
}

struct memtun_options *command_options(int count, char **words)
{
	struct memtun_options *options = memtun_options_new();

	if (!options) {
		command_fail(EXIT_REFUSED, "out of memory");
		return NULL;
	}
	for (int i = 0; i < count;) {
		int taken = command_option(options, count - i, words + i);

		if (taken < 0) {
			memtun_options_free(options);
			return NULL;
		}
		i += taken;
	}
	return options;
}

enum options_place {
	BEFORE_COMMAND, /* up to the first word that is none */
	AFTER_COMMAND,  /* wherever they stand */
};

/* Takes options from the words. -1: go on, at optind; else the status to exit with. */
static int options_parse(struct invocation *invocation, int count, char **words,
			 enum options_place place)
{
	static const struct option options[] = {
		/* After a command's name only. */
		{"dot", no_argument, NULL, 'D'},
		{"ready-fd", required_argument, NULL, 'R'},
		/* Before it as well. */
		{"socket", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'},
		{"statistics", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	static char program[] = "memtun"; /* what getopt calls us, whatever the command's name */
	const char *flags = place == BEFORE_COMMAND ? "+jshV" : "jshV";
	const struct option *taken = place == BEFORE_COMMAND ? options + 2 : options;
	int option;

	optind = 0; /* begin anew */
	words[0] = program;
	while ((option = getopt_long(count, words, flags, taken, NULL)) >= 0) {
		switch (option) {
		case 'S':
			invocation->socket = optarg;
			break;
		case 'j':
			invocation->json = true;
			break;
		case 's':
			invocation->statistics = true;
			break;
		case 'D':
			invocation->dot = true;
			break;
		case 'R':
			invocation->ready_fd = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("memtun " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs("memtun: see memtun --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* Prints what the usage says of that command: its lines, and those below that are indented more. */
static void usage_print(const char *name, unsigned int takes)
{
	size_t length = strlen(name);
	bool ours = false;

	printf("Usage: memtun%s%s [--socket ADDRESS]\n", takes & TAKES_STATISTICS ? " [-s]" : "",
	       takes & TAKES_JSON ? " [-j]" : "");
	for (const char *line = usage; *line; line = strchr(line, '\n') + 1) {
		if (line[0] != ' ' || line[2] != ' ')
			ours = strncmp(line, "  ", 2) == 0 &&
			       strncmp(line + 2, name, length) == 0 && line[2 + length] == ' ';
		if (ours)
			printf("%.*s\n", (int)(strchr(line, '\n') - line), line);
	}
}

/* Is help asked for? What follows the name of a program to run is not for us to read. */
static bool words_ask_for_help(int count, char **words)
{
	int last = strcmp(words[0], "exec") == 0 && count > 2 ? 2 : count;

	for (int i = 1; i < last && strcmp(words[i], "--") != 0; i++) {
		if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
			return true;
	}
	return false;
}

static int command_run(struct invocation *invocation, int count, char **words)
{
	int first = 1, status;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, words[0]) != 0)
			continue;
		if (!commands[i].own_options) {
			status = options_parse(invocation, count, words, AFTER_COMMAND);
			if (status >= 0)
				return status;
			first = optind;
		} else if (words_ask_for_help(count, words)) {
			usage_print(words[0], commands[i].takes);
			return EXIT_SUCCESS;
		}
		if (command_check(invocation, commands[i].name, commands[i].takes))
			return commands[i].run == command_exec ? EXIT_OURS : EXIT_USAGE;
		status = commands[i].run(invocation, count - first, words + first);
		if (fflush(stdout) == EOF || ferror(stdout))
			return command_fail(EXIT_REFUSED, "cannot write the output: %s",
					    strerror(errno));
		return status;
	}
	return command_fail(EXIT_USAGE, "there is no command '%s'; see memtun --help", words[0]);
}

int main(int argc, char **argv)
{
	struct invocation invocation = {.arguments = argv};
	int status = options_parse(&invocation, argc, argv, BEFORE_COMMAND);

	if (status >= 0)
		return status;
	if (optind == argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return command_run(&invocation, argc - optind, argv + optind);
}

/* SPDX-License-Identifier: MIT */
/*
 * memtun host: opens a tunnel and becomes memtun-host, which runs a TCP/IP stack on it. This file
 * checks the command line and the tunnel first, so that memtun-host starts only if it can work.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/options_parse.h"
#include "common/descriptor.h"
#include "common/host_addresses.h"
#include "memtun.h"

enum {
	/* An address and a gateway of each family; each is a key and a value. */
	ADDRESS_WORDS_MAX = 8,
	NUMBER_SIZE = 12,
};

struct host {
	const char *name;
	char opened[MEMTUN_NAME_SIZE]; /* what a template became */
	struct memtun_options *options;
	struct host_addresses addresses;
	char *words[ADDRESS_WORDS_MAX]; /* keys and addresses, for memtun-host */
	int word_count;
	int ready_fd; /* -1: none */
	int fd;
	/* Of the tunnel, which may have existed before. */
	uint64_t mode, mtu;
	const char *unfit; /* the option that memtun-host can't work with; NULL: none */
};

/* ------------------------------------------------------------------------------ command line */

static int host_add_address(struct host *host, char *key, char *value)
{
	const char *reason;

	if (!value)
		return command_fail(EXIT_USAGE, "%s needs a value", key);
	if (host_addresses_set(&host->addresses, key, value, &reason) < 0)
		return command_fail(EXIT_USAGE, "%s %s: %s", key, value, reason);
	host->words[host->word_count++] = key;
	host->words[host->word_count++] = value;
	return 0;
}

/* Take the key and value that the words begin with. Return how many words, or -1. */
static int host_take(struct host *host, int count, char **words)
{
	if (host_addresses_has_key(words[0]))
		return host_add_address(host, words[0], count > 1 ? words[1] : NULL) == 0 ? 2 : -1;
	return keys_take(host->options, KEYS_HOST, count, words);
}

static int host_parse(struct host *host, const struct invocation *invocation)
{
	const char *wrong;

	host->name = invocation->words[0];
	host->options = memtun_options_new();
	if (!host->options)
		return command_fail(EXIT_REFUSED, "out of memory");
	for (int i = 1; i < invocation->count;) {
		int taken = host_take(host, invocation->count - i, invocation->words + i);

		if (taken < 0)
			return EXIT_USAGE;
		i += taken;
	}
	if (options_ready_fd(invocation, &host->ready_fd))
		return EXIT_USAGE;
	wrong = host_addresses_check(&host->addresses);
	return wrong ? command_fail(EXIT_USAGE, "%s", wrong) : 0;
}

/* ------------------------------------------------------------------------------ the tunnel */

static void host_record(const struct memtun_record *record, void *context)
{
	static const char *const headers[] = {"pi", "vnet_hdr"};
	const char *socket = memtun_record_string(record, "socket");
	struct host *host = context;
	uint64_t is_on;

	memtun_record_number(record, "mode", &host->mode);
	memtun_record_number(record, "mtu", &host->mtu);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (memtun_record_number(record, headers[i], &is_on) == 0 && is_on)
			host->unfit = headers[i];
	}
	/* On a dgram socket, memtun-host would not see the tunnel's end. */
	if (socket && strcmp(socket, "seqpacket") != 0)
		host->unfit = strcmp(socket, "dgram") == 0 ? "socket dgram" : "socket stream";
}

/* Set the option to the values of that key, joined by '+'. */
static int option_join(const struct host *host, struct memtun_options *options, const char *key)
{
	char text[MEMTUN_TEXT_SIZE] = "";

	for (int i = 0; i < host->word_count; i += 2) {
		if (strcmp(host->words[i], key) != 0)
			continue;
		if (text[0])
			strlcat(text, "+", sizeof(text));
		strlcat(text, host->words[i + 1], sizeof(text));
	}
	return text[0] ? memtun_options_set(options, key, text) : 0;
}

/*
 * Set the tunnel's addresses, so that its adapter on an Ethernet bridge answers for them before the
 * host has sent a packet.
 */
static int host_set_addresses(const struct host *host, struct memtun *memtun)
{
	struct memtun_options *options = memtun_options_new();
	int status = 0;

	if (!options)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (option_join(host, options, "address") < 0 || option_join(host, options, "gateway") < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_options_error(options));
	else if (memtun_set(memtun, host->opened, options) < 0)
		status = -1;
	memtun_options_free(options);
	return status;
}

static int host_open(struct memtun *memtun, void *context)
{
	struct host *host = context;
	const char *wrong;

	host->fd = memtun_open_named(memtun, host->name, host->options, host->opened);
	if (host->fd < 0 || memtun_show(memtun, host->opened, false, host_record, host) < 0)
		return -1;
	if (host->unfit)
		return command_fail(EXIT_REFUSED, "%s: host can't use a tunnel with %s",
				    host->opened, host->unfit);
	wrong = host_addresses_check_tunnel(&host->addresses, host->mode == MEMTUN_TAP,
					    (unsigned int)host->mtu);
	if (wrong)
		return command_fail(EXIT_REFUSED, "%s: %s", host->opened, wrong);
	return host->mode == MEMTUN_TUN ? host_set_addresses(host, memtun) : 0;
}

/* ------------------------------------------------------------------------------ memtun-host */

/*
 * Become memtun-host: the one in this program's directory, as before installation, or else the
 * installed one. Return only on failure, with errno.
 */
static void host_become(char **command)
{
	char beside[PATH_MAX + sizeof("memtun-host")];
	ssize_t length = readlink("/proc/self/exe", beside, PATH_MAX);

	if (length > 0) {
		beside[length] = '\0';
		strcpy(strrchr(beside, '/') + 1, "memtun-host");
		execv(beside, command);
		if (errno != ENOENT)
			return;
	}
	execv(PKGLIBEXECDIR "/memtun-host", command);
}

static int host_exec(struct host *host)
{
	char fd[NUMBER_SIZE], ready_fd[NUMBER_SIZE], mtu[NUMBER_SIZE];
	char tap[] = "tap", tun[] = "tun", self[] = "memtun-host";
	char *command[HOST_FIRST_ADDRESS + ADDRESS_WORDS_MAX + 1] = {
		self, host->opened, fd, ready_fd, host->mode == MEMTUN_TAP ? tap : tun, mtu,
	};

	memcpy(command + HOST_FIRST_ADDRESS, host->words, sizeof(host->words));
	snprintf(fd, sizeof(fd), "%d", host->fd);
	snprintf(ready_fd, sizeof(ready_fd), "%d", host->ready_fd);
	snprintf(mtu, sizeof(mtu), "%u", (unsigned int)host->mtu);
	if (fcntl(host->fd, F_SETFD, 0) < 0)
		return command_fail(EXIT_REFUSED, "cannot pass a descriptor to memtun-host: %s",
				    strerror(errno));
	host_become(command);
	if (errno == ENOENT)
		return command_fail(EXIT_REFUSED,
				    "memtun-host is neither beside memtun nor in " PKGLIBEXECDIR
				    ": was memtun built without lwIP?");
	return command_fail(EXIT_REFUSED, "cannot run memtun-host: %s", strerror(errno));
}

static int host_run(const struct invocation *invocation)
{
	struct host host = {.fd = -1, .ready_fd = -1};
	int status = host_parse(&host, invocation);

	if (status == 0)
		status = command_connected(invocation, host_open, &host);
	memtun_options_free(host.options);
	if (status == 0)
		status = host_exec(&host);
	descriptor_close(&host.fd);
	return status;
}

static const struct command_option host_options[] = {
	TAKES_READY_FD("write a newline to FD once the host answers"),
	{0},
};

const struct command command_host = {
	.name = "host",
	.summary = "be an IP host that answers ping and echoes port 7",
	.usage = "NAME address A/P [address A6/P6] [KEY VALUE]...",
	.example = "memtun host gw bridge lab address 10.0.0.1/24",
	.options = host_options,
	.keys = KEYS_HOST,
	.needs = "the NAME of a tunnel",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.run = host_run,
};

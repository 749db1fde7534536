/* SPDX-License-Identifier: MIT */
/*
 * memtun host: opens a tunnel and becomes memtun-host, which runs a TCP/IP stack on it. This file
 * checks the command line and the tunnel first, so that memtun-host starts only if it can work.
 */
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/host_program.h"
#include "client/command/keys.h"
#include "client/command/options_parse.h"
#include "common/descriptor.h"
#include "common/host_addresses.h"
#include "memtun.h"

struct host {
	const char *name;
	struct memtun_options *options;
	struct host_program program;
	char socks[SOCKET_ADDRESS_TEXT_SIZE + 1]; /* where to listen; "": nowhere */
};

/* Take `socks [ADDRESS:]PORT`. Without an address it is the loopback's. Return 2 words, or -1. */
static int host_take_socks(struct host *host, const char *value)
{
	struct sockaddr_storage address;
	bool has_address = strpbrk(value, ".:") != NULL;

	if ((size_t)snprintf(host->socks, sizeof(host->socks), "%s%s",
			     has_address ? "" : "127.0.0.1:", value) >= sizeof(host->socks) ||
	    socket_address_parse_with_port(host->socks, &address) < 0 ||
	    !socket_address_port(&address)) {
		command_fail(0, "socks takes ADDRESS:PORT or a PORT of the loopback, not '%s'",
			     value);
		return -1;
	}
	host_program_add(&host->program, "socks", host->socks);
	return 2;
}

/* Take the key and value that the words begin with. Return how many words, or -1. */
static int host_take(struct host *host, int count, char **words)
{
	if (host_addresses_has_key(words[0])) {
		if (count < 2) {
			command_fail(0, "%s needs a value", words[0]);
			return -1;
		}
		return host_program_add_address(&host->program, words[0], words[0], words[1]) == 0
			       ? 2
			       : -1;
	}
	if (strcmp(words[0], "socks") == 0 && count > 1 && !host->socks[0])
		return host_take_socks(host, words[1]);
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
	if (options_ready_fd(invocation, &host->program.ready_fd))
		return EXIT_USAGE;
	wrong = host_addresses_check(&host->program.addresses);
	return wrong ? command_fail(EXIT_USAGE, "%s", wrong) : 0;
}

static int host_open(struct memtun *memtun, void *context)
{
	struct host *host = context;

	return host_program_open(&host->program, memtun, host->name, host->options);
}

static int host_run(const struct invocation *invocation)
{
	struct host host = {.program = {.fd = -1, .ready_fd = -1}};
	int status = host_parse(&host, invocation);

	if (status == 0)
		status = command_connected(invocation, host_open, &host);
	memtun_options_free(host.options);
	if (status == 0)
		status = host_program_exec(&host.program);
	descriptor_close(&host.program.fd);
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

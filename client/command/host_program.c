/* SPDX-License-Identifier: MIT */
#include "client/command/host_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"

/* Room for a number as text. */
#define NUMBER_SIZE 12

void host_program_add(struct host_program *program, const char *key, const char *value)
{
	program->words[program->word_count++] = key;
	program->words[program->word_count++] = value;
}

int host_program_add_address(struct host_program *program, const char *key, const char *word,
			     const char *value)
{
	const char *reason;

	if (host_addresses_set(&program->addresses, key, value, &reason) < 0)
		return command_fail(EXIT_USAGE, "%s %s: %s", word, value, reason);
	host_program_add(program, key, value);
	return 0;
}

/* ------------------------------------------------------------------------------ the tunnel */

static void host_record(const struct memtun_record *record, void *context)
{
	static const char *const headers[] = {"pi", "vnet_hdr"};
	const char *socket = memtun_record_string(record, "socket");
	struct host_program *program = context;
	uint64_t is_on;

	memtun_record_number(record, "mode", &program->mode);
	memtun_record_number(record, "mtu", &program->mtu);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (memtun_record_number(record, headers[i], &is_on) == 0 && is_on)
			program->unfit = headers[i];
	}
	/* On a dgram socket, memtun-host would not see the tunnel's end. */
	if (socket && strcmp(socket, "seqpacket") != 0)
		program->unfit = strcmp(socket, "dgram") == 0 ? "socket dgram" : "socket stream";
}

/* Set the option to the values of that key, joined by '+'. */
static int option_join(const struct host_program *program, struct memtun_options *options,
		       const char *key)
{
	char text[MEMTUN_TEXT_SIZE] = "";

	for (int i = 0; i < program->word_count; i += 2) {
		if (strcmp(program->words[i], key) != 0)
			continue;
		if (text[0])
			strlcat(text, "+", sizeof(text));
		strlcat(text, program->words[i + 1], sizeof(text));
	}
	return text[0] ? memtun_options_set(options, key, text) : 0;
}

/*
 * Set the tunnel's addresses, so that its adapter on an Ethernet bridge answers for them before the
 * host has sent a packet.
 */
static int host_set_addresses(const struct host_program *program, struct memtun *memtun)
{
	struct memtun_options *options = memtun_options_new();
	int status = 0;

	if (!options)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (option_join(program, options, "address") < 0 ||
	    option_join(program, options, "gateway") < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_options_error(options));
	else if (memtun_set(memtun, program->opened, options) < 0)
		status = -1;
	memtun_options_free(options);
	return status;
}

int host_program_open(struct host_program *program, struct memtun *memtun, const char *name,
		      const struct memtun_options *options)
{
	const char *wrong;

	program->fd = memtun_open_named(memtun, name, options, program->opened);
	if (program->fd < 0 ||
	    memtun_show(memtun, program->opened, false, host_record, program) < 0)
		return -1;
	if (program->unfit)
		return command_fail(EXIT_REFUSED, "%s: host can't use a tunnel with %s",
				    program->opened, program->unfit);
	wrong = host_addresses_check_tunnel(&program->addresses, program->mode == MEMTUN_TAP,
					    (unsigned int)program->mtu);
	if (wrong)
		return command_fail(EXIT_REFUSED, "%s: %s", program->opened, wrong);
	return program->mode == MEMTUN_TUN ? host_set_addresses(program, memtun) : 0;
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

int host_program_exec(struct host_program *program)
{
	char fd[NUMBER_SIZE], ready_fd[NUMBER_SIZE], mtu[NUMBER_SIZE];
	char tap[] = "tap", tun[] = "tun", self[] = "memtun-host";
	char *command[HOST_FIRST_ADDRESS + HOST_WORDS_MAX + 1] = {
		self, program->opened, fd, ready_fd, program->mode == MEMTUN_TAP ? tap : tun, mtu,
	};

	/* execv(2) changes no string. */
	memcpy(command + HOST_FIRST_ADDRESS, program->words, sizeof(program->words));
	snprintf(fd, sizeof(fd), "%d", program->fd);
	snprintf(ready_fd, sizeof(ready_fd), "%d", program->ready_fd);
	snprintf(mtu, sizeof(mtu), "%u", (unsigned int)program->mtu);
	if (fcntl(program->fd, F_SETFD, 0) < 0)
		return command_fail(EXIT_REFUSED, "cannot pass a descriptor to memtun-host: %s",
				    strerror(errno));
	host_become(command);
	if (errno == ENOENT)
		return command_fail(EXIT_REFUSED,
				    "memtun-host is neither beside memtun nor in " PKGLIBEXECDIR
				    ": was memtun built without lwIP?");
	return command_fail(EXIT_REFUSED, "cannot run memtun-host: %s", strerror(errno));
}

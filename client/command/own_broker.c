/* SPDX-License-Identifier: MIT */
#include "client/command/own_broker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/options_parse.h"

/* Become a private broker that runs the same command line again. Return only on failure. */
static int own_broker_become(const struct invocation *invocation)
{
	char self[PATH_MAX], broker[PATH_MAX + sizeof("memtund")];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t count = 0;
	char **command;

	if (length < 0)
		return command_fail(EXIT_OURS, "cannot find this program: %s", strerror(errno));
	self[length] = '\0';
	snprintf(broker, sizeof(broker), "%.*smemtund", (int)(strrchr(self, '/') - self + 1), self);
	while (invocation->arguments[count])
		count++;
	command = reallocarray(NULL, count + 3, sizeof(char *));
	if (!command)
		return command_fail(EXIT_OURS, "out of memory");
	command[0] = broker;
	command[1] = (char *)(uintptr_t) "--";
	command[2] = self;
	memcpy(command + 3, invocation->arguments + 1, count * sizeof(char *));
	fputs("memtun: no broker is running; this command gets one of its own, whose bridges only "
	      "it and the programs that it starts can join; to share one, start memtund first, or "
	      "run all under 'memtund --'\n",
	      stderr);
	process_restore_signals(invocation->inherited);
	execv(broker, command);
	/* If the directory of this program has no memtund, search PATH. */
	if (errno == ENOENT)
		execvp("memtund", command);
	free(command);
	return command_fail(EXIT_OURS, "no broker is running, and memtund can't be started: %s",
			    strerror(errno));
}

int own_broker_connect(const struct invocation *invocation, struct memtun **memtun)
{
	const char *socket = options_value(invocation, "--socket");
	const char *named = getenv("MEMTUN_SOCKET");
	int timeout;

	if (command_reply_timeout(invocation, &timeout))
		return EXIT_OURS;
	*memtun = memtun_new();
	if (!*memtun)
		return command_fail(EXIT_OURS, "out of memory");
	memtun_set_timeout(*memtun, timeout);
	if (memtun_connect(*memtun, socket) == 0)
		return 0;
	if (errno == ENOENT && !socket && !(named && named[0]))
		return own_broker_become(invocation);
	return command_fail(EXIT_OURS, "%s", memtun_error(*memtun));
}

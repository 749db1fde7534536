/* SPDX-License-Identifier: MIT */
/*
 * memtun show: tunnels as a table.
 */
#include "client/command/command.h"
#include "client/command/listing.h"
#include "memtun.h"

static const char *const keys[] = {
	"name",    "mode", "state",      "bridge", "peer", "socket",
	"backend", "mtu",  "persistent", "owner",  NULL,
};

int command_show(const struct invocation *invocation, int count, char **words)
{
	struct memtun *memtun;
	int status;

	if (count > 1)
		return command_fail(EXIT_USAGE, "show takes one NAME, or none");
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = listing_print(invocation, memtun, count ? words[0] : NULL, memtun_show, keys);
	memtun_free(memtun);
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "client/command/request.h"

#include <errno.h>

#include "client/command/command.h"
#include "client/command/keys.h"

struct pending {
	const struct request *request;
	const char *name;
	struct memtun_options *options;
	bool is_done;
	int status;
};

static void request_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct pending *pending = context;

	(void)memtun;
	if (reply->record) {
		if (pending->request->made)
			pending->request->made(reply->record, pending->name);
		return;
	}
	pending->is_done = true;
	if (reply->error)
		pending->status = command_fail(EXIT_REFUSED, "%s", reply->text);
}

static int request_make(struct memtun *memtun, void *context)
{
	struct pending *pending = context;

	if (memtun_request(memtun, pending->request->command, pending->name, pending->options,
			   request_answered, pending) < 0)
		return -1;
	while (!pending->is_done) {
		/* If the connection ends, libmemtun answers the request with an error first. */
		if (memtun_wait(memtun, -1) < 0 && errno != EINTR && !pending->is_done)
			return -1;
	}
	return pending->status;
}

int request_run(const struct invocation *invocation)
{
	const struct request *request = &invocation->command->request;
	struct pending pending = {.request = request, .name = invocation->words[0]};
	int status = EXIT_USAGE;

	pending.options =
		keys_parse(invocation->command->keys, invocation->count - 1, invocation->words + 1);
	if (!pending.options)
		return status;
	status = request->prepare ? request->prepare(pending.options) : 0;
	if (status == 0)
		status = command_connected(invocation, request_make, &pending);
	memtun_options_free(pending.options);
	return status;
}

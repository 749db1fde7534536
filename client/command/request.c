/* SPDX-License-Identifier: MIT */
#include "client/command/request.h"

#include <errno.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/keys.h"

struct pending {
	const struct request *request;
	char *const *names;
	int name_count;
	const char *name;                /* of the request that is being made */
	char starting[MEMTUN_NAME_SIZE]; /* the name of an object that is still starting, or "" */
	struct memtun_options *options;
	bool is_done;
	int status;
};

static void request_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct pending *pending = context;
	const struct request *request = pending->request;

	(void)memtun;
	if (reply->record) {
		if (request->is_starting && request->is_starting(reply->record))
			strlcpy(pending->starting, memtun_record_string(reply->record, "name"),
				sizeof(pending->starting));
		else if (request->made)
			request->made(reply->record, pending->name);
		return;
	}
	pending->is_done = true;
	if (reply->error)
		pending->status = command_fail(EXIT_REFUSED, "%s", reply->text);
}

/* Send the request for pending->name, and wait for the answer. */
static int request_send(struct memtun *memtun, struct pending *pending)
{
	pending->is_done = false;
	if (memtun_request(memtun, pending->request->command, pending->name, pending->options,
			   request_answered, pending) < 0)
		return -1;
	while (!pending->is_done) {
		/* If the connection ends, libmemtun answers the request with an error first. */
		if (memtun_wait(memtun, -1) < 0 && errno != EINTR && !pending->is_done)
			return -1;
	}
	return 0;
}

/* Send a request for each name. One that is refused does not prevent the others. */
static int request_make(struct memtun *memtun, void *context)
{
	struct pending *pending = context;

	for (int i = 0; i < pending->name_count; i++) {
		pending->name = pending->names[i];
		if (request_send(memtun, pending) < 0)
			return -1;
	}
	if (pending->starting[0] && pending->request->finish(memtun, pending->starting) < 0)
		return -1;
	return pending->status;
}

int request_run_options(const struct invocation *invocation, struct memtun_options *options)
{
	const struct request *request = &invocation->command->request;
	struct pending pending = {
		.request = request,
		.names = invocation->words,
		.name_count = request->has_names ? invocation->count : 1,
		.options = options,
	};
	int status = request->prepare ? request->prepare(options) : 0;

	if (status == 0)
		status = command_connected(invocation, request_make, &pending);
	memtun_options_free(options);
	return status;
}

int request_run(const struct invocation *invocation)
{
	int names = invocation->command->request.has_names ? invocation->count : 1;
	struct memtun_options *options = keys_parse(
		invocation->command->keys, invocation->count - names, invocation->words + names);

	return options ? request_run_options(invocation, options) : EXIT_USAGE;
}

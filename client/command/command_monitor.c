/* SPDX-License-Identifier: MIT */
/*
 * memtun monitor: events as they come, a line each.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "memtun.h"
#include "client/command/table.h"
#include "client/command/uplink_joined.h"

struct monitor {
	bool json;
	bool failed; /* the output can't be written any more */
};

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

static void monitor_event(const struct memtun_record *record, void *context)
{
	struct monitor *monitor = context;
	const char *bridge = memtun_record_string(record, "bridge");
	const char *mode = memtun_record_string(record, "mode");
	const char *peer = memtun_record_string(record, "peer");
	const char *type = memtun_record_string(record, "type");
	const char *reason = memtun_record_string(record, "reason");
	char joined[UPLINK_JOINED_SIZE];
	uint64_t time = 0;

	if (monitor->json) {
		monitor->failed |= table_print_line(record) < 0;
		return;
	}
	memtun_record_number(record, "time", &time);
	printf("%" PRIu64 ".%06" PRIu64 " %s %s%s%s%s%s%s%s", time / 1000000000,
	       time / 1000 % 1000000, or_nothing(memtun_record_string(record, "event")),
	       or_nothing(memtun_record_string(record, "name")), mode ? " " : "", or_nothing(mode),
	       bridge ? " bridge " : "", or_nothing(bridge), peer ? " peer " : "",
	       or_nothing(peer));
	if (type)
		printf(" type %s %s", type, uplink_joined(record, joined));
	printf("%s%s\n", reason ? ": " : "", or_nothing(reason));
	monitor->failed |= fflush(stdout) == EOF;
}

int command_monitor(const struct invocation *invocation, int count, char **words)
{
	struct monitor monitor = {.json = invocation->json};
	struct memtun *memtun;
	int ready_fd = -1, status;

	if (count)
		return command_fail(EXIT_USAGE, "monitor takes no '%s'", words[0]);
	if (invocation->ready_fd && command_ready_fd(invocation->ready_fd, &ready_fd))
		return EXIT_USAGE;
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	if (memtun_subscribe(memtun, monitor_event, &monitor) < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	else
		status = command_ready(ready_fd);
	while (status == 0 && !monitor.failed) {
		if (memtun_wait(memtun, -1) < 0 && errno != EINTR)
			status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	}
	memtun_free(memtun);
	return monitor.failed ? EXIT_REFUSED : status;
}

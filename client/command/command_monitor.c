/* SPDX-License-Identifier: MIT */
/*
 * memtun monitor: prints events as they happen, one on each line.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/interface_view.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/rule_view.h"
#include "client/command/table.h"
#include "client/command/uplink_joined.h"
#include "common/clock.h"
#include "memtun.h"

struct monitor {
	bool json;
	int ready_fd; /* -1: none */
	bool failed;  /* the output can't be written */
};

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

/* Print the local time of a time of CLOCK_MONOTONIC, in nanoseconds, as memtun capture does. */
static void print_time(uint64_t time)
{
	struct timespec now;
	char clock[16] = "";
	struct tm parts;
	int64_t real;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	real = (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec - (clock_now() - (int64_t)time);
	seconds = (time_t)(real / CLOCK_SECOND);
	if (localtime_r(&seconds, &parts))
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	fprintf(output, "%s.%06d", clock, (int)(real % CLOCK_SECOND / 1000));
}

/* Print the rest of a line about a changed interface. */
static void print_interface(const struct memtun_record *record)
{
	char text[64];
	int used = snprintf(text, sizeof(text), " %s %s",
			    or_nothing(memtun_record_string(record, "event")),
			    or_nothing(memtun_record_string(record, "name")));

	fputs(text, output);
	interface_view_write_change(output, record, (int)strlen("12:34:56.123456") + used);
	fputc('\n', output);
}

/* Print a rule with its keys. */
static void print_rule(const struct memtun_record *record)
{
	fprintf(output, " %s %s rule %s ", or_nothing(memtun_record_string(record, "event")),
		or_nothing(memtun_record_string(record, "name")),
		or_nothing(memtun_record_string(record, "rule")));
	rule_view_write(record, output);
	fprintf(output, " seed %s\n", or_nothing(memtun_record_string(record, "seed")));
}

static void monitor_event(const struct memtun_record *record, void *context)
{
	struct monitor *monitor = context;
	const char *bridge = memtun_record_string(record, "bridge");
	const char *mode = memtun_record_string(record, "mode");
	const char *peer = memtun_record_string(record, "peer");
	const char *address = memtun_record_string(record, "address");
	const char *type = memtun_record_string(record, "type");
	const char *reason = memtun_record_string(record, "reason");
	const char *changed = memtun_record_string(record, "changed");
	const char *former = memtun_record_string(record, "former-name");
	const char *pid = memtun_record_string(record, "pid");
	const char *program = memtun_record_string(record, "program");
	char joined[UPLINK_JOINED_SIZE];
	uint64_t time = 0;

	if (monitor->json) {
		monitor->failed |= table_print_line(record) < 0;
		return;
	}
	memtun_record_number(record, "time", &time);
	print_time(time);
	if (interface_view_is_change(record)) {
		print_interface(record);
		monitor->failed |= output_flush() < 0;
		return;
	}
	if (memtun_record_string(record, "rule")) {
		print_rule(record);
		monitor->failed |= output_flush() < 0;
		return;
	}
	fprintf(output, " %s %s%s%s%s%s%s%s%s%s", or_nothing(memtun_record_string(record, "event")),
		or_nothing(memtun_record_string(record, "name")), mode ? " " : "", or_nothing(mode),
		bridge ? " bridge " : "", or_nothing(bridge), peer ? " peer " : "",
		or_nothing(peer), address ? " address " : "", or_nothing(address));
	if (type)
		fprintf(output, " type %s %s", type, uplink_joined(record, joined));
	/* What a port of a listening uplink is joined to has its process. */
	if (!memtun_record_string(record, "listener"))
		fprintf(output, "%s%s%s%s", pid ? " pid " : "", or_nothing(pid),
			program ? " program " : "", or_nothing(program));
	fprintf(output, "%s%s%s%s%s%s\n", changed ? " keys " : "", or_nothing(changed),
		former ? " former-name " : "", or_nothing(former), reason ? ": " : "",
		or_nothing(reason));
	monitor->failed |= output_flush() < 0;
}

/* Wait for the broker, and for the end of the reader of standard output. */
static int monitor_wait(struct monitor *monitor, struct memtun *memtun)
{
	struct pollfd fds[2] = {
		{.fd = memtun_fd(memtun), .events = memtun_events(memtun)},
		output_watch(),
	};

	poll(fds, 2, clock_poll_timeout(memtun_deadline(memtun)));
	if (output_has_no_reader(&fds[1])) {
		output_break();
		monitor->failed = true;
		return 0;
	}
	return memtun_dispatch(memtun);
}

static int monitor_subscribe(struct memtun *memtun, void *context)
{
	struct monitor *monitor = context;
	int status;

	if (memtun_subscribe(memtun, monitor_event, monitor) < 0)
		return -1;
	status = command_ready(monitor->ready_fd);
	while (status == 0 && !monitor->failed) {
		if (monitor_wait(monitor, memtun) < 0)
			return -1;
	}
	return monitor->failed ? EXIT_REFUSED : status;
}

static int monitor_run(const struct invocation *invocation)
{
	struct monitor monitor = {.json = options_has(invocation, "--json"), .ready_fd = -1};

	if (options_ready_fd(invocation, &monitor.ready_fd))
		return EXIT_USAGE;
	return command_connected(invocation, monitor_subscribe, &monitor);
}

static const struct command_option monitor_options[] = {
	TAKES_JSON("print each event as a JSON object on one line"),
	TAKES_READY_FD("write a newline to FD once no event can be missed"),
	{0},
};

const struct command command_monitor = {
	.name = "monitor",
	.summary = "print events as they happen",
	.usage = "",
	.example = "memtun monitor -j",
	.options = monitor_options,
	.run = monitor_run,
};

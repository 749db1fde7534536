/* SPDX-License-Identifier: MIT */
/*
 * memtun extcap: what Wireshark executes to list the bridges, tunnels and uplinks of the broker as
 * interfaces, and to capture on one of them.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/capture_filter.h"
#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/recording.h"
#include "config.h"

/*
 * Wireshark looks in a folder for such programs, where memtun-extcap is a link to memtun.
 * doc/README.extcap of Wireshark's sources, and extcap(4), define the options and the sentences
 * that are printed.
 *
 * The name of an interface is memtun:NAME for a tunnel or an uplink, and memtun:bridge:NAME for a
 * bridge. A ':' occurs in no NAME.
 */

#define PORT_PREFIX "memtun:"
#define BRIDGE_PREFIX "memtun:bridge:"

/* Link types of tcpdump.org, which Wireshark calls DLT. */
#define LINK_ETHERNET 1
#define LINK_RAW_IP 101

struct extcap {
	const struct invocation *invocation;
	enum recorded of;
	char name[MEMTUN_NAME_SIZE];
	const char *filter; /* NULL: all frames */
};

/* ------------------------------------------------------------------------------ names */

/*
 * Print the name with each byte but ASCII's letters, digits and some signs as %XX, because a '}' ends
 * a value in Wireshark's eyes, and it refuses what is not UTF-8. A '%' occurs in no name.
 */
static void name_print(const char *name)
{
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (byte < 0x80 && (isalnum(byte) || strchr("-._+@~", byte)))
			fputc(byte, output);
		else
			fprintf(output, "%%%02X", byte);
	}
}

/* Do the reverse of name_print(). -1: the text is no name. */
static int name_read(char name[MEMTUN_NAME_SIZE], const char *text)
{
	size_t length = 0;

	for (; *text; text++) {
		char digits[3] = "", *end = digits;
		char byte = *text;

		if (byte == '%') {
			strlcpy(digits, text + 1, sizeof(digits));
			byte = (char)strtoul(digits, &end, 16);
			if (end != digits + 2)
				return -1;
			text += 2;
		}
		if (byte == '\0' || length + 1 >= MEMTUN_NAME_SIZE)
			return -1;
		name[length++] = byte;
	}
	name[length] = '\0';
	return length > 0 ? 0 : -1;
}

/* Store what the name of an interface refers to. Return 0, or the exit status after a message. */
static int interface_read(struct extcap *extcap, const char *interface)
{
	const char *name = NULL;

	extcap->of = RECORDED_PORT;
	if (!interface)
		return command_fail(EXIT_USAGE, "extcap needs an --extcap-interface");
	if (strncmp(interface, BRIDGE_PREFIX, strlen(BRIDGE_PREFIX)) == 0) {
		extcap->of = RECORDED_BRIDGE;
		name = interface + strlen(BRIDGE_PREFIX);
	} else if (strncmp(interface, PORT_PREFIX, strlen(PORT_PREFIX)) == 0) {
		name = interface + strlen(PORT_PREFIX);
	}
	if (name && name_read(extcap->name, name) == 0)
		return 0;
	return command_fail(EXIT_USAGE, "'%s' is none of memtun's interfaces for Wireshark",
			    interface);
}

/* ------------------------------------------------------------------------------ interfaces */

static void interface_print(const struct memtun_record *record, const char *prefix,
			    const char *what)
{
	const char *name = memtun_record_string(record, "name");

	if (!name)
		return;
	fprintf(output, "interface {value=%s", prefix);
	name_print(name);
	fprintf(output, "}{display=memtun %s ", what);
	name_print(name);
	fputs("}\n", output);
}

static void bridge_print(const struct memtun_record *record, void *context)
{
	(void)context;
	interface_print(record, BRIDGE_PREFIX, "bridge");
}

/* Print the tunnel, unless its frames bypass the broker. */
static void tunnel_print(const struct memtun_record *record, void *context)
{
	uint64_t backend = MEMTUN_MEMORY;

	(void)context;
	memtun_record_number(record, "backend", &backend);
	if (!memtun_record_string(record, "peer") && backend == MEMTUN_MEMORY)
		interface_print(record, PORT_PREFIX, "tunnel");
}

static void uplink_print(const struct memtun_record *record, void *context)
{
	(void)context;
	interface_print(record, PORT_PREFIX, "uplink");
}

static int interfaces_print(struct memtun *memtun, void *context)
{
	(void)context;
	if (memtun_bridge_show(memtun, NULL, bridge_print, NULL) < 0 ||
	    memtun_show(memtun, NULL, false, tunnel_print, NULL) < 0 ||
	    memtun_uplink_show(memtun, NULL, false, uplink_print, NULL) < 0)
		return -1;
	return 0;
}

/*
 * Wireshark lists interfaces at each start. Without a broker there are none, and this is no error.
 */
static int extcap_list(const struct invocation *invocation)
{
	struct memtun *memtun = memtun_new();
	bool is_there;

	fputs("extcap {version=" PACKAGE_VERSION "}{display=memtun}\n", output);
	if (!memtun)
		return command_fail(EXIT_REFUSED, "out of memory");
	is_there = memtun_connect(memtun, options_value(invocation, "--socket")) == 0 ||
		   (errno != ENOENT && errno != ECONNREFUSED);
	memtun_free(memtun);
	return is_there ? command_connected(invocation, interfaces_print, NULL) : 0;
}

/* ------------------------------------------------------------------------------ one interface */

static int link_type_print(struct memtun *memtun, void *context)
{
	struct extcap *extcap = context;
	enum memtun_mode mode;
	int status = recording_find(memtun, extcap->name, &extcap->of, &mode);

	if (status == 0 && mode == MEMTUN_TAP)
		fprintf(output, "dlt {number=%d}{name=EN10MB}{display=Ethernet}\n", LINK_ETHERNET);
	else if (status == 0)
		fprintf(output, "dlt {number=%d}{name=RAW}{display=Raw IP}\n", LINK_RAW_IP);
	return status;
}

/* Wireshark takes what is printed as the reason why the filter is wrong, and nothing as approval. */
static int filter_check(struct memtun *memtun, void *context)
{
	struct extcap *extcap = context;
	struct capture_filter filter = {.text = extcap->filter};
	enum memtun_mode mode;
	int status = recording_find(memtun, extcap->name, &extcap->of, &mode);

	if (status == 0 && capture_filter_compile(&filter, mode) < 0)
		fprintf(output, "%s\n", filter.fault);
	capture_filter_free(&filter);
	return status;
}

static int config_print(void)
{
	fputs("arg {number=0}{call=--faults}{display=Frames that were dropped or impaired}"
	      "{tooltip=Each has a comment that says why}{type=boolflag}{default=false}\n",
	      output);
	return 0;
}

static int extcap_record(struct memtun *memtun, void *context)
{
	return recording_run(memtun, context);
}

/*
 * Open the FIFO, which waits for its reader, before anything else can fail: Wireshark reads standard
 * error when it has seen the end of the FIFO. SIGPIPE ends memtun in silence when Wireshark closes it.
 */
static int extcap_capture(const struct extcap *extcap)
{
	struct recording recording = {
		.of = extcap->of,
		.name = extcap->name,
		.path = options_value(extcap->invocation, "--fifo"),
		.filter = extcap->filter,
		.faults = options_has(extcap->invocation, "--faults"),
		.ready_fd = -1,
		.quiet = true,
	};

	if (!recording.path)
		return command_fail(EXIT_USAGE, "extcap --capture needs a --fifo");
	signal(SIGPIPE, SIG_DFL);
	recording.fd = open(recording.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (recording.fd < 0)
		return command_fail(EXIT_REFUSED, "cannot open %s: %s", recording.path,
				    strerror(errno));
	return command_connected(extcap->invocation, extcap_record, &recording);
}

/* ------------------------------------------------------------------------------ the command */

static int extcap_run(const struct invocation *invocation)
{
	struct extcap extcap = {
		.invocation = invocation,
		.filter = options_value(invocation, "--extcap-capture-filter"),
	};
	int status;

	if (options_has(invocation, "--extcap-interfaces"))
		return extcap_list(invocation);
	status = interface_read(&extcap, options_value(invocation, "--extcap-interface"));
	if (status)
		return status;
	if (options_has(invocation, "--capture"))
		return extcap_capture(&extcap);
	if (options_has(invocation, "--extcap-dlts"))
		return command_connected(invocation, link_type_print, &extcap);
	if (options_has(invocation, "--extcap-config"))
		return config_print();
	if (extcap.filter)
		return command_connected(invocation, filter_check, &extcap);
	return command_fail(EXIT_USAGE, "extcap needs one of --extcap-interfaces, --extcap-dlts, "
					"--extcap-config, --extcap-capture-filter and --capture");
}

static const struct command_option extcap_options[] = {
	{"--extcap-interfaces", 0, NULL, "list the bridges, tunnels and uplinks"},
	{"--extcap-version", 0, "V", "Wireshark's version, which has no effect"},
	{"--extcap-interface", 0, "I", "the interface for the next four options"},
	{"--extcap-dlts", 0, NULL, "print its link type"},
	{"--extcap-config", 0, NULL, "print which options a capture takes"},
	{"--extcap-capture-filter", 0, "F", "capture matching frames, or check the filter F"},
	{"--capture", 0, NULL, "capture its frames"},
	{"--faults", 0, NULL, "also frames that were dropped or impaired"},
	{"--fifo", 0, "FILE", "write the pcapng file to this FIFO"},
	{0},
};

const struct command command_extcap = {
	.name = "extcap",
	.summary = "list and capture interfaces for Wireshark, which executes this",
	.usage = "OPTIONS",
	.about = "Wireshark and tshark find memtun's interfaces if a link to memtun with the name\n"
		 "memtun-extcap is in ~/.config/wireshark/extcap, or from Wireshark 4.2 on in\n"
		 "~/.local/lib/wireshark/extcap.",
	.example = "ln -s \"$(command -v memtun)\" ~/.config/wireshark/extcap/memtun-extcap",
	.options = extcap_options,
	.run = extcap_run,
};

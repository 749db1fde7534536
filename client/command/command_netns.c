/* SPDX-License-Identifier: MIT */
/*
 * memtun netns enters namespaces of its own, makes an interface for each SPEC there, hands the
 * interfaces' descriptors to the broker, and executes the program in its own process. The kernel's
 * TCP/IP is then on the bridge, and only the broker of memtun still runs.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/netns_spec.h"
#include "client/command/options_parse.h"
#include "client/command/own_broker.h"
#include "client/netns/namespace.h"
#include "client/netns/resolver.h"
#include "client/lib/broker_identity.h"
#include "common/descriptor.h"
#include "common/identity.h"
#include "common/tunnel_name.h"

/*
 * The broker has a pidfd of the program. When the program ends, the broker closes the interfaces'
 * descriptors, and the kernel deletes the interfaces and the namespaces.
 */

struct netns {
	struct netns_spec *specs;
	int count;
	char resolver[NETNS_RESOLVER_SIZE]; /* "": the program has the system's resolv.conf */
	struct namespaces namespaces;
	struct rtnetlink rtnetlink;
	int life;          /* a pidfd of this process */
	uint64_t identity; /* of the broker, for MAC addresses */
	struct obstacle obstacle;
};

/* ------------------------------------------------------------------------------ command line */

/* Refuse two interfaces of one name. Templates get names that differ. Return the exit status. */
static int netns_check_names(const struct netns *netns)
{
	for (int i = 0; i < netns->count; i++) {
		const char *name = netns->specs[i].asked;

		for (int k = 0; k < i && !tunnel_name_is_template(name); k++) {
			if (strcmp(netns->specs[k].asked, name) == 0)
				return command_fail(EXIT_OURS, "-t %s is given twice", name);
		}
	}
	return 0;
}

static int netns_parse(struct netns *netns, const struct invocation *invocation)
{
	int status = 0;

	netns->namespaces.maps_root = options_has(invocation, "--map-root");
	netns->specs = calloc((size_t)invocation->given_count + 1, sizeof(*netns->specs));
	if (!netns->specs)
		return command_fail(EXIT_OURS, "out of memory");
	for (int i = 0; i < invocation->given_count && status == 0; i++) {
		if (strcmp(invocation->given[i].option->name, "-t") == 0)
			status = netns_spec_parse(&netns->specs[netns->count++],
						  invocation->given[i].value, netns->resolver);
	}
	if (status == 0 && netns->count == 0)
		status = command_fail(EXIT_OURS,
				      "netns needs an interface: -t NAME:bridge=BRIDGE,...");
	if (status == 0)
		status = netns_check_names(netns);
	netns->namespaces.has_mounts = netns->resolver[0] != '\0';
	return status;
}

/* ------------------------------------------------------------------------------ the namespace */

/* Print the obstacle. Return the exit status. */
static int netns_fail(const struct netns *netns)
{
	return command_fail(EXIT_OURS, "%s", netns->obstacle.text);
}

static int netns_enter(struct netns *netns)
{
	if (namespaces_enter(&netns->namespaces, &netns->obstacle) < 0)
		return netns_fail(netns);
	if (netns->resolver[0] && resolver_bind(netns->resolver, &netns->obstacle) < 0)
		return netns_fail(netns);
	if (rtnetlink_open(&netns->rtnetlink) < 0)
		return command_fail(EXIT_OURS, "cannot open a netlink socket: %s", strerror(errno));
	if (interface_set_up_loopback(&netns->rtnetlink, &netns->obstacle) < 0)
		return netns_fail(netns);
	/* glibc has pidfd_open() only since 2.36. */
	netns->life = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (netns->life < 0)
		return command_fail(EXIT_OURS, "cannot open a pidfd of this process: %s",
				    strerror(errno));
	return 0;
}

/* ------------------------------------------------------------------------------ interfaces */

/* Make the interface with this name, or rename it if *fd shows that it exists. */
static int netns_make(struct netns *netns, struct netns_spec *spec, const char *name, int *fd)
{
	if (*fd >= 0)
		return interface_rename(&spec->interface, &netns->rtnetlink, name,
					&netns->obstacle);
	strlcpy(spec->interface.name, name, sizeof(spec->interface.name));
	*fd = interface_make(&spec->interface, &netns->obstacle);
	return *fd < 0 ? -1 : 0;
}

/*
 * Give the interface this name and hand it in. Return 0, EBUSY if a template's name is taken in the
 * broker, or -1 after a message.
 */
static int netns_hand_in(struct netns *netns, struct memtun *memtun, struct netns_spec *spec,
			 const char *name, int *fd)
{
	if (netns_make(netns, spec, name, fd) < 0) {
		command_fail(0, "-t %s: %s", spec->text, netns->obstacle.text);
		return -1;
	}
	if (memtun_uplink_add_fd(memtun, name, spec->options, *fd, netns->life) == 0)
		return 0;
	if (errno == EBUSY && tunnel_name_is_template(spec->asked))
		return EBUSY;
	command_fail(0, "-t %s: %s", spec->text, memtun_error(memtun));
	return -1;
}

/*
 * Make the interface and hand it in. A %d stands for the lowest number that makes a free name both
 * in the namespace and in the broker. -1 after a message.
 */
static int netns_join(struct netns *netns, struct memtun *memtun, struct netns_spec *spec)
{
	descriptor_owned fd = -1;
	char name[MEMTUN_NAME_SIZE];

	if (!tunnel_name_is_template(spec->asked))
		return netns_hand_in(netns, memtun, spec, spec->asked, &fd);
	for (unsigned int number = 0; tunnel_name_expand(name, sizeof(name), spec->asked, number);
	     number++) {
		int result = if_nametoindex(name) ? EBUSY
						  : netns_hand_in(netns, memtun, spec, name, &fd);

		if (result != EBUSY)
			return result;
	}
	command_fail(0, "-t %s: there is no free number", spec->text);
	return -1;
}

static int netns_add(struct netns *netns, struct memtun *memtun, struct netns_spec *spec)
{
	const struct address *ipv4 = address_config_first_ipv4(&spec->interface.addresses);

	if (netns_join(netns, memtun, spec) < 0)
		return EXIT_OURS;
	if (!spec->has_mac)
		identity_mac(netns->identity, spec->interface.name, ipv4, spec->interface.mac);
	/* The interface comes up after the hand-in, so that the broker gets its first frame. */
	if (interface_set_up(&spec->interface, &netns->rtnetlink, &netns->obstacle) < 0)
		return command_fail(EXIT_OURS, "-t %s: %s", spec->text, netns->obstacle.text);
	return 0;
}

/* ------------------------------------------------------------------------------ the program */

/* Run the program. Return only on failure, with the exit status. */
static int netns_program(struct netns *netns, const struct invocation *invocation)
{
	char **command = invocation->words;

	if (namespaces_grant(&netns->namespaces, &netns->obstacle) < 0)
		return netns_fail(netns);
	process_restore_signals(invocation->inherited);
	execvp(command[0], command);
	return command_fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "cannot run %s: %s",
			    command[0], strerror(errno));
}

/* Connect before there are namespaces: the broker then sees the user as it is outside of them. */
static int netns_prepare(struct netns *netns, const struct invocation *invocation)
{
	struct memtun *memtun = NULL;
	int status = own_broker_connect(invocation, &memtun);

	if (status == 0) {
		netns->identity = broker_identity(memtun);
		status = netns_enter(netns);
	}
	for (int i = 0; i < netns->count && status == 0; i++)
		status = netns_add(netns, memtun, &netns->specs[i]);
	memtun_free(memtun);
	return status;
}

static int netns_run(const struct invocation *invocation)
{
	struct netns netns = {.rtnetlink.fd = -1, .life = -1};
	int status = netns_parse(&netns, invocation);

	if (status == 0)
		status = netns_prepare(&netns, invocation);
	rtnetlink_close(&netns.rtnetlink);
	descriptor_close(&netns.life);
	for (int i = 0; i < netns.count; i++)
		netns_spec_free(&netns.specs[i]);
	free(netns.specs);
	if (status == 0)
		status = netns_program(&netns, invocation);
	return status;
}

static const struct command_option netns_options[] = {
	{"-t", 0, "SPEC", "add this interface: NAME:bridge=BRIDGE[,KEY=VALUE,...]"},
	{"--map-root", 0, NULL, "make PROGRAM root in its user namespace"},
	{0},
};

const struct command command_netns = {
	.name = "netns",
	.summary = "run a program whose sockets use a bridge: the kernel's own TCP/IP",
	.usage = "-t SPEC... [--] PROGRAM [ARGUMENT]...",
	.about = "The program gets a user and a network namespace, and a real interface for each\n"
		 "-t, whose other end is a port of the bridge. NAME is the name of both.\n"
		 "The program may use ip, ping and tcpdump, and ports below 1024.\n"
		 "If no broker runs, a private one is started.",
	.example = "memtun netns -t c:bridge=lab,address=10.0.0.2/24 -- curl http://10.0.0.1/",
	.options = netns_options,
	.keys = KEYS_NETNS,
	.needs = "a PROGRAM to run",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.stops_at_word = true,
	.usage_status = EXIT_OURS,
	.run = netns_run,
};

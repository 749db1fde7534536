/* SPDX-License-Identifier: MIT */
#include "client/command/keys.h"

#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/lib/options.h"
#include "common/spec.h"

#define OPEN (KEYS_EXEC | KEYS_HOST)
#define TUNNEL (KEYS_ADD | OPEN)

const struct key keys[] = {
	{"type", "TYPE", "its type, such as vde, stream or user: see memtun(1)", KEYS_UPLINK_ADD},
	{"mode", "tap|tun", "Ethernet frames (the default), or IP packets", TUNNEL | KEYS_NETNS},
	{"mode", "tap|tun", "of kernel, fd, device: Ethernet (the default), or IP",
	 KEYS_UPLINK_ADD},
	{"bridge", "BRIDGE", "be a port of this bridge; it is made if need be",
	 TUNNEL | KEYS_SET | KEYS_WRAP | KEYS_UPLINK_ADD | KEYS_UPLINK_SET | KEYS_NETNS},
	{"nobridge", NULL, "leave the bridge", KEYS_SET | KEYS_UPLINK_SET},
	{"peer", "NAME", "also make this tunnel, and wire the two directly", TUNNEL},
	{"socket", "TYPE", "seqpacket (the default), dgram or stream", KEYS_ADD | KEYS_EXEC},
	{"mtu", "BYTES", "the largest packet to the client; default 1500",
	 TUNNEL | KEYS_SET | KEYS_WRAP},
	{"mtu", "BYTES", "the largest packet; default: what the type can carry",
	 KEYS_UPLINK_ADD | KEYS_UPLINK_SET},
	{"mtu", "BYTES", "the largest packet of the interface; default 1500", KEYS_NETNS},
	{"mac", "MAC", "of a TAP: the interface's MAC address", KEYS_NETNS},
	{"queue", "FRAMES", "how many frames may wait in the broker; default 1000",
	 TUNNEL | KEYS_SET | KEYS_WRAP | KEYS_UPLINK_ADD | KEYS_UPLINK_SET | KEYS_NETNS},
	{"overflow", "POLICY", "drop-tail (the default), drop-head or block",
	 TUNNEL | KEYS_SET | KEYS_WRAP | KEYS_UPLINK_ADD | KEYS_UPLINK_SET | KEYS_NETNS},
	{"vlan", "ID", "untagged frames of this VLAN only, 1 to 4094; 0: none",
	 TUNNEL | KEYS_SET | KEYS_WRAP | KEYS_UPLINK_ADD | KEYS_UPLINK_SET | KEYS_NETNS},
	{"address", "A[/P][+A...]", "of a TUN on an Ethernet bridge: its addresses, or none",
	 KEYS_ADD | KEYS_SET | KEYS_EXEC | KEYS_WRAP},
	{"gateway", "G[+G...]", "of a TUN on an Ethernet bridge: its gateways, or none",
	 KEYS_ADD | KEYS_SET | KEYS_EXEC | KEYS_WRAP},
	{"address", "A[/P][+A...]", "the interface's IPv4 and IPv6 addresses", KEYS_NETNS},
	{"gateway", "G[+G...]", "a default route; one gateway of each family", KEYS_NETNS},
	{"dns", "A[+A...]", "name servers, in a resolv.conf of the program's own", KEYS_NETNS},
	{"address", "A/P", "the host's IPv4 or IPv6 address; one of each family", KEYS_HOST},
	{"gateway", "G", "the gateway of the address's family", KEYS_HOST},
	{"address", "A[/P][+A...]", "of kernel, fd, device with mode tun: as of a tunnel",
	 KEYS_UPLINK_ADD | KEYS_UPLINK_SET},
	{"gateway", "G[+G...]", "of kernel, fd, device with mode tun: as of a tunnel",
	 KEYS_UPLINK_ADD | KEYS_UPLINK_SET},
	{"socks", "[A:]PORT", "be a SOCKS5 server there; default A: 127.0.0.1", KEYS_HOST},
	{"device", "NAME", "of kernel, device: the interface; default: NAME", KEYS_UPLINK_ADD},
	{"fd", "FD", "of fd: an inherited TUN/TAP device or UNIX socket", KEYS_UPLINK_ADD},
	{"pid", "PID", "of fd, device: delete it when this process ends", KEYS_UPLINK_ADD},
	{"until", "FD", "of fd, device: delete it when this FD hangs up", KEYS_UPLINK_ADD},
	{"path", "PATH", "of vde, bess, stream, dgram: the socket or switch", KEYS_UPLINK_ADD},
	{"listen", "PATH|A:PORT", "of stream, bess, dgram, vde: a port for each peer",
	 KEYS_UPLINK_ADD},
	{"max", "NUMBER", "with listen: how many peers may connect; default 64", KEYS_UPLINK_ADD},
	{"allow", "own|any", "with listen: peers of this user (default) or of any",
	 KEYS_UPLINK_ADD},
	{"socket-mode", "MODE", "with allow any: of the socket's file; default 0666",
	 KEYS_UPLINK_ADD},
	{"socket-group", "GROUP", "with allow any: of the socket's file", KEYS_UPLINK_ADD},
	{"group", "ADDRESS", "of mcast, vxlan: the multicast group", KEYS_UPLINK_ADD},
	{"port", "PORT", "of mcast, vxlan: the UDP port", KEYS_UPLINK_ADD},
	{"ifaddr", "ADDRESS", "of mcast: an address of the interface; default 127.0.0.1",
	 KEYS_UPLINK_ADD},
	{"ttl", "NUMBER", "of mcast, vxlan: 0 to 255", KEYS_UPLINK_ADD},
	{"loop", NULL, "of mcast: receive the frames that are sent, too", KEYS_UPLINK_ADD},
	{"local", "A[:PORT]", "of udp (with the port), vxlan: this side", KEYS_UPLINK_ADD},
	{"remote", "A[:PORT]", "of udp (with the port), vxlan, dgram: the other side",
	 KEYS_UPLINK_ADD},
	{"vni", "NUMBER", "of vxlan: the network, 0 to 16777215", KEYS_UPLINK_ADD},
	{"net", "A/P", "of user: the IPv4 network; default 10.0.2.0/24", KEYS_UPLINK_ADD},
	{"net6", "P/64", "of user: the IPv6 network; default fec0::/64", KEYS_UPLINK_ADD},
	{"forward", "F[+F...]", "of user: each tcp|udp/LOCAL:PORT/ADDRESS:PORT", KEYS_UPLINK_ADD},
	{"tftp", "DIR", "of user: serve the files of this directory", KEYS_UPLINK_ADD},
	{"bootfile", "FILE", "of user: the file to boot that DHCP gives", KEYS_UPLINK_ADD},
	{"restrict", NULL, "of user: let nothing out", KEYS_UPLINK_ADD},
	{"hub", NULL, "send each frame to all other ports", KEYS_BRIDGE_ADD},
	{"loop-guard", NULL, "shut a port that is part of a loop for 10 seconds", KEYS_BRIDGE_ADD},
	{"pi", NULL, "struct tun_pi before each frame", KEYS_ADD | KEYS_EXEC},
	{"pi", NULL, "of fd: struct tun_pi is before each frame", KEYS_UPLINK_ADD},
	{"vnet_hdr", NULL, "struct virtio_net_hdr before each frame", KEYS_ADD | KEYS_EXEC},
	{"offload", "W[+W...]", "what it takes: csum tso4 tso6 tso-ecn ufo uso4 uso6",
	 KEYS_ADD | KEYS_EXEC | KEYS_SET},
	{"vnet_hdr_size", "BYTES", "of struct virtio_net_hdr: 10 to 20; default 10",
	 KEYS_ADD | KEYS_EXEC | KEYS_SET},
	{"multi_queue", NULL, "the tunnel may be open up to 256 times", TUNNEL},
	{"count", "NUMBER", "with %d in NAME: make this many tunnels", KEYS_ADD},
	{"backend", "memory|kernel", "kernel: an interface of the kernel", TUNNEL},
	{"exclusive", NULL, "refuse a tunnel that exists", OPEN},
	{"persistent", NULL, "the tunnel stays when its last descriptor is closed",
	 KEYS_SET | OPEN},
	{"match", "FILTER", "only these frames, as pcap-filter(7) describes them", KEYS_IMPAIR_ADD},
	{"delay", "TIME", "delay frames by this time, such as 20ms", KEYS_IMPAIR},
	{"jitter", "TIME", "vary the delay at random, by about this time", KEYS_IMPAIR},
	{"distribution", "NAME", "of the jitter: uniform (default), normal or pareto", KEYS_IMPAIR},
	{"ordered", NULL, "keep the order of frames despite the jitter", KEYS_IMPAIR},
	{"loss", "PERCENT", "drop this share of the frames", KEYS_IMPAIR},
	{"loss-burst", "FRAMES", "the mean number of frames that are lost in a row", KEYS_IMPAIR},
	{"duplicate", "PERCENT", "send this share of the frames twice", KEYS_IMPAIR},
	{"corrupt", "PERCENT", "change one bit of this share of the frames", KEYS_IMPAIR},
	{"truncate", "PERCENT", "cut off the end of this share of the frames", KEYS_IMPAIR},
	{"reorder", "PERCENT", "send this share at once in place of delaying it", KEYS_IMPAIR},
	{"gap", "NUMBER", "reorder at most one of this number of frames", KEYS_IMPAIR},
	{"rate", "RATE", "limit the rate of the frames, such as 10mbit", KEYS_IMPAIR},
	{"limit", "FRAMES", "how many may wait per direction; default 131072", KEYS_IMPAIR},
	{"drop", "N[+N-N...]", "drop the frames of these numbers, such as 1+3+8-10", KEYS_IMPAIR},
	{"pmtu", "BYTES", "drop packets that are longer", KEYS_IMPAIR},
	{"icmp", NULL, "with pmtu: send an ICMP error to the sender", KEYS_IMPAIR},
	{"hold", NULL, "keep frames until memtun impair release", KEYS_IMPAIR},
	{"until", "N|TIME", "delete the rule after this frame, or this time", KEYS_IMPAIR},
	{"carrier", "on|off", "off: the link is down, and no frame passes", KEYS_IMPAIR},
	{"seed", "NUMBER", "of all draws; default: MEMTUN_SEED, or random", KEYS_IMPAIR},
	{0},
};

/* Look for the key among those of the commands, and remember the nearest one. */
static bool key_is_known(unsigned int of_commands, struct suggestion *suggestion)
{
	for (const struct key *key = keys; key->name; key++) {
		if (key->commands & of_commands && suggestion_consider(suggestion, key->name))
			return true;
	}
	return false;
}

/* Words of ip(8), route(8) and others for keys that are too far from them to be a misspelling. */
static const struct {
	const char *word, *key;
} other_words[] = {
	{"gw", "gateway"},    {"via", "gateway"},      {"route", "gateway"},
	{"addr", "address"},  {"ip", "address"},       {"br", "bridge"},
	{"master", "bridge"}, {"txqueuelen", "queue"}, {"ipaddr", "address"},
};

/* Suggest the key that other programs call so, if one of the commands has it. */
static void suggest_other_word(unsigned int of_commands, struct suggestion *suggestion)
{
	for (size_t i = 0; i < sizeof(other_words) / sizeof(other_words[0]); i++) {
		if (strcmp(suggestion->given, other_words[i].word) == 0 &&
		    keys_find(of_commands, other_words[i].key))
			suggestion->nearest = other_words[i].key;
	}
}

int keys_spec_name(const char *spec, char name[MEMTUN_NAME_SIZE])
{
	size_t length = strcspn(spec, ":");

	if (length >= MEMTUN_NAME_SIZE)
		return command_fail(EXIT_OURS, "name '%.*s' is longer than 15 bytes", (int)length,
				    spec);
	/* A name may contain ',' and '=', but here they mean that the colon before the options is
	 * missing. */
	if (strcspn(spec, ",=") < length)
		return command_fail(EXIT_OURS,
				    "options follow a colon: -t NAME:KEY=VALUE,... not '%s'", spec);
	memcpy(name, spec, length);
	name[length] = '\0';
	return 0;
}

const struct key *keys_find(unsigned int of_commands, const char *name)
{
	for (const struct key *key = keys; key->name; key++) {
		if (key->commands & of_commands && strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}

const char *keys_hint(unsigned int of_commands, const char *name, char hint[SUGGESTION_SIZE])
{
	struct suggestion suggestion = {.given = name}, any = {.given = name};

	/* A key of another command is no misspelled one. */
	if (key_is_known(~0U, &any))
		return "";
	key_is_known(of_commands, &suggestion);
	suggest_other_word(of_commands, &suggestion);
	if (!suggestion.nearest)
		return "";
	return suggestion_hint(&suggestion, NULL, hint);
}

int keys_take(struct memtun_options *options, unsigned int of_commands, int count, char **words)
{
	int taken = spec_take((const char *const *)words, count, OPTION_ALL, &options->set,
			      &options->fault);
	char hint[SUGGESTION_SIZE];

	if (taken < 0)
		command_fail(0, "%s%s", memtun_options_error(options),
			     keys_hint(of_commands, words[0], hint));
	return taken;
}

struct memtun_options *keys_parse(unsigned int of_commands, int count, char **words)
{
	struct memtun_options *options = memtun_options_new();

	if (!options) {
		command_fail(0, "out of memory");
		return NULL;
	}
	for (int i = 0; i < count;) {
		int taken = keys_take(options, of_commands, count - i, words + i);

		if (taken < 0) {
			memtun_options_free(options);
			return NULL;
		}
		i += taken;
	}
	return options;
}

const char *keys_hint_spec(unsigned int of_commands, const char *spec, char hint[SUGGESTION_SIZE])
{
	for (; *spec; spec += strspn(spec, ",")) {
		char name[SUGGESTION_SIZE];
		struct suggestion suggestion = {.given = name};

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(spec, "=,"), spec);
		if (!key_is_known(of_commands, &suggestion)) {
			suggest_other_word(of_commands, &suggestion);
			return suggestion.nearest ? suggestion_hint(&suggestion, NULL, hint) : "";
		}
		spec += strcspn(spec, ",");
	}
	return "";
}

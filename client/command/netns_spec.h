/* SPDX-License-Identifier: MIT */
/*
 * A SPEC of memtun netns, NAME:KEY=VALUE,...: parsed into what the interface in the namespace gets,
 * the options of its port in the broker, and name servers.
 */
#ifndef MEMTUN_NETNS_SPEC_H
#define MEMTUN_NETNS_SPEC_H

#include <stdbool.h>

#include "client/netns/interface.h"
#include "memtun.h"

/* The room for the name servers of all SPECs, as lines of a resolv.conf(5). */
#define NETNS_RESOLVER_SIZE 512

struct netns_spec {
	const char *text;
	char asked[MEMTUN_NAME_SIZE];   /* the name, possibly a template */
	struct memtun_options *options; /* of the port */
	struct interface interface;     /* its name is not set yet */
	bool has_mac, has_dns;
};

/*
 * Parse the text, which must outlive the spec. Append its name servers to resolver. Return 0, or
 * the exit status after a message; netns_spec_free() must be called in both cases.
 */
int netns_spec_parse(struct netns_spec *spec, const char *text, char resolver[NETNS_RESOLVER_SIZE]);
void netns_spec_free(struct netns_spec *spec);

#endif

/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_publish.h"

#include <err.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/connection.h"
#include "client/lib/options.h"
#include "client/wrap/interface.h"
#include "client/wrap/interface_broker.h"
#include "client/wrap/interface_record.h"
#include "client/wrap/state_text.h"

/* Set an option. False: out of memory, or a value that the broker does not take. */
static bool put_number(struct memtun_options *options, const char *key, uint64_t number)
{
	return memtun_options_set_number(options, key, number) == 0;
}

/* Put the lists that differ from those of the broker. */
static bool put_lists(struct interface *interface, struct memtun_options *options)
{
	static int (*const writers[INTERFACE_LISTS])(const struct interface_state *state,
						     char *text, size_t size) = {
		state_text_addresses,
		state_text_routes,
		state_text_neighbours,
	};

	for (int i = 0; i < INTERFACE_LISTS; i++) {
		char text[MEMTUN_LIST_SIZE];
		int error = writers[i](&interface->state, text, sizeof(text));

		if (error < 0) {
			errno = -error;
			return false;
		}
		if (interface->told.is_known && interface->lists[i] &&
		    strcmp(interface->lists[i], text) == 0)
			continue;
		if (memtun_options_set(options, interface_record_lists[i], text) < 0)
			return false;
		free(interface->lists[i]);
		interface->lists[i] = strdup(text);
	}
	return true;
}

static bool put_mac(const struct interface *interface, struct memtun_options *options)
{
	const unsigned char *bytes = interface->tun.address;
	char mac[sizeof("00:00:00:00:00:00")];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
		 bytes[3], bytes[4], bytes[5]);
	return memtun_options_set(options, "interface-mac", mac) == 0;
}

/* Put all values that differ from those of the broker. */
static bool put_all(struct interface *interface, struct memtun_options *options)
{
	const struct interface_told *told = &interface->told;
	const struct tun_interface *tun = &interface->tun;
	bool is_told = told->is_known;

	return ((is_told && told->flags == interface->flags) ||
		put_number(options, "interface-flags", interface->flags)) &&
	       ((is_told && told->transmit_queue == interface->transmit_queue) ||
		put_number(options, "interface-txqlen", (uint64_t)interface->transmit_queue)) &&
	       ((is_told && told->carrier == tun->carrier) ||
		put_number(options, "interface-carrier", tun->carrier)) &&
	       (!(tun->flags & IFF_TAP) ||
		(is_told && memcmp(told->mac, tun->address, sizeof(told->mac)) == 0) ||
		put_mac(interface, options)) &&
	       put_lists(interface, options);
}

static bool is_empty(const struct memtun_options *options)
{
	return attribute_set_next(&options->set, MEMTUN_A_UNSPEC) == MEMTUN_A_END;
}

/* Return whether the tunnel has gone, or its broker has ended, which is noticed later. */
static bool is_end(const struct memtun *memtun, int error)
{
	return memtun_fd(memtun) < 0 || error == ENOENT;
}

/*
 * Tell the broker what is new. With `is_request`, only if it has the revision that is known here. -1
 * with errno.
 */
static int tell(struct interface *interface, struct memtun_options *options, bool is_request)
{
	const struct interface_told *told = &interface->told;
	uint32_t revision = told->is_known ? told->revision : 0;

	if (!put_all(interface, options))
		return -1;
	if (is_empty(options))
		return 0;
	if (is_request && revision)
		attribute_set_put_number(&options->set, MEMTUN_A_INTERFACE_REVISION, revision);
	if (interface_broker_call(interface, MEMTUN_CMD_INTERFACE_SET, options,
				  interface_record_answer, interface) < 0)
		return -1;
	interface->echoes += interface->interfaces->is_watching;
	return 0;
}

/* Publish the interface. Return 0 or a negative errno. */
static int interface_publish_one(struct interface *interface, bool is_request)
{
	struct memtun_options *options = memtun_options_new();
	int result;

	interface->is_changed = false;
	result = options && tell(interface, options, is_request) == 0 ? 0 : -errno;
	memtun_options_free(options);
	if (result < 0)
		interface_record_forget(interface);
	return result;
}

void interface_publish(struct interfaces *interfaces)
{
	struct interface *interface;

	if (!interfaces->is_any_changed)
		return;
	interfaces->is_any_changed = false;
	LIST_FOREACH(interface, &interfaces->list, link) {
		int error = interface->is_changed ? -interface_publish_one(interface, false) : 0;

		if (error && !is_end(interfaces->memtun, error))
			warnx("%s: what programs set of this interface is not told to others: %s",
			      interface->tun.name, strerror(error));
	}
}

int interface_publish_request(struct interfaces *interfaces)
{
	struct interface *interface;
	int result = 0;

	if (!interfaces->is_any_changed)
		return 0;
	interfaces->is_any_changed = false;
	LIST_FOREACH(interface, &interfaces->list, link) {
		int error = interface->is_changed ? -interface_publish_one(interface, true) : 0;

		if (!error || is_end(interfaces->memtun, error))
			continue;
		/* One that has gone meanwhile is seen later. */
		interface_broker_show(interface);
		result = -error;
	}
	return result;
}

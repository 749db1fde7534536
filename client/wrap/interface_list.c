/* SPDX-License-Identifier: MIT */
#include "client/wrap/interface_list.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "client/wrap/call.h"
#include "client/wrap/interface.h"
#include "client/wrap/interface_request.h"
#include "client/wrap/memory.h"
#include "client/wrap/network.h"
#include "common/descriptor.h"

/* A bound for the interfaces of a machine, far above the largest that are seen. */
#define ENTRIES_MAX 65536

/* struct ifconf of a 32-bit program. */
struct ifconf_32 {
	int32_t length;
	uint32_t buffer;
};

/* Ask the kernel for its list, into the first entries. Return how many bytes; -1 with errno. */
static int kernel_list(struct ifreq *entries)
{
	struct ifconf list = {.ifc_len = ENTRIES_MAX * sizeof(*entries), .ifc_req = entries};
	descriptor_owned fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCGIFCONF, &list) < 0 ? -1 : list.ifc_len;
}

/* Write the entry of an address. */
static void entry_set(struct ifreq *entry, const struct interface *interface,
		      const struct state_address *address)
{
	struct sockaddr_in shown = {.sin_family = AF_INET, .sin_addr = address->local.ipv4};
	const char *label = address->label[0] ? address->label : interface->tun.name;

	memset(entry, 0, sizeof(*entry));
	memcpy(entry->ifr_name, label, IFNAMSIZ);
	memcpy(&entry->ifr_addr, &shown, sizeof(shown));
}

/* Append the tunnels' IPv4 addresses. Return how many entries there are then. */
static size_t tunnels_append(struct interfaces *interfaces, struct ifreq *entries, size_t count)
{
	struct interface *interface, *next;

	LIST_FOREACH_SAFE(interface, &interfaces->list, link, next) {
		const struct interface_state *state = &interface->state;

		if (!state->address_count || !interface_refresh(interfaces, interface))
			continue;
		for (size_t i = 0; i < state->address_count && count < ENTRIES_MAX; i++) {
			if (state->addresses[i].local.kind == ADDRESS_IPV4)
				entry_set(&entries[count++], interface, &state->addresses[i]);
		}
	}
	return count;
}

/* Write as many entries as the program has room for. Set *length to their bytes. -1 with errno. */
static int entries_write(const struct call *call, unsigned long buffer, struct ifreq *entries,
			 size_t count, int *length)
{
	size_t size = call->is_32_bit ? 32 : sizeof(*entries);
	size_t room = *length < 0 ? 0 : (size_t)*length / size;

	if (!buffer)
		room = count;
	if (count > room)
		count = room;
	for (size_t i = 0; buffer && i < count; i++) {
		if (memory_copy(call, &entries[i], buffer + i * size, size, true) < 0)
			return -1;
	}
	*length = (int)(count * size);
	return 0;
}

int interface_list(struct interfaces *interfaces, const struct call *call)
{
	struct ifconf_32 list_32;
	struct ifconf list;
	void *list_read = call->is_32_bit ? (void *)&list_32 : &list;
	size_t list_size = call->is_32_bit ? sizeof(list_32) : sizeof(list);
	memory_owned struct ifreq *entries = NULL;
	size_t count;
	int length;

	if (!network_is_ours(call->thread) ||
	    memory_copy(call, list_read, call->argument, list_size, false) < 0)
		return INTERFACE_REQUEST_PASS;
	if (call->is_32_bit) {
		list.ifc_len = list_32.length;
		list.ifc_buf = (char *)(uintptr_t)list_32.buffer;
	}
	entries = reallocarray(NULL, ENTRIES_MAX, sizeof(*entries));
	length = entries ? kernel_list(entries) : -1;
	if (length < 0)
		return -errno;
	count = tunnels_append(interfaces, entries, (size_t)length / sizeof(*entries));
	if (count == (size_t)length / sizeof(*entries))
		return INTERFACE_REQUEST_PASS;
	if (entries_write(call, (unsigned long)list.ifc_buf, entries, count, &list.ifc_len) < 0)
		return -errno;
	/* The length is the first member in both layouts. */
	return memory_copy(call, &list.ifc_len, call->argument, sizeof(list.ifc_len), true) < 0
		       ? -errno
		       : 0;
}

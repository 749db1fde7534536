/* SPDX-License-Identifier: MIT */
/*
 * The interfaces of the memory kind: their names, and which opens may attach to them. As in the
 * kernel, TUNSETIFF makes an interface, which is deleted with its last queue unless it is
 * persistent.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/container_of.h"
#include "common/failed.h"

/* The kernel's MAX_TAP_QUEUES. */
#define QUEUES_MAX 256

struct memory_interface {
	struct tun_interface interface;
	LIST_ENTRY(memory_interface) in_memory;
};

struct tun_interface *memory_interface_find(struct memory *memory, const char *name)
{
	struct memory_interface *found;

	LIST_FOREACH(found, &memory->interfaces, in_memory) {
		if (strcmp(found->interface.name, name) == 0)
			return &found->interface;
	}
	return NULL;
}

/*
 * Return whether the kernel's dev_valid_name() and __dev_alloc_name() take the name. A broker is
 * stricter.
 */
static bool name_is_valid(const char *name)
{
	const char *percent = strchr(name, '%');

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	/* 0xa0 is a space in the kernel's isspace(): Latin 1's no-break space. */
	if (strpbrk(name, "/: \t\n\v\f\r\xa0"))
		return false;
	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

/* Replace a template in `name` by the first free name: the one with the lowest number. */
static int choose_name(struct memory *memory, char name[IFNAMSIZ], unsigned int flags)
{
	char template[IFNAMSIZ];
	const char *percent;

	if (!*name)
		strcpy(name, flags & IFF_TUN ? "tun%d" : "tap%d");
	if (!name_is_valid(name))
		return failed(EINVAL);
	if (!strchr(name, '%'))
		return 0;
	strcpy(template, name);
	percent = strchr(template, '%');
	for (unsigned int number = 0;; number++) {
		int length = snprintf(name, IFNAMSIZ, "%.*s%u%s", (int)(percent - template),
				      template, number, percent + 2);

		if (length >= IFNAMSIZ)
			return failed(ENFILE);
		if (!memory_interface_find(memory, name))
			return 0;
	}
}

struct tun_interface *memory_interface_make(struct memory *memory, char name[IFNAMSIZ],
					    unsigned int flags)
{
	struct memory_interface *made;

	if (!(flags & (IFF_TUN | IFF_TAP))) {
		errno = EINVAL;
		return NULL;
	}
	if (choose_name(memory, name, flags) < 0)
		return NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	tun_interface_init(&made->interface, name, flags);
	LIST_INSERT_HEAD(&memory->interfaces, made, in_memory);
	return &made->interface;
}

void memory_interface_free(struct tun_interface *interface)
{
	struct memory_interface *freed =
		container_of(interface, struct memory_interface, interface);

	LIST_REMOVE(freed, in_memory);
	free(freed);
}

/* Return whether TUNSETOWNER and TUNSETGROUP let this process attach. */
static bool admits(const struct tun_interface *interface)
{
	gid_t groups[NGROUPS_MAX];
	int count;

	if (geteuid() == 0)
		return true;
	if (interface->owner != (uid_t)-1 && interface->owner != geteuid())
		return false;
	if (interface->group == (gid_t)-1 || interface->group == getegid())
		return true;
	count = getgroups(NGROUPS_MAX, groups);
	for (int i = 0; i < count; i++) {
		if (groups[i] == interface->group)
			return true;
	}
	return false;
}

int memory_interface_admit(const struct tun_interface *interface, unsigned int flags)
{
	if (flags & IFF_TUN_EXCL)
		return failed(EBUSY);
	if (!(flags & interface->flags & (IFF_TUN | IFF_TAP)))
		return failed(EINVAL);
	if ((flags ^ interface->flags) & IFF_MULTI_QUEUE)
		return failed(EINVAL);
	if (!admits(interface))
		return failed(EPERM);
	if (!(interface->flags & IFF_MULTI_QUEUE) && interface->queues)
		return failed(EBUSY);
	if (interface->queues + interface->disabled_queues == QUEUES_MAX)
		return failed(E2BIG);
	return 0;
}

void memory_free_interfaces(struct memory *memory)
{
	struct memory_interface *interface;

	while ((interface = LIST_FIRST(&memory->interfaces)))
		memory_interface_free(&interface->interface);
}

/* SPDX-License-Identifier: MIT */
#include "broker/switch/port_names.h"

#include <errno.h>
#include <string.h>

#include "broker/switch/port.h"
#include "common/tunnel_name.h"

static int port_compare_name(struct port *one, struct port *other)
{
	return strcmp(one->name, other->name);
}

static int port_compare_id(struct port *one, struct port *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE_INTERNAL(port_name_tree, port, by_name, port_compare_name,
		     __attribute__((unused)) static)
RB_GENERATE_INTERNAL(port_id_tree, port, by_id, port_compare_id, __attribute__((unused)) static)

/* The tree macros take no const tree, but looking up changes nothing. */
#define TREE(tree) ((void *)(uintptr_t)(tree))

/* ------------------------------------------------------------------------------ names */

void port_names_add(struct port_names *names, struct port *port)
{
	RB_INSERT(port_name_tree, &names->tree, port);
}

void port_names_remove(struct port_names *names, struct port *port)
{
	RB_REMOVE(port_name_tree, &names->tree, port);
	for (unsigned int i = 0; i < PORT_NAME_TEMPLATES; i++) {
		const char *template = names->templates[i].text;
		unsigned int *below = &names->templates[i].below;
		unsigned int number;

		if (template[0] && tunnel_name_matches(port->name, template, &number) &&
		    number < *below)
			*below = number;
	}
}

struct port *port_names_find(const struct port_names *names, const char *name)
{
	struct port key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(port_name_tree, TREE(&names->tree), &key);
}

int port_names_check(struct port_names *names, const char *name, uid_t uid, struct fault *fault)
{
	struct port *port = port_names_find(names, name);

	if (!port || (port->operations->delete_if_dead && port->operations->delete_if_dead(port)))
		return 0;
	if (port_admit(port, uid, fault) < 0)
		return -1;
	return fault_set(fault, EBUSY, "'%s' exists: it is %s", name, port->operations->kind);
}

/* ------------------------------------------------------------------------------ templates */

/* Return the number from which on the template may have free names. */
static unsigned int *template_below(struct port_names *names, const char *template)
{
	unsigned int i;

	for (i = 0; i < PORT_NAME_TEMPLATES; i++) {
		if (strcmp(names->templates[i].text, template) == 0)
			return &names->templates[i].below;
	}
	i = names->next;
	names->next = (i + 1) % PORT_NAME_TEMPLATES;
	strlcpy(names->templates[i].text, template, MEMTUN_NAME_SIZE);
	names->templates[i].below = 0;
	return &names->templates[i].below;
}

int port_names_expand(struct port_names *names, const char *template, char name[MEMTUN_NAME_SIZE])
{
	unsigned int *below = template_below(names, template);

	while (tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, *below)) {
		if (!port_names_find(names, name))
			return 0;
		++*below;
	}
	errno = ENFILE;
	return -1;
}

/* ------------------------------------------------------------------------------ ids */

void port_ids_add(struct port_id_tree *ids, struct port *port)
{
	RB_INSERT(port_id_tree, ids, port);
}

void port_ids_remove(struct port_id_tree *ids, struct port *port)
{
	RB_REMOVE(port_id_tree, ids, port);
}

struct port *port_ids_next(const struct port_id_tree *ids, uint32_t id)
{
	struct port key = {.id = id + 1};

	return RB_NFIND(port_id_tree, TREE(ids), &key);
}

/* SPDX-License-Identifier: MIT */
/*
 * Names by template: `tap%d` is the lowest free number. What was found for the templates used last
 * is remembered, so that the cost of a name doesn't grow with the tunnels there are.
 */
#ifndef MEMTUN_NAME_TEMPLATE_H
#define MEMTUN_NAME_TEMPLATE_H

#include "memtun/protocol.h"

struct broker;

/* `tap%d` and `tun%d`, and as many again. */
#define NAME_TEMPLATES 4

struct name_templates {
	struct {
		char text[MEMTUN_NAME_SIZE];
		unsigned int below; /* none of its names below this number is free */
	} used[NAME_TEMPLATES];
	unsigned int next; /* the place that a new template takes */
};

/* Writes the template's lowest name that no tunnel or uplink has. -1 with ENFILE: none is free. */
int name_template_expand(struct broker *broker, const char *template, char name[MEMTUN_NAME_SIZE]);

/* A tunnel's or an uplink's name has become free. */
void name_template_note_free(struct broker *broker, const char *name);

#endif

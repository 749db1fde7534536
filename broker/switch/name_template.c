/* SPDX-License-Identifier: MIT */
#include "broker/switch/name_template.h"

#include <errno.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/tunnel/tunnel.h"
#include "common/tunnel_name.h"
#include "broker/uplink/uplink.h"

/* The place of a template, a fresh one if it has none. */
static unsigned int template_place(struct name_templates *templates, const char *template)
{
	unsigned int place;

	for (place = 0; place < NAME_TEMPLATES; place++) {
		if (strcmp(templates->used[place].text, template) == 0)
			return place;
	}
	place = templates->next;
	templates->next = (place + 1) % NAME_TEMPLATES;
	strlcpy(templates->used[place].text, template, MEMTUN_NAME_SIZE);
	templates->used[place].below = 0;
	return place;
}

int name_template_expand(struct broker *broker, const char *template, char name[MEMTUN_NAME_SIZE])
{
	unsigned int place = template_place(&broker->templates, template);
	unsigned int *below = &broker->templates.used[place].below;

	while (tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, *below)) {
		if (!tunnel_find(broker, name) && !uplink_find(broker, name))
			return 0;
		++*below;
	}
	errno = ENFILE;
	return -1;
}

void name_template_note_free(struct broker *broker, const char *name)
{
	for (unsigned int place = 0; place < NAME_TEMPLATES; place++) {
		const char *template = broker->templates.used[place].text;
		unsigned int *below = &broker->templates.used[place].below;
		unsigned int number;

		if (template[0] && tunnel_name_matches(name, template, &number) && number < *below)
			*below = number;
	}
}
